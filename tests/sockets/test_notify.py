"""The closer `notify` against apps on real loopback ports, well-behaved and not."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress

import pytest

from drainer.attempt import Attempt, Verdict
from drainer.closers.notify import BUDGET, MOST_READ, NotifyCloser
from drainer.model import Identity
from drainer.phases import Close
from tests.sockets.loopback import port_of
from tests.sockets.notified import HANG_UP, OK, SILENCE, Notified, answer, notified
from tests.sockets.site import becomes
from tests.unit.fakes import now

SENT = Attempt(Verdict.SENT)


def order(*connections: Identity, remaining: int = 100, seconds_left: float = 20.0) -> Close:
    return Close("notify", connections, remaining, seconds_left, rate=5.0)


def failed(detail: str) -> Attempt:
    return Attempt(Verdict.FAILED, detail)


@asynccontextmanager
async def closing(url: str, mode: str = "batch") -> AsyncIterator[NotifyCloser]:
    """A closer whose drain is over at the end of the block, with nothing left open."""
    closer = NotifyCloser(url, mode=mode, code=1012, reason="Grüße")
    try:
        yield closer
    finally:
        closer.finish()
        await becomes(lambda: not closer._farewells)


async def tried(app: Notified, mode: str = "batch") -> tuple[Attempt, float]:
    """What came of one order, and the seconds that it took."""
    async with closing(app.url, mode) as closer:
        began = now()
        attempts = await closer.close(order(7, 8))
        assert set(attempts) == {7, 8}
        return attempts[7], now() - began


async def test_batch_tells_each_step_over_one_connection() -> None:
    async with notified() as app:
        async with closing(app.url) as closer:
            assert await closer.missing() is None
            assert await closer.close(order(1, 2, 3)) == {1: SENT, 2: SENT, 3: SENT}
            assert await closer.close(order(4, remaining=97, seconds_left=19.5)) == {4: SENT}
        rest = {"code": 1012, "reason": "Grüße", "rate_per_second": 5.0}
        for told, close, connections, seconds in zip(app.told, (3, 1), (100, 97), (20.0, 19.5), strict=True):
            assert told["deadline_seconds"] == pytest.approx(seconds, abs=0.5)
            assert told == rest | {
                "close": close,
                "connections": connections,
                "deadline_seconds": told["deadline_seconds"],
            }
        assert app.accepted == 1
        await becomes(lambda: app.open == 0)


async def test_what_is_sent_is_json_and_names_the_sender() -> None:
    async with notified() as app:
        assert (await tried(app))[0] == SENT
        request, *headers = app.heads[0].rstrip().split("\r\n")
        sent = dict(line.split(": ", 1) for line in headers)
        assert request == "POST /drain HTTP/1.1"
        assert sent["Content-Type"] == "application/json"
        assert sent["Accept-Encoding"] == "identity"
        assert sent["User-Agent"].startswith("drainer/")


async def test_announce_tells_once_in_a_drain() -> None:
    async with notified() as app, closing(app.url, "announce") as closer:
        for _ in range(2):
            for connection in range(3):
                assert await closer.close(order(connection)) == {connection: SENT}
            closer.finish()
        assert len(app.told) == 2
        assert set(app.told[0]) == {"reason", "code", "connections", "deadline_seconds", "rate_per_second"}


async def test_an_announcement_that_failed_is_made_again_with_the_next_order() -> None:
    async with notified(answer(404), OK) as app, closing(app.url, "announce") as closer:
        assert await closer.close(order(1)) == {1: failed("404")}
        assert await closer.close(order(2)) == {2: SENT}
        assert await closer.close(order(3)) == {3: SENT}
        assert len(app.told) == 2


@pytest.mark.parametrize("status", [200, 202, 204])
async def test_every_2xx_is_a_yes(status: int) -> None:
    async with notified(answer(status)) as app:
        assert (await tried(app))[0] == SENT
        assert len(app.told) == 1


@pytest.mark.parametrize("status", [400, 404, 429])
async def test_a_no_is_not_asked_again(status: int) -> None:
    async with notified(answer(status)) as app:
        attempt, seconds = await tried(app)
        assert attempt == failed(str(status))
        assert len(app.told) == 1
        assert seconds < 1


async def test_a_redirect_is_not_followed() -> None:
    async with (
        notified() as elsewhere,
        notified(answer(307, f"Location: {elsewhere.url}")) as app,
    ):
        assert (await tried(app))[0] == failed("307")
        assert elsewhere.accepted == 0


async def test_trouble_in_the_app_is_asked_again() -> None:
    async with notified(answer(500), answer(503), OK) as app:
        attempt, seconds = await tried(app)
        assert attempt == SENT
        assert len(app.told) == 3
        assert 0.29 <= seconds < BUDGET
        assert app.told[2]["deadline_seconds"] == pytest.approx(19.7, abs=0.25)


async def test_lasting_trouble_ends_within_the_budget() -> None:
    async with notified(answer(503)) as app:
        attempt, seconds = await tried(app)
        assert attempt == failed("503")
        assert len(app.told) == 4
        assert seconds < BUDGET
        waits = [later - earlier for earlier, later in zip(app.times, app.times[1:], strict=False)]
        assert waits[0] >= 0.09
        assert waits[1] >= 0.19
        assert waits[2] >= 0.39


async def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{port_of(listener)}/"
    async with closing(url) as closer:
        began = now()
        assert await closer.close(order(1)) == {1: failed("ECONNREFUSED")}
        assert 0.69 <= now() - began < BUDGET


async def test_an_app_that_comes_up_is_found_by_the_next_try() -> None:
    async with notified() as app:
        with socket.socket() as reserved:
            reserved.bind(("127.0.0.1", 0))
            async with closing(f"http://127.0.0.1:{port_of(reserved)}/") as closer:
                asked = asyncio.create_task(closer.close(order(1)))
                await asyncio.sleep(0.05)
                server = await asyncio.start_server(app.serve, sock=reserved)
                assert await asked == {1: SENT}
            await becomes(lambda: app.open == 0)
            server.close()
            await server.wait_closed()


async def test_no_answer_is_not_asked_again_for_the_app_may_have_begun() -> None:
    async with notified(SILENCE) as app:
        attempt, seconds = await tried(app)
        assert attempt == failed("timeout")
        assert len(app.told) == 1
        assert seconds == pytest.approx(BUDGET, abs=0.5)
        await becomes(lambda: app.open == 0)


async def test_a_body_that_never_ends_does_not_take_the_yes_back() -> None:
    async with notified(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", SILENCE) as app:
        attempt, seconds = await tried(app)
        assert attempt == SENT
        assert seconds == pytest.approx(BUDGET, abs=0.5)
        await becomes(lambda: app.open == 0)


async def test_a_body_that_breaks_off_does_not_take_the_yes_back() -> None:
    async with notified(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", hangs_up=True) as app:
        assert (await tried(app))[0] == SENT


async def test_of_a_long_answer_only_the_beginning_is_read() -> None:
    size = 1_000_000
    long = f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n".encode() + bytes(size)
    async with notified(long) as app, closing(app.url) as closer:
        for count in (1, 2):
            assert await closer.close(order(count)) == {count: SENT}
            await becomes(lambda: app.open == 0)
            assert app.accepted == count, "the rest of the answer was not waited for"


async def test_an_answer_of_just_the_limit_is_read() -> None:
    body = b"x" * (MOST_READ - 1)
    async with notified(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body) as app:
        async with closing(app.url) as closer:
            await closer.close(order(1))
            await closer.close(order(2))
        assert app.accepted == 1


async def test_an_app_that_hangs_up_between_two_posts_is_called_again() -> None:
    async with notified(hangs_up=True) as app, closing(app.url) as closer:
        for count in range(1, 4):
            assert await closer.close(order(count)) == {count: SENT}
            await becomes(lambda: app.open == 0)
        assert app.accepted == 3


async def test_an_app_that_hangs_up_instead_of_answering_is_asked_again() -> None:
    async with notified(HANG_UP, OK) as app:
        assert (await tried(app))[0] == SENT
        assert app.accepted == 2


@pytest.mark.parametrize(
    ("said", "detail"),
    [
        (HANG_UP, "disconnected"),
        (b"220 smtp.example ESMTP\r\n\r\n", "not_http"),
        (b"\x15\x03\x01\x00\x02\x02\x46", "not_http"),
    ],
    ids=["nothing", "another protocol", "TLS"],
)
async def test_what_is_no_answer(said: bytes, detail: str) -> None:
    async with notified(said, hangs_up=True) as app:
        assert (await tried(app))[0] == failed(detail)


async def test_a_name_is_looked_up_beside_the_loop() -> None:
    async with notified() as app, closing(f"http://localhost:{app.port}/drain") as closer:
        assert await closer.close(order(1)) == {1: SENT}


async def test_a_name_that_cannot_be_one_has_no_address() -> None:
    async with closing(f"http://{'x' * 64}:1/") as closer:
        assert await closer.close(order(1)) == {1: failed("unreachable")}


async def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with notified() as proxy, notified() as app:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        assert (await tried(app))[0] == SENT
        assert (proxy.accepted, app.accepted) == (0, 1)


@pytest.mark.parametrize("said", [SILENCE, answer(503)], ids=["waits for an answer", "between two tries"])
@pytest.mark.parametrize("is_cancelled", [True, False], ids=["cancelled", "finished only"])
async def test_a_drain_that_ends_in_between_leaves_nothing_open(said: bytes | None, *, is_cancelled: bool) -> None:
    async with notified(said) as app, closing(app.url) as closer:
        asked: asyncio.Task[Mapping[Identity, Attempt]] = asyncio.create_task(closer.close(order(1)))
        await becomes(lambda: len(app.told) == 1)
        await asyncio.sleep(0.02)
        ended = time.monotonic()
        closer.finish()
        if is_cancelled:
            asked.cancel()
        with suppress(asyncio.CancelledError):
            assert (await asked)[1].verdict is Verdict.FAILED
        await becomes(lambda: app.open == 0)
        assert time.monotonic() - ended < 1
        assert len(app.told) == 1
        assert asked.cancelled() is is_cancelled


async def test_the_next_drain_is_told_anew_after_one_that_was_broken_off() -> None:
    async with notified(SILENCE, OK) as app, closing(app.url, "announce") as closer:
        asked = asyncio.create_task(closer.close(order(1)))
        await becomes(lambda: len(app.told) == 1)
        closer.finish()
        asked.cancel()
        assert await closer.close(order(2)) == {2: SENT}
        assert len(app.told) == 2
        await becomes(asked.cancelled)
