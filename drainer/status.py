"""One frozen value with everything that anyone may show; log, /status and /metrics are views of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from drainer.callers import Trust
from drainer.cap import LimitStatus
from drainer.deletion import Deletion
from drainer.model import BLIND_TO, Census, CensusError, Histogram, Reason
from drainer.phases import Closings, Outcome, Pace, Phase, Result, Tally
from drainer.vitals import Vitals


@dataclass(frozen=True, slots=True)
class DrainStatus:
    """A running drain."""

    deadline_at: float
    tally: Tally
    pace: Pace | None = None
    """While CLOSING: how it goes about it."""


@dataclass(frozen=True, slots=True)
class Status:
    """The agent at one moment. Moments are loop time; the histograms and tallies go on counting."""

    at: float
    phase: Phase
    deletion: Deletion
    """Whether the pod is being deleted, as the API says."""
    api_requests: Mapping[str, Mapping[str, int]] | None
    """What was asked of the API -> what came of it -> how often; None where it is not used."""
    keeps_cost: bool
    """Whether the agent keeps the pod's deletion cost; where it does no adapter does."""
    ready: bool
    limit: LimitStatus | None
    """None where nothing is limited."""
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
    closers: Mapping[str, str | None]
    """Closer, in the order of the ladder -> what it lacks here; None if it can work."""
    closings: Closings
    """What the closers have come to in all drains, the running one included."""
    left_by_themselves: int
    """Connections that left by themselves in the drains that have ended."""
    vitals: Vitals
    """How the app is, and what it takes; empty where nobody asked for it."""

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
            "limit": self.limit.as_json(census.shown) if self.limit else None,
            "source": {
                "name": census.source,
                "blind_to": BLIND_TO[census.source],
                "notified": self.notified,
                "census_age_seconds": round(self.at - census.taken_at, 3),
                "census_errors": {reason: self.census_errors.get(reason, 0) for reason in CensusError},
            },
            "callers": {"held": self.held, "passive": self.passive},
            "closers": [
                {"name": name, "usable": missing is None, "missing": missing} for name, missing in self.closers.items()
            ],
            "kubernetes": {
                "deletion": self.deletion,
                "used": self.api_requests is not None,
                "deletion_cost": self.keeps_cost,
                "requests": {
                    operation: {result: count for result, count in results.items() if count}
                    for operation, results in (self.api_requests or {}).items()
                },
            },
            **self.vitals.as_json(self.at),
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
            "pace": pace_as_json(self.drain.pace) if self.drain.pace else None,
        }


def outcome_as_json(outcome: Outcome) -> dict[str, Any]:
    """For the answer of /drain, /status and the log: the same words everywhere."""
    return {"outcome": outcome.result, **_tally_as_json(outcome.tally)}


def pace_as_json(pace: Pace) -> dict[str, Any]:
    """For /status and the log: the plan that CLOSING began with."""
    return {
        "connections": pace.connections,
        "closing_seconds": round(pace.seconds, 3),
        "rate_per_second": round(pace.rate, 3),
        "close_rate_kept": pace.fits,
    }


def _tally_as_json(tally: Tally) -> dict[str, Any]:
    closings = tally.closings or Closings()
    return {
        "seconds": round(tally.seconds, 3),
        "connections_at_start": tally.at_start,
        "arrived": tally.arrived,
        "left": tally.left,
        "left_by_themselves": tally.left_by_themselves,
        "closed": {closer: count for closer, count in closings.ended.items() if count},
        "remaining": tally.remaining,
        "attempts": {
            closer: {str(verdict): count for verdict, count in verdicts.items()}
            for closer, verdicts in closings.attempts.items()
            if verdicts
        },
        "refusals": {closer: dict(details) for closer, details in closings.details.items() if details},
    }
