"""The deletion cost in fake time: rarely, never in a drain, and never over somebody else's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from drainer.deletion import Deletion
from drainer.keys import DELETION_COST
from drainer.kube.keeper import Keeper
from drainer.kube.words import ApiResult
from drainer.model import PortCount
from drainer.phases import Phase
from drainer.status import Status
from tests.unit.fakes import now, until
from tests.unit.kube.pods import POD, FakeSource, failure, pod
from tests.unit.statuses import make_census, make_status

pytestmark = pytest.mark.looptime

OWN = [{"manager": "drainer", "fieldsV1": {"f:metadata": {"f:annotations": {f"f:{DELETION_COST}": {}}}}}]
FOREIGN = [{"manager": "kubectl", "fieldsV1": {"f:metadata": {"f:annotations": {f"f:{DELETION_COST}": {}}}}}]


def owned(
    kind: str | None = "ReplicaSet", cost: str | None = None, managers: object = None, **changes: Any
) -> dict[str, Any]:
    """A pod of a controller, with a deletion cost."""
    found = pod(**changes)
    owners = [{"kind": "Other", "controller": False}, *([{"kind": kind, "controller": True}] if kind else [])]
    found["metadata"] |= {"ownerReferences": owners, "managedFields": managers}
    found["metadata"]["annotations"] = {DELETION_COST: cost} if cost is not None else {}
    return found


class Kept:
    """A keeper at work, and a pod that takes what it wants."""

    def __init__(self, first: Mapping[str, Any]) -> None:
        self.source = FakeSource()
        self.source.pod = first
        self.connections = 0
        self.phase, self.deletion = Phase.SERVING, Deletion.UNKNOWN
        self.cost: str | None = first["metadata"]["annotations"].get(DELETION_COST)
        self.written: list[tuple[float, str]] = []
        self.notes: list[str] = []

    def value(self, cost: str) -> None:
        self.cost = cost
        self.source.pod = owned(cost=cost, managers=OWN)
        self.written.append((now(), cost))

    def status(self) -> Status:
        census = make_census({8080: PortCount(self.connections)})
        return make_status(census=census, phase=self.phase, deletion=self.deletion)


@asynccontextmanager
async def keeping(first: Mapping[str, Any] | None = None) -> AsyncIterator[Kept]:
    first = owned() if first is None else first
    kept = Kept(first)
    keeper = Keeper(kept.source, kept, POD, kept.notes.append, lambda: 0.5)
    running = asyncio.create_task(keeper.run(first, kept.status))
    try:
        yield kept
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_a_pod_without_connections_costs_nothing_and_asks_nothing() -> None:
    async with keeping() as kept:
        await until(10_000)
        assert (kept.written, kept.source.gets) == ([], [])


async def test_two_writes_are_a_minute_apart_at_least_and_only_when_the_number_has_changed_much() -> None:
    async with keeping() as kept:
        await until(5)
        kept.connections = 100
        await until(25)
        assert kept.written == [(20.0, "64")]
        kept.connections = 1000
        await until(90)
        assert kept.written == [(20.0, "64")]
        await until(150)
        assert kept.written == [(20.0, "64"), (100.0, "512")]
        for at in range(200, 10_000, 50):
            kept.connections = 800 + at % 300
            await until(at)
        assert len(kept.written) == 2
        assert len(kept.source.gets) == 2


@pytest.mark.parametrize(
    ("phase", "deletion"),
    [
        (Phase.SETTLING, Deletion.NONE),
        (Phase.DONE, Deletion.UNKNOWN),
        (Phase.SERVING, Deletion.REQUESTED),
        (Phase.SERVING, Deletion.ASKED),
    ],
)
async def test_nothing_is_written_while_the_pod_drains_or_may_go(phase: Phase, deletion: Deletion) -> None:
    async with keeping() as kept:
        kept.connections, kept.phase, kept.deletion = 100, phase, deletion
        await until(1000)
        assert (kept.written, kept.source.gets) == ([], [])
        kept.phase, kept.deletion = Phase.SERVING, Deletion.NONE
        await until(1015)
        assert [cost for _, cost in kept.written] == ["64"]


async def test_what_an_agent_before_has_written_is_kept_on() -> None:
    async with keeping(owned(cost="64", managers=OWN)) as kept:
        kept.connections = 70
        await until(1000)
        assert kept.written == []
        kept.connections = 0
        await until(1100)
        assert [cost for _, cost in kept.written] == ["0"]


@pytest.mark.parametrize("managers", [FOREIGN, None, "odd", [None, {"manager": "drainer"}]])
async def test_what_somebody_else_has_set_stays_and_that_is_said(managers: object) -> None:
    async with keeping(owned(cost="-5", managers=managers)) as kept:
        kept.connections = 100
        await until(1000)
        assert kept.written == []
        assert kept.notes == [f"the pod's {DELETION_COST} is -5, and no agent has written that: it stays as it is"]


async def test_what_somebody_sets_later_stays_too() -> None:
    async with keeping() as kept:
        kept.connections = 100
        await until(30)
        kept.source.pod = owned(cost="7", managers=FOREIGN)
        kept.connections = 1000
        await until(1000)
        assert ([cost for _, cost in kept.written], len(kept.notes)) == (["64"], 1)


@pytest.mark.parametrize(
    ("kind", "says"), [("StatefulSet", "a StatefulSet"), ("Job", "a Job"), (None, "no controller")]
)
async def test_where_nobody_looks_at_it_nothing_is_written_and_that_is_said(kind: str | None, says: str) -> None:
    async with keeping(owned(kind)) as kept:
        kept.connections = 100
        await until(1000)
        assert kept.written == []
        assert kept.notes == [
            f"deletion_cost has no effect: {says} has made the pod, and only a ReplicaSet looks at it"
        ]


async def test_an_api_that_fails_is_asked_less_and_less_often() -> None:
    async with keeping() as kept:
        kept.source.pod = failure(ApiResult.UNREACHABLE)
        kept.connections = 100
        await until(600)
        assert 5 <= len(kept.source.gets) <= 20
        kept.source.pod = owned()
        await until(700)
        assert [cost for _, cost in kept.written] == ["64"]


async def test_another_pod_of_that_name_is_left_alone() -> None:
    async with keeping() as kept:
        kept.source.pod = owned(uid="another")
        kept.connections = 100
        await until(1000)
        assert (kept.written, len(kept.source.gets), kept.notes) == ([], 1, [])
