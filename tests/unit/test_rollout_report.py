"""The goals of a rollout: each of them can be missed."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from rollout.accounts import ABNORMAL, Account
from rollout.report import misses
from rollout.strategies import Goals

GOOD = Account(clients=100, codes=Counter({1012: 102}), returns=[[0.0, 0.5, 1.0, 2.0]])
STRICT, UNCHANGED = Goals(crossed=False), Goals(crossed=True)


def test_a_good_rollout_misses_nothing() -> None:
    assert list(misses(GOOD, STRICT, counts_closings=True)) == []


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (replace(GOOD, codes=Counter()), "nobody was closed"),
        (replace(GOOD, codes=Counter({ABNORMAL: 1})), "1 closings without a Close frame"),
        (replace(GOOD, lost_pushes=1), "1 pushes and 0 answers lost"),
        (replace(GOOD, lost_answers=2), "0 pushes and 2 answers lost"),
        (replace(GOOD, crossed_pushes=1), "1 pushes crossed a Close"),
        (replace(GOOD, altered=1), "1 messages altered"),
        (replace(GOOD, never_back=1), "1 clients did not come back"),
        (replace(GOOD, returns=[[0.0, 0.2, 0.5, 1.0, 2.6]]), "peak/mean 1.56"),
        (replace(GOOD, returns=[[0.0] * 100]), "all came at once"),
        (replace(GOOD, codes=Counter({1012: 103})), "1.030 closings per client"),
        (replace(GOOD, kills=1), "1 SIGKILLs"),
    ],
)
def test_each_goal_can_be_missed(bad: Account, said: str) -> None:
    (missed,) = misses(bad, STRICT, counts_closings=True)

    assert missed.startswith(said)


def test_pushes_may_cross_a_close_that_the_server_knows_nothing_of() -> None:
    assert list(misses(replace(GOOD, crossed_pushes=1), UNCHANGED, counts_closings=True)) == []


def test_questions_may_cross_any_close() -> None:
    assert list(misses(replace(GOOD, crossed_questions=1), STRICT, counts_closings=True)) == []


def test_closings_are_not_judged_behind_a_balancer_that_forgets() -> None:
    assert list(misses(replace(GOOD, codes=Counter({1012: 150})), STRICT, counts_closings=False)) == []
