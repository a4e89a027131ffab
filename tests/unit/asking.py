"""An agent that has an API to ask, in fake time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from drainer.deletion import Sighting
from drainer.plan import DrainPlan
from tests.unit.fake_pods import FakePodWatch
from tests.unit.fakes import NODE, FakeTable, Stage, staged

PLAN = DrainPlan(window=100.0, settle=5.0, restart_timeout=30.0)
KUBELET = {"User_Agent": "kube-lifecycle/1.36"}


@asynccontextmanager
async def asking(
    table: FakeTable, plan: DrainPlan = PLAN, *, at_once: Sighting | None = None, **options: Any
) -> AsyncIterator[tuple[Stage, FakePodWatch]]:
    """An agent that has an API to ask."""
    async with staged(table, plan, **options) as stage:
        pod = FakePodWatch(at_once=at_once)
        stage.agent.ask(pod)
        yield stage, pod


def hook(stage: Stage, peer: str = NODE) -> Any:
    return stage.call(peer, **KUBELET)


def is_ready(stage: Stage) -> bool:
    ready, _ = stage.agent.probed(NODE, {})
    assert ready is stage.agent.status().ready
    return ready
