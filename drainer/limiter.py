"""Runs one Cap on the event loop: asks for the other pods where that is wanted, and never all pods at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from drainer.cap import Cap, CapPlan, LimitStatus, Others, Room, View
from drainer.model import Census

TURNS_TAKE = 6.0
"""Seconds over which pods that reach their limits together leave, one after the other: an EndpointSlice shows who has
left within a second or two, and those whose turn is later see it."""
AT_FIRST_WITHIN = 1.0
LEFT_AFTER, STAYED_AFTER, LONGEST = 2.0, 5.0, 40.0
"""Seconds until the question is asked anew, after this pod has left or has stayed: twice as long each time while the
answer is the same, and by chance up to half as long again. Soon after leaving: two pods that were not each other's last
one a moment ago may have left in the same second."""


class Neighbours(Protocol):
    """Who knows the other pods."""

    async def look(self, *, anew: bool) -> View:
        """The other pods; `anew`: which Services this pod has may be different by now. Never raises."""
        ...


class Limiter:
    """A `cap.Limits`. Use it inside a running event loop."""

    def __init__(self, plan: CapPlan, neighbours: Neighbours | None, random: Callable[[], float]) -> None:
        """`neighbours`: None where `plan.never_last` is false. `random` gives numbers from 0 to 1."""
        self._cap = Cap(plan)
        self._neighbours = neighbours
        self._random = random
        self._loop = asyncio.get_running_loop()
        self._on_change: Callable[[], None] = lambda: None
        self._told = self._cap.room
        self._asking: asyncio.Task[None] | None = None
        self._most = 0
        """As many pods have been seen to take."""

    @property
    def status(self) -> LimitStatus:
        """See Limits."""
        return self._cap.status

    def begin(self, on_change: Callable[[], None]) -> None:
        """See Limits."""
        self._on_change = on_change

    def observe(self, census: Census) -> None:
        """See Limits."""
        self._cap.observe(census)
        self._follow()

    def miss(self) -> None:
        """See Limits."""
        self._cap.miss(self._loop.time())
        self._follow()

    def stop(self) -> None:
        """See Limits."""
        if self._asking is not None:
            self._asking.cancel()
            self._asking = None

    def _follow(self) -> None:
        """Ask while there is something to ask for; tell what has changed."""
        if not self._cap.wants_to_know:
            self.stop()
        elif self._asking is None and self._neighbours is not None:
            self._asking = self._loop.create_task(self._ask(self._neighbours), name="ask for the other pods")
        self._tell()

    def _tell(self) -> None:
        if self._cap.room is not self._told:
            self._told = self._cap.room
            self._on_change()

    async def _ask(self, neighbours: Neighbours) -> None:
        """Again and again: the others may become full too, or go, and then this pod has to take after all."""
        wait, before = 0.0, None
        await _pause(AT_FIRST_WITHIN * self._random())
        while True:
            has_left = self._cap.room is Room.FULL
            others, turn = await self._look(neighbours, has_left=has_left)
            if others is Others.ENOUGH and not has_left:
                # Not all of those that others count on may leave at once.
                await _pause(TURNS_TAKE * turn)
                others, _ = await self._look(neighbours, has_left=False)
            self._cap.answer(others)
            self._tell()
            if others is not before:
                wait = LEFT_AFTER if others is Others.ENOUGH else STAYED_AFTER
            else:
                wait = min(2 * wait, LONGEST)
            before = others
            await _pause(wait * (1 + self._random() / 2))

    async def _look(self, neighbours: Neighbours, *, has_left: bool) -> tuple[Others, float]:
        view = await neighbours.look(anew=not has_left)
        if view.taking is not None:
            self._most = max(self._most, view.taking + (not has_left))
        return view.others(self._most, has_left=has_left), view.turn


async def _pause(seconds: float) -> None:
    await asyncio.sleep(seconds)  # noqa: TID251 - `stop` ends it
