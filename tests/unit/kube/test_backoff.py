"""How long to wait after a failure."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drainer.kube.backoff import FIRST, LONGEST, Backoff
from drainer.kube.words import FORBIDDEN_FOR, ApiResult
from tests.unit.kube.pods import failure

FAILED, FORBIDDEN = failure(ApiResult.FAILED), failure(ApiResult.FORBIDDEN)


def backoff(chance: float = 0.5) -> Backoff:
    return Backoff(lambda: chance)


def test_each_wait_is_twice_as_long_up_to_a_minute() -> None:
    waits = backoff()
    assert [waits.after(FAILED) for _ in range(9)] == [0.5, 1, 2, 4, 8, 16, 32, 60, 60]


def test_when_it_works_again_waiting_begins_anew() -> None:
    waits = backoff()
    assert [waits.after(FAILED) for _ in range(3)][-1] == 2.0
    waits.reset()
    assert waits.after(FAILED) == FIRST


@given(st.floats(0, 1))
def test_chance_keeps_a_crowd_of_agents_apart(chance: float) -> None:
    assert FIRST * 0.75 <= backoff(chance).after(FAILED) <= FIRST * 1.25


def test_what_is_forbidden_waits_for_ten_minutes() -> None:
    assert FORBIDDEN_FOR == 600.0
    for chance in (0.0, 1.0):
        assert backoff(chance).after(FORBIDDEN) == 600.0, "the client says no until then without asking"


@pytest.mark.parametrize(("asked", "seconds"), [(0.0, 0.5), (0.1, 0.5), (7.0, 7.0), (86400.0, LONGEST)])
def test_the_api_may_ask_for_more_but_not_for_ever(asked: float, seconds: float) -> None:
    assert backoff().after(failure(ApiResult.THROTTLED, asked)) == seconds
