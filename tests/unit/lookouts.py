"""A lookout in fake time, and what it hands on."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise

import pytest

from drainer.lookout import Lookout
from drainer.model import Census
from drainer.tracker import Tracker
from tests.unit.fakes import PORT, FakeTable, now


class Heard:
    """What the lookout hands on."""

    def __init__(self) -> None:
        self.censuses: list[tuple[float, Census]] = []
        self.errors: list[Exception] = []

    def counted(self, census: Census) -> None:
        self.censuses.append((now(), census))


@asynccontextmanager
async def looking(
    table: FakeTable, *, interval: float = 1.0, longest: float = math.inf, max_remaining: int = 0
) -> AsyncIterator[tuple[Lookout, Heard]]:
    heard = Heard()
    lookout = Lookout(
        table,
        Tracker([PORT]),
        interval=interval,
        longest=longest,
        max_remaining=max_remaining,
        on_census=heard.counted,
        on_error=heard.errors.append,
    )
    running = asyncio.create_task(lookout.run())
    try:
        yield lookout, heard
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        lookout.close()


def gaps(moments: list[float]) -> list[float]:
    return [later - earlier for earlier, later in pairwise(moments)]


def evenly(gap: float) -> object:
    """Equal to a gap of this length; real CPU time of the counting may stretch it a little."""
    return pytest.approx(gap, rel=0.1, abs=0.02)
