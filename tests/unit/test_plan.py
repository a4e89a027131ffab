"""How long a drain may last, and until when: what the API says of the pod moves the deadline by these rules."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drainer.closing import ClosePlan
from drainer.deletion import Deletion, Sighting
from drainer.phases import Rung
from drainer.plan import HASTE, DrainPlan, Term, usable

CLOSING = ClosePlan((Rung("reset"),), patience=2.0, straggler_time=3.0)
PLAN = DrainPlan(window=100.0, settle=5.0, reserve=5.0, restart_timeout=30.0)
NONE, FORCED, UNKNOWN = Sighting(Deletion.NONE), Sighting(Deletion.FORCED), Sighting(Deletion.UNKNOWN)


def requested(grace: float | None = None) -> Sighting:
    return Sighting(Deletion.REQUESTED, grace)


def begun(at: float = 0.0, *, hook_at: float | None = 0.0, plan: DrainPlan = PLAN) -> Term:
    term = Term(plan, at)
    return term if hook_at is None else term.called(hook_at)


# ------------------------------------------------------------------------------------------------------- lengths


@pytest.mark.parametrize(
    ("grace", "reserve", "seconds"), [(30, 5, 25), (30, 0, 30), (5, 5, 2.5), (5, 9, 2.5), (5, 4.5, 0.5)]
)
def test_a_drain_may_use_the_grace_period_less_the_reserve_or_half_of_it(
    grace: float, reserve: float, seconds: float
) -> None:
    assert usable(grace, reserve) == seconds


def test_a_shorter_window_leaves_what_fits_as_it_is() -> None:
    plan = replace(PLAN, closing=CLOSING)
    assert plan.within(20.0) == replace(plan, window=20.0)


def test_a_window_is_never_made_longer() -> None:
    assert PLAN.within(200.0) == PLAN


def test_what_would_leave_nothing_is_made_half_as_long() -> None:
    assert PLAN.within(5.0) == replace(PLAN, window=5.0, settle=2.5)
    fitted = replace(PLAN, closing=CLOSING).within(2.0)
    assert (fitted.settle, fitted.closing) == (1.0, ClosePlan((Rung("reset"),), patience=0.5, straggler_time=0.25))


@given(st.floats(0.001, 200), st.floats(0, 300), st.floats(0, 300), st.floats(0, 300))
def test_whatever_the_window_there_is_time_for_every_part(
    window: float, settle: float, patience: float, straggler_time: float
) -> None:
    closing = replace(CLOSING, patience=patience, straggler_time=straggler_time)
    fitted = replace(PLAN, settle=settle, closing=closing).within(window)
    assert fitted.closing is not None
    assert 0 <= fitted.settle + fitted.closing.patience + fitted.closing.straggler_time <= fitted.window <= window
    assert fitted.settle < fitted.window


# ------------------------------------------------------------------------------------------------- when it ends


def test_unless_the_api_says_something_a_drain_has_its_window() -> None:
    assert begun(10.0, hook_at=10.0).ends_at == 110.0
    assert begun(10.0, hook_at=None).learn(UNKNOWN, 11.0).ends_at == 110.0
    assert begun(10.0, hook_at=10.0).fitted == PLAN


def test_a_deletion_bounds_the_deadline_from_the_receipt_of_the_hook() -> None:
    term = begun(10.0, hook_at=13.0).learn(requested(30), 14.5)
    assert term.ends_at == 13.0 + 30 - 5
    assert term.fitted == replace(PLAN, window=28.0)


def test_a_deletion_never_makes_a_drain_longer() -> None:
    assert begun().learn(requested(3600), 1.0).ends_at == 100.0
    assert begun().learn(requested(None), 1.0).ends_at == 100.0


def test_without_a_hook_a_deletion_counts_from_its_sighting_and_a_later_hook_adds_nothing() -> None:
    term = begun(hook_at=None).learn(requested(30), 4.0)
    assert term.ends_at == 29.0
    assert term.called(6.0).ends_at == 29.0


def test_a_second_call_of_the_kubelet_changes_nothing() -> None:
    term = begun(hook_at=1.0).learn(NONE, 2.0)
    assert term.called(20.0) == term


def test_a_second_shorter_delete_is_followed_and_a_longer_one_is_not() -> None:
    term = begun().learn(requested(60), 1.0)
    assert term.ends_at == 55.0
    term = term.learn(requested(20), 2.0)
    assert term.ends_at == 15.0
    assert term.learn(requested(60), 3.0).ends_at == 15.0


def test_a_delete_whose_time_is_over_already_leaves_a_moment() -> None:
    term = begun().learn(requested(60), 1.0)
    assert term.learn(requested(20), 40.0).ends_at == 40.0 + HASTE


@pytest.mark.parametrize(("grace", "ends_at"), [(1.0, 10.25), (2.0, 10.5), (6.0, 10.5)])
def test_a_delete_with_hardly_any_grace_leaves_at_most_half_of_what_may_be_used(grace: float, ends_at: float) -> None:
    assert begun().learn(requested(grace), 10.0).ends_at == ends_at


def test_a_grace_of_one_second_at_the_hook_is_half_a_second() -> None:
    assert begun().learn(requested(1), 0.0).ends_at == 0.5


@pytest.mark.parametrize("seen_at", [0.0, 3.0, 90.0])
def test_a_force_delete_leaves_two_seconds_at_most(seen_at: float) -> None:
    assert begun().learn(FORCED, seen_at).ends_at == seen_at + HASTE


def test_a_force_delete_at_the_very_end_adds_nothing() -> None:
    assert begun().learn(FORCED, 99.5).ends_at == 100.0
    assert begun().learn(FORCED, 3.0).learn(FORCED, 4.0).ends_at == 5.0


# -------------------------------------------------------------------------------------------------------- restart


def test_a_restart_is_bounded_from_the_kubelets_hook() -> None:
    assert begun(hook_at=2.0).learn(NONE, 2.5).ends_at == 32.0
    assert begun(hook_at=None).learn(NONE, 0.5).called(2.0).ends_at == 32.0


def test_a_drain_that_no_kubelet_has_asked_for_is_no_restart() -> None:
    assert begun(hook_at=None).learn(NONE, 0.5).ends_at == 100.0


def test_a_restart_that_is_known_late_leaves_a_moment() -> None:
    assert begun().learn(NONE, 50.0).ends_at == 50.0 + HASTE


def test_a_restart_that_is_told_again_gets_no_more_time() -> None:
    assert begun().learn(NONE, 1.0).learn(NONE, 29.0).ends_at == 30.0


def test_a_restart_that_is_said_again_after_another_word_leaves_a_moment() -> None:
    lost = begun().learn(NONE, 1.0).learn(UNKNOWN, 11.0)
    assert lost.learn(NONE, 12.0).ends_at == 30.0
    assert lost.learn(NONE, 31.0).ends_at == 31.0 + HASTE


def test_a_deletion_in_the_middle_lifts_the_bound_of_the_restart() -> None:
    term = begun().learn(NONE, 1.0)
    assert term.ends_at == 30.0
    assert term.learn(requested(60), 20.0).ends_at == 55.0
    assert term.learn(requested(20), 20.0).ends_at == 22.0
    assert term.learn(requested(None), 20.0).ends_at == 100.0


@pytest.mark.parametrize("certain", [requested(60), FORCED])
@pytest.mark.parametrize("word", [NONE, UNKNOWN, Sighting(Deletion.ASKED)])
def test_a_deletion_is_never_taken_back(certain: Sighting, word: Sighting) -> None:
    term = begun().learn(certain, 1.0)
    assert term.learn(word, 2.0) == term


WORDS = st.one_of(
    st.sampled_from([Deletion.NONE, Deletion.FORCED, Deletion.UNKNOWN, Deletion.ASKED]).map(Sighting),
    st.floats(1, 300).map(requested),
)


@given(st.lists(st.tuples(st.floats(0, 20), WORDS, st.booleans()), max_size=12))
def test_the_deadline_comes_only_nearer_unless_a_deletion_lifts_the_bound_of_a_restart(
    told: list[tuple[float, Sighting, bool]],
) -> None:
    term, now = Term(PLAN, 0.0), 0.0
    for seconds, sighting, calls in told:
        now += seconds
        before = term
        term = term.called(now) if calls else term.learn(sighting, now)
        lifted = before.sighting.deletion is Deletion.NONE is not term.sighting.deletion
        assert term.ends_at <= (100.0 if lifted else before.ends_at)
        assert term.deletion_ends_at <= before.deletion_ends_at
        assert term.ends_at == 100.0 or term.ends_at >= min(before.ends_at, now)
        assert not math.isnan(term.ends_at)
