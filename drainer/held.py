"""Who waits for the answer of /drain: callers whose call counts, and strangers who do not know that theirs does not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace

from drainer.callers import PassiveSlots
from drainer.drain import Drain
from drainer.driver import Driver
from drainer.model import Census
from drainer.phases import Announce, Outcome
from drainer.plan import DrainPlan


@dataclass(frozen=True, slots=True)
class Answer:
    """What a caller of /drain gets."""

    outcome: Outcome | None
    """None when a stranger had to make room or the agent stops."""
    effect: bool
    """Whether the call began or joined the pod's drain."""


class Held:
    """Everybody who is held. `on_change` is called when strangers come and go."""

    def __init__(self, on_change: Callable[[], None]) -> None:
        self._on_change = on_change
        self._loop = asyncio.get_running_loop()
        self._callers: set[asyncio.Future[Outcome | None]] = set()
        self._strangers: dict[asyncio.Future[Outcome | None], Driver] = {}
        self._slots: PassiveSlots[asyncio.Future[Outcome | None]] = PassiveSlots()

    @property
    def callers(self) -> int:
        """How many wait for the pod's drain."""
        return len(self._callers)

    @property
    def strangers(self) -> int:
        """How many wait for one of their own."""
        return len(self._strangers)

    async def wait(self) -> Answer:
        """Hold a caller until the pod's drain has an outcome."""
        future: asyncio.Future[Outcome | None] = self._loop.create_future()
        self._callers.add(future)
        try:
            return Answer(await future, effect=True)
        finally:
            self._callers.discard(future)

    async def wait_apart(self, peer: str, plan: DrainPlan, census: Census) -> Answer:
        """Hold a stranger with a drain of its own that nobody else notices.

        `census`: the numbers of now; at rest the next one may be long in coming, and the deadline need not wait for it.
        """
        future: asyncio.Future[Outcome | None] = self._loop.create_future()

        def announced(announce: Announce) -> None:
            if announce.outcome is not None:
                _settle(future, announce.outcome)

        evicted = self._slots.take(future, peer)
        if evicted is not None:
            _settle(evicted, None)
        # Without a plan for closing: whatever a stranger asks for, nobody is closed.
        driver = self._strangers[future] = Driver(Drain(replace(plan, closing=None)), announced)
        driver.observe(census)
        driver.begin()
        self._on_change()
        try:
            outcome = await future
            return Answer(outcome, effect=future in self._callers)
        finally:
            self._callers.discard(future)
            self._let_go(future)
            self._on_change()

    def observe(self, census: Census) -> None:
        """The strangers' drains are told what was counted."""
        for driver in [*self._strangers.values()]:
            driver.observe(census)

    def promote(self) -> None:
        """The strangers' calls count from now on: they wait for the pod's drain like everybody else."""
        for future in [*self._strangers]:
            if not future.done():
                self._callers.add(future)
                self._let_go(future)

    def answer(self, outcome: Outcome) -> None:
        """The pod's drain has an outcome."""
        for future in self._callers:
            _settle(future, outcome)

    def dismiss_strangers(self) -> None:
        """The agent goes."""
        for future in self._strangers:
            _settle(future, None)

    def _let_go(self, future: asyncio.Future[Outcome | None]) -> None:
        driver = self._strangers.pop(future, None)
        if driver is not None:
            driver.stop()
        self._slots.release(future)


def _settle(future: asyncio.Future[Outcome | None], outcome: Outcome | None) -> None:
    if not future.done():
        future.set_result(outcome)
