"""What a limit and a deletion cost put at the pod, in fake time: in the one patch, and never against the drain."""

from __future__ import annotations

from dataclasses import replace

import pytest

from drainer.cap import Room, Signal
from drainer.deletion import Deletion
from drainer.keys import DELETION_COST
from drainer.kube.reporter import Wishes
from drainer.kube.words import ApiResult
from drainer.phases import Phase, Result
from drainer.policy import Readiness
from tests.unit.fakes import until
from tests.unit.kube.pods import failure
from tests.unit.kube.reporting import ALL, NOTHING, Told, reporting, standing, status
from tests.unit.limits import limit

pytestmark = pytest.mark.looptime

LABEL = Wishes(label=True, gate=False, condition=False, events=False)


def is_told(told: Told, room: Room, signal: Signal = Signal.LABEL) -> None:
    told.limit = limit(room, signal)
    told.reporter.limited(replace(status(told.phase, told.deletion), limit=told.limit))


def costs(told: Told) -> list[tuple[float, str]]:
    """(moment, deletion cost) of the patches that have one."""
    found = [(at, body["metadata"].get("annotations", {}).get(DELETION_COST)) for at, body in told.sink.patches]
    return [(round(at, 3), cost) for at, cost in found if cost is not None]


async def test_a_full_pod_loses_the_label_and_gets_it_back_and_nothing_else_is_written() -> None:
    async with reporting() as told:
        is_told(told, Room.ASKING)
        await until(1)
        is_told(told, Room.FULL)
        await until(9)
        is_told(told, Room.TAKING)
        await until(10)
        assert told.patched == [(1.0, "false", None, None), (9.0, "true", None, None)]
        assert told.reasons == []


@pytest.mark.parametrize(
    ("room", "signal"),
    [(Room.LAST, Signal.LABEL), (Room.ASKING, Signal.LABEL), (Room.FULL, Signal.READINESS), (Room.FULL, Signal.METRIC)],
)
async def test_the_label_stays_when_the_pod_goes_on_or_says_it_in_another_way(room: Room, signal: Signal) -> None:
    async with reporting() as told:
        is_told(told, room, signal)
        await until(10)
        assert told.sink.patches == []


@pytest.mark.parametrize("readiness", [Readiness.AUTO, Readiness.AFTER, Readiness.NEVER])
async def test_a_full_pod_that_begins_to_drain_does_not_come_back_for_the_settle_time(readiness: Readiness) -> None:
    async with reporting(LABEL, readiness) as told:
        is_told(told, Room.FULL)
        await until(1)
        told.deletion = Deletion.REQUESTED
        told.enters(Phase.SETTLING)
        await until(5)
        told.enters(Phase.DRAINING)
        await until(8)
        told.enters(Phase.DONE, Result.DRAINED)
        await until(10)
        assert told.patched == [(0.0, "false", None, None)]


async def test_a_pod_that_serves_again_is_out_until_it_has_room() -> None:
    async with reporting(LABEL) as told:
        is_told(told, Room.FULL)
        told.enters(Phase.SETTLING)
        await until(5)
        told.enters(Phase.SERVING, Result.RESUMED)
        await until(6)
        is_told(told, Room.TAKING)
        await until(7)
        assert told.patched == [(0.0, "false", None, None), (6.0, "true", None, None)]


async def test_a_deletion_cost_is_one_patch_with_the_uid_of_the_pod() -> None:
    async with reporting(NOTHING) as told:
        told.reporter.value("64")
        await until(1)
        told.reporter.value("64")
        await until(2)
        told.reporter.value("8")
        await until(3)
        assert costs(told) == [(0.0, "64"), (2.0, "8")]
        assert told.patched == [(0.0, None, None, None), (2.0, None, None, None)]
        assert told.reporter.cost == "8"


async def test_what_is_to_be_written_together_is_one_patch() -> None:
    async with reporting() as told:
        told.reporter.value("64")
        is_told(told, Room.FULL)
        await until(1)
        assert (told.patched, costs(told)) == ([(0.0, "false", None, None)], [(0.0, "64")])


async def test_while_the_pod_drains_no_cost_is_written() -> None:
    async with reporting() as told:
        told.enters(Phase.SETTLING)
        told.reporter.value("64")
        await until(5)
        told.enters(Phase.DONE, Result.DRAINED)
        await until(6)
        assert costs(told) == []
        told.enters(Phase.SERVING, Result.RESUMED)
        await until(7)
        assert costs(told) == [(6.0, "64")]


async def test_a_cost_that_is_refused_does_not_stand_there() -> None:
    async with reporting(NOTHING, at_first=standing()) as told:
        told.sink.patch_failure = failure(ApiResult.INVALID)
        told.reporter.value("64")
        await until(10)
        assert (costs(told), told.reporter.cost) == ([(0.0, "64")], None)


async def test_a_wish_for_all_is_no_wish_for_a_cost() -> None:
    assert not ALL.cost
