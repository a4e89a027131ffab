"""How the app is: what was asked of it and what came of it, its memory and CPU. Values; nobody asks here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from drainer.cost import Usage

CURRENT_FOR = 60.0
"""Seconds for which a checkup says how the app is, at the least; after that nobody has asked for too long."""


class Name(StrEnum):
    """What is looked at."""

    READY = "ready"
    """What /readyz says; the app is not asked when that is no."""
    HANDSHAKE = "handshake"
    """The opening handshake of a WebSocket and the answer to a ping or an echo: seconds for all of it."""
    CONNECTIONS = "connections"
    """Live client connections on all app ports."""
    MEMORY = "memory"
    """Bytes of the app."""
    CPU = "cpu"
    """Cores that the app uses."""
    DESCRIPTORS = "descriptors"
    """Open descriptors of the process of the app that has the most."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What is well. None: not looked at."""

    latency: float = 0.8
    """Seconds for the handshake and the answer."""
    connections: int | None = None
    memory: float | None = None
    """Bytes."""
    cpu: float | None = None
    """Cores."""
    descriptors: int | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    name: Name
    passed: bool
    value: float | None = None
    """None where there is none: a handshake that did not come to its end."""
    bound: float | None = None
    detail: str = ""
    """In words, for people; never what a header says."""

    def as_json(self) -> dict[str, Any]:
        """For /health and /status."""
        return {
            "name": self.name,
            "passed": self.passed,
            "value": self.value,
            "bound": self.bound,
            "detail": self.detail,
        }


@dataclass(frozen=True, slots=True)
class Asked:
    """What came of one handshake."""

    at: float
    """Loop time at which it began."""
    seconds: float | None
    """From the first SYN to the answer; None if there was none."""
    detail: str
    is_miss: bool
    """The app did not answer as it should. Not so if the agent itself could not ask."""

    @property
    def is_answered(self) -> bool:
        """Whether the app was well."""
        return self.seconds is not None


@dataclass(frozen=True, slots=True)
class Checkup:
    """All checks of one moment."""

    at: float
    """Loop time; of the handshake, if there was one."""
    checks: Sequence[Check]
    absent: Mapping[Name, str] = field(default_factory=dict)
    """Checks with a bound and without a value -> why; they fail nobody."""
    misses: int = 0
    """Handshakes in a row that the app did not answer."""
    good_for: float = CURRENT_FOR
    """Seconds."""

    @property
    def failing(self) -> list[Name]:
        """The names of the checks that have not passed."""
        return [check.name for check in self.checks if not check.passed]

    @property
    def is_well(self) -> bool:
        """Whether all have passed."""
        return not self.failing

    def is_current(self, now: float) -> bool:
        """Whether it says how the app is; `now` is loop time."""
        return bool(self.checks) and now - self.at <= self.good_for

    def as_json(self, now: float) -> dict[str, Any]:
        """For /health and /status; `now` is loop time."""
        return {
            "well": self.is_well,
            "failing": self.failing,
            "age_seconds": round(now - self.at, 3),
            "misses": self.misses,
            "checks": [check.as_json() for check in self.checks],
            "absent": dict(self.absent),
        }


@dataclass(frozen=True, slots=True)
class Vitals:
    """Both parts; each is None where it is switched off."""

    health: Checkup | None = None
    """The latest; without checks before the first."""
    usage: Usage | None = None

    def as_json(self, now: float) -> dict[str, Any]:
        """Two keys of /status; `now` is loop time."""
        return {
            "health": self.health.as_json(now) if self.health else None,
            "usage": self.usage.as_json(now) if self.usage else None,
        }


def within(name: Name, value: float, bound: float) -> Check:
    """The check of a number that has an upper bound; on it is well."""
    passed = value <= bound
    return Check(name, passed, value, bound, "" if passed else f"more than {bound:g}")


def check_up(asked: Asked, bounds: Bounds, connections: int, usage: Usage | None, misses: int = 0) -> Checkup:
    """The handshake, and what else has a bound."""
    took = None if asked.seconds is None else round(asked.seconds, 6)
    checks = [
        Check(Name.READY, passed=True),
        Check(Name.HANDSHAKE, asked.is_answered, took, bounds.latency, asked.detail),
    ]
    absent: dict[Name, str] = {}
    if bounds.connections is not None:
        checks.append(within(Name.CONNECTIONS, connections, bounds.connections))
    reading = usage.current(asked.at) if usage else None
    for name, bound, value in (
        (Name.MEMORY, bounds.memory, reading.memory if reading else None),
        (Name.CPU, bounds.cpu, usage.cores if usage and reading else None),
        (Name.DESCRIPTORS, bounds.descriptors, reading.descriptors if reading else None),
    ):
        if bound is not None and value is not None:
            checks.append(within(name, value, bound))
        elif bound is not None:
            absent[name] = usage.why_absent(name) if usage else "usage is off"
    return Checkup(asked.at, tuple(checks), absent, misses)
