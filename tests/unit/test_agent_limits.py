"""An agent with a limit, in fake time: who is told that the pod is full, and that no drain is the worse for it."""

from __future__ import annotations

import pytest

from drainer.cap import Others, Room, Signal
from drainer.errors import SocketTableError
from drainer.limiter import Limiter
from drainer.phases import Phase, Result
from drainer.plan import DrainPlan
from drainer.policy import Policy, Readiness
from tests.unit.fakes import FakeTable, Stage, now, serving_app, staged, until
from tests.unit.limits import FakeNeighbours, plan

pytestmark = pytest.mark.looptime


def limits(
    signal: Signal = Signal.READINESS, rate: float | None = None, neighbours: FakeNeighbours | None = None
) -> Limiter:
    return Limiter(plan(3, 2, rate, signal, never_last=neighbours is not None), neighbours, lambda: 0.5)


def probe(stage: Stage) -> tuple[bool, str]:
    return stage.agent.probed("198.51.100.7", {})


def room(stage: Stage) -> Room:
    limit = stage.agent.status().limit
    assert limit is not None
    return limit.room


async def test_a_full_pod_is_not_ready_and_says_why_until_enough_have_left() -> None:
    table, cookies = serving_app(2)
    async with staged(table, limits=limits()) as stage:
        await until(1.5)
        assert probe(stage) == (True, Phase.SERVING)
        cookies.append(table.open())
        await until(3)
        assert probe(stage) == (False, "full")
        assert stage.agent.status().ready is False
        table.leave(cookies.pop())
        await until(4.5)
        assert probe(stage) == (False, "full")
        table.leave(cookies.pop())
        await until(6)
        assert probe(stage) == (True, Phase.SERVING)
        assert [found for _, found in stage.listener.limits] == [Room.FULL, Room.TAKING]


@pytest.mark.parametrize("signal", [Signal.LABEL, Signal.METRIC])
async def test_said_in_another_way_it_leaves_the_pod_ready(signal: Signal) -> None:
    table, _ = serving_app(3)
    async with staged(table, limits=limits(signal)) as stage:
        await until(2)
        assert (room(stage), probe(stage)) == (Room.FULL, (True, Phase.SERVING))


async def test_without_a_limit_there_is_none_to_show() -> None:
    table, _ = serving_app(1000)
    async with staged(table) as stage:
        await until(2)
        assert stage.agent.status().limit is None
        assert stage.listener.limits == []


async def test_a_drain_of_a_full_pod_stays_out_when_others_would_be_ready_through_the_settle_time() -> None:
    table, cookies = serving_app(3)
    async with staged(table, DrainPlan(settle=5.0), Policy(readiness=Readiness.AFTER), limits=limits()) as stage:
        await until(2)
        hook = stage.call()
        await until(4)
        assert probe(stage) == (False, "full")
        await until(8)
        assert probe(stage) == (False, Phase.DRAINING)
        table.leave(*cookies)
        _, answer = await hook
        assert answer.outcome is not None
        assert answer.outcome.result is Result.DRAINED


async def test_while_it_drains_nothing_makes_a_pod_full_and_nobody_is_asked() -> None:
    table, _ = serving_app(1)
    neighbours = FakeNeighbours()
    async with staged(table, limits=limits(neighbours=neighbours)) as stage:
        await until(2)
        stage.call()
        await until(7)
        for _ in range(10):
            table.open()
        await until(20)
        assert (room(stage), stage.phase(), neighbours.asked) == (Room.TAKING, Phase.DRAINING, [])


async def test_a_pod_that_serves_again_hears_its_limit_again() -> None:
    table, cookies = serving_app(3)
    async with staged(table, limits=limits()) as stage:
        await until(2)
        stage.call()
        await until(8)
        table.leave(*cookies[:2])
        await until(9)
        assert room(stage) is Room.FULL
        assert stage.agent.resume("127.0.0.1", {})
        assert probe(stage) == (False, "full")
        await until(10.5)
        assert probe(stage) == (True, Phase.SERVING)
        table.open()
        table.open()
        await until(12)
        assert probe(stage) == (False, "full")


async def test_the_other_pods_are_not_asked_any_more_once_a_drain_has_begun() -> None:
    table, _ = serving_app(3)
    neighbours = FakeNeighbours(0)
    async with staged(table, limits=limits(neighbours=neighbours)) as stage:
        await until(5)
        limit = stage.agent.status().limit
        assert limit is not None
        assert (limit.room, limit.others) == (Room.LAST, Others.TOO_FEW)
        stage.call()
        asked = len(neighbours.asked)
        await until(30)
        assert len(neighbours.asked) == asked


async def test_a_storm_is_seen_by_censuses_of_two_seconds_that_would_cost_too_much_at_rest() -> None:
    table, _ = serving_app(0)
    table.cost = 0.1
    one = Limiter(plan(None, rate=5.0, signal=Signal.READINESS), None, lambda: 0.5)
    async with staged(table, policy=Policy(longest_gap=2.0), limits=one) as stage:
        await until(20)
        for _ in range(40):
            table.open()
        await until(22.5)
        assert probe(stage) == (False, "full")
        await until(32)
        assert probe(stage) == (True, Phase.SERVING)


async def test_an_agent_that_is_blind_does_not_keep_its_pod_out() -> None:
    table, _ = serving_app(3)
    async with staged(table, limits=limits()) as stage:
        await until(2)
        table.failure = SocketTableError("dump", 5)
        await until(30)
        assert probe(stage) == (False, "full")
        await until(34)
        assert probe(stage) == (True, Phase.SERVING)
        table.failure = None
        await until(36)
        assert probe(stage) == (False, "full")


async def test_an_agent_that_is_blind_in_a_drain_does_not_change_what_it_said() -> None:
    table, _ = serving_app(3)
    async with staged(table, DrainPlan(window=100.0), limits=limits()) as stage:
        await until(2)
        stage.call()
        table.failure = SocketTableError("dump", 5)
        await until(90)
        assert room(stage) is Room.FULL


async def test_an_agent_that_goes_asks_nobody_any_more() -> None:
    table, _ = serving_app(3)
    neighbours = FakeNeighbours()
    async with staged(table, limits=limits(neighbours=neighbours)) as stage:
        await until(3)
        stage.agent.terminate()
        gone_at = await stage.gone_at()
        asked = len(neighbours.asked)
        await until(now() + 600)
        assert (gone_at < 5, len(neighbours.asked)) == (True, asked)


async def test_an_observer_that_fails_keeps_nobody_from_being_full() -> None:
    table = FakeTable()
    table.listen()
    async with staged(table, limits=limits(), broken_observer=True) as stage:
        for _ in range(3):
            table.open()
        await until(2)
        assert [found for _, found in stage.listener.limits] == [Room.FULL]
