"""What may be spent on looking at another process."""

from __future__ import annotations

import time
from collections.abc import Callable

_SHARE = 0.1
"""Of a core."""
_SAVED = 0.02
"""Seconds that can be saved up: many short looks in a row, or one long one."""


class Allowance:
    """At most a tenth of a core: what a look has cost must be earned before the next one. The first is free."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._balance = 0.0
        self._at = clock()

    def is_left(self) -> bool:
        """Whether a look may be taken now."""
        now = self._clock()
        self._balance = min(_SAVED, self._balance + _SHARE * (now - self._at))
        self._at = now
        return self._balance >= 0

    def spend(self, seconds: float) -> None:
        """What a look has cost, in CPU seconds."""
        self._balance -= seconds
