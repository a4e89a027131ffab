"""What the closers have come to, in numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from drainer.attempt import Attempt, Verdict
from drainer.phases import Closings, Rung


class Scores:
    """Counts tries and ends by rung."""

    def __init__(self, rungs: Sequence[Rung]) -> None:
        self._names = [rung.name for rung in rungs]
        self._attempts: list[Counter[Verdict]] = [Counter() for _ in rungs]
        self._details: list[Counter[str]] = [Counter() for _ in rungs]
        self.ended: Counter[int] = Counter()
        """Rung -> connections that it ended."""

    def count(self, rung: int, attempt: Attempt) -> None:
        """One try."""
        self._attempts[rung][attempt.verdict] += 1
        if attempt.detail:
            self._details[rung][attempt.detail] += 1

    def is_able(self, rung: int) -> bool:
        """Whether this rung has not done nothing but fail."""
        return self._attempts[rung][Verdict.SENT] > 0 or not self._attempts[rung]

    def closings(self) -> Closings:
        """All of it."""
        return Closings(
            ended={name: self.ended[rung] for rung, name in enumerate(self._names)},
            attempts={name: dict(self._attempts[rung]) for rung, name in enumerate(self._names)},
            details={name: dict(self._details[rung]) for rung, name in enumerate(self._names)},
        )
