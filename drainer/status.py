"""One frozen value with everything that anyone may show; log, /status and /metrics are views of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from drainer.callers import Trust
from drainer.drain import Outcome, Phase, Result, Tally
from drainer.model import BLIND_TO, Census, CensusError, Histogram, Reason


@dataclass(frozen=True, slots=True)
class DrainStatus:
    """A running drain."""

    deadline_at: float
    tally: Tally


@dataclass(frozen=True, slots=True)
class Status:
    """The agent at one moment. Moments are loop time; the histograms and tallies go on counting."""

    at: float
    phase: Phase
    ready: bool
    census: Census
    drain: DrainStatus | None
    last_outcome: Outcome | None
    held: int
    """Callers of /drain that wait."""
    passive: int
    """Strangers that are held without effect."""
    drains: Mapping[Result, int]
    drain_seconds: Histogram
    calls: Mapping[Trust, int]
    ages: Histogram
    census_seconds: Histogram
    census_errors: Mapping[CensusError, int]
    notified: bool
    """Whether the kernel reports closes now."""

    @property
    def serving(self) -> bool:
        """Whether connections count for autoscaling: those of a draining pod will be another one's."""
        return self.phase is Phase.SERVING

    def as_json(self, wall: float) -> dict[str, Any]:
        """For /status; `wall` is the time of day in Unix seconds that `at` stands for. No peer addresses."""
        census = self.census
        return {
            "phase": self.phase,
            "ready": self.ready,
            "connections": {
                "total": census.shown,
                "serving": census.shown if self.serving else 0,
                "by_port": {
                    str(port): {
                        "total": count.shown,
                        "serving": count.shown if self.serving else 0,
                        "opened": count.opened,
                        "closed": count.closed,
                        "excluded": {reason: count.excluded.get(reason, 0) for reason in Reason},
                    }
                    for port, count in census.ports.items()
                },
                "by_state": {state.name: number for state, number in census.states.items()},
                "excluded": {reason: census.excluded(reason) for reason in Reason},
            },
            "source": {
                "name": census.source,
                "blind_to": BLIND_TO[census.source],
                "notified": self.notified,
                "census_age_seconds": round(self.at - census.taken_at, 3),
                "census_errors": {reason: self.census_errors.get(reason, 0) for reason in CensusError},
            },
            "callers": {"held": self.held, "passive": self.passive},
            "drain": self._drain_as_json(wall),
            "last_outcome": outcome_as_json(self.last_outcome) if self.last_outcome else None,
        }

    def _drain_as_json(self, wall: float) -> dict[str, Any] | None:
        if self.drain is None:
            return None
        return {
            **_tally_as_json(self.drain.tally),
            "deadline_in_seconds": round(self.drain.deadline_at - self.at, 3),
            "deadline_timestamp_seconds": round(wall + self.drain.deadline_at - self.at, 3),
        }


def outcome_as_json(outcome: Outcome) -> dict[str, Any]:
    """For the answer of /drain, /status and the log: the same words everywhere."""
    return {"outcome": outcome.result, **_tally_as_json(outcome.tally)}


def _tally_as_json(tally: Tally) -> dict[str, Any]:
    return {
        "seconds": round(tally.seconds, 3),
        "connections_at_start": tally.at_start,
        "arrived": tally.arrived,
        "left": tally.left,
        "remaining": tally.remaining,
    }
