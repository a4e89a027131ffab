"""The page of the real agent: what its stream tells of a drain, and that nobody who watches is in its way."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.process.conftest import Pod
from tests.process.harness import Agent
from tests.process.waiting import PATIENCE, UNIT, setting

CLOSING = {
    "close": "websocket", "settle": setting(1), "patience": setting(1), "grace_period": setting(8),
    "app_reserve": setting(1), "escalate_after": setting(1),
}  # fmt: skip
"""The deadline comes 7 units after the hook."""


def stream(agent: Agent, stack: ExitStack) -> Iterator[dict[str, Any]]:
    """The states that a watcher is told, to the end of the stream; the last one is empty if the agent said goodbye."""
    connection = http.client.HTTPConnection("127.0.0.1", agent.port, timeout=PATIENCE)
    stack.callback(connection.close)
    connection.request("GET", "/stream")
    answer = stack.enter_context(connection.getresponse())
    assert answer.status == 200, answer.read()
    for line in answer:
        if line.startswith(b"data: "):
            yield json.loads(line[6:].strip() or b"{}")


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def test_a_watcher_sees_the_whole_drain_and_is_told_when_the_agent_goes(pod: Pod, stack: ExitStack) -> None:
    app = pod.web_app()
    agent = pod.agent(app.port, websocket_ports=str(app.port), **CLOSING)
    pod.clients(app, 12)
    agent.counts(12)
    seen = stream(agent, stack)
    first = next(seen)
    assert (first["phase"], first["connections"]["total"], first["course"]) == ("serving", 12, None)
    hook = agent.hook()
    states = []
    for state in seen:
        states.append(state)
        if state["phase"] == "done":
            break
    answer = hook.answer().json()
    assert answer["closed"] == {"websocket": 12}
    last = states[-1]
    assert [step["phase"] for step in last["timeline"]["steps"]] == ["settling", "draining", "closing", "done"]
    moments = [step["at"] for step in last["timeline"]["steps"]]
    assert moments[1] - moments[0] == pytest.approx(UNIT, abs=0.2 * UNIT)
    assert moments[3] - moments[0] == pytest.approx(answer["seconds"], abs=0.01)
    assert last["timeline"]["deadline"] - moments[0] == pytest.approx(7 * UNIT, abs=0.01)
    assert last["timeline"]["outcome"] == {key: value for key, value in answer.items() if key != "effect"}
    assert last["timeline"]["planned"]["connections"] == 12
    course = last["course"]
    assert (course["remaining"][0], course["remaining"][-1], course["left"][-1]) == (12, 0, 12)
    # Not all of them in one step: they were closed one by one, and the picture shows it.
    assert len({*course["remaining"]}) > 4
    app.kill()
    sent_at = agent.terminate()
    assert [*seen][-1] == {}
    assert agent.exit_code() == 0
    assert time.monotonic() - sent_at < PATIENCE


def test_watchers_that_read_and_some_that_never_do_delay_neither_the_hook_nor_the_exit(
    pod: Pod, stack: ExitStack
) -> None:
    app = pod.bare_app()
    agent = pod.agent(app.port, settle=setting(0.2))
    clients = app.clients(5)
    agent.counts(5)
    for _ in range(4):
        next(stream(agent, stack))
    assert agent.get("/stream").status == 503
    hook = agent.hook()
    agent.drains()
    for client in clients:
        app.leaves(client)
    left_at = time.monotonic()
    assert hook.answer().json()["outcome"] == "drained"
    assert time.monotonic() - left_at < 0.2 * UNIT
    app.close()
    sent_at = agent.terminate()
    assert agent.exit_code() == 0
    assert time.monotonic() - sent_at < UNIT


def test_no_address_of_a_peer_is_in_the_page_or_its_stream(pod: Pod, stack: ExitStack) -> None:
    app = pod.bare_app()
    agent = pod.agent(app.port, ignore_peers="127.0.0.3/32")
    ends = [app.connect(source=f"127.0.0.{number}")[0] for number in (2, 2, 3)]
    ports = [str(end.getsockname()[1]) for end in ends]
    agent.counts(2)
    state = next(stream(agent, stack))
    assert state["connections"]["excluded"]["ignored_peer"] == 1
    for text in (json.dumps(state), agent.get("/").text):
        assert "127.0.0." not in text
        assert not [port for port in ports if f'"{port}"' in text or f":{port}" in text]


def test_switched_off_there_is_no_page_and_no_stream(pod: Pod) -> None:
    agent = pod.agent(pod.bare_app().port, page="false")
    assert agent.get("/").status == agent.get("/stream").status == 404
    assert agent.status()["phase"] == "serving"


def test_connections_are_remembered_before_anybody_looks(pod: Pod, stack: ExitStack) -> None:
    app = pod.bare_app()
    agent = pod.agent(app.port)
    app.clients(3)
    agent.counts(3)
    time.sleep(2.2)  # the page's seconds are no matter of units
    app.all_leave()
    agent.counts(0)
    counts = next(stream(agent, stack))["recent"]["connections"]
    assert (counts[-1], 3 in counts) == (0, True)
