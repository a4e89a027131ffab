"""The endpoints: routes, methods and answers, on a real loopback port."""

from __future__ import annotations

import asyncio
import json
import socket

import pytest
from aiohttp import web

from drainer.errors import StartError
from drainer.held import Answer
from drainer.phases import Phase
from drainer.web import Route, Server, listen, sign
from tests.sockets.loopback import Loopback, in_a_child, port_of
from tests.sockets.site import OUTCOME, FakeAgent, becomes, render, serving


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_hook_is_held_without_a_byte_and_then_answered_whole(method: str) -> None:
    async with serving(host="127.0.0.1") as site:
        reader, writer = await site.connect()
        writer.write(f"{method} /drain HTTP/1.1\r\nHost: x\r\nX-Drainer-Token: t\r\n\r\n".encode())
        await becomes(lambda: bool(site.agent.calls))
        early = asyncio.create_task(reader.read())
        for _ in range(3):
            assert (await site.ask("/livez"))[0] == 200
        assert not early.done()
        site.agent.outcome.set_result(Answer(OUTCOME, effect=True))
        head, _, body = (await early).decode().partition("\r\n\r\n")
        assert head.startswith("HTTP/1.1 200 OK")
        assert "Connection: close" in head
        assert json.loads(body) == {
            "outcome": "drained", "seconds": 7.5, "connections_at_start": 3, "arrived": 1, "left": 4, "remaining": 0,
            "left_by_themselves": 4, "closed": {}, "attempts": {}, "refusals": {}, "effect": True,
        }  # fmt: skip
        assert site.agent.calls == [("127.0.0.1", "t")]


async def test_a_caller_that_is_answered_without_an_outcome_is_told_why() -> None:
    async with serving() as site:
        site.agent.outcome.set_result(Answer(None, effect=False))
        status, body = await site.ask("/drain")
        assert status == 200
        assert json.loads(body) == {
            "outcome": None, "effect": False, "reason": "answered early, to make room or to stop"
        }  # fmt: skip


async def test_a_caller_that_hangs_up_is_noticed() -> None:
    async with serving() as site:
        _, writer = await site.connect()
        writer.write(b"GET /drain HTTP/1.1\r\nHost: x\r\n\r\n")
        await becomes(lambda: bool(site.agent.calls))
        writer.close()
        await becomes(lambda: site.agent.hung_up == 1)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("HEAD", "/drain", 405), ("PUT", "/drain", 405), ("OPTIONS", "/drain", 405), ("GET", "/resume", 405),
        ("POST", "/readyz", 405), ("POST", "/status", 405), ("GET", "/", 404), ("GET", "/drain/", 404),
        ("GET", "/DRAIN", 404), ("GET", "//drain", 404),
    ],
)  # fmt: skip
async def test_no_other_method_or_path_begins_a_drain(method: str, path: str, status: int) -> None:
    async with serving() as site:
        assert (await site.ask(path, method))[0] == status
        assert site.agent.calls == []


async def test_readiness_is_200_or_503_with_the_phase_in_a_word() -> None:
    async with serving() as site:
        assert await site.ask("/readyz") == (200, "ready\n")
        site.agent.ready = (False, Phase.SETTLING)
        assert await site.ask("/readyz") == (503, "settling\n")
        assert await site.ask("/livez") == (200, "alive\n")


@pytest.mark.parametrize(
    ("resumed", "status", "said"),
    [(True, 200, None), (False, 409, "there is no drain to resume from"), (None, 403, "this caller may not resume")],
)
async def test_resume_says_what_it_did(resumed: bool | None, status: int, said: str | None) -> None:  # noqa: FBT001
    async with serving() as site:
        site.agent.resumed = resumed
        answered, body = await site.ask("/resume", "POST")
        assert answered == status
        assert json.loads(body) == ({"resumed": True} if said is None else {"resumed": False, "reason": said})


async def test_every_answer_says_that_it_is_the_last_and_not_to_be_kept() -> None:
    async with serving() as site:
        for path in ("/livez", "/readyz", "/metrics", "/status"):
            _, headers, _ = await site.send(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            assert headers["connection"] == "close"
            assert headers["cache-control"] == "no-store"
            assert headers["server"].startswith("drainer/")


async def test_others_may_bring_paths_of_their_own_and_answer_in_a_stream() -> None:
    async def stream(request: web.Request, peer: str) -> web.StreamResponse:
        response = web.StreamResponse()
        sign(response)
        await response.prepare(request)
        await response.write(f"to {peer}\n".encode())
        return response

    async with serving(routes=[Route("GET", "/stream", stream)], host="127.0.0.1") as site:
        status, headers, body = await site.send(b"GET /stream HTTP/1.0\r\nHost: x\r\n\r\n")
        assert (status, body) == (200, "to 127.0.0.1\n")
        assert headers["cache-control"] == "no-store"
        assert (await site.ask("/livez"))[0] == 200


async def test_status_and_metrics_show_the_status_of_now() -> None:
    async with serving() as site:
        status, body = await site.ask("/status")
        assert (status, json.loads(body)["phase"]) == (200, "serving")
        assert await site.ask("/metrics", Accept="application/openmetrics-text") == (
            200, "application/openmetrics-text True"
        )  # fmt: skip


async def test_both_families_are_served_on_one_port() -> None:
    async with serving() as site:
        for host in ("127.0.0.1", "::1"):
            assert await site.ask("/livez", host=host) == (200, "alive\n")
        site.agent.outcome.set_result(Answer(OUTCOME, effect=True))
        await site.ask("/drain", host="::1")
        assert site.agent.calls == [("::1", None)]


# ----------------------------------------------------------------------------------------------- binding


@pytest.mark.parametrize(
    ("host", "reason"), [("127.0.0.1", "Address already in use"), ("192.0.2.1", "Cannot assign requested address")]
)
def test_a_port_that_cannot_be_had_is_said_with_its_setting(net: Loopback, host: str, reason: str) -> None:
    port = port_of(net.listen())
    with pytest.raises(StartError) as raised:
        listen(host, port)
    assert str(raised.value) == (
        f"DRAINER_HOST={host!r}, DRAINER_PORT={port}: cannot listen there ({reason}); "
        "allowed: a free port on an address of this pod"
    )


def test_a_taken_port_is_not_mistaken_for_a_lack_of_ipv6(net: Loopback) -> None:
    with pytest.raises(StartError, match="Address already in use"):
        listen("", port_of(net.listen("::")))


@pytest.mark.parametrize(
    ("host", "family"), [("", socket.AF_INET6), ("::1", socket.AF_INET6), ("127.0.0.1", socket.AF_INET)]
)
def test_the_family_follows_from_the_address(host: str, family: socket.AddressFamily) -> None:
    with listen(host, 0) as listener:
        assert listener.family == family


NO_IPV6 = """
import errno, socket
from tests.seccomp import deny_family
deny_family(socket.AF_INET6, errno.EAFNOSUPPORT)
from drainer.errors import StartError
from drainer.web import listen
with listen("", 0) as listener:
    print(listener.family.name, listener.getsockname()[0])
try:
    listen("::1", 0)
except StartError as error:
    print(error)
"""


def test_without_ipv6_all_addresses_are_those_of_ipv4_and_an_ipv6_address_is_a_mistake() -> None:
    everywhere, mistake = in_a_child(NO_IPV6).splitlines()
    assert everywhere == "AF_INET 0.0.0.0"
    assert "cannot listen there (Address family not supported by protocol)" in mistake


async def test_a_server_that_was_never_started_can_be_stopped() -> None:
    agent = FakeAgent(asyncio.get_running_loop().create_future())
    await Server(agent, render, lambda *_: None, connection_limit=1).stop()
    assert agent.calls == []
