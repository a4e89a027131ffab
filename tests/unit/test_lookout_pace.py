"""What makes a census due before its time, and what does not."""

from __future__ import annotations

import asyncio

import pytest

from drainer.lookout import MAX_READ_WAIT, Pace
from tests.unit.fakes import FakeTable, after, until
from tests.unit.lookouts import evenly, gaps, looking

pytestmark = pytest.mark.looptime


@pytest.mark.parametrize(("pace", "more"), [(Pace.SETTLE, 0), (Pace.DRAIN, 1)])
async def test_the_last_close_makes_a_census_due_only_where_it_could_end_something(pace: Pace, more: int) -> None:
    table = FakeTable()
    client = table.open()
    async with looking(table) as (lookout, heard):
        lookout.follow(pace)
        await until(0.5)
        dumps = len(table.asked)
        after(0.6, table.leave, client)
        await until(0.7)
        assert heard.censuses[dumps][0] == 0.6
        assert lookout.census.live == 0
        assert len(table.asked) == dumps + more


async def test_settling_is_followed_as_closely_as_draining() -> None:
    table = FakeTable()
    async with looking(table, interval=30.0) as (lookout, _):
        lookout.follow(Pace.SETTLE)
        await until(3.5)
        lookout.follow(Pace.DRAIN)
        await until(6.5)
        assert lookout.is_notified
        assert len(table.watches) == 1
        assert gaps(table.asked_at) == [evenly(1.0)] * 6


@pytest.mark.parametrize(("at_once", "taken_at"), [(False, 2.0), (True, 1.0)])
async def test_a_kick_at_once_does_not_ask_what_the_census_before_has_cost(*, at_once: bool, taken_at: float) -> None:
    table = FakeTable(cost=1.0)
    async with looking(table, interval=60.0) as (lookout, _):
        after(1.0, lambda: lookout.kick(at_once=at_once))
        await until(3.0)
    assert table.asked_at == [0.0, evenly(taken_at)]


@pytest.mark.parametrize(
    ("takes", "kicked_at"), [(0.0, 0.5), (1.0, 0.25)], ids=["while it is put off", "while a dump is read"]
)
async def test_a_kick_at_once_hurries_a_census_that_has_been_kicked_already(takes: float, kicked_at: float) -> None:
    """SIGTERM comes right after the hook's answer, and that has kicked too."""
    table = FakeTable(cost=1.0, takes=takes)
    async with looking(table, interval=60.0) as (lookout, _):
        after(kicked_at, lookout.kick)
        after(0.75, lambda: lookout.kick(at_once=True))
        await until(4.0)
    assert table.asked_at == [0.0, evenly(max(0.75, takes))]


async def test_readers_that_give_up_while_a_census_hangs_leave_nothing_behind() -> None:
    table = FakeTable()
    async with looking(table, interval=60.0) as (lookout, _):
        await until(30)
        table.hangs = True
        waiting = [asyncio.create_task(lookout.fresh()) for _ in range(50)]
        hung_up = asyncio.create_task(lookout.fresh())
        await until(31)
        assert len(lookout._readers) == 51
        hung_up.cancel()
        await asyncio.gather(*waiting)
        assert asyncio.get_running_loop().time() == 30 + MAX_READ_WAIT
        assert lookout._readers == set()
