"""When which agent is asked: fresh enough, spread out, and those that hang less and less."""

from __future__ import annotations

import random
from typing import Any

import pytest

from drainer.adapter.fleet import FRESH
from drainer.adapter.rounds import JITTER, LONGEST, PERIOD, RETRY, Rounds
from drainer.adapter.sweep import ANSWER_WITHIN
from tests.unit.adapter.test_fleet import made


@pytest.fixture
def rounds() -> Rounds:
    return Rounds(lambda: 0.5)


def test_a_new_pod_is_asked_at_once_and_only_once_at_a_time(rounds: Rounds) -> None:
    one = made("ws-0")
    assert rounds.next_at() is None
    assert rounds.take(0.0) is None
    rounds.put(one, 7.0)

    assert (rounds.next_at(), rounds.unasked) == (7.0, 1)
    assert rounds.take(6.9) is None
    assert rounds.take(7.0) == one
    assert rounds.take(1e9) is None


def test_who_answers_is_asked_again_after_a_period_and_the_first_time_anywhere_in_it() -> None:
    values = iter([0.25, 0.0, 0.999])
    rounds, one = Rounds(lambda: next(values)), made("ws-0")
    rounds.put(one, 0.0)
    rounds.take(0.0)
    rounds.asked(one, 1.0, answered=True)
    # The second number is for the jitter of a period that is not needed yet.
    assert (rounds.next_at(), rounds.unasked) == (1.0 + PERIOD * 0.0, 0)
    rounds.take(10.0)
    rounds.asked(one, 10.0, answered=True)
    assert rounds.next_at() == pytest.approx(10.0 + PERIOD * (1 - JITTER + 2 * JITTER * 0.999))


def test_who_does_not_answer_is_asked_less_and_less_and_normally_again_once_it_does(rounds: Rounds) -> None:
    one, now, waits = made("ws-0"), 0.0, []
    rounds.put(one, now)
    for _ in range(8):
        assert rounds.take(now) == one
        rounds.asked(one, now, answered=False)
        at = rounds.next_at()
        assert at is not None
        waits.append(at - now)
        now = at
    assert waits == [RETRY, 2 * RETRY, 4 * RETRY, 8 * RETRY, 16 * RETRY, LONGEST, LONGEST, LONGEST]
    rounds.take(now)
    rounds.asked(one, now, answered=True)
    rounds.take(now + PERIOD)
    rounds.asked(one, now, answered=False)
    assert rounds.next_at() == now + RETRY


def test_one_lost_answer_leaves_a_fresh_reading() -> None:
    longest = PERIOD * (1 + JITTER) + ANSWER_WITHIN + RETRY * (1 + JITTER)

    assert longest < FRESH


@pytest.mark.parametrize("changes", [{"address": "10.0.0.9"}, {"ready": False}])
def test_a_change_that_may_be_why_brings_the_next_question_forward(rounds: Rounds, changes: dict[str, Any]) -> None:
    one = made("ws-0")
    rounds.put(one, 0.0)
    for at in (0.0, 50.0, 100.0):
        rounds.take(at)
        rounds.asked(one, at, answered=False)
    changed = made("ws-0", **changes)
    rounds.put(changed, 101.0)

    assert rounds.next_at() == 101.0
    assert rounds.take(101.0) == changed


def test_other_changes_leave_the_time_as_it_is(rounds: Rounds) -> None:
    one = made("ws-0")
    rounds.put(one, 0.0)
    rounds.take(0.0)
    rounds.asked(one, 0.0, answered=True)
    at = rounds.next_at()
    rounds.put(made("ws-0", ready=False), 1.0)

    assert rounds.next_at() == at
    assert at is not None
    assert rounds.take(at) == made("ws-0", ready=False)


def test_who_is_gone_or_cannot_be_asked_has_no_turn(rounds: Rounds) -> None:
    for name in ("a", "b", "c"):
        rounds.put(made(name), 0.0)
    rounds.remove("uid-chat-a")
    rounds.put(made("b", phase="Failed"), 0.0)
    assert [rounds.take(0.0), rounds.take(0.0)] == [made("c"), None]
    rounds.keep(set())
    rounds.asked(made("c"), 0.0, answered=True)
    assert rounds.next_at() is None


def test_a_question_that_is_out_is_not_asked_twice_when_its_pod_changes(rounds: Rounds) -> None:
    one = made("ws-0")
    rounds.put(one, 0.0)
    rounds.take(0.0)
    rounds.put(made("ws-0", ready=False), 0.0)

    assert rounds.take(0.0) is None


def test_a_thousand_that_begin_together_do_not_stay_together() -> None:
    rounds = Rounds(random.Random(7).random)
    for number in range(1000):
        rounds.put(made(f"ws-{number}"), 0.0)
    while (one := rounds.take(0.0)) is not None:
        rounds.asked(one, 0.0, answered=True)
    in_a_second = 0
    while rounds.take(1.0):
        in_a_second += 1

    assert 150 < in_a_second < 250
