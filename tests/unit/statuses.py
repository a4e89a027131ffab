"""Censuses and Statuses with what matters to a test."""

from __future__ import annotations

from drainer.callers import Trust
from drainer.cost import Fit, Reading, Usage
from drainer.deletion import Deletion
from drainer.model import Census, CensusError, Histogram, PortCount, Source
from drainer.phases import Closings, Phase, Result
from drainer.status import Status
from drainer.vitals import Check, Checkup, Name, Vitals
from tests.unit.fakes import PORT

VITALS = Vitals(
    Checkup(0.0, [Check(name, passed=True) for name in Name]),
    Usage("processes", Reading(0.0, 0, 0.0), 0.0, Fit(1.0, 0.0, 0.0, 1.0, 9.0, 0.0, 9.0), None),
)
"""Of an agent that knows everything about its app."""


def make_census(ports: dict[int, PortCount] | None = None, taken_at: float = 0.0, **changes: object) -> Census:
    """A census with what matters to a test."""
    values: dict[str, object] = {
        "confirmed": False, "source": Source.SOCK_DIAG, "states": {}, "listeners": frozenset()
    } | changes  # fmt: skip
    return Census(taken_at=taken_at, ports=ports if ports is not None else {PORT: PortCount()}, **values)  # type: ignore[arg-type] # each is of its field's type


def make_status(**changes: object) -> Status:
    """The Status of an agent that has just begun, with what matters to a test."""
    values: dict[str, object] = {
        "at": 0.0,
        "phase": Phase.SERVING,
        "deletion": Deletion.UNKNOWN,
        "api_requests": None,
        "keeps_cost": False,
        "ready": True,
        "limit": None,
        "census": make_census(),
        "drain": None,
        "last_outcome": None,
        "held": 0,
        "passive": 0,
        "drains": dict.fromkeys(Result, 0),
        "drain_seconds": Histogram([1.0, 5.0]),
        "calls": dict.fromkeys(Trust, 0),
        "ages": Histogram([0.1, 1.0]),
        "census_seconds": Histogram([0.001, 0.01]),
        "census_errors": dict.fromkeys(CensusError, 0),
        "notified": False,
        "closers": {},
        "closings": Closings(),
        "left_by_themselves": 0,
        "vitals": Vitals(),
    }
    return Status(**(values | changes))  # type: ignore[arg-type] # each is of its field's type
