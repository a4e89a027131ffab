"""/health of an agent that runs: what is off, what is counted, what is said, and whom strangers cost what."""

from __future__ import annotations

import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.process.conftest import Pod
from tests.process.kubelet import get
from tests.process.waiting import UNIT, until

SECRET = "of-a-secret"


def test_while_it_is_off_both_paths_are_404_and_say_what_switches_it_on(pod: Pod) -> None:
    agent = pod.agent(pod.bare_app().port)
    for path in ("/health", "/health/live"):
        answer = agent.get(path)
        assert answer.status == 404
        assert "DRAINER_HEALTH=ping" in answer.text
    status = agent.status()
    assert (status["health"], status["usage"]) == (None, None)
    assert "drainer_health" not in agent.get("/metrics").text


def test_nobody_is_asked_before_a_probe_asks(pod: Pod) -> None:
    app = pod.bare_app()
    agent = pod.agent(app.port, health="ping")
    agent.looks_again()
    assert agent.status()["health"]["checks"] == []
    assert "drainer_health" not in agent.get("/metrics").text
    app.listener.settimeout(0)
    with pytest.raises(BlockingIOError):
        app.listener.accept()


def test_metrics_and_status_show_what_the_latest_probe_found(pod: Pod) -> None:
    app = pod.web_app()
    agent = pod.agent(app.port, health="ping", health_max_connections="1", health_interval="50ms", min_age="0s")
    assert agent.get("/health").status == 200
    assert agent.metric('drainer_health{check="handshake"}') == 1
    pod.clients(app, 2)
    agent.counts(2)
    until(lambda: agent.get("/health").status, lambda status: status == 503)
    assert agent.metric('drainer_health{check="connections"}') == 0
    shown = agent.status()["health"]
    assert (shown["well"], shown["failing"]) == (False, ["connections"])
    [said] = agent.said("the app is not well")
    assert said["message"] == "the app is not well: connections (more than 1)"


def test_a_hundred_strangers_cost_the_app_one_connection_even_if_it_hangs(pod: Pod) -> None:
    app = pod.bare_app()
    agent = pod.agent(app.port, health="ping", health_interval="10s", health_latency="1s")
    with ThreadPoolExecutor(50) as crowd:
        answers = list(crowd.map(lambda number: get(agent.port, ("/health", "/health/live")[number % 2]), range(100)))
    assert {answer.status for answer in answers} == {200, 503}
    assert all(answer.seconds < 3 * UNIT for answer in answers)
    assert agent.get("/health").json()["misses"] == 1
    app.listener.settimeout(0)
    app.listener.accept()[0].close()
    with pytest.raises(BlockingIOError):
        app.listener.accept()


def test_readyz_and_status_are_quick_while_the_app_hangs(pod: Pod) -> None:
    app = pod.bare_app()
    agent = pod.agent(app.port, health="ping", health_latency="10s")
    asking = threading.Thread(target=lambda: get(agent.port, "/health"))
    asking.start()
    until(lambda: agent.status()["connections"]["excluded"]["ignored_peer"], lambda count: count == 1)
    for path in ("/readyz", "/livez", "/status", "/metrics"):
        assert agent.get(path).seconds < UNIT
    app.close()
    asking.join()


def test_what_a_header_says_is_told_to_the_app_and_to_nobody_else(pod: Pod) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        agent = pod.agent(
            listener.getsockname()[1],
            health="ping",
            health_path=f"/ws?key={SECRET}",
            health_headers=f"Authorization: Bearer {SECRET}\nCookie: a={SECRET}",
            health_latency="10s",
        )
        answers = []
        asking = threading.Thread(target=lambda: answers.append(get(agent.port, "/health")))
        asking.start()
        app, _ = listener.accept()
        with app:
            heard = app.recv(65536).decode()
            app.sendall(f"HTTP/1.1 401 {SECRET}\r\nX: {SECRET}\r\n\r\n".encode())
            asking.join()
        assert f"GET /ws?key={SECRET} HTTP/1.1\r\n" in heard
        assert f"Authorization: Bearer {SECRET}\r\nCookie: a={SECRET}\r\n" in heard
        [answer] = answers
        assert answer.json()["checks"][1]["detail"] == "answered 401, not 101"
        assert SECRET not in answer.text + agent.stderr() + agent.get("/status").text + agent.get("/metrics").text


def test_several_ports_are_counted_and_one_of_them_is_asked(pod: Pod) -> None:
    plain, chat = pod.bare_app(), pod.web_app()
    agent = pod.agent(plain.port, chat.port, health="ping", health_port=str(chat.port))
    assert agent.get("/health").status == 200


def test_an_agent_that_is_told_to_go_while_the_app_hangs_goes_well(pod: Pod) -> None:
    app = pod.bare_app()
    agent = pod.agent(app.port, health="ping", health_latency="30s")
    with socket.create_connection(("127.0.0.1", agent.port)) as probe:
        probe.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        until(lambda: agent.status()["connections"]["excluded"]["ignored_peer"], lambda count: count == 1)
        agent.terminate()
        agent.ended_well()
