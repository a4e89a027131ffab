"""Connections over time, as pictures need them: a few KiB, however long it goes on. They are told the time."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

UNKNOWN = -1
"""In place of a number that nobody has counted."""


class Recent:
    """How many connections there were, for each second of the last ten minutes."""

    STEP = 1.0
    SLOTS = 600

    def __init__(self) -> None:
        self._counts = array("i")
        self._slot = 0

    def record(self, now: float, connections: int | None) -> None:
        """So many now; None if nobody knows. The last one of a second counts, and a second without any is unknown."""
        slot = round(now / self.STEP)
        if self._counts and slot <= self._slot:
            self._counts.pop()
        elif self._counts:
            self._counts.extend([UNKNOWN] * min(slot - self._slot - 1, self.SLOTS))
        self._slot = slot
        self._counts.append(UNKNOWN if connections is None else connections)
        del self._counts[: -self.SLOTS]

    def counts(self) -> list[int | None]:
        """From the oldest to the latest."""
        return [None if count == UNKNOWN else count for count in self._counts]


class Course:
    """How one drain went: who remained and who had left, in steps that double when they have become too many."""

    FIRST_STEP = 0.5
    SLOTS = 240

    def __init__(self, began_at: float) -> None:
        self.began_at = began_at
        self.step = self.FIRST_STEP
        self._remaining = array("i")
        self._left = array("i")

    def record(self, now: float, remaining: int, left: int) -> None:
        """So many remain now, and so many have left since the beginning. The last ones of a step count."""
        while (slot := int((now - self.began_at) / self.step)) >= self.SLOTS:
            self._coarsen()
        for numbers, latest in ((self._remaining, remaining), (self._left, left)):
            del numbers[slot:]
            # What was not looked at has not changed, as far as anybody knows.
            numbers.extend([numbers[-1] if numbers else latest] * (slot - len(numbers)))
            numbers.append(latest)

    @property
    def remaining(self) -> Sequence[int]:
        """At the end of each step; the latest may be of the middle of one."""
        return self._remaining

    @property
    def left(self) -> Sequence[int]:
        """Since the beginning, at the end of each step."""
        return self._left

    def _coarsen(self) -> None:
        self.step *= 2
        self._remaining, self._left = _halved(self._remaining), _halved(self._left)


def _halved(numbers: array[int]) -> array[int]:
    """The later one of each two."""
    return numbers[1::2] + numbers[len(numbers) // 2 * 2 :]
