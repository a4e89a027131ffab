"""When the next first tries are due. `0.5` as chance is the middle of each slot."""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drainer.pacer import LEAST_WINDOW, SHORTEST_SLOT, Pacer

ENDS_AT, LATEST_AT = 18.0, 24.0


def pacer(*dice: float, rate: float | None = None, now: float = 10.0) -> Pacer:
    """Begins at 10; chance gives `dice`, the last of them for ever."""
    rolls = [*dice] or [0.5]
    return Pacer(now, ENDS_AT, LATEST_AT, rate, lambda: rolls.pop(0) if len(rolls) > 1 else rolls[0])


def tries(paced: Pacer, waiting: int, *, arrivals: Iterable[tuple[float, int]] = ()) -> list[float]:
    """The moment of each first try, for a loop that is never late, while (moment, number) come."""
    moments: list[float] = []
    coming = [*arrivals]
    now = 0.0
    while (due := paced.due(waiting)) is not None or coming:
        if coming and (due is None or coming[0][0] <= due):
            now, number = coming.pop(0)
            waiting += number
            paced.extend(now)
            continue
        assert due is not None
        now = max(now, due)
        taken = paced.take(now, waiting)
        moments += [now] * taken
        waiting -= taken
    return moments


def test_nobody_waits_for_nobody() -> None:
    assert pacer().due(0) is None


def test_so_many_connections_are_so_many_slots() -> None:
    assert tries(pacer(), 4) == [11.0, 13.0, 15.0, 17.0]


def test_chance_says_where_in_its_slot_each_one_comes() -> None:
    assert tries(pacer(0.0, 1.0, 0.25, 0.5), 4) == [10.0, 14.0, 14.5, 17.0]


@given(waiting=st.integers(1, 300), dice=st.lists(st.floats(0, 1), min_size=300, max_size=300))
def test_every_slot_has_its_own_whatever_chance_says(waiting: int, dice: list[float]) -> None:
    slot = (ENDS_AT - 10.0) / waiting
    for index, moment in enumerate(tries(pacer(*dice), waiting)):
        assert 10.0 + index * slot - 1e-6 <= moment <= 10.0 + (index + 1) * slot + 1e-6


def test_slots_that_would_be_too_short_are_taken_in_small_batches() -> None:
    moments = tries(pacer(), 10_000)
    assert len(moments) == 10_000
    instants = sorted(set(moments))
    each = (ENDS_AT - 10.0) / 10_000
    assert max(map(moments.count, instants)) == math.ceil(SHORTEST_SLOT / each)
    assert min(later - earlier for earlier, later in pairwise(instants[:-1])) >= SHORTEST_SLOT * 0.99
    for begin in range(10, 18):
        assert sum(begin <= moment < begin + 1 for moment in moments) == pytest.approx(1250, abs=26)


def test_a_loop_that_was_late_spreads_who_is_left_over_what_is_left() -> None:
    late = pacer()
    assert late.take(14.8, 4) == 1
    assert late.due(3) == pytest.approx(16.0)
    assert late.rate(3) == pytest.approx(1.25)


def test_moments_by_which_timers_are_late_do_not_pile_up_until_the_end() -> None:
    late = Pacer(0.0, 20.0, 24.0, None, lambda: 0.99)
    tried: list[float] = []
    while len(tried) < 1000:
        due = late.due(1000 - len(tried))
        assert due is not None
        tried += [due + 0.004] * late.take(due + 0.004, 1000 - len(tried))
    assert [sum(second <= at < second + 1 for at in tried) for second in range(20)] == pytest.approx([50] * 20, abs=1)


def test_who_leaves_by_itself_makes_the_pace_gentler() -> None:
    paced = pacer()
    assert (paced.take(11.0, 8), paced.rate(7)) == (1, 1.0)
    assert paced.rate(3) == 0.5
    assert paced.due(3) == pytest.approx(12.0 + 1.0)


def test_a_crowd_that_comes_after_the_only_one_was_tried_is_spread_too() -> None:
    moments = tries(pacer(), 1, arrivals=[(15.0, 1000)])
    assert (moments[0], len(moments)) == (14.0, 1001)
    for begin in (15.0, 16.0, 17.0):
        assert sum(begin <= moment < begin + 1 for moment in moments) == pytest.approx(333, abs=12)
    assert max(moments) <= ENDS_AT


def test_a_crowd_that_comes_in_the_middle_of_a_long_slot_does_not_wait_for_its_end() -> None:
    paced = pacer(0.1)
    assert paced.take(10.4, 2) == 1
    assert paced.due(1) == pytest.approx(14.4)
    assert paced.due(1001) == pytest.approx(10.4, abs=0.02)
    assert paced.rate(1001) == pytest.approx(1002 / 8)


def test_who_comes_at_the_very_end_is_not_tried_all_at_once() -> None:
    moments = tries(pacer(), 2, arrivals=[(19.0, 100)])
    assert len(moments) == 102
    late = [moment for moment in moments if moment > ENDS_AT]
    assert len(late) == 100
    assert 19.0 <= min(late) < max(late) <= 19.0 + LEAST_WINDOW
    assert late[50] - late[0] == pytest.approx(0.5, abs=0.03)


def test_nobody_who_comes_later_than_that_is_kept_waiting() -> None:
    assert set(tries(pacer(), 0, arrivals=[(24.5, 100)])) == {24.5}


def test_a_beginning_after_the_end_still_has_its_least_window() -> None:
    moments = tries(pacer(now=20.0), 100)
    assert 20.0 <= min(moments) < max(moments) <= 20.0 + LEAST_WINDOW
    assert max(map(moments.count, moments)) <= 2


def test_a_first_try_may_be_as_late_as_the_plan_wants_it() -> None:
    paced = Pacer(10.0, 24.5, LATEST_AT, 100.0, lambda: 1.0)
    assert paced.due(1) == 24.5
    assert paced.fits(1450)
    assert not paced.fits(1451)


def test_a_cap_takes_the_time_it_needs_and_no_more() -> None:
    paced = pacer(rate=10.0)
    assert (paced.fits(140), paced.rate(140), paced.seconds_left(10.0, 140)) == (True, 10.0, 14.0)
    moments = tries(paced, 140)
    assert moments[0] == 10.05
    assert moments[-1] == pytest.approx(23.95)
    assert {round(later - earlier, 6) for earlier, later in pairwise(moments)} == {0.1}


def test_a_cap_that_is_not_reached_changes_nothing() -> None:
    assert tries(pacer(rate=10.0), 4) == tries(pacer(), 4)


def test_a_cap_is_kept_by_those_who_come_one_by_one() -> None:
    moments = tries(pacer(0.0, rate=1.0), 1, arrivals=[(10.0 + tenth / 10, 1) for tenth in range(1, 10)])
    assert moments == pytest.approx([10.0 + second for second in range(10)])


def test_a_cap_that_leaves_no_time_is_exceeded_evenly() -> None:
    paced = pacer(rate=10.0)
    assert not paced.fits(141)
    assert paced.rate(280) == pytest.approx(20.0)
    assert paced.seconds_left(10.0, 280) == pytest.approx(14.0)
    moments = tries(paced, 280)
    assert max(moments) <= LATEST_AT
    assert sum(10.0 <= moment < 17.0 for moment in moments) == pytest.approx(140, abs=1)


def test_the_plan_says_until_when_and_how_fast() -> None:
    paced = pacer()
    assert (paced.seconds_left(10.0, 40), paced.rate(40), paced.fits(40)) == (8.0, 5.0, True)
    for waiting in reversed(range(40)):
        due = paced.due(waiting + 1)
        assert due is not None
        assert paced.take(due, waiting + 1) == 1
        assert paced.rate(waiting) == pytest.approx(5.0)
        assert paced.seconds_left(due, waiting) == pytest.approx(ENDS_AT - due)
    assert paced.seconds_left(30.0, 0) == 0.0


def test_after_the_latest_moment_all_are_wanted_at_once() -> None:
    paced = pacer(now=25.0)
    assert (paced.due(7), paced.rate(7), paced.take(25.0, 7)) == (25.0, 7.0, 7)


def test_a_nearer_end_spreads_who_waits_over_what_is_left() -> None:
    paced = pacer()
    assert paced.take(11.0, 4) == 1
    paced.retime(11.0, 13.0, 14.0)
    assert tries(paced, 3) == pytest.approx([11.0 + 1 / 3, 12.0, 12.0 + 2 / 3])
    assert paced.seconds_left(13.0, 0) == 0.0


def test_a_later_end_slows_them_down() -> None:
    paced = pacer()
    paced.retime(10.0, 50.0, 60.0)
    assert tries(paced, 4) == [15.0, 25.0, 35.0, 45.0]


def test_an_end_that_is_over_already_leaves_the_least_window() -> None:
    paced = pacer()
    paced.retime(16.0, 12.0, 24.0)
    moments = tries(paced, 100)
    assert 16.0 <= min(moments) < max(moments) <= 16.0 + LEAST_WINDOW


def test_a_cap_is_kept_as_far_as_a_nearer_end_leaves_time_for_it() -> None:
    paced = pacer(rate=10.0)
    assert paced.fits(140)
    paced.retime(10.0, 12.0, 15.0)
    assert (paced.fits(50), paced.fits(51)) == (True, False)
    assert max(tries(paced, 100)) <= 15.0
