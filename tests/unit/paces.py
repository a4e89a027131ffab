"""How fast first tries may come, from what the documents say: even slots of (time left) / (connections left)."""

from __future__ import annotations

import math

from drainer.closing import ClosePlan

LEAST_WINDOW, LAST_MOMENT, SHORTEST_SLOT, LATENESS = 1.0, 1.0, 0.01, 0.02


class PaceReference:
    """Is told at every moment how many wait, and of every first try; says whether that was faster than planned."""

    def __init__(self, plan: ClosePlan, began_at: float, deadline_at: float) -> None:
        self._rate = plan.rate
        self._ends_at = deadline_at - plan.straggler_time
        self.latest_at = max(self._ends_at, deadline_at - LAST_MOMENT)
        self._fastest: list[tuple[float, float]] = []
        """(moment, tries per second that even slots needed then)."""
        self._tries: list[tuple[float, int]] = []
        self.somebody_comes(began_at)

    def somebody_comes(self, now: float) -> None:
        """Who comes at the very end still has a second, if that is before the latest moment."""
        self._ends_at = max(self._ends_at, min(now + LEAST_WINDOW, self.latest_at))

    def needs(self, now: float, waiting: int) -> None:
        """So many wait for their first try now."""
        ends_at = self._ends_at
        if self._rate is not None:
            ends_at = min(max(ends_at, now + waiting / self._rate), self.latest_at)
        left = ends_at - now
        self._fastest.append((now, math.inf if left <= 0 < waiting else waiting / left if waiting else 0.0))

    def tried(self, now: float, number: int) -> None:
        """Never more in any span of time than its slots, each a batch, with one begun before and one after."""
        self._tries.append((now, number))
        total, fastest = 0, 0.0
        samples = len(self._fastest)
        for since, tries in reversed(self._tries):
            total += tries
            while samples and self._fastest[samples - 1][0] >= since:
                samples -= 1
                fastest = max(fastest, self._fastest[samples][1])
            if samples:
                fastest = max(fastest, self._fastest[samples - 1][1])
            if fastest == math.inf:
                return
            batch = max(1, math.ceil(SHORTEST_SLOT * fastest))
            assert total <= (now - since + LATENESS) * fastest + 2 * batch, (since, now, total, fastest)
