"""The ladder where a closer tells the app how many to close, and the app chooses whom."""

from __future__ import annotations

import pytest

from drainer.attempt import Attempt, Verdict
from tests.unit.ladders import (
    ANNOUNCE,
    BATCH,
    GONE,
    REFUSED,
    RESET,
    SENT,
    WEBSOCKET,
    answer,
    attempts,
    climbing,
    ended,
    woken,
)  # fmt: skip


def test_one_that_the_app_chose_takes_the_place_of_the_one_that_was_meant() -> None:
    ladder = climbing(BATCH, RESET, waiting=3, started=1)
    answer(ladder, BATCH, SENT)
    ladder.leave([3])
    assert ended(ladder) == {"notify": 1}
    assert (ladder.waiting, ladder.present) == (2, 2)
    assert woken(ladder, until=100.0) == []
    assert ladder.start(1, 5.0) == {0: [1]}


def test_the_app_is_often_quicker_than_its_answer() -> None:
    ladder = climbing(BATCH, RESET, waiting=3, started=1)
    ladder.leave([2])
    assert ended(ladder) == {"notify": 1}
    assert answer(ladder, BATCH, SENT) == {}
    assert ladder.start(9, 1.0) == {0: [1, 3]}


def test_one_that_leaves_beyond_what_the_app_was_told_has_left_by_itself() -> None:
    ladder = climbing(BATCH, waiting=3, started=1)
    answer(ladder, BATCH, SENT)
    ladder.leave([1, 2])
    assert ended(ladder) == {"notify": 1}


def test_whoever_the_app_does_not_close_gets_the_next_closer() -> None:
    ladder = climbing(BATCH, RESET, waiting=2, started=1)
    answer(ladder, BATCH, SENT)
    assert ladder.advance(2.0) == {1: [1]}
    # The app is told of nobody now: another one that leaves does so by itself.
    ladder.leave([2])
    answer(ladder, RESET, SENT, now=2.0)
    ladder.leave([1])
    assert ended(ladder) == {"reset": 1}


def test_an_app_that_says_no_hands_on_at_once() -> None:
    ladder = climbing(BATCH, RESET, waiting=2, started=1)
    assert answer(ladder, BATCH, Attempt(Verdict.FAILED, "404")) == {1: [1]}
    ladder.leave([2])
    assert ended(ladder) == {}


@pytest.mark.parametrize("attempt", [SENT, GONE, Attempt(Verdict.FAILED, "500")])
def test_an_app_that_is_the_last_closer_is_asked_again_at_intervals_whatever_it_says(attempt: Attempt) -> None:
    ladder = climbing(BATCH)
    for again in range(1, 4):
        assert answer(ladder, BATCH, attempt, now=again * 2.0 - 2.0) == {}
        assert ladder.waiting == 0
        assert ladder.advance(again * 2.0) == {}
        assert ladder.waiting == 1
        assert ladder.wake_at() is None
        assert ladder.start(1, again * 2.0) == {0: [1]}
    assert attempts(ladder) == {"notify": {attempt.verdict: 3}}


def test_an_app_that_says_nothing_is_asked_again_too() -> None:
    ladder = climbing(BATCH)
    assert ladder.advance(6.0) == {}
    assert (ladder.waiting, ladder.wake_at()) == (1, None)


def test_an_app_that_says_no_after_one_has_left_has_not_ended_it() -> None:
    ladder = climbing(BATCH, RESET, waiting=3, started=1)
    ladder.leave([2])
    assert ended(ladder) == {"notify": 1}
    answer(ladder, BATCH, Attempt(Verdict.FAILED, "404"))
    assert ended(ladder) == {}


def test_an_app_that_has_only_failed_gets_no_benefit_of_the_doubt() -> None:
    ladder = climbing(BATCH, RESET, waiting=4, started=3)
    answer(ladder, BATCH, Attempt(Verdict.FAILED, "404"), 1)
    ladder.leave([4, 3])
    ladder.finish()
    assert ended(ladder) == {}


def test_an_app_that_fails_has_ended_nobody() -> None:
    ladder = climbing(BATCH, waiting=2, started=1)
    answer(ladder, BATCH, Attempt(Verdict.FAILED, "500"))
    ladder.leave([2, 1])
    ladder.finish()
    assert ended(ladder) == {}


def test_an_app_after_other_closers_is_asked_again_without_a_loop() -> None:
    ladder = climbing(WEBSOCKET, BATCH, waiting=2)
    assert answer(ladder, WEBSOCKET, REFUSED, 1, 2) == {1: [1, 2]}
    assert woken(ladder, until=13.0) == [(6.0, {1: [1, 2]}), (12.0, {1: [1, 2]})]


def test_one_that_the_app_chose_later_than_first_spares_the_one_that_was_meant() -> None:
    ladder = climbing(WEBSOCKET, BATCH, RESET, waiting=2, started=1)
    assert answer(ladder, WEBSOCKET, REFUSED) == {1: [1]}
    answer(ladder, BATCH, SENT)
    ladder.leave([2])
    assert ended(ladder) == {"notify": 1}
    assert woken(ladder, until=1.0) == [(0.0, {1: [1]})]


def test_once_all_are_announced_whoever_leaves_was_ended_by_that() -> None:
    ladder = climbing(ANNOUNCE, waiting=4, started=1)
    answer(ladder, ANNOUNCE, SENT)
    ladder.leave([3, 4])
    assert ended(ladder) == {"notify": 2}
    assert ladder.start(9, 1.0) == {0: [1, 2]}
    answer(ladder, ANNOUNCE, SENT, 1, 2, now=1.0)
    ladder.leave([1, 2])
    assert ended(ladder) == {"notify": 4}


def test_once_all_are_announced_the_app_is_not_asked_again() -> None:
    ladder = climbing(ANNOUNCE, waiting=2)
    answer(ladder, ANNOUNCE, SENT, 1, 2)
    assert woken(ladder, until=100.0) == []


def test_an_announcement_that_failed_has_ended_nobody() -> None:
    ladder = climbing(ANNOUNCE, RESET, waiting=2, started=1)
    assert answer(ladder, ANNOUNCE, Attempt(Verdict.FAILED, "refused")) == {1: [1]}
    ladder.leave([2])
    assert ended(ladder) == {}
