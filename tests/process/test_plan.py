"""What ends a drain, and when: settle, deadline, flush, what holds it and what does not; and readiness."""

from __future__ import annotations

import time

import pytest

from tests.process.apps import echoes
from tests.process.conftest import Pod
from tests.process.waiting import UNIT, setting, until


def test_zero_connections_do_not_end_the_settle_time_and_a_client_that_comes_in_it_is_served_and_counted(
    pod: Pod,
) -> None:
    app = pod.web_app()
    agent = pod.agent(app.port, settle=setting(1.5))
    hook = agent.hook()
    agent.looks_again()
    assert agent.status()["phase"] == "settling"
    assert agent.get("/readyz").status == 503
    (late,) = pod.clients(app, 1)
    agent.counts(1)
    agent.reaches("draining")
    assert hook.is_held()
    assert echoes(late)
    late.close()
    told = hook.answer().json()
    assert told["seconds"] >= 1.5 * UNIT
    assert (told["outcome"], told["connections_at_start"], told["arrived"], told["left"]) == ("drained", 0, 1, 1)


def test_without_any_connection_a_drain_takes_the_settle_time(pod: Pod) -> None:
    agent = pod.agent(pod.bare_app().port, settle=setting(1))
    answer = agent.hook().answer()
    assert answer.json()["outcome"] == "drained"
    assert UNIT <= answer.seconds < 1.5 * UNIT


def test_the_deadline_is_exact_and_leaves_the_app_its_reserve(pod: Pod) -> None:
    app = pod.bare_app()
    agent = pod.agent(app.port, grace_period=setting(3), app_reserve=setting(1.8))
    app.clients(2)
    agent.counts(2)
    before = time.time()
    hook = agent.hook()
    told_deadline = agent.status()["drain"]["deadline_timestamp_seconds"]
    answer = hook.answer()
    assert answer.json() == {
        "outcome": "deadline",
        "seconds": pytest.approx(1.2 * UNIT, abs=0.05 * UNIT),
        "connections_at_start": 2,
        "arrived": 0,
        "left": 0,
        "left_by_themselves": 0,
        "closed": {},
        "remaining": 2,
        "attempts": {},
        "refusals": {},
        "effect": True,
    }
    assert 1.2 * UNIT <= answer.seconds < 1.4 * UNIT
    assert told_deadline == pytest.approx(before + 1.2 * UNIT, abs=0.1 * UNIT)
    assert agent.get("/readyz").status == 503


def test_timeout_shortens_the_drain(pod: Pod) -> None:
    app = pod.bare_app()
    agent = pod.agent(app.port, timeout=setting(0.6))
    app.clients(1)
    agent.counts(1)
    answer = agent.hook().answer()
    assert answer.json()["outcome"] == "deadline"
    assert 0.6 * UNIT <= answer.seconds < UNIT


def test_with_max_remaining_connections_left_the_drain_is_over(pod: Pod) -> None:
    app = pod.bare_app()
    agent = pod.agent(app.port, max_remaining="2")
    clients = app.clients(4)
    agent.counts(4)
    hook = agent.hook()
    agent.drains()
    app.leaves(clients[0])
    agent.counts(3)
    agent.looks_again()
    assert hook.is_held()
    app.leaves(clients[1])
    told = hook.answer().json()
    assert (told["outcome"], told["left"], told["remaining"]) == ("drained", 2, 2)


def test_an_ignored_peer_holds_no_drain_and_is_tallied(pod: Pod) -> None:
    app = pod.bare_app()
    agent = pod.agent(app.port, ignore_peers="127.0.0.0/29")
    for source in ("127.0.0.2", "127.0.0.3", "127.0.0.9"):
        client, _ = app.connect(source=source)
    agent.counts(1)
    assert agent.status()["connections"]["excluded"]["ignored_peer"] == 2
    hook = agent.hook()
    agent.drains()
    assert hook.is_held()
    app.leaves(client)
    told = hook.answer().json()
    assert (told["outcome"], told["connections_at_start"], told["left"]) == ("drained", 1, 1)
    # Those two are still there, and its listener was never taken for an ignored peer.
    assert agent.status()["connections"]["excluded"]["ignored_peer"] == 2
    assert agent.status()["connections"]["by_state"]["LISTEN"] == 1


def test_a_connection_without_data_for_idle_after_holds_no_drain(pod: Pod) -> None:
    app = pod.bare_app()
    agent = pod.agent(app.port, idle_after=setting(1))
    app.connect()
    talker, _ = app.connect()
    hook = agent.hook()

    def seen_while_one_talks() -> tuple[int, int]:
        talker.send(b"a word")
        connections = agent.status()["connections"]
        return connections["total"], connections["excluded"]["idle"]

    until(seen_while_one_talks, lambda seen: seen == (1, 1))
    assert hook.is_held()
    talking_stopped_at = time.monotonic()
    answer = hook.answer()
    assert time.monotonic() - talking_stopped_at > 0.5 * UNIT
    assert answer.json()["outcome"] == "drained"
    assert agent.status()["connections"]["excluded"]["idle"] == 2


@pytest.mark.parametrize(
    ("readiness", "statuses"),
    [("now", [503, 503, 503]), ("after", [200, 503, 503]), ("never", [200, 200, 200]), ("auto", [503, 503, 503])],
)
def test_readiness_goes_off_when_the_setting_says(pod: Pod, readiness: str, statuses: list[int]) -> None:
    app = pod.bare_app()
    agent = pod.agent(app.port, readiness=readiness, settle=setting(1))
    app.clients(1)
    agent.counts(1)
    assert agent.get("/readyz").text == "ready\n"
    seen = []
    hook = agent.hook()
    for phase in ("settling", "draining", "done"):
        agent.reaches(phase)
        answer = agent.get("/readyz")
        seen.append(answer.status)
        assert answer.text == ("ready\n" if answer.status == 200 else f"{phase}\n")
        if phase == "draining":
            app.all_leave()
    assert seen == statuses
    assert hook.answer().json()["outcome"] == "drained"


def test_a_client_that_does_not_read_holds_the_answer_for_flush_at_most(pod: Pod) -> None:
    app = pod.bare_app()
    agent = pod.agent(app.port, flush=setting(1))
    _, accepted = app.connect(receive_buffer=4096)
    agent.counts(1)
    hook = agent.hook()
    agent.drains()
    app.leave_unsent(accepted)
    closed_at = time.monotonic()
    answer = hook.answer()
    assert UNIT <= time.monotonic() - closed_at < 1.5 * UNIT
    assert (answer.json()["outcome"], answer.json()["remaining"]) == ("drained", 0)
    assert agent.status()["connections"]["excluded"]["flushing"] == 1


def test_the_answer_comes_as_soon_as_the_slow_client_has_got_everything(pod: Pod) -> None:
    app = pod.bare_app()
    agent = pod.agent(app.port, flush=setting(20))
    client, accepted = app.connect(receive_buffer=4096)
    agent.counts(1)
    hook = agent.hook()
    agent.drains()
    app.leave_unsent(accepted)
    until(agent.status, lambda status: status["connections"]["excluded"]["flushing"] == 1)
    assert hook.stays_held(0.3 * UNIT)
    while client.recv(1 << 20):
        pass
    read_at = time.monotonic()
    assert hook.answer().json()["outcome"] == "drained"
    assert time.monotonic() - read_at < UNIT
