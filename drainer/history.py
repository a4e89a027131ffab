"""What the drains of an agent have come to, one after the other."""

from __future__ import annotations

from drainer.model import Histogram
from drainer.phases import Closings, Outcome, Result

SECONDS_BOUNDS = (1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0)


class History:
    """Of the drains that have ended."""

    def __init__(self) -> None:
        self.last: Outcome | None = None
        self.results = dict.fromkeys(Result, 0)
        self.seconds = Histogram(SECONDS_BOUNDS)
        self.closings = Closings()
        self.left_by_themselves = 0

    def add(self, outcome: Outcome) -> None:
        """One more has ended."""
        self.last = outcome
        self.results[outcome.result] += 1
        self.seconds.observe(outcome.tally.seconds)
        self.closings += outcome.tally.closings
        self.left_by_themselves += outcome.tally.left_by_themselves
