"""The promises one by one; test_drain_story.py proves them for all stories."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from drainer.drain import Drain
from drainer.phases import TRANSITIONS, Announce, Outcome, Phase, Result
from drainer.plan import DrainPlan
from tests.unit.census import census

PLAN = DrainPlan(window=25.0, settle=5.0, flush=2.0, max_remaining=0, keep_outcome=60.0)


def draining(plan: DrainPlan = PLAN, *, live: int = 3) -> Drain:
    """Begun at 0 with so many clients, settled at 5."""
    drain = Drain(plan)
    drain.begin(0.0)
    drain.observe(census(0.0, live), 0.0)
    drain.advance(5.0)
    assert drain.phase is Phase.DRAINING
    return drain


def result(actions: Sequence[Any]) -> Result | None:
    """The outcome announced by the one action there is, if any."""
    if not actions:
        return None
    (announce,) = actions
    return announce.outcome.result if announce.outcome else None


def test_the_defaults_are_those_of_the_documents() -> None:
    assert DrainPlan() == PLAN


def test_a_drain_settles_drains_and_is_done_when_the_last_has_left() -> None:
    drain = Drain(PLAN)
    assert drain.begin(0.0) == [Announce(Phase.SETTLING, 0.0)]
    assert drain.observe(census(0.1, 3), 0.1) == []
    assert drain.advance(5.0) == [Announce(Phase.DRAINING, 5.0)]
    (announce,) = drain.observe(census(7.0, 0, opened=4), 7.5)
    assert announce.phase is Phase.DONE
    assert drain.outcome == announce.outcome
    tally = announce.outcome.tally if announce.outcome else None
    assert tally is not None
    assert (tally.seconds, tally.at_start, tally.arrived, tally.left, tally.remaining) == (7.5, 3, 1, 4, 0)


def test_zero_connections_do_not_end_the_settle_time() -> None:
    drain = Drain(PLAN)
    drain.begin(0.0)
    assert drain.observe(census(4.9, 0), 4.9) == []
    assert drain.advance(4.99) == []
    assert drain.phase is Phase.SETTLING


def test_a_census_begun_before_the_settle_time_was_over_does_not_end_the_drain() -> None:
    drain = draining()
    assert drain.observe(census(4.99, 0), 5.5) == []
    assert result(drain.observe(census(5.0, 0), 5.5)) is Result.DRAINED


def test_one_walk_over_the_table_is_no_proof_that_nobody_is_left() -> None:
    drain = draining()
    assert drain.observe(census(6.0, 0, confirmed=False), 6.0) == []
    assert result(drain.observe(census(6.1, 0), 6.1)) is Result.DRAINED


def test_max_remaining_connections_may_be_left() -> None:
    drain = draining(DrainPlan(max_remaining=2))
    assert drain.observe(census(6.0, 3), 6.0) == []
    assert result(drain.observe(census(7.0, 2), 7.0)) is Result.DRAINED
    assert drain.so_far(7.0).remaining == 2


def test_flushing_connections_are_given_their_time_and_no_more() -> None:
    drain = draining()
    assert drain.observe(census(6.0, 0, flushing=1), 6.0) == []
    assert drain.wake_at() == 8.0
    assert drain.observe(census(7.0, 0, flushing=1), 7.0) == []
    assert drain.advance(7.99) == []
    assert result(drain.advance(8.0)) is Result.DRAINED


def test_a_flush_ends_as_soon_as_everything_is_delivered() -> None:
    drain = draining()
    drain.observe(census(6.0, 0, flushing=1), 6.0)
    assert result(drain.observe(census(6.05, 0), 6.06)) is Result.DRAINED


def test_a_connection_that_comes_while_others_flush_holds_the_drain_again() -> None:
    drain = draining()
    drain.observe(census(6.0, 0, flushing=1), 6.0)
    drain.observe(census(7.0, 1, opened=4), 7.0)
    assert drain.wake_at() == drain.deadline_at
    assert drain.advance(8.0) == []


def test_the_deadline_ends_a_drain_whoever_is_left_and_whatever_flushes() -> None:
    drain = draining()
    assert drain.wake_at() == 25.0
    drain.observe(census(24.0, 0, flushing=1), 24.0)
    assert drain.advance(24.99) == []
    assert result(drain.advance(25.0)) is Result.DEADLINE


def test_a_drain_without_any_census_ends_at_the_deadline_with_no_numbers() -> None:
    drain = Drain(DrainPlan(window=3.0, settle=5.0))
    drain.begin(10.0)
    assert drain.wake_at() == 11.5, "a settle time that leaves nothing is half of the time that there is"
    drain.advance(11.5)
    assert drain.wake_at() == 13.0
    assert result(drain.advance(13.0)) is Result.DEADLINE
    tally = drain.so_far(13.0)
    assert (tally.at_start, tally.arrived, tally.left, tally.remaining) == (0, 0, 0, 0)


def test_a_second_hook_joins_the_drain_that_runs() -> None:
    drain = draining()
    assert drain.begin(6.0) == []
    assert (drain.began_at, drain.deadline_at, drain.phase) == (0.0, 25.0, Phase.DRAINING)


@pytest.mark.parametrize(("later", "begins"), [(0.0, False), (60.0, False), (60.01, True)])
def test_a_hook_after_the_end_begins_anew_only_when_the_outcome_is_old(later: float, *, begins: bool) -> None:
    drain = draining()
    drain.observe(census(6.0, 0), 6.0)
    assert bool(drain.begin(6.0 + later)) is begins
    assert drain.is_done() is not begins
    assert (drain.outcome is None) is begins


def test_a_new_drain_starts_from_the_numbers_of_its_own_first_census() -> None:
    drain = draining(live=3)
    drain.observe(census(6.0, 0, opened=3), 6.0)
    drain.begin(100.0)
    drain.observe(census(99.0, 7, opened=10), 100.1)
    drain.observe(census(100.5, 8, opened=11), 100.6)
    tally = drain.so_far(101.0)
    assert (tally.seconds, tally.at_start, tally.arrived, tally.left, tally.remaining) == (1.0, 8, 0, 0, 8)


def test_idle_connections_that_wake_up_do_not_make_the_number_that_left_negative() -> None:
    drain = draining(live=1)
    drain.observe(census(6.0, 4, opened=1), 6.0)
    assert (drain.so_far(6.0).left, drain.so_far(6.0).remaining) == (0, 4)


def test_resume_tells_those_who_are_held_and_leaves_no_outcome() -> None:
    drain = draining()
    (announce,) = drain.resume(6.0)
    assert announce == Announce(Phase.SERVING, 6.0, Outcome(Result.RESUMED, drain.so_far(6.0)))
    assert drain.outcome is None
    assert drain.wake_at() is None


def test_resume_after_the_end_tells_of_no_second_outcome() -> None:
    drain = draining()
    drain.observe(census(6.0, 0), 6.0)
    assert drain.resume(7.0) == [Announce(Phase.SERVING, 7.0)]


def test_while_serving_nothing_but_a_beginning_has_an_effect() -> None:
    drain = Drain(PLAN)
    assert drain.resume(1.0) == []
    assert drain.conclude(1.0) == []
    assert drain.advance(1e9) == []
    assert drain.observe(census(1.0, 0), 1.0) == []
    assert drain.wake_at() is None
    assert drain.phase is Phase.SERVING


def test_an_app_that_is_gone_for_good_ends_a_drain_in_any_running_phase() -> None:
    drain = Drain(PLAN)
    drain.begin(0.0)
    assert result(drain.conclude(1.0)) is Result.DRAINED
    assert drain.conclude(2.0) == []


@pytest.mark.parametrize(
    ("listeners", "is_restarted"),
    [
        (["A", "B"], True),
        (["A", "", "B"], True),
        (["A", "", "", "B"], True),
        (["A", "", "A"], False),
        (["AB", "BC", "", "B"], False),
        (["", "A"], True),
        (["A", ""], False),
        (["A", "A"], False),
        (["", ""], False),
        (["AB", "BC", "CD", "D"], False),
        (["AB", "A", "AC"], False),
        (["AB", "BC", "D"], True),
    ],
)
def test_an_app_counts_as_restarted_when_no_chain_of_listening_sockets_leads_to_the_new_ones(
    listeners: list[str], *, is_restarted: bool
) -> None:
    drain = Drain(PLAN)
    drain.begin(0.0)
    for index, names in enumerate(listeners):
        assert drain.phase is Phase.SETTLING
        drain.observe(census(index / 10, 1, listeners=names), index / 10)
    assert (drain.phase is Phase.SERVING) is is_restarted


def test_an_app_that_comes_back_after_the_end_makes_the_pod_serve_again() -> None:
    drain = draining()
    drain.observe(census(6.0, 0), 6.0)
    assert drain.observe(census(7.0, 0, listeners=["new"]), 7.0) == [Announce(Phase.SERVING, 7.0)]


def test_a_restart_before_the_hook_is_no_restart() -> None:
    drain = Drain(PLAN)
    drain.observe(census(0.0, 1, listeners=["old"]), 0.0)
    drain.begin(1.0)
    drain.observe(census(0.5, 1, listeners=["old"]), 1.1)
    assert drain.observe(census(1.2, 1, listeners=["new"]), 1.2) == []


def test_every_phase_can_be_reached_and_left_by_the_table() -> None:
    assert set(TRANSITIONS) == set(Phase) == set().union(*TRANSITIONS.values())
    assert all(phases and phase not in phases for phase, phases in TRANSITIONS.items())
