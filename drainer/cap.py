"""Full or not: how many connections a pod wants, and how fast they may come. It is told the time and what was counted.

Full is a request to the balancer and no wall: whoever is connected stays, whoever still comes is served.
"""

from __future__ import annotations

import collections
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from drainer.model import Census

LONGEST_GAP = 2.0
"""Seconds between two censuses where `max_rate` is set: a storm is over before a slower agent has seen it."""
RATE_OVER = 5.0
"""Seconds over which the rate of new connections is averaged: a page that opens six at once is no storm."""
CALM = 0.5
"""What part of `max_rate` the rate must have fallen to: else a pod that is out for a moment would be back in it."""
STAYING = 0.25
"""What part of the pods goes on taking when all are full: a single one would get whatever the others have refused."""
BLIND_AFTER = 30.0
"""Seconds without a census after which nobody knows whether the pod is full: then it does not say so."""


class Signal(StrEnum):
    """How full is said."""

    LABEL = "label"
    """The label that the Service selects on."""
    READINESS = "readiness"
    """/readyz. A pod that is not ready is the first that a ReplicaSet gives up (controller_utils.go)."""
    METRIC = "metric"
    """To nobody but who reads the metrics."""


def signal_of(full: str, *, has_label: bool) -> Signal:
    """What the setting `full` comes to; `has_label`: the agent keeps the label, and has an API to write it to."""
    if full in ("auto", "label"):
        return Signal.LABEL if has_label else Signal.METRIC
    return Signal(full)


class Bound(StrEnum):
    """What can be reached."""

    CONNECTIONS = "connections"
    """`max_connections`."""
    RATE = "rate"
    """`max_rate`."""


class Room(StrEnum):
    """Whether there is room for more."""

    TAKING = "taking"
    """No bound is reached, or nothing is known of it."""
    ASKING = "asking"
    """A bound is reached; whether other pods take is being asked."""
    LAST = "last"
    """A bound is reached, but it is not known of enough others that they take: this one goes on."""
    FULL = "full"
    """A bound is reached, and the pod says so."""


class Others(StrEnum):
    """Whether other pods of the same Services take connections."""

    ENOUGH = "enough"
    """A quarter of those that were seen to take, one at the least."""
    TOO_FEW = "too_few"
    """Fewer: then this one goes on, or comes back."""
    UNKNOWN = "unknown"
    """The API did not say, or no Service has this pod."""


@dataclass(frozen=True, slots=True)
class View:
    """What was seen of the other pods at one moment."""

    taking: int | None
    """How many of them take connections, in that of this pod's Services that has the fewest; None if not known."""
    turn: float = 0.0
    """From 0 to 1: when it is this pod's turn to leave, if all want to. It is 1 for the pod that stays longest."""

    def others(self, most: int, *, has_left: bool) -> Others:
        """Whether they are enough, where `most` have taken before, this pod among them.

        For one that has left, half of those will do without which it would have stayed.
        """
        if self.taking is None:
            return Others.UNKNOWN
        needed = int(STAYING * most / (2 if has_left else 1))
        return Others.ENOUGH if self.taking >= max(1, needed) else Others.TOO_FEW


@dataclass(frozen=True, slots=True)
class CapPlan:
    """What the settings say of it."""

    max_connections: int | None
    resume_below: int | None
    """None if and only if `max_connections` is."""
    max_rate: float | None
    """New connections per second."""
    signal: Signal
    never_last: bool
    """Whether the other pods are asked for, before this one says that it is full."""


@dataclass(frozen=True, slots=True)
class LimitStatus:
    """The limit at one moment."""

    plan: CapPlan
    room: Room
    reached: frozenset[Bound]
    rate: float | None
    """New connections per second; None before the second census."""
    others: Others | None
    """What was last heard of the other pods, while a bound is reached."""

    @property
    def is_full(self) -> bool:
        """Whether the pod says that it is full."""
        return self.room is Room.FULL

    def is_said_by(self, signal: Signal) -> bool:
        """Whether it is full and says so in this way."""
        return self.is_full and self.plan.signal is signal

    def utilization(self, connections: int) -> float | None:
        """What part of the limit so many connections are; more than 1 above it, None without one."""
        return None if self.plan.max_connections is None else connections / self.plan.max_connections

    def as_json(self, connections: int) -> dict[str, Any]:
        """For /status, beside so many connections."""
        utilization = self.utilization(connections)
        return {
            "connections": self.plan.max_connections,
            "resume_below": self.plan.resume_below,
            "max_rate": self.plan.max_rate,
            "utilization": None if utilization is None else round(utilization, 4),
            "new_per_second": None if self.rate is None else round(self.rate, 3),
            "room": self.room,
            "reached": sorted(self.reached),
            "full": self.is_full,
            "said_by": self.plan.signal,
            "others": self.others,
        }


class Cap:
    """The machine. Who runs it asks for the other pods while it `wants_to_know`, and tells it what came of that."""

    def __init__(self, plan: CapPlan) -> None:
        self.plan = plan
        self.room = Room.TAKING
        self._reached: frozenset[Bound] = frozenset()
        self._others: Others | None = None
        self._seen: collections.deque[tuple[float, int]] = collections.deque()
        """(moment, connections ever seen) of the censuses of RATE_OVER, and of the last one before."""

    @property
    def status(self) -> LimitStatus:
        """For everyone who shows or acts on it."""
        return LimitStatus(self.plan, self.room, self._reached, self._rate(), self._others)

    @property
    def wants_to_know(self) -> bool:
        """Whether it depends on the other pods what this one says."""
        return self.plan.never_last and self.room is not Room.TAKING

    def observe(self, census: Census) -> None:
        """Take in what was counted while the pod serves.

        The first census of an agent finds connections that came before it: they count for `max_connections` at once,
        and never as new. After a time without censuses the rate is the average over that time.
        """
        if self._seen and census.taken_at <= self._seen[-1][0]:
            return
        self._seen.append((census.taken_at, census.opened))
        while len(self._seen) > 1 and self._seen[1][0] <= census.taken_at - RATE_OVER:
            self._seen.popleft()
        self._reached = frozenset(self._bounds(census.shown))
        if not self._reached:
            self._take()
        elif self.room is Room.TAKING:
            self.room = Room.ASKING if self.plan.never_last else Room.FULL

    def answer(self, others: Others) -> None:
        """Take in what is known of the other pods."""
        if self.room is not Room.TAKING:
            self._others = others
            self.room = Room.FULL if others is Others.ENOUGH else Room.LAST

    def miss(self, now: float) -> None:
        """A census could not be taken."""
        if self._seen and now - self._seen[-1][0] > BLIND_AFTER:
            self._reached = frozenset()
            self._take()

    def _take(self) -> None:
        self.room = Room.TAKING
        self._others = None

    def _bounds(self, connections: int) -> list[Bound]:
        """The bounds that are reached: what has been reached stays so until it is clearly not."""
        plan, rate = self.plan, self._rate()
        bounds = []
        if plan.max_connections is not None and plan.resume_below is not None:
            was_reached = Bound.CONNECTIONS in self._reached
            if connections >= (plan.resume_below if was_reached else plan.max_connections):
                bounds.append(Bound.CONNECTIONS)
        if plan.max_rate is not None and rate is not None:
            was_reached = Bound.RATE in self._reached
            if rate > plan.max_rate * (CALM if was_reached else 1.0):
                bounds.append(Bound.RATE)
        return bounds

    def _rate(self) -> float | None:
        """New connections per second over RATE_OVER. What an agent has not seen yet counts as quiet."""
        if len(self._seen) < 2:  # noqa: PLR2004 - between two
            return None
        (since, before), (until, now) = self._seen[0], self._seen[-1]
        return (now - before) / max(until - since, RATE_OVER)


class Limits(Protocol):
    """Who runs it, as far as an agent is concerned."""

    @property
    def status(self) -> LimitStatus | None:
        """None where nothing is limited."""
        ...

    def begin(self, on_change: Callable[[], None]) -> None:
        """Who is told when `status.room` has changed."""
        ...

    def observe(self, census: Census) -> None:
        """What was counted while the pod serves."""
        ...

    def miss(self) -> None:
        """A census could not be taken."""
        ...

    def stop(self) -> None:
        """A drain begins, or the agent goes: what was said stays said, and nobody is asked."""
        ...


class NoLimits:
    """Nothing is limited."""

    status = None

    def begin(self, on_change: Callable[[], None]) -> None:
        """See Limits."""

    def observe(self, census: Census) -> None:
        """See Limits."""

    def miss(self) -> None:
        """See Limits."""

    def stop(self) -> None:
        """See Limits."""
