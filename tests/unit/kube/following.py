"""A watch that somebody follows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from drainer.deletion import Deletion, Sighting
from drainer.kube.watch import PodWatch
from tests.unit.fakes import now
from tests.unit.kube.pods import POD, FakeSource


class Seen(list[tuple[float, Deletion]]):
    """What was told, and when."""

    def __call__(self, sighting: Sighting) -> None:
        self.append((round(now(), 3), sighting.deletion))


@asynccontextmanager
async def following(source: FakeSource) -> AsyncIterator[tuple[PodWatch, Seen]]:
    watch, seen = PodWatch(source, POD.uid, lambda: 0.5), Seen()
    watch.follow(seen)
    try:
        yield watch, seen
    finally:
        watch.stop()
        await asyncio.sleep(0)
