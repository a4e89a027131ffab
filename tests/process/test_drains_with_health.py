"""The drain's own tests once more, while the app's probes ask /health all the time: nothing of it reaches the drain."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.process.conftest import Pod
from tests.process.harness import Agent

# ruff: noqa: F401 - the tests of others, with another fixture
from tests.process.test_closing import needs_net_admin
from tests.process.test_families import (
    test_clients_of_either_family_are_counted_and_drained,
    test_websocket_clients_of_both_families_hold_one_drain,
)
from tests.process.test_leak import test_a_connection_that_the_app_leaks_holds_neither_a_drain_nor_sigterm
from tests.process.test_plan import (
    test_a_connection_without_data_for_idle_after_holds_no_drain,
    test_the_deadline_is_exact_and_leaves_the_app_its_reserve,
    test_timeout_shortens_the_drain,
    test_with_max_remaining_connections_left_the_drain_is_over,
    test_without_any_connection_a_drain_takes_the_settle_time,
    test_zero_connections_do_not_end_the_settle_time_and_a_client_that_comes_in_it_is_served_and_counted,
)
from tests.process.test_restarts import (
    test_an_app_that_is_restarted_after_the_drain_is_served_again,
    test_an_app_that_is_restarted_while_draining_ends_the_drain_as_resumed,
)
from tests.process.waiting import PATIENCE, UNIT, setting, until

ASKING = {"health": "ping", "health_interval": "20ms", "health_latency": "200ms"}


class ProbedPod(Pod):
    """Its agents are asked for /health and /health/live all the time."""

    def __init__(self) -> None:
        super().__init__()
        self._over = threading.Event()
        self._probes: list[threading.Thread] = []

    def agent(self, *app_ports: int, **options: Any) -> Agent:
        agent = super().agent(*app_ports, **ASKING | options)
        self._probes.append(threading.Thread(target=self._probe, args=[agent.port]))
        self._probes[-1].start()
        return agent

    def _probe(self, port: int) -> None:
        while not self._over.wait(0.01):
            for path in (b"/health", b"/health/live"):
                # Refused, or cut, when the agent has gone.
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), PATIENCE) as probe:
                    probe.sendall(b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % path)
                    while probe.recv(65536):
                        pass

    def clear(self) -> None:
        super().clear()
        self._over.set()
        for probe in self._probes:
            probe.join()


@pytest.fixture
def pod() -> Iterator[ProbedPod]:
    pod = ProbedPod()
    try:
        yield pod
        pod.end()
    finally:
        pod.clear()


def opened(agent: Agent) -> int:
    return int(agent.status()["connections"]["by_port"].popitem()[1]["opened"])


def test_handshakes_that_hang_in_the_middle_of_a_drain_are_nobodys_connections(pod: ProbedPod) -> None:
    app = pod.bare_app()
    agent = pod.agent(app.port, readiness="never", health_latency="5s")
    client, _ = app.connect()
    agent.counts(1)
    hook = agent.hook()
    agent.drains()
    # One is open all the time, and nobody answers it.
    until(lambda: agent.status()["connections"]["excluded"]["ignored_peer"], bool)
    for _ in range(5):
        agent.looks_again()
        assert agent.status()["connections"]["total"] == 1
    assert hook.is_held()
    app.leaves(client)
    told = hook.answer(2 * UNIT).json()
    counted = (told["outcome"], told["connections_at_start"], told["arrived"], told["left"], told["remaining"])
    assert counted == ("drained", 1, 0, 1, 0)
    assert opened(agent) == 1
    assert agent.metric("drainer_connection_age_seconds_count") == 1


def test_handshakes_that_are_answered_in_a_drain_are_nobodys_connections(pod: ProbedPod) -> None:
    app = pod.web_app()
    agent = pod.agent(app.port, readiness="never", settle=setting(1))
    [client] = pod.clients(app, 1)
    agent.counts(1)
    hook = agent.hook()
    agent.drains()
    for _ in range(5):
        agent.looks_again()
        assert agent.get("/health").status == 200
        assert agent.status()["connections"]["total"] == 1
    client.close()
    told = hook.answer(2 * UNIT).json()
    assert (told["outcome"], told["connections_at_start"], told["arrived"], told["left"]) == ("drained", 1, 0, 1)
    assert opened(agent) == 1


@needs_net_admin
def test_no_closer_sees_a_handshake_that_hangs(pod: ProbedPod) -> None:
    app = pod.bare_app()
    agent = pod.agent(app.port, readiness="never", health_latency="5s", close="reset", grace_period=setting(8),
                      app_reserve=setting(1))  # fmt: skip
    app.clients(3)
    agent.counts(3)
    hook = agent.hook()
    agent.reaches("closing")
    until(lambda: agent.status()["connections"]["excluded"]["ignored_peer"], bool)
    told = hook.answer().json()
    assert (told["outcome"], told["closed"], told["attempts"]) == ("drained", {"reset": 3}, {"reset": {"sent": 3}})
    # And the handshake is still there: nobody has reset it.
    assert agent.status()["connections"]["excluded"]["ignored_peer"] == 1


def test_a_drain_says_no_to_new_clients_in_both_places_and_kills_nobody(pod: ProbedPod) -> None:
    app = pod.web_app()
    agent = pod.agent(app.port)
    pod.clients(app, 1)
    agent.counts(1)
    agent.hook()
    agent.drains()
    answer = agent.get("/health")
    assert (answer.status, answer.json()["failing"]) == (503, ["ready"])
    live = agent.get("/health/live")
    assert (live.status, live.json()["detail"]) == (200, "draining")
