"""The words of a drain: its phases, its actions and its outcome."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TypeVar

from drainer.attempt import Verdict
from drainer.model import Identity

K = TypeVar("K")


class Phase(StrEnum):
    """Where a drain stands."""

    SERVING = "serving"
    """No drain."""
    SETTLING = "settling"
    """New clients still come from load balancers that do not know yet: zero connections end nothing."""
    DRAINING = "draining"
    """Connections leave by themselves; the first confirmed zero ends the drain."""
    CLOSING = "closing"
    """Connections are being closed."""
    DONE = "done"
    """There is an outcome; the app may be stopped."""


TRANSITIONS: Mapping[Phase, frozenset[Phase]] = MappingProxyType(
    {
        Phase.SERVING: frozenset({Phase.SETTLING}),
        Phase.SETTLING: frozenset({Phase.DRAINING, Phase.DONE, Phase.SERVING}),
        Phase.DRAINING: frozenset({Phase.CLOSING, Phase.DONE, Phase.SERVING}),
        Phase.CLOSING: frozenset({Phase.DONE, Phase.SERVING}),
        Phase.DONE: frozenset({Phase.SETTLING, Phase.SERVING}),
    }
)
"""Which phase may follow which; the diagram in docs/how-a-drain-goes.md is drawn from this."""

RUNNING = frozenset({Phase.SETTLING, Phase.DRAINING, Phase.CLOSING})
"""The phases in which callers are held."""


class Result(StrEnum):
    """The one word for how a drain ended: the same in answer, metric and log."""

    DRAINED = "drained"
    """All connections left, by themselves or closed."""
    DEADLINE = "deadline"
    """Time was up; some were left, and the app ends them."""
    RESUMED = "resumed"
    """The pod lives on: the app was restarted, or somebody asked."""


@dataclass(frozen=True, slots=True)
class Closings:
    """What the closers have come to."""

    ended: Mapping[str, int] = field(default_factory=dict)
    """Closer -> connections that left after it was the last to try them."""
    attempts: Mapping[str, Mapping[Verdict, int]] = field(default_factory=dict)
    """Closer -> what came of its tries."""
    details: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Closer -> errno names and HTTP statuses that it met with."""

    def __add__(self, other: Closings | None) -> Closings:
        """Both together."""
        if other is None:
            return self
        return Closings(
            _sum(self.ended, other.ended),
            _sum_each(self.attempts, other.attempts),
            _sum_each(self.details, other.details),
        )


def _sum(one: Mapping[K, int], other: Mapping[K, int]) -> dict[K, int]:
    return {key: one.get(key, 0) + other.get(key, 0) for key in {**one, **other}}


def _sum_each(one: Mapping[str, Mapping[K, int]], other: Mapping[str, Mapping[K, int]]) -> dict[str, dict[K, int]]:
    return {key: _sum(one.get(key, {}), other.get(key, {})) for key in {**one, **other}}


@dataclass(frozen=True, slots=True)
class Tally:
    """What a drain has come to. Without idle connections that wake up, at_start + arrived = left + remaining."""

    began_at: float
    at: float
    """The moment that the numbers are of."""
    at_start: int
    """Live connections in the first census after the beginning."""
    arrived: int
    """Connections that came while draining."""
    left: int
    remaining: int
    closings: Closings | None = None
    """None when nothing was closed in this drain."""

    @property
    def seconds(self) -> float:
        """How long the drain has taken."""
        return self.at - self.began_at

    @property
    def closed(self) -> int:
        """Of those who left, how many a closer had ended."""
        return sum(self.closings.ended.values()) if self.closings else 0

    @property
    def left_by_themselves(self) -> int:
        """Of those who left, how many no closer had ended."""
        return max(0, self.left - self.closed)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a drain ended."""

    result: Result
    tally: Tally


@dataclass(frozen=True, slots=True)
class Pace:
    """How CLOSING goes about it, as planned at one moment."""

    connections: int
    """To be closed."""
    seconds: float
    """Until the last of them gets its first try."""
    rate: float
    """Closings per second."""
    fits: bool
    """Whether `close_rate` is kept; False when the deadline needs more."""


@dataclass(frozen=True, slots=True)
class Announce:
    """The phase has changed: everyone who shows or acts on it must know."""

    phase: Phase
    at: float
    outcome: Outcome | None = None
    reason: str = field(default="", compare=False)
    """Why the pod serves again, for people."""
    pace: Pace | None = None
    """With CLOSING: the plan."""


@dataclass(frozen=True, slots=True)
class Rung:
    """One way to end connections."""

    name: str
    app_chooses: bool = False
    """It tells the app how many to close, not which."""
    tells_at_once: bool = False
    """It tells the app once that all must go: whoever leaves after that leaves because of it."""


@dataclass(frozen=True, slots=True)
class Close:
    """End these connections now."""

    closer: str
    connections: tuple[Identity, ...]
    remaining: int
    """Live connections now."""
    seconds_left: float
    """Until the last connection gets its first try."""
    rate: float
    """Closings per second that this needs."""


Action = Announce | Close
