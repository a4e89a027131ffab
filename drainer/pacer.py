"""When the next connections get their first try: evenly over the time that is left, with jitter inside each slot."""

from __future__ import annotations

import math
from collections.abc import Callable

SHORTEST_SLOT = 0.01
"""Seconds: connections that would come faster than this are taken in small batches."""
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
        self._slot_at = now
        self._ends_at = ends_at
        self._latest_at = latest_at
        self._rate = rate
        self._random = random
        self._dice = random()
        self.extend(now)

    def extend(self, now: float) -> None:
        """Somebody has come: even at the very end they are not all tried at once."""
        self._ends_at = max(self._ends_at, min(now + LEAST_WINDOW, self._latest_at))

    def due(self, waiting: int) -> float | None:
        """When to try again; None when nobody waits."""
        if not waiting:
            return None
        return self._slot_at + self._dice * self._each(waiting) * self._batch(waiting)

    def take(self, now: float, waiting: int) -> int:
        """How many to try now; the next slot begins where this one ends, or now if that has passed.

        A loop that was late does not make up for it in a burst: who is left is spread over what is left.
        """
        batch = self._batch(waiting)
        self._slot_at = max(now, self._slot_at + batch * self._each(waiting))
        self._dice = self._random()
        return batch

    def seconds_left(self, now: float, waiting: int) -> float:
        """Until the last of them has had its first try."""
        return max(0.0, max(self._slot_at, now) + waiting * self._each(waiting) - now)

    def rate(self, waiting: int) -> float:
        """Tries per second that the plan needs now."""
        each = self._each(waiting) if waiting else 0.0
        return 1 / each if each else float(waiting)

    def fits(self, waiting: int) -> bool:
        """Whether the cap is kept. If not, the deadline wins: better a little too fast than all cut at once."""
        return self._rate is None or waiting <= self._rate * (self._latest_at - self._slot_at)

    def _each(self, waiting: int) -> float:
        """Seconds for each connection."""
        ends_at = self._ends_at
        if self._rate is not None:
            ends_at = min(max(ends_at, self._slot_at + waiting / self._rate), self._latest_at)
        return max(0.0, ends_at - self._slot_at) / waiting

    def _batch(self, waiting: int) -> int:
        each = self._each(waiting)
        return min(waiting, math.ceil(SHORTEST_SLOT / each)) if each else waiting
