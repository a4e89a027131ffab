"""Looks at what the app takes, again and again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from drainer.cost import Costs, Reading, Usage
from drainer.health.absent import NotHereError
from drainer.observers import word

Source = Callable[[float], Awaitable[Reading]]
"""A reading as of now, which is told; an exception says why there is none."""
GOOD_FOR = 4
"""Intervals for which a reading holds."""


class Sampler:
    """Asks its sources in their order; the first that is not NotHereError is the one."""

    def __init__(self, sources: Mapping[str, Source], interval: float, connections: Callable[[], int]) -> None:
        self._sources = sources
        self._interval = interval
        self._connections = connections
        self._costs = Costs(GOOD_FOR * interval)
        self._usage = self._costs.usage

    @property
    def usage(self) -> Usage:
        """What is known."""
        return self._usage

    async def run(self) -> None:
        """Until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            begun_at = loop.time()
            await self._sample()
            self._usage = self._costs.usage
            await asyncio.sleep(begun_at + self._interval - loop.time())  # noqa: TID251 - nothing makes one due earlier

    async def _sample(self) -> None:
        reasons = []
        for name, read in self._sources.items():
            try:
                reading = await read(asyncio.get_running_loop().time())
            except NotHereError as error:
                reasons.append(word(error))
            except Exception as error:  # noqa: BLE001 - whatever it is, it is why there is no reading
                # Not the next one: two that measure differently make no line.
                reasons.append(word(error))
                break
            else:
                self._costs.add(name, reading, self._connections())
                return
        self._costs.miss("; ".join(reasons) or "there is nothing to ask: the API is not used")
