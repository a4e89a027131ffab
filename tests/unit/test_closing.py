"""What the phase CLOSING does: orders at their time, with the pace that they are part of."""

from __future__ import annotations

import pytest

from drainer.attempt import Attempt, Verdict
from drainer.closing import LAST_MOMENT, ClosePlan, Closing
from drainer.phases import Close, Closings, Pace, Rung
from tests.unit.census import census
from tests.unit.closings import BUSY, CLOSE_PLAN, LADDER, SENT, named


def begun(connections: int, plan: ClosePlan = CLOSE_PLAN) -> Closing:
    """At 5, with the deadline at 25: first tries until 18."""
    closing = Closing(plan, plan.rungs, 5.0, 25.0, lambda: 0.5)
    closing.observe(named(5.0, range(1, connections + 1)), 5.0)
    return closing


def orders(closing: Closing, *, since: float = 5.0, until: float) -> list[tuple[float, Close]]:
    """Each order at its time, and nobody answers."""
    found: list[tuple[float, Close]] = []
    for _ in range(10_000):
        at = closing.wake_at()
        if at is None or at > until:
            return found
        at = max(at, since)
        found += [(at, close) for close in closing.advance(at)]
    raise AssertionError("time does not move on")


def test_the_defaults_are_those_of_the_documents() -> None:
    plan = ClosePlan(LADDER)
    assert (plan.patience, plan.escalate_after, plan.rate) == (0.0, 2.0, None)


def test_first_tries_are_spread_until_straggler_time_before_the_deadline() -> None:
    first = [(at, close) for at, close in orders(begun(13), until=25.0) if close.closer == "websocket"]
    assert [at for at, _ in first] == [5.5 + second for second in range(13)]
    assert [close.connections for _, close in first] == [(identity,) for identity in range(1, 14)]
    assert {(close.remaining, close.rate) for _, close in first} == {(13, 1.0)}
    assert [close.seconds_left for _, close in first] == [12.5 - second for second in range(13)]


def test_the_next_closer_has_its_turn_at_its_time_beside_the_first_tries_of_others() -> None:
    found = [(at, close.closer, close.connections) for at, close in orders(begun(2), until=25.0)]
    # Nobody answers: each closer has three times escalate_after to do so.
    assert found == [
        (8.25, "websocket", (1,)), (14.25, "reset", (1,)), (14.75, "websocket", (2,)), (20.75, "reset", (2,))
    ]  # fmt: skip


def test_an_order_of_a_later_closer_has_the_pace_of_the_plan() -> None:
    *_, (at, last) = orders(begun(2), until=25.0)
    assert (at, last.closer, last.remaining, last.seconds_left) == (20.75, "reset", 2, 0.0)
    assert last.rate == pytest.approx(2 / 13, abs=1e-3)


def test_an_order_is_narrowed_to_those_for_whom_it_still_holds() -> None:
    closing = begun(2)
    [(_, order), *_] = orders(closing, until=8.25)
    assert closing.narrow(order) == order
    closing.answer("websocket", {1: Attempt(Verdict.SENT)}, 8.3)
    assert closing.narrow(order).connections == ()


def test_what_a_closer_answers_may_make_the_next_ones_turn_come_at_once() -> None:
    closing = begun(1)
    assert len(closing.advance(11.5)) == 1
    (close,) = closing.answer("websocket", {1: Attempt(Verdict.TLS)}, 11.6)
    assert (close.closer, close.connections) == ("reset", (1,))


def test_a_busy_one_is_tried_again_between_the_first_tries() -> None:
    closing = begun(1)
    closing.advance(11.5)
    assert closing.answer("websocket", {1: BUSY}, 11.5) == []
    assert closing.wake_at() == 11.7
    assert [close.closer for close in closing.advance(11.7)] == ["websocket"]


def test_before_a_census_has_named_them_nobody_is_tried() -> None:
    closing = Closing(CLOSE_PLAN, LADDER, 5.0, 25.0, lambda: 0.5)
    assert (closing.wake_at(), closing.advance(18.0)) == (None, [])
    closing.observe(census(5.0, 7), 5.0)
    assert closing.wake_at() is None


def test_those_who_leave_by_themselves_are_not_tried_and_slow_the_pace() -> None:
    closing = begun(13)
    closing.observe(named(5.0, [7]), 5.2)
    assert closing.wake_at() == 11.5
    closing.observe(census(5.3, 0), 5.3)
    assert closing.wake_at() == 11.5
    closing.observe(named(5.4, [7], departed=[7]), 5.4)
    assert closing.wake_at() == 11.5, "a census that is named is the truth"
    closing.observe(named(5.5, [], departed=[7]), 5.5)
    assert closing.wake_at() is None
    assert closing.closings() == Closings({"websocket": 0, "reset": 0}, {"websocket": {}, "reset": {}}, {
        "websocket": {}, "reset": {}
    })  # fmt: skip


def test_the_kernels_word_that_one_has_gone_is_enough() -> None:
    closing = begun(1)
    closing.advance(11.5)
    closing.answer("websocket", {1: SENT}, 11.5)
    (departed,) = [named(11.6, [], departed=[1])]
    closing.observe(departed, 11.6)
    assert closing.wake_at() is None
    assert closing.closings().ended == {"websocket": 1, "reset": 0}


def test_a_thousand_that_come_while_closing_get_their_turn_one_by_one() -> None:
    closing = begun(1)
    assert len(orders(closing, until=12.0)) == 1
    closing.observe(named(12.0, range(1, 1002)), 12.0)
    found = [(at, close) for at, close in orders(closing, since=12.0, until=18.0) if close.closer == "websocket"]
    assert sum(len(close.connections) for _, close in found) == 1000
    assert max(len(close.connections) for _, close in found) == 2
    for begin in range(12, 18):
        in_second = sum(len(close.connections) for at, close in found if begin <= at < begin + 1)
        assert in_second == pytest.approx(1000 / 6, abs=5)


def test_who_comes_when_the_time_for_first_tries_is_over_still_has_a_second() -> None:
    closing = begun(0)
    closing.observe(named(20.0, range(100)), 20.0)
    found = [(at, close) for at, close in orders(closing, since=20.0, until=25.0) if close.closer == "websocket"]
    assert 20.0 <= found[0][0] <= found[-1][0] <= 21.0
    assert sum(len(close.connections) for _, close in found) == 100
    assert max(len(close.connections) for _, close in found) <= 2


@pytest.mark.parametrize(
    ("rate", "pace"),
    [
        (None, Pace(130, 13.0, 10.0, fits=True)),
        (20.0, Pace(130, 13.0, 10.0, fits=True)),
        (8.0, Pace(130, 16.25, 8.0, fits=True)),
        (5.0, Pace(130, 19.0, 130 / 19, fits=False)),
    ],
)
def test_the_plan_says_how_long_how_fast_and_whether_the_cap_is_kept(rate: float | None, pace: Pace) -> None:
    plan = ClosePlan(LADDER, straggler_time=7.0, rate=rate)
    assert Closing(plan, LADDER, 5.0, 25.0, lambda: 0.5).pace(5.0, 130) == pace
    assert LAST_MOMENT == 1.0


def test_the_app_that_is_the_only_closer_and_always_fails_is_asked_at_intervals_to_the_end() -> None:
    plan = ClosePlan((Rung("notify", app_chooses=True),), straggler_time=7.0)
    closing = begun(1, plan)
    asked = []
    while (at := closing.wake_at()) is not None and at < 25.0:
        for close in closing.advance(at):
            asked.append(at)
            assert closing.answer(close.closer, {1: Attempt(Verdict.FAILED, "500")}, at) == []
        assert len(asked) < 50
    assert len(asked) == pytest.approx(7, abs=1)
    closing.finish()
    assert closing.closings().attempts == {"notify": {Verdict.FAILED: len(asked)}}
    assert closing.closings().details == {"notify": {"500": len(asked)}}


def test_a_nearer_deadline_hurries_those_who_wait_and_nobody_is_tried_again() -> None:
    closing = begun(13)
    tried = [one for _, close in orders(closing, until=8.0) for one in close.connections]
    assert tried == [1, 2, 3]
    assert closing.retime(CLOSE_PLAN, 17.0, 8.0) == Pace(10, 2.0, 5.0, fits=True)
    later = [(at, close) for at, close in orders(closing, since=8.0, until=10.0) if close.closer == "websocket"]
    assert [one for _, close in later for one in close.connections] == [*range(4, 14)]
    assert [at for at, _ in later] == pytest.approx([8.1 + number / 5 for number in range(10)])


def test_a_later_deadline_slows_them_down() -> None:
    closing = begun(13)
    assert closing.retime(CLOSE_PLAN, 38.0, 5.0) == Pace(13, 26.0, 0.5, fits=True)
    assert closing.wake_at() == 6.0


def test_a_deadline_that_leaves_no_time_still_leaves_a_moment_for_all() -> None:
    closing = begun(13)
    closing.retime(CLOSE_PLAN.within(2.0), 7.0, 5.0)
    found = [(at, close) for at, close in orders(closing, until=7.0) if close.closer == "websocket"]
    assert sorted(one for _, close in found for one in close.connections if isinstance(one, int)) == [*range(1, 14)]
    assert max(at for at, _ in found) <= 7.0 - LAST_MOMENT
