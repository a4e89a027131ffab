"""How long to wait after a failure."""

from __future__ import annotations

from collections.abc import Callable

from drainer.kube.words import FORBIDDEN_FOR, ApiError, ApiResult

FIRST, LONGEST = 0.5, 60.0


class Backoff:
    """Twice as long after each failure, with jitter, up to a minute."""

    def __init__(self, random: Callable[[], float], forbidden_for: float = FORBIDDEN_FOR) -> None:
        """`forbidden_for`: seconds until something that was forbidden is worth another try."""
        self._random = random
        self._forbidden_for = forbidden_for
        self._next = FIRST

    def reset(self) -> None:
        """It works again."""
        self._next = FIRST

    def after(self, error: ApiError) -> float:
        """Seconds."""
        if error.result is ApiResult.FORBIDDEN:
            # Not sooner: until then the client would only say no again.
            return self._forbidden_for
        seconds, self._next = self._next, min(2 * self._next, LONGEST)
        return max(seconds * (0.75 + self._random() / 2), min(error.retry_after, LONGEST))
