"""/health beside third-party servers that know nothing of it: the agent is well served, and nobody's client."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.process.conftest import Pod
from tests.process.examples import Example
from tests.process.servers import NAMES, Served
from tests.process.waiting import UNIT, until

pytestmark = pytest.mark.timeout(180)  # the first one of Node's may have to install packages


@pytest.fixture
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Served]:
    served = Served(request.param, str(tmp_path))
    try:
        yield served
    finally:
        served.close()


@pytest.mark.parametrize("server", NAMES, indirect=True)
def test_a_server_answers_a_handshake_and_a_ping_and_counts_for_nothing(pod: Pod, server: Served) -> None:
    agent = pod.agent(server.port, health="ping", health_path=server.path, health_interval="50ms", health_latency="5s")
    for _ in range(5):
        answer = agent.get("/health")
        told = answer.json()
        assert (answer.status, told["failing"]) == (200, []), answer.text
        assert [(one["name"], one["detail"]) for one in told["checks"]] == [
            ("ready", ""), ("handshake", "101 and a pong")
        ]  # fmt: skip
        assert told["checks"][1]["value"] < 5
        assert agent.get("/health/live").status == 200
        agent.looks_again()
    status = agent.status()
    assert status["health"]["well"] is True
    ports = status["connections"]["by_port"][str(server.port)]
    assert (ports["total"], ports["opened"], ports["closed"]) == (0, 0, 0)


@pytest.mark.parametrize("server", NAMES, indirect=True)
def test_a_server_that_is_stopped_is_unwell_and_well_again_when_it_goes_on(pod: Pod, server: Served) -> None:
    agent = pod.agent(server.port, health="ping", health_path=server.path, health_interval="50ms", health_misses="2")
    until(lambda: agent.get("/health").status, lambda status: status == 200)
    server.signal(signal.SIGSTOP)
    until(lambda: agent.get("/health/live").status, lambda status: status == 503, 30 * UNIT)
    answer = agent.get("/health")
    assert (answer.status, answer.json()["failing"]) == (503, ["handshake"])
    assert "no answer within 0.8 s, waiting for the answer to the handshake" in answer.text
    server.signal(signal.SIGCONT)
    until(lambda: agent.get("/health").status, lambda status: status == 200)
    assert agent.get("/health/live").json()["misses"] == 0


@pytest.mark.parametrize("name", ["notify_fastapi.py", "notify_websockets.py", "notify_aiohttp.py"])
def test_an_app_sends_an_echo_back(pod: Pod, name: str, tmp_path: Path) -> None:
    app = Example(name, tmp_path)
    try:
        agent = pod.agent(app.port, health="echo", health_latency="5s")
        assert agent.get("/health").json()["checks"][1]["detail"] == "101 and an echo"
    finally:
        app.close()
