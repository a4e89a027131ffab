from __future__ import annotations

import asyncio
import json
from typing import Any, cast

import pytest
from aiohttp import web

from drainer.health.client import UnwellError
from drainer.health.desk import Desk
from drainer.model import PortCount
from drainer.phases import Phase
from drainer.status import Status
from drainer.vitals import Bounds
from tests.unit.fakes import PORT
from tests.unit.health.asking import Phone
from tests.unit.statuses import make_census, make_status

pytestmark = pytest.mark.looptime


class Office:
    """A desk, and all around it."""

    def __init__(self, phone: Phone, bounds: Bounds | None = None, misses: int = 3, interval: float = 5.0) -> None:
        self.status: Status = make_status()
        self.said: list[str] = []
        self.desk = Desk(phone.prober(interval), bounds or Bounds(), misses, lambda: self.status, self)

    def noted(self, note: str) -> None:
        self.said.append(note)

    def warned(self, warning: str) -> None:
        self.said.append(warning)

    async def ask(self, path: str = "/health") -> tuple[int, Any]:
        [route] = [route for route in self.desk.routes if route.path == path]
        answer = await route.handler(cast("web.Request", None), "")
        assert isinstance(answer, web.Response)
        assert answer.text is not None
        return answer.status, json.loads(answer.text)


async def test_an_app_that_answers_is_well() -> None:
    office = Office(Phone("101 and a pong"))
    assert office.desk.latest.checks == ()
    status, told = await office.ask()
    assert (status, told["well"], told["failing"], told["misses"]) == (200, True, [], 0)
    assert told["checks"] == [
        {"name": "ready", "passed": True, "value": None, "bound": None, "detail": ""},
        {"name": "handshake", "passed": True, "value": 0.01, "bound": 0.8, "detail": "101 and a pong"},
    ]
    assert office.said == []
    assert office.desk.latest.is_well


async def test_an_answer_that_holds_for_long_is_shown_for_long() -> None:
    for interval, good_for in ((5.0, 60.0), (600.0, 1200.0)):
        office = Office(Phone(), interval=interval)
        await office.ask()
        assert office.desk.latest.is_current(office.desk.latest.at + good_for)
        assert not office.desk.latest.is_current(office.desk.latest.at + good_for + 1)


async def test_a_503_names_what_fails_and_it_is_said_once_until_it_is_well_again() -> None:
    office = Office(
        Phone(UnwellError("answered 200, not 101"), UnwellError("answered 200, not 101"), "101"), interval=1
    )
    for _ in range(2):
        status, told = await office.ask()
        assert (status, told["failing"]) == (503, ["handshake"])
        await asyncio.sleep(1)
    assert (await office.ask())[0] == 200
    assert office.said == ["the app is not well: handshake (answered 200, not 101)", "the app is well again"]


async def test_more_connections_than_the_bound_fail_by_name() -> None:
    office = Office(Phone(), Bounds(connections=10))
    office.status = make_status(census=make_census({PORT: PortCount(10), PORT + 1: PortCount(1)}))
    status, told = await office.ask()
    assert (status, told["failing"]) == (503, ["connections"])
    assert told["checks"][2] == {
        "name": "connections", "passed": False, "value": 11, "bound": 10, "detail": "more than 10"
    }  # fmt: skip


async def test_when_readyz_says_no_it_says_so_too_and_asks_nobody() -> None:
    phone = Phone()
    office = Office(phone)
    office.status = make_status(ready=False, phase=Phase.DRAINING, at=asyncio.get_running_loop().time())
    status, told = await office.ask()
    assert (status, told["failing"], told["checks"][0]["detail"]) == (503, ["ready"], "/readyz says draining")
    office.status = make_status(ready=False)
    assert (await office.ask())[1]["checks"][0]["detail"] == "/readyz says no"
    assert (phone.begun, office.said) == (0, [])


async def test_a_drain_that_leaves_the_pod_ready_goes_on_asking_and_forgives() -> None:
    office = Office(Phone(UnwellError("gone")), misses=1)
    office.status = make_status(phase=Phase.SETTLING)
    status, told = await office.ask()
    assert (status, told["failing"], told["misses"]) == (503, ["handshake"], 0)
    office.status = make_status()
    assert (await office.ask("/health/live"))[0] == 200


async def test_it_is_alive_until_it_has_missed_as_often_in_a_row_as_the_setting_says() -> None:
    office = Office(Phone(UnwellError("no answer")), misses=3, interval=1)
    told = []
    for _ in range(4):
        for _ in range(5):
            status, answer = await office.ask("/health/live")
        told.append((status, answer["alive"], answer["misses"], answer["detail"]))
        await asyncio.sleep(1)
    assert told == [
        (200, True, 1, "no answer"), (200, True, 2, "no answer"),
        (503, False, 3, "no answer"), (503, False, 4, "no answer"),
    ]  # fmt: skip


async def test_bounds_do_not_kill() -> None:
    office = Office(Phone(), Bounds(connections=0), misses=1)
    office.status = make_status(census=make_census({PORT: PortCount(1)}))
    assert (await office.ask())[0] == 503
    assert (await office.ask("/health/live"))[0] == 200


@pytest.mark.parametrize("phase", [phase for phase in Phase if phase is not Phase.SERVING])
async def test_in_a_drain_it_is_alive_without_being_asked_and_has_missed_nothing_after_it(phase: Phase) -> None:
    phone = Phone(UnwellError("no"))
    office = Office(phone, misses=2, interval=1)
    await office.ask("/health/live")
    await asyncio.sleep(1)
    await office.ask("/health/live")
    office.status = make_status(phase=phase)
    assert await office.ask("/health/live") == (200, {"alive": True, "misses": 0, "bound": 2, "detail": phase})
    assert phone.begun == 2
    office.status = make_status()
    await asyncio.sleep(1)
    assert (await office.ask("/health/live"))[0] == 200


async def test_a_drain_that_begins_while_the_app_is_asked_forgives_it() -> None:
    office = Office(Phone(UnwellError("going"), seconds=0.5), misses=1)
    asking = asyncio.create_task(office.ask("/health/live"))
    await asyncio.sleep(0.1)
    office.status = make_status(phase=Phase.SETTLING)
    assert (await asking)[0] == 200
