"""Limits, and other pods, as a test wants them."""

from __future__ import annotations

from collections.abc import Callable

from drainer.cap import Bound, CapPlan, LimitStatus, Room, Signal, View
from tests.unit.fakes import now


def plan(
    most: int | None = 10,
    below: int | None = 8,
    rate: float | None = None,
    signal: Signal = Signal.LABEL,
    *,
    never_last: bool = False,
) -> CapPlan:
    return CapPlan(most, below if most else None, rate, signal, never_last)


def limit(room: Room = Room.FULL, signal: Signal = Signal.LABEL, most: int | None = 10) -> LimitStatus:
    reached = frozenset() if room is Room.TAKING else frozenset({Bound.CONNECTIONS})
    return LimitStatus(plan(most, signal=signal), room, reached, 0.5, None)


class FakeNeighbours:
    """A `limiter.Neighbours` that says what the test wants it to, and remembers when it was asked."""

    def __init__(self, says: int | Callable[[], View] | None = 1, turn: float = 0.0) -> None:
        self.says = says
        """How many other pods take; None: not known."""
        self.turn = turn
        self.asked: list[tuple[float, bool]] = []
        """(when, anew)."""

    async def look(self, *, anew: bool) -> View:
        self.asked.append((now(), anew))
        return self.says() if callable(self.says) else View(self.says, self.turn)
