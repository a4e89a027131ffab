"""A connection in CLOSE_WAIT that the app never closes: it is left out, and must keep nothing from its end."""

from __future__ import annotations

import pytest

from drainer.counter import HALF_CLOSED_AFTER
from drainer.lookout import Pace
from drainer.model import Reason, TcpState
from drainer.phases import Result
from drainer.plan import DrainPlan
from tests.unit.fakes import FakeTable, after, serving_app, staged, until
from tests.unit.lookouts import looking

pytestmark = pytest.mark.looptime

LEAKED = HALF_CLOSED_AFTER + 2
"""A moment at which what waits since the beginning is left out, and a census more has been taken."""


@pytest.mark.parametrize("pace", [Pace.PASSIVE, Pace.SETTLE, Pace.DRAIN])
async def test_as_many_connections_more_are_confirmed_as_the_app_leaks(pace: Pace) -> None:
    table = FakeTable()
    first, _ = (table.open(TcpState.CLOSE_WAIT) for _ in range(2))
    async with looking(table, max_remaining=1) as (lookout, heard):
        lookout.follow(pace)
        await until(HALF_CLOSED_AFTER - 0.5)
        assert {asked.confirm_at for asked in table.asked} == {1}
        await until(LEAKED)
        assert table.asked[-1].confirm_at == 3
        table.leave_silently(first)
        await until(LEAKED + 3)
        assert table.asked[-1].confirm_at == 2
        confirmed = [census.confirmed for _, census in heard.censuses]
        assert (confirmed[5], confirmed[-1]) == (False, True)


async def test_at_rest_nothing_is_confirmed_however_much_the_app_leaks() -> None:
    table = FakeTable()
    table.open(TcpState.CLOSE_WAIT)
    async with looking(table) as (lookout, _):
        await until(LEAKED)
        assert lookout.census.excluded(Reason.HALF_CLOSED) == 1
        assert {asked.confirm_at for asked in table.asked} == {None}


async def test_a_leak_does_not_hold_a_drain_when_the_last_client_has_left() -> None:
    table, [client] = serving_app(1)
    table.open(TcpState.CLOSE_WAIT)
    async with staged(table, DrainPlan(settle=1.0)) as stage:
        await until(LEAKED)
        hook = stage.call()
        after(LEAKED + 3.25, table.leave, client)
        moment, answer = await hook
        assert moment == pytest.approx(LEAKED + 3.25, abs=1e-3)
        assert answer.outcome is not None
        assert (answer.outcome.result, answer.outcome.tally.remaining) == (Result.DRAINED, 0)


async def test_a_leak_does_not_keep_a_native_sidecar_from_going_at_once() -> None:
    table, _ = serving_app()
    table.open(TcpState.CLOSE_WAIT)
    async with staged(table) as stage:
        gone_at = stage.gone_at()
        await until(LEAKED)
        stage.agent.terminate()
        assert await gone_at == pytest.approx(LEAKED, abs=0.05)
