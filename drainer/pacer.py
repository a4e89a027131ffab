"""When the next connections get their first try: evenly over the time that is left, with jitter inside each slot."""

from __future__ import annotations

import math
from collections.abc import Callable

SHORTEST_SLOT = 0.01
"""Seconds: connections that would come faster than this are taken in small batches."""
LATENESS = 0.02
"""Seconds by which a timer may be late without a change of plan."""
LEAST_WINDOW = 1.0
"""Seconds over which connections are spread that come when the time for first tries is (almost) over."""


class Pacer:
    """n connections and w seconds are n slots of w/n, each with one try somewhere in it.

    Every question brings the n of its moment, so the pace follows those who leave by themselves and those who come.
    """

    def __init__(
        self, now: float, ends_at: float, latest_at: float, rate: float | None, random: Callable[[], float]
    ) -> None:
        """First tries until `ends_at`; at most `rate` per second, for which they may go on until `latest_at`."""
        self._rate = rate
        self._random = random
        self._dice = random()
        self.retime(now, ends_at, latest_at)

    def retime(self, now: float, ends_at: float, latest_at: float) -> None:
        """Other ends than before; the first slot of the new plan begins now."""
        self._began_at = self._taken_at = now
        self._taken = 0
        """How many were tried in the slot that began at `_began_at`."""
        self._ends_at = ends_at
        self._latest_at = max(ends_at, latest_at)
        self.extend(now)

    def extend(self, now: float) -> None:
        """Somebody has come: even at the very end they are not all tried at once."""
        self._ends_at = max(self._ends_at, min(now + LEAST_WINDOW, self._latest_at))

    def due(self, waiting: int) -> float | None:
        """When to try again; None when nobody waits."""
        if not waiting:
            return None
        begins_at, each = self._next_slot(waiting)
        return begins_at + self._dice * each * self._batch(each, waiting)

    def take(self, now: float, waiting: int) -> int:
        """How many to try now; the next slot begins where this one ends.

        A loop that was late does not make up for it in a burst: who is left is spread over what is left.
        """
        begins_at, each = self._next_slot(waiting)
        ends_at = begins_at + each * self._batch(each, waiting)
        # A moment after the end is made up for: timers are always a little late, and it would add up until the end.
        if now > ends_at + LATENESS:
            begins_at, ends_at, each = now, now, self._each(now, waiting)
        self._taken_at = min(now, ends_at)
        self._began_at, self._taken = begins_at, self._batch(each, waiting)
        self._dice = self._random()
        return self._taken

    def seconds_left(self, now: float, waiting: int) -> float:
        """Until the last of them has had its first try."""
        connections = self._taken + waiting
        return max(0.0, self._began_at + connections * self._each(self._began_at, connections) - now)

    def rate(self, waiting: int) -> float:
        """Tries per second that the plan needs now."""
        connections = self._taken + waiting
        each = self._each(self._began_at, connections)
        return 1 / each if each else float(connections)

    def fits(self, waiting: int) -> bool:
        """Whether the cap is kept. If not, the deadline wins: better a little too fast than all cut at once."""
        return self._rate is None or self._taken + waiting <= self._rate * (self._latest_at - self._began_at)

    def _next_slot(self, waiting: int) -> tuple[float, float]:
        """(when it begins, seconds for each connection).

        The slot before ends where it would have ended had it known of all who wait now: who comes after the only
        one was tried is not kept until the end, to be tried together with all who come later.
        """
        ended_at = self._began_at + self._taken * self._each(self._began_at, self._taken + waiting)
        begins_at = max(self._taken_at, ended_at)
        return begins_at, self._each(begins_at, waiting)

    def _each(self, begins_at: float, connections: int) -> float:
        """Seconds for each, from `begins_at` on."""
        ends_at = self._ends_at
        if self._rate is not None:
            ends_at = min(max(ends_at, begins_at + connections / self._rate), self._latest_at)
        return max(0.0, ends_at - begins_at) / max(connections, 1)

    @staticmethod
    def _batch(each: float, waiting: int) -> int:
        return min(waiting, math.ceil(SHORTEST_SLOT / each)) if each else waiting
