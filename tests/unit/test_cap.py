"""Full or not, by what was counted and when: bounds, hysteresis, and what is not known."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drainer.cap import BLIND_AFTER, CALM, RATE_OVER, Bound, Cap, CapPlan, NoLimits, Others, Room, Signal
from drainer.model import Census, PortCount, Reason
from tests.unit.limits import limit, plan
from tests.unit.statuses import make_census


def counted(at: float, live: int = 0, opened: int | None = None, young: int = 0) -> Census:
    count = PortCount(live, {Reason.YOUNG: young}, opened=live if opened is None else opened)
    return make_census({8080: count}, taken_at=at)


def rooms(cap: Cap, numbers: list[int]) -> list[Room]:
    """The room after a census a second with each of these numbers of connections."""
    found = []
    for second, number in enumerate(numbers):
        cap.observe(counted(float(second), number))
        found.append(cap.room)
    return found


def room_of(cap: Cap) -> Room:
    """For mypy, which takes an attribute for what it was a line before."""
    return cap.room


# ---------------------------------------------------------------------------------------------------- connections


def test_full_at_the_limit_and_taking_again_only_below_the_other_bound() -> None:
    assert rooms(Cap(plan(10, 8)), [9, 10, 12, 9, 8, 7, 8, 9, 10]) == [
        Room.TAKING, Room.FULL, Room.FULL, Room.FULL, Room.FULL, Room.TAKING, Room.TAKING, Room.TAKING, Room.FULL,
    ]  # fmt: skip


def test_a_limit_of_one_takes_again_when_nobody_is_there() -> None:
    assert rooms(Cap(plan(1, 1)), [0, 1, 1, 0]) == [Room.TAKING, Room.FULL, Room.FULL, Room.TAKING]


def test_the_first_census_of_an_agent_that_was_restarted_says_at_once_that_the_pod_is_full() -> None:
    assert rooms(Cap(plan(10, 8)), [10]) == [Room.FULL]


def test_probes_are_as_little_counted_as_in_the_gauges() -> None:
    cap = Cap(plan(10, 8))
    cap.observe(counted(1.0, live=12, young=3))
    assert room_of(cap) is Room.TAKING
    cap.observe(counted(2.0, live=12, young=2))
    assert room_of(cap) is Room.FULL


@given(st.lists(st.integers(0, 30), max_size=40), st.integers(1, 20), st.integers(0, 19))
def test_whatever_comes_and_goes_the_pod_is_full_since_the_limit_was_last_reached(
    numbers: list[int], most: int, less: int
) -> None:
    below = max(1, most - less)
    for index, room in enumerate(rooms(Cap(plan(most, below)), numbers)):
        reached = [at for at, number in enumerate(numbers[: index + 1]) if number >= most]
        calm = [at for at, number in enumerate(numbers[: index + 1]) if number < below]
        assert (room is Room.FULL) == (bool(reached) and (not calm or calm[-1] < reached[-1]))


# ----------------------------------------------------------------------------------------------------------- rate


def arrivals(cap: Cap, opened: list[tuple[float, int]]) -> list[Room]:
    found = []
    for at, number in opened:
        cap.observe(counted(at, opened=number))
        found.append(cap.room)
    return found


def test_a_storm_makes_the_pod_full_and_it_is_over_when_the_rate_is_half_of_what_may_come() -> None:
    cap = Cap(plan(None, rate=10.0))
    assert arrivals(cap, [(0.0, 0), (2.0, 20), (4.0, 40), (6.0, 90)]) == [
        Room.TAKING, Room.TAKING, Room.TAKING, Room.FULL,
    ]  # fmt: skip
    assert cap.status.rate == pytest.approx(90 / 6)
    # From (2, 20), then (4, 40), then (6, 90): 14, 10 and at last 4 a second.
    assert arrivals(cap, [(8.0, 104), (10.0, 104), (12.0, 114)]) == [Room.FULL, Room.FULL, Room.TAKING]
    assert cap.status.rate == pytest.approx(24 / 6)


def test_a_page_that_opens_a_few_at_once_is_no_storm() -> None:
    assert arrivals(Cap(plan(None, rate=10.0)), [(0.0, 0), (0.01, 6), (1.0, 12)])[-1] is Room.TAKING


def test_those_that_the_first_census_finds_have_not_just_come() -> None:
    cap = Cap(plan(None, rate=10.0))
    assert arrivals(cap, [(50.0, 100_000)]) == [Room.TAKING]
    assert cap.status.rate is None
    assert arrivals(cap, [(51.0, 100_010)]) == [Room.TAKING]
    assert cap.status.rate == 10 / RATE_OVER


def test_after_a_time_without_censuses_the_rate_is_the_average_over_it() -> None:
    cap = Cap(plan(None, rate=10.0))
    assert arrivals(cap, [(0.0, 0), (2.0, 0), (62.0, 900), (64.0, 900)]) == [
        Room.TAKING, Room.TAKING, Room.FULL, Room.FULL,
    ]  # fmt: skip
    assert arrivals(cap, [(66.0, 900), (68.0, 900)])[-1] is Room.TAKING


def test_either_bound_is_enough_and_both_are_named() -> None:
    cap = Cap(plan(10, 8, rate=10.0))
    cap.observe(counted(0.0, live=9, opened=9))
    cap.observe(counted(2.0, live=10, opened=109))
    assert cap.status.reached == frozenset({Bound.CONNECTIONS, Bound.RATE})
    cap.observe(counted(4.0, live=5, opened=109))
    assert (room_of(cap), cap.status.reached) == (Room.FULL, frozenset({Bound.RATE}))
    cap.observe(counted(9.0, live=5, opened=109))
    assert (room_of(cap), cap.status.reached) == (Room.TAKING, frozenset())


def test_a_census_that_was_seen_already_is_not_counted_twice() -> None:
    cap = Cap(plan(None, rate=10.0))
    arrivals(cap, [(0.0, 0), (1.0, 5), (1.0, 500)])
    assert cap.status.rate == 5 / RATE_OVER


@given(st.lists(st.tuples(st.floats(0.05, 3.0), st.integers(0, 40)), min_size=2, max_size=30))
def test_the_rate_is_never_more_than_what_has_come_in_the_time_that_it_is_of(steps: list[tuple[float, int]]) -> None:
    cap, at, opened, seen = Cap(plan(None, rate=10.0)), 0.0, 0, []
    for gap, new in steps:
        at, opened = at + gap, opened + new
        seen.append((at, opened))
        was_full = room_of(cap) is Room.FULL
        cap.observe(counted(at, opened=opened))
        rate = cap.status.rate
        if rate is not None:
            assert (
                rate
                <= max(
                    (later - earlier) / max(until - since, RATE_OVER)
                    for since, earlier in seen
                    for until, later in [seen[-1]]
                    if since < until
                )
                + 1e-9
            )
            assert (room_of(cap) is Room.FULL) == (rate > 10.0 * (CALM if was_full else 1.0))
    assert all(one[0] < other[0] for one, other in pairwise(seen))


# ------------------------------------------------------------------------------------------------- the other pods


@pytest.mark.parametrize(
    ("others", "room"), [(Others.ENOUGH, Room.FULL), (Others.TOO_FEW, Room.LAST), (Others.UNKNOWN, Room.LAST)]
)
def test_full_is_said_only_when_it_is_known_that_another_pod_takes(others: Others, room: Room) -> None:
    cap = Cap(plan(never_last=True))
    cap.observe(counted(0.0, 10))
    assert (room_of(cap), cap.wants_to_know, cap.status.is_full) == (Room.ASKING, True, False)
    cap.answer(others)
    assert (room_of(cap), cap.status.others, cap.wants_to_know) == (room, others, True)
    # More do not change it, but what is heard of the others does.
    cap.observe(counted(1.0, 11))
    assert room_of(cap) is room
    cap.answer(Others.TOO_FEW)
    assert room_of(cap) is Room.LAST
    cap.observe(counted(2.0, 7))
    assert (room_of(cap), cap.status.others, cap.wants_to_know) == (Room.TAKING, None, False)


def test_an_answer_that_comes_late_makes_nobody_full() -> None:
    cap = Cap(plan(never_last=True))
    cap.observe(counted(0.0, 10))
    cap.observe(counted(1.0, 7))
    cap.answer(Others.ENOUGH)
    assert (room_of(cap), cap.status.others) == (Room.TAKING, None)


# ------------------------------------------------------------------------------------------------------ blindness


def test_a_pod_that_cannot_be_counted_any_more_does_not_say_that_it_is_full() -> None:
    cap = Cap(plan())
    cap.miss(1.0)
    cap.observe(counted(10.0, 10))
    cap.miss(10.0 + BLIND_AFTER)
    assert room_of(cap) is Room.FULL
    cap.miss(10.1 + BLIND_AFTER)
    assert (room_of(cap), cap.status.reached) == (Room.TAKING, frozenset())
    cap.observe(counted(50.0, 9))
    assert room_of(cap) is Room.TAKING
    cap.observe(counted(51.0, 10))
    assert room_of(cap) is Room.FULL


# ------------------------------------------------------------------------------------------------- what is shown


def test_the_status_says_all_in_numbers() -> None:
    assert limit().as_json(9) == {
        "connections": 10, "resume_below": 8, "max_rate": None, "utilization": 0.9, "new_per_second": 0.5,
        "room": "full", "reached": ["connections"], "full": True, "said_by": "label", "others": None,
    }  # fmt: skip


def test_without_a_number_of_connections_nothing_is_utilized() -> None:
    cap = Cap(CapPlan(None, None, 5.0, Signal.METRIC, never_last=False))
    shown = cap.status.as_json(9)
    assert (shown["connections"], shown["utilization"], shown["new_per_second"], shown["full"]) == (
        None, None, None, False,
    )  # fmt: skip


@pytest.mark.parametrize("room", list(Room))
def test_it_is_said_by_the_one_signal_that_was_chosen_and_only_when_full(room: Room) -> None:
    said = {signal for signal in Signal if limit(room, Signal.READINESS).is_said_by(signal)}
    assert said == ({Signal.READINESS} if room is Room.FULL else set())


def test_above_the_limit_more_than_all_of_it_is_used() -> None:
    assert limit().utilization(25) == 2.5


def test_where_nothing_is_limited_nothing_happens() -> None:
    none = NoLimits()
    none.begin(lambda: pytest.fail("told of a change"))
    none.observe(counted(0.0, 1_000_000))
    none.miss()
    none.stop()
    assert none.status is None
