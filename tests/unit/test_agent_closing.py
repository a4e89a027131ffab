"""The agent with closers in fake time: who is closed, and who never is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from drainer.attempt import Attempt, Verdict
from drainer.phases import Closings, Phase, Result
from drainer.policy import Container, Policy
from tests.unit.closings import PLAN, RESET_ONLY
from tests.unit.fake_closers import FakeCloser, outcome_of, working
from tests.unit.fakes import LISTENER, STRANGER, after, serving_app, staged, until

pytestmark = pytest.mark.looptime

# ------------------------------------------------------------------------------------------------- closing


async def test_connections_that_stay_are_closed_one_by_one_at_an_even_pace() -> None:
    table, cookies = serving_app(17)
    reset = working(table)
    async with staged(table, RESET_ONLY, closers={"reset": reset}) as stage:
        moment, result, closings = await outcome_of(stage, 10.0)
        assert (result, closings) == (Result.DRAINED, Closings(
            {"reset": 17}, {"reset": {Verdict.SENT: 17}}, {"reset": {}}
        ))  # fmt: skip
        assert sorted(map(str, reset.tried)) == sorted(map(str, cookies))
        for index, (at, order) in enumerate(reset.orders):
            assert 15.0 + index <= at <= 16.1 + index
            assert order.remaining == 17 - index
            assert order.rate == pytest.approx(1.0, rel=0.1)
        assert moment == pytest.approx(reset.orders[-1][0], abs=0.05)
        assert [phase for _, phase in stage.listener.phases] == [
            Phase.SETTLING, Phase.DRAINING, Phase.CLOSING, Phase.DONE
        ]  # fmt: skip
        status = stage.agent.status()
        assert (status.closings.ended, status.left_by_themselves) == ({"reset": 17}, 0)


async def test_the_plan_is_shown_while_it_lasts() -> None:
    table, _ = serving_app(34)
    async with staged(table, RESET_ONLY, closers={"reset": FakeCloser()}) as stage:
        hook = stage.call()
        await until(4)
        status = stage.agent.status()
        assert status.drain is not None
        assert status.drain.pace is None
        await until(12)
        status = stage.agent.status()
        assert status.drain is not None
        assert status.drain.pace is not None
        assert status.drain.pace.connections == 34
        assert status.drain.pace.rate == pytest.approx(2.0)
        assert 12 <= status.closings.attempts["reset"][Verdict.SENT] <= 16
        await hook
        assert stage.agent.status().drain is None
        assert stage.agent.status().closings.attempts == {"reset": {Verdict.SENT: 34}}


async def test_those_who_stay_after_one_closer_get_the_next_one_and_the_deadline_ends_it() -> None:
    table, _ = serving_app(4)
    websocket, reset = FakeCloser(), FakeCloser(Attempt(Verdict.REFUSED, "EPERM"))
    async with staged(table, PLAN, closers={"websocket": websocket, "reset": reset}) as stage:
        moment, result, closings = await outcome_of(stage, 10.0)
        assert (moment, result) == (35.0, Result.DEADLINE)
        assert websocket.tried == reset.tried
        assert [
            later - earlier for (earlier, _), (later, _) in zip(websocket.orders, reset.orders, strict=True)
        ] == pytest.approx([2.0] * 4)
        assert closings == Closings(
            {"websocket": 0, "reset": 0},
            {"websocket": {Verdict.SENT: 4}, "reset": {Verdict.REFUSED: 4}},
            {"websocket": {}, "reset": {"EPERM": 4}},
        )
        assert [warning for warning in stage.listener.warnings if "EPERM" in warning] == [
            "closer reset: refused (EPERM); such connections go on to the next closer, if any"
        ]


async def test_one_that_comes_while_closing_is_closed_too() -> None:
    table, _ = serving_app(1)
    reset = working(table)
    async with staged(table, RESET_ONLY, closers={"reset": reset}) as stage:
        hook = stage.call()
        late: list[int] = []
        after(5.05, lambda: late.append(table.open()))
        _, answer = await hook
        assert answer.outcome is not None
        assert answer.outcome.tally.closings is not None
        assert answer.outcome.tally.closings.ended == {"reset": 2}
        assert {*late} < {*reset.tried}


async def test_a_closer_that_hangs_for_ever_does_not_stop_the_deadline() -> None:
    table, _ = serving_app(3)
    reset = FakeCloser()
    reset.takes = 1e6
    async with staged(table, RESET_ONLY, closers={"reset": reset}) as stage:
        moment, result, _ = await outcome_of(stage, 10.0)
        assert (moment, result) == (35.0, Result.DEADLINE)
        assert reset.answered == 0
        assert len(reset.orders) == 1


# ------------------------------------------------------------------------------------------- who never closes


async def test_a_stranger_never_closes_anybody() -> None:
    table, _ = serving_app(2)
    reset = working(table)
    async with staged(table, RESET_ONLY, closers={"reset": reset}) as stage:
        stranger = stage.call(STRANGER)
        await until(60)
        moment, answer = await stranger
        assert (moment, answer.effect) == (25.0, False)
        assert answer.outcome is not None
        assert answer.outcome.result is Result.DEADLINE
        assert (reset.orders, stage.phase()) == ([], Phase.SERVING)


@pytest.mark.parametrize("connections", [0, 3])
async def test_sigterm_to_a_native_sidecar_closes_nobody(connections: int) -> None:
    table, _ = serving_app(connections)
    reset = working(table)
    async with staged(table, RESET_ONLY, closers={"reset": reset}) as stage:
        await until(3)
        stage.agent.terminate()
        await stage.running
        assert (reset.orders, stage.listener.phases) == ([], [])


async def test_sigterm_to_a_native_sidecar_leaves_a_drain_that_closes_as_it_is() -> None:
    table, _ = serving_app(3)
    reset = working(table)
    async with staged(table, RESET_ONLY, closers={"reset": reset}) as stage:
        hook = stage.call()
        after(6.0, stage.agent.terminate)
        _, answer = await hook
        assert answer.outcome is not None
        assert (answer.outcome.result, len(reset.tried)) == (Result.DRAINED, 3)
        await stage.running


async def test_sigterm_to_a_plain_container_closes() -> None:
    table, _ = serving_app(3)
    reset = working(table)
    policy = Policy(container=Container.PLAIN)
    async with staged(table, RESET_ONLY, policy, closers={"reset": reset}) as stage:
        await until(3)
        stage.agent.terminate()
        await until(27.5)
        assert len(reset.tried) == 3
        assert tuple(phase for _, phase in stage.listener.phases[-2:]) == (Phase.CLOSING, Phase.DONE)
        assert stage.listener.announcements[-1].outcome is not None
        assert stage.listener.announcements[-1].outcome.result is Result.DRAINED
        after(28.0, table.leave, LISTENER)
        await stage.running


@pytest.mark.parametrize("how", ["by hand", "the app was restarted"])
async def test_when_the_pod_serves_again_nobody_is_closed_any_more(how: str) -> None:
    table, cookies = serving_app(30)
    reset = FakeCloser()
    reset.takes = 0.5
    async with staged(table, RESET_ONLY, closers={"reset": reset}) as stage:
        hook = stage.call()
        await until(8.0)
        finished, done = reset.finished, len(reset.orders)
        assert done > 0
        if how == "by hand":
            assert stage.agent.resume("127.0.0.1", {})
        else:
            table.leave(LISTENER, *cookies)
            table.listen()
            for _ in range(30):
                table.open()
        _, answer = await hook
        assert answer.outcome is not None
        assert answer.outcome.result is Result.RESUMED
        assert reset.finished == finished + 1
        done = len(reset.orders)
        await until(60)
        assert (len(reset.orders), stage.phase()) == (done, Phase.SERVING)


async def test_after_the_deadline_nobody_is_closed_any_more() -> None:
    table, _ = serving_app(3)
    reset = FakeCloser(Attempt(Verdict.BUSY))
    async with staged(table, RESET_ONLY, closers={"reset": reset}) as stage:
        _, _, closings = await outcome_of(stage, 0.0)
        assert closings is not None
        assert closings.attempts == {"reset": {Verdict.BUSY: 3}}
        done, finished = len(reset.orders), reset.finished
        assert done > 20
        await until(60)
        assert (len(reset.orders), reset.finished) == (done, finished)


async def test_each_drain_adds_to_what_is_shown_of_all() -> None:
    table, _ = serving_app(2)
    reset = working(table)
    plan = replace(RESET_ONLY, keep_outcome=0.0)
    async with staged(table, plan, closers={"reset": reset}) as stage:
        await outcome_of(stage, 3.0)
        table.open()
        await until(40)
        hook = stage.call()
        after(41.0, table.leave, table.open())
        _, answer = await hook
        assert answer.outcome is not None
        assert answer.outcome.result is Result.DRAINED
        status = stage.agent.status()
        assert status.closings.attempts == {"reset": {Verdict.SENT: 3}}
        assert (status.closings.ended, status.left_by_themselves) == ({"reset": 3}, 1)
