"""What a drain makes of the word of the API: another deadline, and no restart of a pod that is being deleted."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from drainer.closing import ClosePlan
from drainer.deletion import Deletion, Sighting
from drainer.drain import FORGOTTEN, RESTARTED, Drain
from drainer.phases import Announce, Close, Phase, Result, Rung
from drainer.plan import HASTE, DrainPlan
from tests.unit.census import census
from tests.unit.closings import at_its_time, closing, named

PLAN = DrainPlan(window=100.0, settle=5.0, restart_timeout=30.0, keep_outcome=60.0, stopped_after=140.0)
NONE, FORCED = Sighting(Deletion.NONE), Sighting(Deletion.FORCED)
RESET = DrainPlan(window=100.0, settle=5.0, closing=ClosePlan((Rung("reset"),), straggler_time=10.0))


def requested(grace: float | None = 60.0) -> Sighting:
    return Sighting(Deletion.REQUESTED, grace)


def begun(live: int = 2, *, by_kubelet: bool = True) -> Drain:
    drain = Drain(PLAN)
    drain.begin(0.0, by_kubelet=by_kubelet)
    drain.observe(census(0.0, live), 0.0)
    return drain


def draining(live: int = 2) -> Drain:
    drain = begun(live)
    drain.advance(5.0)
    assert drain.phase is Phase.DRAINING
    return drain


def phases(actions: object) -> list[tuple[Phase, Result | None]]:
    assert isinstance(actions, list)
    return [
        (action.phase, action.outcome.result if action.outcome else None)
        for action in actions
        if isinstance(action, Announce)
    ]


# ---------------------------------------------------------------------------------------------------- the deadline


def test_a_deletion_moves_the_deadline_and_the_moment_to_wake() -> None:
    drain = draining()
    assert drain.learn(requested(60), 6.0) == []
    assert drain.deadline_at == drain.wake_at() == 55.0
    assert drain.advance(54.9) == []
    assert phases(drain.advance(55.0)) == [(Phase.DONE, Result.DEADLINE)]


def test_a_shorter_delete_whose_time_is_over_leaves_a_moment() -> None:
    drain = draining()
    drain.learn(requested(60), 6.0)
    drain.learn(requested(10), 20.0)
    assert drain.deadline_at == 20.0 + HASTE


def test_a_shorter_deadline_ends_the_settle_time_earlier() -> None:
    drain = begun()
    assert drain.wake_at() == 5.0
    assert drain.learn(FORCED, 1.0) == []
    assert drain.wake_at() == 1.5
    assert phases(drain.advance(1.5)) == [(Phase.DRAINING, None)]


def test_a_settle_time_that_is_over_by_the_word_of_the_api_is_over_at_once() -> None:
    drain = begun()
    assert phases(drain.learn(FORCED, 2.5)) == [(Phase.DRAINING, None)]
    assert drain.wake_at() == 4.5


def test_a_restart_is_bounded_from_the_hook_and_a_deletion_in_the_middle_lifts_that() -> None:
    drain = draining()
    drain.learn(NONE, 5.5)
    assert drain.deadline_at == 30.0
    drain.learn(requested(60), 20.0)
    assert drain.deadline_at == drain.wake_at() == 55.0


def test_a_hook_that_joins_a_drain_of_somebody_else_bounds_its_restart() -> None:
    drain = begun(by_kubelet=False)
    drain.learn(NONE, 1.0)
    assert drain.deadline_at == 100.0
    assert drain.begin(3.0, by_kubelet=True) == []
    assert drain.deadline_at == 33.0


def test_a_second_hook_does_not_give_more_time() -> None:
    drain = begun()
    drain.learn(requested(60), 1.0)
    drain.begin(20.0, by_kubelet=True)
    assert drain.deadline_at == 55.0


def test_a_word_after_the_end_changes_no_outcome() -> None:
    drain = draining()
    (done,) = drain.advance(100.0)
    assert isinstance(done, Announce)
    for sighting in (NONE, requested(1), FORCED):
        assert drain.learn(sighting, 101.0) == []
    assert drain.outcome is done.outcome
    assert drain.wake_at() is None


def test_what_is_certain_holds_for_the_next_drain_too() -> None:
    drain = draining()
    drain.learn(requested(60), 6.0)
    drain.resume(7.0)
    assert phases(drain.begin(50.0, by_kubelet=True)) == [(Phase.SETTLING, None)]
    assert drain.deadline_at == 50.0 + 55.0
    assert not drain.observe(census(50.5, 2, listeners=["another"]), 50.5)


def test_what_is_not_certain_is_forgotten_by_the_next_drain() -> None:
    drain = draining()
    drain.learn(NONE, 6.0)
    drain.resume(7.0)
    drain.begin(50.0, by_kubelet=True)
    assert drain.deadline_at == 150.0


# --------------------------------------------------------------------------------------------------- the restart


@pytest.mark.parametrize("sighting", [requested(), FORCED])
def test_a_new_listener_of_a_pod_that_is_being_deleted_is_no_restart(sighting: Sighting) -> None:
    drain = draining()
    drain.learn(sighting, 5.6)
    assert drain.observe(census(6.0, 2, listeners=["another"]), 6.0) == []
    assert drain.phase is Phase.DRAINING


@pytest.mark.parametrize("sighting", [Sighting(), NONE])
def test_a_new_listener_of_any_other_pod_is_one(sighting: Sighting) -> None:
    drain = draining()
    drain.learn(sighting, 5.2)
    (announce,) = drain.observe(census(6.0, 2, listeners=["another"]), 6.0)
    assert (announce.phase, announce.reason) == (Phase.SERVING, RESTARTED)


def test_an_app_that_is_back_after_the_end_of_its_restart_is_served_again() -> None:
    drain = draining()
    drain.learn(NONE, 6.0)
    assert phases(drain.advance(30.0)) == [(Phase.DONE, Result.DEADLINE)]
    drain.observe(census(31.0, 0, opened=2, listeners=[]), 31.0)
    (announce,) = drain.observe(census(40.0, 0, opened=2, listeners=["new"]), 40.0)
    assert (announce.phase, announce.reason) == (Phase.SERVING, RESTARTED)


@pytest.mark.parametrize(("sighting", "reasons"), [(NONE, [FORGOTTEN]), (requested(60), []), (FORCED, [])])
def test_only_a_hook_of_a_pod_that_lives_on_is_forgotten(sighting: Sighting, reasons: list[str]) -> None:
    drain = draining()
    drain.learn(sighting, 6.0)
    drain.advance(drain.deadline_at)
    assert drain.is_done()
    assert [announce.reason for announce in drain.observe(census(140.0, 2), 140.0)] == reasons


# --------------------------------------------------------------------------------------------------- the closings


def test_a_shorter_deadline_spreads_whoever_waits_over_the_time_that_is_left() -> None:
    drain = closing(30, RESET)
    before = drain.pace
    assert before is not None
    assert before.seconds == 85.0
    drain.learn(requested(40), 6.0)
    assert drain.deadline_at == 41.0
    pace = drain.pace
    assert pace is not None
    assert pace.connections == 30
    assert pace.seconds == pytest.approx(41.0 - 10.0 - 6.0)
    assert pace.rate == pytest.approx(30 / 25.0)


def test_nobody_is_tried_twice_and_all_are_tried_before_a_deadline_that_comes_nearer() -> None:
    drain = closing(20, RESET)
    tried: list[object] = []
    moments: list[float] = []
    for number in range(20):
        at, closes = at_its_time(drain)
        moments.append(at)
        tried += [one for close in closes for one in close.connections]
        if number == 4:
            drain.learn(FORCED, at)
            assert drain.deadline_at == at + HASTE
    assert sorted(map(str, tried)) == sorted(map(str, range(1, 21)))
    assert max(moments) <= drain.deadline_at
    assert min(later - earlier for earlier, later in pairwise(moments)) > 0


def test_a_deadline_that_is_lifted_slows_the_closings_down() -> None:
    drain = Drain(RESET)
    drain.begin(0.0, by_kubelet=True)
    drain.observe(census(0.0, 10), 0.0)
    drain.learn(NONE, 0.5)
    drain.advance(5.0)
    assert drain.phase is Phase.CLOSING
    drain.observe(named(5.0, range(1, 11)), 5.0)
    fast = drain.pace
    drain.learn(requested(90), 6.0)
    slow = drain.pace
    assert fast is not None
    assert slow is not None
    assert slow.seconds > fast.seconds
    assert drain.deadline_at == 85.0


def test_a_word_that_moves_nothing_does_not_touch_the_pace() -> None:
    drain = closing(10, RESET)
    at, _ = at_its_time(drain)
    before = drain.wake_at()
    drain.learn(requested(3600), at)
    assert drain.wake_at() == before


def test_a_deadline_that_has_come_closes_nobody_more() -> None:
    drain = closing(5, replace(RESET, window=30.0))
    drain.begin(20.0, by_kubelet=True)
    drain.learn(requested(1), 25.0)
    assert drain.deadline_at == 25.25
    actions = drain.advance(25.25)
    assert not any(isinstance(action, Close) for action in actions)
    assert phases(actions) == [(Phase.DONE, Result.DEADLINE)]
