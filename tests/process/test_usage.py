"""What the app takes, and what a connection costs: a real agent beside a real app whose connections weigh something."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.kube_api import KubeApi
from tests.process.conftest import Pod
from tests.process.test_psutil import WITHOUT_NETLINK
from tests.process.waiting import PATIENCE, UNIT, setting, until

WEIGHT = 4 * 2**20
"""Bytes that the app takes for each connection."""
APP = f"""
import selectors, socket
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
selector, weights = selectors.DefaultSelector(), {{}}
selector.register(listener, selectors.EVENT_READ)
while True:
    for key, _ in selector.select():
        if key.fileobj is listener:
            taken, _ = listener.accept()
            weights[taken] = bytearray(b"x") * {WEIGHT}
            selector.register(taken, selectors.EVENT_READ)
        elif not key.fileobj.recv(1):
            selector.unregister(key.fileobj)
            key.fileobj.close()
            del weights[key.fileobj]
"""


@pytest.fixture
def port() -> Iterator[int]:
    """Of the app."""
    environ = {name: text for name, text in os.environ.items() if not name.startswith("COVERAGE_")}
    app = subprocess.Popen([sys.executable, "-c", APP], stdout=subprocess.PIPE, text=True, env=environ)
    assert app.stdout is not None
    try:
        yield int(app.stdout.readline())
    finally:
        app.kill()
        app.communicate()


def test_a_connection_costs_what_it_weighs(pod: Pod, port: int) -> None:
    # Coverage makes censuses dear, and thereby rare: memory would be set beside a number of long ago.
    agent = pod.agent(port, measured=False, usage="processes", usage_interval="100ms", interval="10ms")
    until(lambda: agent.status()["usage"]["memory_bytes"], bool)
    with ExitStack() as clients:
        spent = 0.0
        # Up and down: memory that is not given back would be a slope of its own.
        for number in (12, 0, 8, 0):
            clients.close()
            for _ in range(number):
                clients.enter_context(socket.create_connection(("127.0.0.1", port)))
            agent.counts(number)
            # So long that few of the readings are of a moment at which the number was another one.
            time.sleep(3 * UNIT)
            before, spent = spent, agent.metric("drainer_app_cpu_seconds_total")
            assert spent >= before
        usage = agent.status()["usage"]
    fit = usage["per_connection"]["memory"]
    assert (usage["source"], usage["missing"]) == ("processes", None)
    assert usage["of"].startswith("1 processes: python")
    assert fit["slope"] == pytest.approx(WEIGHT, rel=0.3), fit
    assert fit["r_squared"] > 0.5, fit
    assert fit["connections"] == {"least": 0, "most": 12}
    assert agent.metric("drainer_app_memory_per_connection_bytes") == pytest.approx(WEIGHT, rel=0.3)


def test_a_bound_on_memory_or_descriptors_fails_by_name(pod: Pod, port: int) -> None:
    agent = pod.agent(
        port, health="handshake", health_interval="50ms", health_latency="300ms",
        usage="auto", usage_interval="50ms", health_max_memory="1Mi", health_max_descriptors="1000000",
    )  # fmt: skip
    until(lambda: agent.status()["usage"]["memory_bytes"], bool)
    told = agent.get("/health").json()
    by_name = {check["name"]: check for check in told["checks"]}
    assert told["failing"] == ["handshake", "memory"]
    assert by_name["memory"]["value"] > by_name["memory"]["bound"] == 2**20
    assert by_name["descriptors"]["passed"] is True


def test_where_nobody_listens_the_reason_is_in_status_and_fails_nobody(pod: Pod) -> None:
    reserved = pod.reserve()
    agent = pod.agent(reserved.port, usage="processes", usage_interval="50ms", health="ping", health_max_memory="1Mi")
    until(lambda: agent.status()["usage"]["missing"], lambda why: why == "nobody listens on the app's ports")
    told = agent.get("/health").json()
    assert told["failing"] == ["handshake"]
    assert told["checks"][1]["detail"] == f"nobody listens on port {reserved.port}"
    assert told["absent"] == {"memory": "nobody listens on the app's ports"}
    assert "drainer_app_memory_bytes" not in agent.get("/metrics").text


def test_metrics_k8s_io_is_asked_where_the_api_is_on_and_that_is_wanted(api: KubeApi, pod: Pod) -> None:
    app = pod.bare_app()
    agent = pod.agent(app.port, variables=api.in_pod(), usage="metrics", usage_interval=setting(0.05), kubernetes="on")
    until(lambda: agent.status()["usage"]["missing"], lambda why: why is not None and "not_found" in why)
    api.pod_metrics = {
        "timestamp": "2026-01-01T00:00:00Z", "window": "15s",
        "containers": [
            {"name": "app", "usage": {"cpu": "100m", "memory": "64Mi"}},
            {"name": "drainer", "usage": {"cpu": "1m", "memory": "50Mi"}},
        ],
    }  # fmt: skip
    until(lambda: agent.status()["usage"]["memory_bytes"], lambda memory: memory == 64 * 2**20, PATIENCE)
    assert agent.status()["usage"]["of"] == "app"
    assert agent.status()["kubernetes"]["requests"]["metrics"]["ok"] >= 1


def test_an_agent_without_the_api_says_that_it_cannot_ask(pod: Pod) -> None:
    agent = pod.agent(pod.bare_app().port, usage="metrics", usage_interval="50ms")
    until(lambda: agent.status()["usage"]["missing"], lambda why: why == "there is nothing to ask: the API is not used")
    assert agent.get("/health").status == 404


def test_an_app_that_listens_on_another_address_of_the_pod_is_found_by_the_kernels_table(pod: Pod) -> None:
    app = pod.bare_app("127.0.0.9")
    agent = pod.agent(app.port, health="handshake", health_latency="300ms", health_interval="50ms")
    assert "no answer within 0.3 s" in agent.get("/health").json()["checks"][1]["detail"]
    taken, (peer, _) = app.listener.accept()
    taken.close()
    assert peer == "127.87.83.1"


def test_where_the_kernel_refuses_its_table_handshakes_are_still_nobodys_and_the_reason_is_said(pod: Pod) -> None:
    app = pod.web_app()
    settings = {"health": "ping", "health_interval": "20ms", "usage": "processes", "usage_interval": "50ms"}
    agent = pod.agent(app.port, **WITHOUT_NETLINK, **settings)
    pod.clients(app, 1)
    for _ in range(5):
        assert agent.get("/health").status == 200
        agent.looks_again()
        assert agent.status()["connections"]["total"] == 1
    assert agent.status()["connections"]["by_port"][str(app.port)]["opened"] == 1
    missing = agent.status()["usage"]["missing"]
    assert missing.startswith("who listens on the app's ports cannot be seen: sock_diag")
    app.terminate()
    assert app.exit_code() == 0
    until(lambda: agent.get("/health").json()["checks"][1]["detail"], lambda said: "nobody listens on port" in said)
