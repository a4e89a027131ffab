"""Where the kubelet did not do what a hook announces, or did it before the drain was over."""

from __future__ import annotations

import pytest

from drainer.drain import Drain
from drainer.phases import Announce, Phase, Result, Tally
from drainer.plan import DrainPlan
from tests.unit.census import census

PLAN = DrainPlan(window=25.0, settle=5.0, stopped_after=40.0)


def drained(*, by_kubelet: bool) -> Drain:
    """Begun at 0, drained at 6."""
    drain = Drain(PLAN)
    drain.begin(0.0, by_kubelet=by_kubelet)
    drain.observe(census(1.0, 2), 1.0)
    drain.advance(5.0)
    drain.observe(census(6.0, 0, opened=2), 6.0)
    assert drain.is_done()
    return drain


def test_an_app_that_the_kubelet_has_forgotten_to_stop_is_served_again() -> None:
    drain = drained(by_kubelet=True)
    assert drain.observe(census(39.9, 0), 39.9) == []
    assert drain.observe(census(40.0, 0), 40.0) == [Announce(Phase.SERVING, 40.0)]


def test_without_a_listener_there_is_nothing_to_serve_again() -> None:
    drain = drained(by_kubelet=True)
    assert drain.observe(census(41.0, 0, listeners=()), 41.0) == []
    assert drain.is_done()


def test_a_drain_that_a_human_began_lasts_until_a_human_ends_it() -> None:
    drain = drained(by_kubelet=False)
    assert drain.observe(census(4000.0, 0), 4000.0) == []
    assert drain.is_done()


def test_a_hook_that_joins_counts_from_its_own_receipt() -> None:
    drain = drained(by_kubelet=False)
    assert drain.begin(30.0, by_kubelet=True) == []
    assert drain.observe(census(69.9, 0), 69.9) == []
    assert drain.observe(census(70.0, 0), 70.0) == [Announce(Phase.SERVING, 70.0)]


def test_a_hook_of_long_ago_has_no_part_in_the_drain_of_a_human() -> None:
    drain = drained(by_kubelet=True)
    drain.resume(20.0)
    drain.begin(100.0)
    drain.advance(105.0)
    drain.observe(census(106.0, 0), 106.0)
    assert drain.is_done()
    assert drain.observe(census(1000.0, 0), 1000.0) == []


def overtaken(live: int) -> Drain:
    """Begun at 0 with 3, overtaken by SIGTERM at 7 with `live` of them left."""
    drain = Drain(PLAN)
    drain.begin(0.0)
    drain.observe(census(1.0, 3), 1.0)
    drain.advance(5.0)
    drain.observe(census(6.0, live, opened=3, confirmed=False), 6.0)
    drain.overtake(7.0)
    return drain


def test_connections_that_end_with_the_app_after_sigterm_did_not_leave() -> None:
    drain = overtaken(2)
    drain.observe(census(8.0, 0, opened=3, listeners=()), 8.0)
    assert drain.outcome is not None
    assert drain.outcome.result is Result.DEADLINE
    assert drain.outcome.tally == Tally(0.0, 8.0, at_start=3, arrived=0, left=1, remaining=2)


@pytest.mark.parametrize(("live", "listeners"), [(2, ("listener",)), (0, ())])
def test_connections_that_leave_a_living_app_have_left_and_so_have_those_before_sigterm(
    live: int, listeners: tuple[str, ...]
) -> None:
    drain = overtaken(live)
    drain.observe(census(8.0, 0, opened=3, listeners=listeners), 8.0)
    assert drain.outcome is not None
    assert (drain.outcome.result, drain.outcome.tally.left) == (Result.DRAINED, 3)


def test_a_new_drain_remembers_no_sigterm() -> None:
    drain = overtaken(2)
    drain.resume(8.0)
    drain.begin(9.0)
    drain.observe(census(10.0, 1), 10.0)
    drain.conclude(11.0)
    assert drain.outcome is not None
    assert drain.outcome.result is Result.DRAINED


def test_only_a_running_drain_can_be_overtaken() -> None:
    drain = Drain(PLAN)
    drain.overtake(1.0)
    drain.begin(2.0)
    drain.observe(census(3.0, 1, listeners=()), 3.0)
    drain.conclude(4.0)
    assert drain.outcome is not None
    assert drain.outcome.result is Result.DRAINED
