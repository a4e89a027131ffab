"""The agent finds out which closers can work here, in fake time."""

from __future__ import annotations

import pytest

from drainer.phases import Phase, Result
from drainer.plan import DrainPlan
from tests.unit.closings import PLAN, RESET_ONLY
from tests.unit.fake_closers import FakeCloser, outcome_of, working
from tests.unit.fakes import FakeTable, after, serving_app, staged, until

pytestmark = pytest.mark.looptime


async def test_closers_are_examined_when_the_app_listens_when_it_listens_anew_and_when_a_drain_begins() -> None:
    table = FakeTable()
    reset = FakeCloser()
    async with staged(table, RESET_ONLY, closers={"reset": reset}) as stage:
        assert stage.agent.status().closers == {"reset": "not tried yet"}
        after(3.5, table.listen)
        await until(6.5)
        assert [round(at) for at in reset.examined] == [4]
        assert stage.agent.status().closers == {"reset": None}
        after(7.5, table.listen)
        await until(10.5)
        assert [round(at) for at in reset.examined] == [4, 8]
        stage.call()
        await until(10.6)
        assert reset.examined[2:] == [10.5]
        assert stage.listener.notes == ["closer reset can work here"]


async def test_a_listener_that_appears_during_an_examination_is_examined_after_it() -> None:
    table, _ = serving_app(1)
    reset = FakeCloser()
    reset.looks_for = 3.0
    async with staged(table, RESET_ONLY, closers={"reset": reset}) as stage:
        after(1.5, table.listen)
        await until(9.5)
        assert len(reset.examined) == 2
        assert stage.agent.status().closers == {"reset": None}


async def test_without_closers_nobody_is_examined_and_nobody_is_closed() -> None:
    table, _ = serving_app(1)
    async with staged(table, DrainPlan()) as stage:
        assert await outcome_of(stage, 3.0) == (28.0, Result.DEADLINE, None)
        assert (stage.agent.status().closers, stage.listener.notes) == ({}, [])


async def test_when_all_closers_are_off_that_is_said_once_and_there_is_no_closing() -> None:
    table, _ = serving_app(2)
    reset = FakeCloser(missing="CAP_NET_ADMIN is missing")
    async with staged(table, RESET_ONLY, closers={"reset": reset}) as stage:
        assert await outcome_of(stage, 3.0) == (28.0, Result.DEADLINE, None)
        assert stage.listener.warnings == ["closer reset is off: CAP_NET_ADMIN is missing"]
        assert len(reset.examined) == 2
        assert Phase.CLOSING not in [phase for _, phase in stage.listener.phases]
        assert stage.agent.status().closers == {"reset": "CAP_NET_ADMIN is missing"}


async def test_a_closer_that_is_off_is_left_out_of_the_ladder() -> None:
    table, _ = serving_app(2)
    websocket, reset = FakeCloser(missing="CAP_NET_RAW is missing"), working(table)
    async with staged(table, PLAN, closers={"websocket": websocket, "reset": reset}) as stage:
        _, result, closings = await outcome_of(stage, 3.0)
        assert (result, websocket.orders) == (Result.DRAINED, [])
        assert closings is not None
        assert closings.ended == {"reset": 2}


async def test_a_closer_that_can_work_only_when_the_drain_has_begun_is_used() -> None:
    table, _ = serving_app(2)
    reset = working(table)
    reset.lacks = "the app is not there yet"
    async with staged(table, RESET_ONLY, closers={"reset": reset}) as stage:
        after(2.9, setattr, reset, "lacks", None)
        _, result, _ = await outcome_of(stage, 3.0)
        assert (result, len(reset.tried)) == (Result.DRAINED, 2)
