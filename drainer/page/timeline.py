"""The latest drain's phases with the moments at which they began, its deadline and its pace: one value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from drainer.phases import Announce, Outcome, Pace, Phase
from drainer.status import DrainStatus, outcome_as_json, pace_as_json


@dataclass(frozen=True, slots=True)
class Step:
    """A phase that has begun."""

    phase: Phase
    at: float
    """Loop time."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A pace, and since when it holds."""

    pace: Pace
    at: float


@dataclass(frozen=True, slots=True)
class Timeline:
    """The running or the latest drain; without steps before the first.

    No phase comes twice between two beginnings (`phases.TRANSITIONS`), so there are five steps at most.
    """

    steps: tuple[Step, ...] = ()
    deadline_at: float | None = None
    planned: Planned | None = None
    """The pace of closing, once that has begun."""
    outcome: Outcome | None = None
    reason: str = ""
    """Why the pod serves again."""

    def announced(self, announce: Announce) -> Timeline:
        """With the phase that has begun. SETTLING begins a new timeline."""
        before = Timeline() if announce.phase is Phase.SETTLING else self
        return replace(
            before,
            steps=(*before.steps, Step(announce.phase, announce.at)),
            outcome=announce.outcome or before.outcome,
            reason=announce.reason or before.reason,
        )

    def followed(self, drain: DrainStatus, now: float) -> Timeline:
        """With the deadline and the pace that the running drain has now: the API may have moved them."""
        planned = self.planned
        if drain.pace is not None and (planned is None or drain.pace != planned.pace):
            planned = Planned(drain.pace, now)
        return replace(self, deadline_at=drain.deadline_at, planned=planned)

    def as_json(self, unix: Callable[[float], float]) -> dict[str, Any]:
        """For the page; `unix` makes Unix seconds of loop time."""
        return {
            "steps": [{"phase": step.phase, "at": unix(step.at)} for step in self.steps],
            "deadline": None if self.deadline_at is None else unix(self.deadline_at),
            "planned": {**pace_as_json(self.planned.pace), "at": unix(self.planned.at)} if self.planned else None,
            "outcome": outcome_as_json(self.outcome) if self.outcome else None,
            "reason": self.reason,
        }
