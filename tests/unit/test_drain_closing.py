"""The phase CLOSING of a drain: when it begins, what ends it, and what is said of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from drainer.attempt import Attempt, Verdict
from drainer.closing import ClosePlan
from drainer.drain import Drain
from drainer.phases import Announce, Close, Closings, Pace, Phase, Result, Rung
from drainer.plan import DrainPlan
from tests.unit.census import census
from tests.unit.closings import BUSY, CLOSE_PLAN, LADDER, PLAN, SENT, at_its_time, closing, named

PATIENT = replace(PLAN, closing=replace(CLOSE_PLAN, patience=3.0))


def begun(plan: DrainPlan, live: int = 3) -> Drain:
    drain = Drain(plan)
    drain.begin(0.0)
    drain.observe(census(0.0, live), 0.0)
    return drain


def phases(actions: list[object]) -> list[Phase]:
    return [action.phase for action in actions if isinstance(action, Announce)]


# ---------------------------------------------------------------------------------------------- its beginning


def test_without_patience_closing_begins_when_the_settle_time_is_over() -> None:
    drain = begun(PLAN, live=26)
    assert drain.wake_at() == 5.0
    draining, announce = drain.advance(5.0)
    pace = Pace(26, 13.0, 2.0, fits=True)
    assert draining == Announce(Phase.DRAINING, 5.0)
    assert announce == Announce(Phase.CLOSING, 5.0, pace=pace)
    assert drain.pace == pace


def test_patience_is_the_time_to_leave_unasked() -> None:
    drain = begun(PATIENT)
    assert phases([*drain.advance(5.0)]) == [Phase.DRAINING]
    assert drain.wake_at() == 8.0
    assert drain.pace is None
    assert drain.advance(7.99) == []
    assert phases([*drain.advance(8.0)]) == [Phase.CLOSING]


def test_when_all_leave_in_time_nobody_is_closed() -> None:
    drain = begun(PATIENT)
    drain.advance(5.0)
    (announce,) = drain.observe(census(6.0, 0, opened=3), 6.0)
    assert announce.outcome is not None
    assert (announce.outcome.result, announce.outcome.tally.closings) == (Result.DRAINED, None)
    assert announce.outcome.tally.left_by_themselves == 3


@pytest.mark.parametrize("plan", [DrainPlan(), replace(PLAN, closing=replace(CLOSE_PLAN, rungs=()))])
def test_without_closers_there_is_no_closing(plan: DrainPlan) -> None:
    drain = begun(plan)
    assert phases([*drain.advance(5.0)]) == [Phase.DRAINING]
    assert drain.wake_at() == drain.deadline_at
    assert drain.observe(census(6.0, 3), 6.0) == []
    assert drain.phase is Phase.DRAINING


def test_closers_that_cannot_work_are_left_out_and_without_any_there_is_no_closing() -> None:
    drain = begun(PLAN)
    drain.unusable = frozenset({"websocket", "reset"})
    assert phases([*drain.advance(5.0)]) == [Phase.DRAINING]
    assert drain.wake_at() == drain.deadline_at
    drain.unusable = frozenset({"websocket"})
    assert drain.wake_at() == 5.0
    assert phases([*drain.advance(6.0)]) == [Phase.CLOSING]
    drain.observe(named(6.0, [1, 2, 3]), 6.0)
    _, (close,) = at_its_time(drain)
    assert close.closer == "reset"
    assert drain.so_far(9.0).closings == Closings({"reset": 0}, {"reset": {}}, {"reset": {}})


@pytest.mark.parametrize("live", [1, 2])
def test_max_remaining_connections_are_not_closed(live: int) -> None:
    drain = begun(replace(PLAN, max_remaining=2), live)
    assert phases([*drain.advance(5.0)]) == [Phase.DRAINING]
    assert drain.wake_at() == drain.deadline_at


def test_who_comes_after_patience_begins_it_then() -> None:
    drain = begun(PATIENT, live=0)
    drain.advance(5.0)
    assert drain.wake_at() == drain.deadline_at
    (announce,) = drain.observe(census(9.0, 2, opened=2), 9.0)
    assert (announce.phase, announce.pace) == (Phase.CLOSING, Pace(2, 9.0, 2 / 9, fits=True))


def test_before_the_first_census_nobody_knows_whether_anybody_is_there() -> None:
    drain = Drain(PLAN)
    drain.begin(0.0)
    assert phases([*drain.advance(5.0)]) == [Phase.DRAINING]
    assert drain.wake_at() == drain.deadline_at
    assert phases([*drain.observe(census(5.1, 1), 5.2)]) == [Phase.CLOSING]


def test_a_census_from_before_the_settle_time_was_over_begins_it_by_the_next_moment() -> None:
    drain = Drain(PLAN)
    drain.begin(0.0)
    drain.advance(5.0)
    assert drain.observe(census(4.9, 1), 5.2) == []
    assert drain.wake_at() == 5.0
    assert phases([*drain.advance(5.2)]) == [Phase.CLOSING]


def test_a_cap_that_cannot_be_kept_is_told_at_the_beginning() -> None:
    drain = begun(replace(PLAN, closing=replace(CLOSE_PLAN, rate=2.0)), live=190)
    *_, announce = drain.advance(5.0)
    assert isinstance(announce, Announce)
    assert announce.pace == Pace(190, 19.0, 10.0, fits=False)


# ---------------------------------------------------------------------------------------------------- its end


def test_all_who_are_closed_are_counted_by_who_ended_them() -> None:
    drain = closing(3)
    for _ in range(2):
        at, closes = at_its_time(drain)
        assert [close.closer for close in closes] == ["websocket"]
        (identity,) = closes[0].connections
        assert drain.answer("websocket", {identity: SENT}, at) == []
        drain.observe(named(at, {1, 2, 3} - {identity}, opened=3), at)
        if identity == 2:
            break
        drain.observe(named(at, [2, 3], opened=3), at)
    (announce,) = drain.observe(named(20.0, [], opened=3), 20.0)
    assert announce.outcome is not None
    tally = announce.outcome.tally
    assert (announce.outcome.result, tally.left, tally.remaining) == (Result.DRAINED, 3, 0)
    assert tally.closings == Closings(
        {"websocket": 2, "reset": 0}, {"websocket": {Verdict.SENT: 2}, "reset": {}}, {"websocket": {}, "reset": {}}
    )
    assert tally.left_by_themselves == 1
    assert (drain.pace, drain.closings(), drain.wake_at()) == (None, None, None)


@pytest.mark.parametrize("answered", [Attempt(Verdict.REFUSED, "EPERM"), BUSY, SENT, None])
def test_the_deadline_ends_it_whatever_closers_answer(answered: Attempt | None) -> None:
    drain = closing(2)
    for _ in range(1000):
        at = drain.wake_at()
        assert at is not None
        todo = [*drain.advance(at)]
        if drain.is_done():
            break
        while todo:
            close = todo.pop()
            assert isinstance(close, Close)
            if answered is not None:
                todo += drain.answer(close.closer, dict.fromkeys(close.connections, answered), at)
    assert drain.outcome is not None
    tally = drain.outcome.tally
    assert (drain.outcome.result, tally.at, tally.remaining, tally.left) == (Result.DEADLINE, 25.0, 2, 0)
    assert tally.closings is not None
    assert sum(tally.closings.ended.values()) == 0
    expected = {} if answered is None else {answered.verdict: 2}
    assert tally.closings.attempts == {"websocket": expected, "reset": expected}
    assert drain.answer("websocket", {1: SENT}, 26.0) == []


def test_last_bytes_are_waited_for_while_closing_too() -> None:
    drain = closing(1)
    drain.observe(replace(census(9.0, 0, opened=1, flushing=1), present={}), 9.0)
    assert drain.wake_at() == 11.0
    (announce,) = drain.advance(11.0)
    assert isinstance(announce, Announce)
    assert announce.outcome is not None
    assert announce.outcome.result is Result.DRAINED


def test_a_restart_of_the_app_ends_it_and_nobody_of_the_new_app_is_closed() -> None:
    drain = closing(3)
    at, _ = at_its_time(drain)
    new = replace(named(at, [7, 8]), listeners=frozenset({"new"}))
    (announce,) = drain.observe(new, at)
    assert announce.phase is Phase.SERVING
    assert announce.outcome is not None
    assert announce.outcome.result is Result.RESUMED
    assert announce.outcome.tally.closings is not None
    assert (drain.wake_at(), drain.advance(18.0), drain.answer("websocket", {7: BUSY}, 18.0)) == (None, [], [])


def test_resume_ends_it() -> None:
    drain = closing(3)
    assert phases([*drain.resume(6.0)]) == [Phase.SERVING]
    assert (drain.wake_at(), drain.closings(), drain.pace) == (None, None, None)


def test_a_new_drain_knows_nothing_of_the_closings_of_the_one_before() -> None:
    drain = closing(3)
    at, ((close),) = at_its_time(drain)
    drain.answer(close.closer, dict.fromkeys(close.connections, SENT), at)
    drain.resume(9.0)
    drain.begin(100.0)
    drain.observe(census(100.0, 3), 100.0)
    drain.advance(105.0)
    drain.observe(named(105.0, [1, 2, 3]), 105.0)
    assert drain.so_far(105.0).closings == Closings(
        {"websocket": 0, "reset": 0}, {"websocket": {}, "reset": {}}, {"websocket": {}, "reset": {}}
    )


def test_one_who_comes_while_closing_gets_its_turn() -> None:
    drain = closing(1)
    assert at_its_time(drain)[1][0].connections == (1,)
    drain.observe(named(12.0, [1, 2], opened=2), 12.0)
    met: set[object] = set()
    while 2 not in met:
        at, closes = at_its_time(drain)
        assert at < 18.0
        met |= {identity for close in closes if close.closer == LADDER[0].name for identity in close.connections}
    assert drain.so_far(18.0).arrived == 1


def test_whoever_is_overtaken_while_closing_has_the_numbers_of_that_moment() -> None:
    drain = closing(3)
    drain.overtake(6.0)
    (announce,) = drain.observe(replace(named(20.0, [], opened=3), listeners=frozenset()), 20.0)
    assert announce.outcome is not None
    assert (announce.outcome.result, announce.outcome.tally.remaining) == (Result.DEADLINE, 3)


def test_whoever_a_closer_ended_after_sigterm_was_not_cut_with_the_app() -> None:
    drain = closing(3)
    drain.overtake(5.0)
    at, [close] = at_its_time(drain)
    drain.answer(close.closer, dict.fromkeys(close.connections, SENT), at)
    drain.observe(named(at, {1, 2, 3} - set(close.connections), departed=close.connections, opened=3), at)
    (announce,) = drain.observe(replace(named(20.0, [], opened=3), listeners=frozenset()), 20.0)
    assert announce.outcome is not None
    tally = announce.outcome.tally
    assert (announce.outcome.result, tally.left, tally.remaining, tally.closed) == (Result.DEADLINE, 1, 2, 1)


def test_of_an_order_nothing_holds_once_the_drain_is_over() -> None:
    drain = closing(2)
    _, [order] = at_its_time(drain)
    assert drain.narrow(order) == order
    drain.resume(10.0)
    assert drain.narrow(order).connections == ()


def test_the_app_that_is_told_of_all_at_once_learns_the_whole_plan() -> None:
    notify = Rung("notify", app_chooses=True, tells_at_once=True)
    drain = closing(26, replace(PLAN, closing=ClosePlan((notify,), straggler_time=7.0)))
    at, (close,) = at_its_time(drain)
    assert (at, close.remaining, close.seconds_left, close.rate) == (5.25, 26, 12.75, 2.0)
    drain.answer("notify", dict.fromkeys(close.connections, SENT), at)
    (announce,) = drain.observe(named(17.0, [], opened=26), 17.0)
    assert announce.outcome is not None
    assert announce.outcome.tally.closings is not None
    assert announce.outcome.tally.closings.ended == {"notify": 26}
    assert announce.outcome.tally.left_by_themselves == 0
