"""The lookout in fake time: when a census is due, what it may cost, and who waits for one."""

from __future__ import annotations

import asyncio
import errno

import pytest

from drainer.errors import SocketTableError, WireError
from drainer.lookout import Pace
from drainer.model import CensusError, TcpState
from tests.unit.fakes import FakeTable, after, now, serving_app, until
from tests.unit.lookouts import evenly, gaps, looking

pytestmark = pytest.mark.looptime


@pytest.mark.parametrize("pace", [Pace.REST, Pace.PASSIVE])
async def test_at_rest_there_is_a_census_each_interval(pace: Pace) -> None:
    table = FakeTable()
    async with looking(table, interval=2.0) as (lookout, _):
        lookout.follow(pace)
        await until(10.05)
    assert table.asked_at == pytest.approx([0, 2, 4, 6, 8, 10], abs=0.05)


@pytest.mark.parametrize(("cost", "gap"), [(0.001, 1.0), (0.01, 2.0), (0.02, 4.0)])
async def test_the_interval_is_stretched_until_counting_costs_half_a_percent(cost: float, gap: float) -> None:
    table = FakeTable(cost=cost)
    async with looking(table):
        await until(20)
    assert gaps(table.asked_at)[:4] == [evenly(gap)] * 4
    assert all(cost / gap <= 0.005 for gap in gaps(table.asked_at))


@pytest.mark.parametrize(("interval", "gap"), [(1.0, 1.0), (30.0, 1.0), (0.5, 0.5)])
async def test_a_drain_with_notifications_is_counted_each_second(interval: float, gap: float) -> None:
    table = FakeTable()
    async with looking(table, interval=interval) as (lookout, _):
        lookout.follow(Pace.DRAIN)
        await until(5)
        assert lookout.is_notified
        assert gaps(table.asked_at)[:4] == [evenly(gap)] * 4


@pytest.mark.parametrize(("cost", "gap"), [(0.001, 0.2), (0.05, 0.5)])
async def test_a_drain_without_notifications_is_counted_five_times_a_second_at_a_tenth_of_a_core(
    cost: float, gap: float
) -> None:
    table = FakeTable(cost=cost, watch_failure=SocketTableError("notifications", errno.EPERM))
    async with looking(table) as (lookout, heard):
        lookout.follow(Pace.DRAIN)
        await until(5)
        assert not lookout.is_notified
        assert heard.errors == [table.watch_failure]
        assert gaps(table.asked_at)[:4] == [evenly(gap)] * 4


async def test_the_end_of_the_flushing_is_looked_for_more_often() -> None:
    table = FakeTable()
    table.open(TcpState.FIN_WAIT1, unsent=1000)
    async with looking(table) as (lookout, _):
        lookout.follow(Pace.DRAIN)
        await until(1)
        assert gaps(table.asked_at)[:10] == [evenly(0.05)] * 10


async def test_flushing_beside_live_connections_is_not_worth_more_censuses() -> None:
    table = FakeTable({1: (TcpState.FIN_WAIT1, 1000), 2: (TcpState.ESTABLISHED, 0)})
    async with looking(table) as (lookout, _):
        lookout.follow(Pace.DRAIN)
        await until(4.5)
        assert gaps(table.asked_at) == [evenly(1.0)] * 4


async def test_a_kick_brings_a_census_at_once() -> None:
    table = FakeTable()
    async with looking(table, interval=60.0) as (lookout, _):
        after(7.25, lookout.kick)
        await until(20)
    assert table.asked_at == [0.0, 7.25]


async def test_not_even_kicks_let_counting_take_more_than_half_a_core() -> None:
    table = FakeTable(cost=0.1)
    async with looking(table) as (lookout, _):
        for moment in range(1, 500):
            after(moment / 100, lookout.kick)
        await until(5)
    assert len(table.asked) > 10
    assert all(gap >= 0.2 for gap in gaps(table.asked_at))


async def test_a_kick_while_a_dump_is_read_brings_another_one() -> None:
    table = FakeTable(takes=0.5)
    async with looking(table, interval=60.0) as (lookout, heard):
        after(0.2, lookout.kick)
        await until(20)
    assert table.asked_at == [0.0, pytest.approx(0.5, abs=0.01)]
    assert [moment for moment, _ in heard.censuses] == pytest.approx([0.5, 1.0], abs=0.01)


async def test_only_who_waits_for_an_end_has_it_confirmed() -> None:
    table = FakeTable()
    async with looking(table, max_remaining=7) as (lookout, heard):
        for moment, pace in [(0.5, Pace.PASSIVE), (1.5, Pace.DRAIN), (2.5, Pace.REST)]:
            after(moment, lookout.follow, pace)
        await until(3.5)
    assert [asked.confirm_at for asked in table.asked] == [None, 7, 7, None]
    assert [census.confirmed for _, census in heard.censuses] == [False, True, True, False]


async def test_the_kernel_is_listened_to_only_while_draining() -> None:
    table = FakeTable()
    async with looking(table) as (lookout, _):
        lookout.follow(Pace.PASSIVE)
        assert table.watches == []
        lookout.follow(Pace.DRAIN)
        lookout.follow(Pace.DRAIN)
        assert len(table.watches) == 1
        assert lookout.is_notified
        lookout.follow(Pace.REST)
        assert table.watches[0].is_closed
        assert not lookout.is_notified


async def test_a_close_is_counted_in_the_moment_the_kernel_reports_it_and_the_last_one_is_checked() -> None:
    table = FakeTable()
    first, second = table.open(), table.open()
    async with looking(table) as (lookout, heard):
        lookout.follow(Pace.DRAIN)
        await until(0.5)
        dumps = len(table.asked)
        after(0.6, table.leave, first)
        await until(0.65)
        assert heard.censuses[-1][0] == 0.6
        assert heard.censuses[-1][1].live == lookout.census.live == 1
        assert len(table.asked) == dumps
        after(0.7, table.leave, second)
        await until(0.75)
        assert len(table.asked) == dumps + 1
        assert lookout.census.live == 0
        assert lookout.census.confirmed
        assert lookout.census.closed == 2
        assert lookout.ages.count == 2


async def test_lost_notifications_are_made_up_for_by_a_census() -> None:
    table = FakeTable()
    cookie = table.open()
    async with looking(table) as (lookout, heard):
        lookout.follow(Pace.DRAIN)
        await until(0.5)
        table.leave_silently(cookie)
        lost = SocketTableError("notifications", errno.ENOBUFS)
        after(0.6, lambda: table.watches[0].say(failure=lost))
        await until(0.65)
        assert heard.errors == [lost]
        assert lookout.errors[CensusError.LOST] == 1
        assert lookout.census.live == 0
        assert lookout.is_notified


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (SocketTableError("dump", errno.EIO), CensusError.KERNEL),
        (WireError("dump"), CensusError.WIRE),
        (MemoryError(), CensusError.OTHER),
    ],
)
async def test_a_census_that_fails_is_counted_by_reason_and_the_next_one_comes(
    failure: Exception, reason: CensusError
) -> None:
    table = FakeTable(failure=failure)
    table.open()
    async with looking(table) as (lookout, heard):
        await until(2.5)
        assert heard.errors == [failure] * 3
        assert {name for name, number in lookout.errors.items() if number} == {reason}
        assert lookout.errors[reason] == 3
        table.failure = None
        await until(3.5)
        assert lookout.census.live == 1
        assert lookout.seconds.count == 1


# ----------------------------------------------------------------------------------------------- readers


async def test_all_who_read_share_one_census() -> None:
    table = FakeTable(takes=0.1)
    async with looking(table, interval=60.0) as (lookout, _):
        await until(30)
        await asyncio.gather(*(lookout.fresh() for _ in range(50)))
        assert now() == pytest.approx(30.1, abs=0.01)
        assert len(table.asked) == 2
        assert lookout.census.taken_at == 30.0


async def test_nobody_reads_a_census_older_than_five_seconds_and_a_younger_one_costs_nothing() -> None:
    table = FakeTable()
    async with looking(table, interval=3600.0) as (lookout, _):
        for moment in (2.0, 4.9, 5.1, 9.0, 10.0, 10.2, 400.0):
            await until(moment)
            await lookout.fresh()
            assert now() - lookout.census.taken_at <= 5.0
        assert table.asked_at == pytest.approx([0.0, 5.1, 10.2, 400.0], abs=0.01)


async def test_what_was_ignored_is_tallied_for_readers_only() -> None:
    table = FakeTable(tallies_unasked=False)
    async with looking(table) as (lookout, _):
        await until(2.5)
        assert not any(asked.tally_ignored for asked in table.asked)
        await lookout.fresh()
        await lookout.fresh()
        assert [asked.at for asked in table.asked if asked.tally_ignored] == [2.5]


async def test_who_comes_in_the_middle_of_a_census_is_content_with_it_unless_it_makes_no_tally() -> None:
    table = FakeTable(takes=1.0, tallies_unasked=False)
    async with looking(table, interval=60.0) as (lookout, _):
        await until(0.5)
        await lookout.fresh()
        assert now() == pytest.approx(2.0, abs=0.01)
        await until(20)
        first = asyncio.create_task(lookout.fresh())
        await until(20.5)
        await asyncio.gather(first, lookout.fresh())
        assert now() == pytest.approx(21.0, abs=0.01)
        assert len(table.asked) == 3


@pytest.mark.parametrize(("hangs", "answered_at"), [(False, 30.0), (True, 35.0)])
async def test_a_reader_is_not_kept_by_a_census_that_fails_or_hangs(*, hangs: bool, answered_at: float) -> None:
    table = FakeTable()
    table.open()
    async with looking(table, interval=60.0) as (lookout, _):
        await until(30)
        table.hangs, table.failure = hangs, SocketTableError("dump", errno.EIO)
        await lookout.fresh()
        assert now() == answered_at
        assert lookout.census.live == 1


async def test_a_reader_that_has_given_up_is_no_trouble_for_the_next_census() -> None:
    table = FakeTable(takes=8.0)
    async with looking(table, interval=60.0) as (lookout, _):
        await until(30)
        await lookout.fresh()
        assert now() == 35.0
        await until(39)
        assert lookout.census.taken_at == 30.0


@pytest.mark.parametrize(("interval", "cost"), [(10.0, 0.0), (1.0, 0.1)])
async def test_where_storms_are_to_be_seen_censuses_are_two_seconds_apart_at_the_most(
    interval: float, cost: float
) -> None:
    table, _ = serving_app()
    table.cost = cost
    async with looking(table, interval=interval, longest=2.0):
        await until(20)
    assert gaps(table.asked_at) == [evenly(2.0)] * (len(table.asked_at) - 1)


async def test_not_even_then_censuses_take_more_than_a_tenth_of_a_core() -> None:
    table, _ = serving_app()
    table.cost = 0.5
    async with looking(table, longest=2.0):
        await until(20)
    assert gaps(table.asked_at) == [evenly(5.0)] * (len(table.asked_at) - 1)
