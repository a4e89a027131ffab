"""Connections that would stay are closed: a real agent, a real WebSocket server that knows nothing of it."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from typing import Any

import pytest
from websockets.sync.client import ClientConnection

from tests.process.conftest import Pod
from tests.process.harness import Agent
from tests.process.waiting import PATIENCE, UNIT, setting, until

LENGTHS = {"grace_period": setting(8), "app_reserve": setting(1), "escalate_after": setting(1)}
"""The deadline comes 7 units after the hook, the settle time is a fifth of one."""

CAN_DESTROY = os.geteuid() == 0
needs_net_admin = pytest.mark.skipif(not CAN_DESTROY, reason="ending others' connections needs CAP_NET_ADMIN")


def closing(closers: str, port: int, **more: str) -> Mapping[str, str]:
    """Settings under which `closers` are used, and every connection of the port is a WebSocket."""
    return {**LENGTHS, "close": closers, "websocket_ports": str(port), **more}


def examined(pod: Pod, *app_ports: int, **settings: Any) -> Agent:
    """An agent that has found out which closers can work: its question to the app would be counted as a client."""
    agent = pod.agent(*app_ports, **settings)
    until(agent.status, lambda status: all(one["missing"] != "not tried yet" for one in status["closers"]))
    return agent


def ends_with(client: ClientConnection) -> int | None:
    """The close code that the client sees; None while it is connected."""
    return client.protocol.close_code


def codes(clients: list[ClientConnection]) -> list[int | None]:
    return until(lambda: [ends_with(client) for client in clients], lambda seen: None not in seen)


def told(answer: Any) -> tuple[str, int, dict[str, int]]:
    return answer["outcome"], answer["left_by_themselves"], answer["closed"]


def test_an_app_that_knows_nothing_says_goodbye_to_everybody(pod: Pod) -> None:
    app = pod.web_app()
    agent = examined(pod, app.port, **closing("websocket", app.port, close_code="4321", close_reason="bis gleich"))
    clients = pod.clients(app, 20)
    hook = agent.hook()
    answer = hook.answer().json()
    assert told(answer) == ("drained", 0, {"websocket": 20})
    assert answer["attempts"] == {"websocket": {"sent": 20}}
    assert set(codes(clients)) == {4321}
    assert {client.protocol.close_reason for client in clients} == {"bis gleich"}
    assert agent.metric('drainer_close_attempts_total{closer="websocket",verdict="sent"}') == 20
    assert agent.metric('drainer_drain_departures_total{by="websocket"}') == 20
    assert app.is_running()


@needs_net_admin
def test_where_the_upgrades_were_seen_no_port_need_be_declared(pod: Pod) -> None:
    app = pod.web_app()
    agent = examined(pod, app.port, **LENGTHS, close="websocket")
    clients = pod.clients(app, 3)
    assert told(agent.hook().answer().json()) == ("drained", 0, {"websocket": 3})
    assert set(codes(clients)) == {1012}


def test_they_are_closed_one_by_one_until_the_time_for_stragglers(pod: Pod) -> None:
    app = pod.web_app()
    agent = examined(pod, app.port, **closing("websocket", app.port, straggler_time=setting(3)))
    clients = pod.clients(app, 20)
    hook = agent.hook()
    began = time.monotonic()
    ended: dict[int, float] = {}
    while len(ended) < len(clients):
        for index, client in enumerate(clients):
            if ends_with(client) is not None:
                ended.setdefault(index, time.monotonic() - began)
        assert time.monotonic() - began < PATIENCE, ended
        time.sleep(0.005)
    moments = sorted(ended.values())
    assert moments[0] >= 0.2 * UNIT
    assert moments[-1] < 4.5 * UNIT
    # 20 slots of 0.19 units: in no unit more than the six that they touch, and one that was late.
    assert all(sum(at <= other < at + UNIT for other in moments) <= 7 for at in moments)
    [plan] = agent.said("closing the connections")
    assert plan["connections"] == 20
    assert plan["rate_per_second"] == pytest.approx(20 / (3.8 * UNIT), rel=0.1)
    assert plan["close_rate_kept"] is True
    assert hook.answer().json()["outcome"] == "drained"


@needs_net_admin
def test_who_does_not_answer_the_close_is_shut_and_then_reset(pod: Pod) -> None:
    app = pod.web_app()
    agent = examined(pod, app.port, **closing("websocket,shutdown,reset", app.port))
    deaf = [upgraded(app.port) for _ in range(3)]
    answer = agent.hook().answer().json()
    assert answer["outcome"] == "drained"
    assert answer["attempts"]["websocket"] == {"sent": 3}
    assert answer["attempts"]["shutdown"] == {"sent": 3}
    assert answer["left_by_themselves"] == 0
    for end in deaf:
        end.close()


@needs_net_admin
def test_reset_ends_any_connection_and_those_that_nobody_has_accepted(pod: Pod) -> None:
    app = pod.bare_app()
    agent = examined(pod, app.port, **LENGTHS, close="reset")
    clients = app.clients(5)
    waiting = socket.create_connection(("127.0.0.1", app.port))
    answer = agent.hook().answer().json()
    assert told(answer) == ("drained", 0, {"reset": 6})
    for client in (*clients, waiting):
        client.settimeout(PATIENCE)
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    waiting.close()


@needs_net_admin
def test_a_thousand_that_come_while_others_are_closed_get_their_turn_too(pod: Pod) -> None:
    app = pod.bare_app()
    agent = examined(pod, app.port, **LENGTHS, close="reset", straggler_time=setting(2))
    app.clients(10)
    hook = agent.hook()
    agent.reaches("closing")
    app.clients(1000)
    answer = hook.answer().json()
    assert (answer["outcome"], answer["arrived"], answer["remaining"]) == ("drained", 1000, 0)
    assert told(answer) == ("drained", 0, {"reset": 1010})


def test_the_app_is_told_and_who_it_refuses_goes_on_to_the_next(pod: Pod) -> None:
    app = pod.web_app()
    settings = closing("notify,websocket", app.port, notify_url=f"http://127.0.0.1:{agentless_port(pod)}/drain")
    agent = examined(pod, app.port, **settings)
    clients = pod.clients(app, 5)
    answer = agent.hook().answer().json()
    assert told(answer) == ("drained", 0, {"websocket": 5})
    assert answer["attempts"]["websocket"] == {"sent": 5}
    # Whoever had to wait for the tries before may have gone on without an answer.
    assert 1 <= answer["attempts"]["notify"]["failed"] <= 5
    assert list(answer["refusals"]["notify"]) == ["ECONNREFUSED"]
    assert set(codes(clients)) == {1012}
    assert len(agent.said("closer notify: failed (ECONNREFUSED)")) == 1


def test_what_no_closer_can_end_is_there_at_the_deadline_and_is_named(pod: Pod) -> None:
    app = pod.web_app()
    agent = examined(pod, app.port, **LENGTHS, close="notify", notify_url=f"http://127.0.0.1:{agentless_port(pod)}/")
    clients = pod.clients(app, 2)
    answer = agent.hook().answer()
    assert answer.seconds == pytest.approx(7 * UNIT, abs=0.3 * UNIT)
    assert (answer.json()["outcome"], answer.json()["remaining"], answer.json()["closed"]) == ("deadline", 2, {})
    assert [ends_with(client) for client in clients] == [None, None]


def test_a_new_app_is_never_touched(pod: Pod) -> None:
    port = pod.reserve()
    app = pod.web_app(reserved=port)
    agent = examined(pod, app.port, **closing("websocket", app.port))
    pod.clients(app, 10)
    hook = agent.hook()
    agent.reaches("closing")
    app.kill()
    app = pod.web_app(reserved=port)
    # Whether anybody is counted between the two apps is a matter of chance.
    assert hook.answer().json()["outcome"] in ("resumed", "drained")
    clients = pod.clients(app, 5)
    agent.reaches("serving")
    agent.looks_again()
    assert [ends_with(client) for client in clients] == [None] * 5
    assert not agent.said("closer websocket:")


def test_sigterm_to_a_native_sidecar_closes_nobody(pod: Pod) -> None:
    app = pod.web_app()
    agent = examined(pod, app.port, **closing("websocket", app.port))
    clients = pod.clients(app, 3)
    agent.counts(3)
    agent.terminate()
    agent.ended_well()
    assert [ends_with(client) for client in clients] == [None] * 3


def test_sigterm_to_a_plain_container_closes_them(pod: Pod) -> None:
    app = pod.web_app()
    agent = examined(pod, app.port, container="plain", **closing("websocket", app.port))
    clients = pod.clients(app, 3)
    agent.counts(3)
    agent.terminate()
    assert set(codes(clients)) == {1012}
    app.terminate()
    agent.ended_well()


def test_a_stranger_closes_nobody(pod: Pod) -> None:
    app = pod.web_app()
    agent = examined(pod, app.port, token="secret", **closing("websocket", app.port))
    clients = pod.clients(app, 2)
    answer = agent.hook().answer().json()
    assert (answer["outcome"], answer["effect"], answer["closed"]) == ("deadline", False, {})
    assert [ends_with(client) for client in clients] == [None, None]


def test_a_cap_that_does_not_fit_is_said_at_the_beginning_and_exceeded(pod: Pod) -> None:
    app = pod.web_app()
    agent = examined(pod, app.port, **closing("websocket", app.port, close_rate=f"{0.5 / UNIT:.3f}"))
    clients = pod.clients(app, 12)
    hook = agent.hook()
    agent.reaches("closing")
    assert agent.status()["drain"]["pace"]["close_rate_kept"] is False
    assert agent.metric("drainer_close_rate_exceeded") == 1
    assert agent.said("close_rate is exceeded")
    assert hook.answer().json()["outcome"] == "drained"
    assert set(codes(clients)) == {1012}


def upgraded(port: int) -> socket.socket:
    """A WebSocket client that never answers a Close."""
    end = socket.create_connection(("127.0.0.1", port), PATIENCE)
    end.sendall(
        f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    head = b""
    while b"\r\n\r\n" not in head:
        head += end.recv(4096)
    assert head.startswith(b"HTTP/1.1 101 ")
    return end


def agentless_port(pod: Pod) -> int:
    """A port on which nobody listens."""
    return pod.reserve().port
