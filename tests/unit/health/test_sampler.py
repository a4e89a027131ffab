from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from drainer.cost import Reading
from drainer.health.absent import AbsentError, NotHereError
from drainer.health.sampler import Sampler

pytestmark = pytest.mark.looptime


class Source:
    """Reads what the test says."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.failure = failure
        self.asked: list[float] = []
        self.memory = 1000

    async def read(self, now: float) -> Reading:
        self.asked.append(now)
        if self.failure is not None:
            raise self.failure
        return Reading(now, self.memory, now / 10, of="app")


@asynccontextmanager
async def sampling(**sources: Callable[[float], Awaitable[Reading]]) -> AsyncIterator[Sampler]:
    sampler = Sampler(sources, 15.0, lambda: 7)
    running = asyncio.create_task(sampler.run())
    try:
        yield sampler
    finally:
        running.cancel()
        await asyncio.wait([running])


async def test_it_reads_at_once_and_then_at_its_interval() -> None:
    source = Source()
    async with sampling(processes=source.read) as sampler:
        await asyncio.sleep(46)
    assert [round(at - source.asked[0]) for at in source.asked] == [0, 15, 30, 45]
    assert sampler.usage.source == "processes"
    assert sampler.usage.cores == pytest.approx(0.1)


async def test_the_next_source_is_asked_where_the_first_one_will_never_know() -> None:
    never, metrics = Source(NotHereError("not shared")), Source()
    async with sampling(processes=never.read, metrics=metrics.read) as sampler:
        await asyncio.sleep(1)
    assert (sampler.usage.source, sampler.usage.missing) == ("metrics", "")


async def test_a_source_that_knows_nothing_yet_is_waited_for_since_two_measures_make_no_line() -> None:
    later, metrics = Source(AbsentError("nobody listens")), Source()
    async with sampling(processes=later.read, metrics=metrics.read) as sampler:
        await asyncio.sleep(1)
        assert (sampler.usage.source, sampler.usage.missing) == ("", "nobody listens")
        later.failure = None
        await asyncio.sleep(15)
        assert (sampler.usage.source, sampler.usage.missing) == ("processes", "")
    assert metrics.asked == []


async def test_all_reasons_are_told_where_nothing_can_be_had() -> None:
    first, second = Source(NotHereError("not shared")), Source(RuntimeError())
    async with sampling(processes=first.read, metrics=second.read) as sampler:
        await asyncio.sleep(1)
        assert sampler.usage.missing == "not shared; RuntimeError"
    async with sampling() as sampler:
        await asyncio.sleep(1)
        assert sampler.usage.missing == "there is nothing to ask: the API is not used"
