"""From closer to closer: who is tried by whom, who ended whom, and what is counted."""

from __future__ import annotations

import pytest

from drainer.attempt import Attempt, Verdict
from drainer.ladder import MOST_AT_ONCE, RETRY_AFTER, Ladder
from tests.unit.ladders import (
    BUSY,
    GONE,
    REFUSED,
    RESET,
    SENT,
    SHUTDOWN,
    UNACCEPTED,
    WEBSOCKET,
    answer,
    attempts,
    climbing,
    ended,
    woken,
)  # fmt: skip

# --------------------------------------------------------------------------------------------- whom first


def test_whoever_has_been_silent_longest_is_first_and_among_equals_chance_decides() -> None:
    rolls = iter([0.9, 0.1, 0.5, 0.2])
    ladder = Ladder([RESET], 2.0, lambda: next(rolls))
    assert ladder.meet({"a": 0.0, "b": 0.0, "long": 60.0, "c": 0.0})
    assert ladder.start(9, 0.0) == {0: ["long", "b", "c", "a"]}


def test_who_comes_later_gets_its_turn_after_the_others() -> None:
    ladder = climbing(RESET, waiting=2, started=0)
    assert ladder.meet({1: 0.0, 2: 0.0, 3: 99.0})
    assert not ladder.meet({1: 0.0, 2: 0.0, 3: 99.0})
    assert (ladder.waiting, ladder.present) == (3, 3)
    assert ladder.start(2, 0.0) == {0: [1, 2]}
    assert (ladder.waiting, ladder.present) == (1, 3)
    assert ladder.start(2, 0.0) == {0: [3]}


def test_who_has_left_before_its_turn_is_not_tried() -> None:
    ladder = climbing(RESET, waiting=3, started=0)
    ladder.leave([1, "never seen"])
    assert not ladder.meet({3: 0.0})
    assert ladder.start(3, 0.0) == {0: [3]}
    assert ladder.start(3, 0.0) == {}
    assert ended(ladder) == {}


def test_a_connection_that_was_out_of_sight_is_tried_once() -> None:
    ladder = climbing(RESET, waiting=1, started=0)
    assert not ladder.meet({})
    assert ladder.meet({1: 0.0})
    assert ladder.start(3, 0.0) == {0: [1]}
    assert ladder.start(3, 0.0) == {}


# ------------------------------------------------------------------------------------------ rung after rung


@pytest.mark.parametrize("attempt", [SENT, GONE])
def test_whoever_is_still_there_escalate_after_gets_the_next_closer(attempt: Attempt) -> None:
    ladder = climbing(WEBSOCKET, SHUTDOWN, RESET)
    for now, rung, closer in [(0.0, 1, WEBSOCKET), (2.0, 2, SHUTDOWN)]:
        assert answer(ladder, closer, attempt, now=now) == {}
        assert ladder.wake_at() == now + 2.0
        assert ladder.advance(now + 1.99) == {}
        assert ladder.advance(now + 2.0) == {rung: [1]}


def test_escalate_after_begins_when_the_closer_has_done_its_part() -> None:
    ladder = climbing(WEBSOCKET, RESET)
    assert answer(ladder, WEBSOCKET, SENT, now=1.5) == {}
    assert woken(ladder, until=10.0) == [(3.5, {1: [1]})]


@pytest.mark.parametrize(
    "verdict", [verdict for verdict in Verdict if verdict not in {"sent", "gone", "busy", "unaccepted"}]
)
def test_a_closer_that_can_do_nothing_hands_on_at_once(verdict: Verdict) -> None:
    ladder = climbing(WEBSOCKET, SHUTDOWN, RESET)
    assert answer(ladder, WEBSOCKET, Attempt(verdict, "why")) == {1: [1]}
    assert answer(ladder, SHUTDOWN, Attempt(verdict, "why")) == {2: [1]}
    assert answer(ladder, RESET, Attempt(verdict, "why")) == {}
    assert woken(ladder, until=100.0) == []
    assert attempts(ladder) == {name: {verdict: 1} for name in ("websocket", "shutdown", "reset")}
    assert ladder.closings().details == {name: {"why": 1} for name in ("websocket", "shutdown", "reset")}


@pytest.mark.parametrize("attempt", [BUSY, UNACCEPTED])
def test_whoever_is_busy_is_tried_again_and_again_until_the_next_closer_has_its_turn(attempt: Attempt) -> None:
    ladder = climbing(WEBSOCKET, RESET)
    now, tries = 0.0, 0
    while (steps := ladder.advance(now)) != {1: [1]}:
        tries += 1
        assert steps == ({} if tries == 1 else {0: [1]})
        assert answer(ladder, WEBSOCKET, attempt, now=now) == {}
        wake_at = ladder.wake_at()
        assert wake_at == now + RETRY_AFTER
        now = wake_at
    assert tries in (10, 11)  # 2 s are ten times 0.2 s, or nine and a hair
    assert now == pytest.approx(tries * RETRY_AFTER)
    assert attempts(ladder) == {"websocket": {attempt.verdict: 1}}


def test_at_the_last_closer_whoever_is_busy_is_tried_to_the_end_and_counted_once() -> None:
    ladder = climbing(WEBSOCKET)
    for again in range(1, 100):
        assert answer(ladder, WEBSOCKET, BUSY, now=(again - 1) * RETRY_AFTER) == {}
        assert ladder.advance(again * RETRY_AFTER + 1e-9) == {0: [1]}
    assert attempts(ladder) == {}
    ladder.finish()
    ladder.finish()
    assert attempts(ladder) == {"websocket": {Verdict.BUSY: 1}}


def test_the_last_closer_is_waited_for_however_long_it_takes() -> None:
    ladder = climbing(WEBSOCKET)
    assert woken(ladder, until=100.0) == []
    assert answer(ladder, WEBSOCKET, BUSY, now=7.0) == {}
    assert woken(ladder, until=100.0) == [(7.2, {0: [1]})]
    assert answer(ladder, WEBSOCKET, SENT, now=12.0) == {}
    ladder.leave([1])
    assert (ended(ladder), attempts(ladder)) == ({"websocket": 1}, {"websocket": {Verdict.SENT: 1}})


def test_nobody_is_woken_for_who_has_left() -> None:
    ladder = climbing(WEBSOCKET, RESET, waiting=2)
    answer(ladder, WEBSOCKET, BUSY, 1)
    answer(ladder, WEBSOCKET, SENT, 2)
    ladder.leave([1, 2])
    assert woken(ladder, until=100.0) == []


# --------------------------------------------------------------------------------------- answers out of time


@pytest.mark.parametrize("attempt", [SENT, GONE, REFUSED])
def test_an_answer_that_comes_when_the_next_closer_has_it_is_counted_and_moves_nothing(attempt: Attempt) -> None:
    ladder = climbing(WEBSOCKET, SHUTDOWN, RESET)
    assert ladder.advance(5.9) == {}
    assert ladder.advance(6.0) == {1: [1]}
    assert not ladder.is_asked("websocket", 1)
    assert ladder.is_asked("shutdown", 1)
    assert answer(ladder, WEBSOCKET, attempt, now=6.1) == {}
    assert attempts(ladder) == {"websocket": {attempt.verdict: 1}}
    assert woken(ladder, until=12.5) == [(12.0, {2: [1]})]


def test_a_closer_that_was_only_late_leaves_its_client_the_time_for_an_answer() -> None:
    ladder = climbing(WEBSOCKET, SHUTDOWN)
    assert ladder.advance(4.5) == {}
    answer(ladder, WEBSOCKET, SENT, now=4.5)
    assert woken(ladder, until=20.0) == [(6.5, {1: [1]})]


def test_who_is_missing_from_one_census_stands_where_it_stood_when_it_is_back() -> None:
    ladder = climbing(WEBSOCKET, SHUTDOWN, waiting=2)
    answer(ladder, WEBSOCKET, SENT, 1, 2)
    assert not ladder.meet({2: 0.0})
    assert ended(ladder) == {"websocket": 1}
    assert not ladder.meet({1: 0.0, 2: 0.0})
    assert (ended(ladder), ladder.waiting, ladder.present) == ({}, 0, 2)
    assert ladder.advance(2.0) == {1: [2, 1]}
    ladder.leave([1])
    assert ladder.meet({1: 0.0, 2: 0.0})


def test_who_was_missing_before_it_was_answered_for_is_credited_once() -> None:
    ladder = climbing(WEBSOCKET, SHUTDOWN, waiting=2)
    ladder.meet({})
    answer(ladder, WEBSOCKET, SENT, 1, now=0.5)
    assert ended(ladder) == {"websocket": 1}
    ladder.meet({1: 0.0, 2: 0.0})
    assert ended(ladder) == {}
    ladder.leave([1, 2])
    ladder.finish()
    assert ended(ladder) == {"websocket": 2}


def test_so_many_at_once_and_no_more_are_taken_in_one_go() -> None:
    ladder = climbing(WEBSOCKET, RESET, waiting=MOST_AT_ONCE + 5)
    answer(ladder, WEBSOCKET, SENT, *range(1, MOST_AT_ONCE + 6))
    assert [sum(map(len, ladder.advance(2.0).values())) for _ in range(3)] == [MOST_AT_ONCE, 5, 0]


def test_a_late_answer_that_nothing_could_be_done_yet_is_forgotten() -> None:
    ladder = climbing(WEBSOCKET, SHUTDOWN)
    ladder.advance(6.0)
    assert answer(ladder, WEBSOCKET, BUSY, now=6.1) == {}
    assert attempts(ladder) == {}
    assert woken(ladder, until=100.0) == []


def test_answers_for_who_was_never_asked_and_of_who_was_not_asked_change_nothing() -> None:
    ladder = climbing(WEBSOCKET, RESET, waiting=2, started=1)
    for identity in (1, 2, 777):
        assert answer(ladder, RESET, SENT, identity) == {}
    assert answer(ladder, WEBSOCKET, SENT, 2, 777) == {}
    assert ladder.answer("nobody's name", {1: SENT}, 0.0) == {}
    assert (ladder.waiting, ladder.present, ladder.wake_at()) == (1, 2, 6.0)
    ladder.leave([1, 2])
    ladder.finish()
    # The one that was asked of 1 has not answered: the benefit of the doubt.
    assert ended(ladder) == {"websocket": 1}


def test_the_same_answer_twice_moves_nobody_twice() -> None:
    ladder = climbing(WEBSOCKET, SHUTDOWN, RESET)
    assert answer(ladder, WEBSOCKET, REFUSED) == {1: [1]}
    assert answer(ladder, WEBSOCKET, REFUSED) == {}
    assert answer(ladder, SHUTDOWN, SENT) == {}
    assert answer(ladder, SHUTDOWN, REFUSED) == {}
    assert woken(ladder, until=3.0) == [(2.0, {2: [1]})]


# --------------------------------------------------------------------------------------------- who ended it


def test_the_last_closer_that_has_done_its_part_has_ended_it() -> None:
    ladder = climbing(WEBSOCKET, SHUTDOWN, RESET, waiting=4)
    answer(ladder, WEBSOCKET, SENT, 1, 2, 3)
    answer(ladder, WEBSOCKET, GONE, 4)
    ladder.leave([1, 4])
    assert ladder.advance(2.0) == {1: [2, 3]}
    answer(ladder, SHUTDOWN, SENT, 2, now=2.0)
    assert answer(ladder, SHUTDOWN, REFUSED, 3, now=2.0) == {2: [3]}
    answer(ladder, RESET, REFUSED, 3, now=2.0)
    ladder.leave([2, 3])
    assert ended(ladder) == {"websocket": 2, "shutdown": 1}


def test_who_leaves_while_it_is_tried_again_was_ended_by_nobody() -> None:
    ladder = climbing(WEBSOCKET)
    answer(ladder, WEBSOCKET, BUSY)
    ladder.leave([1])
    ladder.finish()
    assert ended(ladder) == {}


@pytest.mark.parametrize(("attempt", "by"), [(SENT, {"websocket": 1}), (GONE, {}), (BUSY, {}), (REFUSED, {})])
def test_who_leaves_before_the_answer_was_ended_by_what_the_answer_says(attempt: Attempt, by: dict[str, int]) -> None:
    ladder = climbing(WEBSOCKET, RESET)
    ladder.leave([1])
    assert ended(ladder) == {}
    assert answer(ladder, WEBSOCKET, attempt) == {}
    ladder.finish()
    assert ended(ladder) == by


@pytest.mark.parametrize("attempt", [GONE, BUSY, REFUSED])
def test_who_leaves_before_the_answer_of_a_later_closer_was_ended_by_the_one_before(attempt: Attempt) -> None:
    ladder = climbing(WEBSOCKET, RESET)
    answer(ladder, WEBSOCKET, SENT)
    assert ladder.advance(2.0) == {1: [1]}
    ladder.leave([1])
    answer(ladder, RESET, attempt, now=2.1)
    ladder.finish()
    assert ended(ladder) == {"websocket": 1}


def test_a_closer_that_says_late_that_it_has_done_its_part_is_given_its_due() -> None:
    ladder = climbing(WEBSOCKET, SHUTDOWN, RESET, waiting=3)
    assert ladder.advance(6.0) == {1: [1, 2, 3]}
    answer(ladder, SHUTDOWN, SENT, 3, now=6.0)
    answer(ladder, WEBSOCKET, SENT, 1, 3, now=6.1)
    answer(ladder, SHUTDOWN, GONE, 1, now=6.2)
    ladder.leave([1, 2, 3])
    # Of 2 the first one answers when it has gone, and the second one has not answered yet.
    answer(ladder, WEBSOCKET, BUSY, 2, now=6.3)
    answer(ladder, WEBSOCKET, SENT, 2, now=6.3)
    answer(ladder, SHUTDOWN, GONE, 2, now=6.4)
    ladder.finish()
    assert ended(ladder) == {"websocket": 2, "shutdown": 1}


def test_an_answer_that_never_comes_leaves_the_benefit_of_the_doubt() -> None:
    ladder = climbing(WEBSOCKET, waiting=2)
    ladder.leave([1])
    assert ended(ladder) == {}
    ladder.finish()
    assert (ended(ladder), attempts(ladder)) == ({"websocket": 1}, {})


def test_steps_of_one_moment_come_together_for_each_closer() -> None:
    ladder = climbing(WEBSOCKET, SHUTDOWN, RESET, waiting=4)
    answer(ladder, WEBSOCKET, BUSY, 1, 2)
    answer(ladder, WEBSOCKET, REFUSED, 3)
    answer(ladder, SHUTDOWN, SENT, 3, now=0.0)
    assert [ladder.advance(0.1), ladder.advance(2.0), ladder.advance(6.0)] == [{}, {1: [1, 2], 2: [3]}, {1: [4]}]
