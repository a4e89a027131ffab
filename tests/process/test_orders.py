"""The orders in which the kubelet ends a pod, each played to its end."""

from __future__ import annotations

import time

import pytest

from tests.process.apps import echoes
from tests.process.conftest import Pod
from tests.process.waiting import UNIT, setting


def test_native_hook_answer_sigterm_to_the_app_then_to_the_agent(pod: Pod) -> None:
    app = pod.web_app()
    agent = pod.agent(app.port)
    clients = pod.clients(app, 5)
    assert agent.get("/readyz").status == 200
    agent.counts(5)

    hook = agent.hook()
    agent.drains()
    assert agent.get("/readyz").status == 503
    assert agent.get("/livez").status == 200
    assert all(echoes(client) for client in clients)
    for client in clients:
        assert hook.is_held()
        client.close()
    closed_at = time.monotonic()
    answer = hook.answer()
    assert time.monotonic() - closed_at < UNIT
    assert answer.status == 200
    assert answer.headers["connection"] == "close"
    told = answer.json()
    assert told.pop("seconds") == pytest.approx(answer.seconds, abs=0.2 * UNIT)
    assert told == {
        "outcome": "drained",
        "connections_at_start": 5,
        "arrived": 0,
        "left": 5,
        "left_by_themselves": 5,
        "closed": {},
        "remaining": 0,
        "attempts": {},
        "refusals": {},
        "effect": True,
    }

    app.terminate()
    assert app.exit_code() == 0
    agent.terminate()
    agent.ended_well()
    assert [line["phase"] for line in agent.log() if "phase" in line] == ["settling", "draining", "done"]


def test_a_native_agent_with_nothing_to_flush_exits_within_a_fifth_of_a_second(pod: Pod) -> None:
    took = []
    for _ in range(4):
        app = pod.bare_app()
        agent = pod.agent(app.port, measured=False, settle="0")
        app.connect()
        hook = agent.hook()
        agent.counts(1)
        app.close()
        assert hook.answer().json()["outcome"] == "drained"
        sent_at = agent.terminate()
        agent.ended_well()
        took.append(time.monotonic() - sent_at)
    # The best, because others use this machine too; what costs time by design costs it always.
    assert min(took) <= 0.2 * UNIT, took


def test_plain_sigterm_comes_with_the_hook_and_the_agent_stays_until_the_app_has_gone(pod: Pod) -> None:
    app = pod.web_app()
    agent = pod.agent(app.port, container="plain")
    clients = pod.clients(app, 3)
    agent.counts(3)
    agent.terminate()
    hook = agent.hook()
    agent.drains()
    assert agent.get("/readyz").status == 503
    assert agent.get("/livez").status == 200
    assert agent.metric("drainer_draining") == 1
    late_hook = agent.hook()
    assert all(echoes(client) for client in clients)
    for client in clients:
        client.close()
    told = hook.answer().json()
    assert (told["outcome"], told["left"]) == ("drained", 3)
    assert late_hook.answer().json() == told
    # The app listens still, so the agent does: this may be no end but a restart.
    agent.looks_again()
    assert agent.status()["phase"] == "done"
    app.terminate()
    assert app.exit_code() == 0
    agent.ended_well()


def test_plain_the_agent_leaves_at_the_deadline_though_the_app_does_not(pod: Pod) -> None:
    app = pod.bare_app()
    agent = pod.agent(app.port, container="plain", grace_period=setting(2.5), app_reserve=setting(1))
    app.clients(2)
    agent.counts(2)
    asked_at = agent.terminate()
    answer = agent.hook().answer()
    agent.ended_well()
    assert time.monotonic() - asked_at == pytest.approx(1.5 * UNIT, abs=0.5 * UNIT)
    assert (answer.json()["outcome"], answer.json()["remaining"]) == ("deadline", 2)


def test_plain_sigterm_alone_begins_the_drain(pod: Pod) -> None:
    app = pod.bare_app()
    agent = pod.agent(app.port, container="plain")
    app.clients(1)
    agent.counts(1)
    agent.terminate()
    agent.drains()
    assert agent.get("/readyz").status == 503
    app.close()
    agent.ended_well()
    assert agent.said("drained")


def test_a_native_agent_that_is_replaced_alone_exits_at_once_and_leaves_the_clients_connected(pod: Pod) -> None:
    app = pod.web_app()
    agent = pod.agent(app.port)
    clients = pod.clients(app, 3)
    agent.counts(3)
    asked_at = agent.terminate()
    agent.ended_well()
    assert time.monotonic() - asked_at < UNIT
    assert all(echoes(client) for client in clients)
    assert not agent.said("the drain begins")
    pod.agent(app.port).counts(3)


def test_kill_9_of_the_app_in_the_middle_of_a_drain_ends_the_drain(pod: Pod) -> None:
    app = pod.web_app()
    agent = pod.agent(app.port)
    pod.clients(app, 4)
    agent.counts(4)
    hook = agent.hook()
    agent.drains()
    assert hook.is_held()
    app.kill()
    told = hook.answer(UNIT * 3).json()
    assert (told["outcome"], told["connections_at_start"], told["left"]) == ("drained", 4, 4)
    agent.terminate()
    agent.ended_well()


def test_the_last_bytes_hold_a_native_agent_that_is_asked_to_go_for_a_second_and_a_half_at_most(pod: Pod) -> None:
    app = pod.bare_app()
    agent = pod.agent(app.port)
    _, accepted = app.connect(receive_buffer=4096)
    app.leave_unsent(accepted)
    agent.looks_again()
    assert agent.status()["connections"]["excluded"]["flushing"] == 1
    asked_at = agent.terminate()
    agent.ended_well()
    # The kubelet's own measure (two seconds at the least), so the unit does not stretch it.
    assert 1.4 < time.monotonic() - asked_at < 1.5 + UNIT
