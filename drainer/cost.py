"""What a connection costs: a line through the app's memory, or its CPU, over its connections; as samples come.

Constant memory: of the samples only their weighted moments are kept (D. H. D. West, 1979), and old ones fade.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

HALF_LIFE = 6 * 3600.0
"""Seconds after which a sample counts half: a day's rise and fall is seen, and last week is forgotten."""
_MOST_ALIKE = 0.99
"""How alike residuals that follow each other may be taken to be: 1 would leave no sample at all."""
_ROUNDING = 1e-12
"""What is left of a line's ups and downs where nothing is left but the arithmetic's own noise."""
_FEWEST = 2.0
"""A line has two parameters: with so many samples or fewer nothing is left to tell how sure it is."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What the app has taken, as of one moment. None where it cannot be seen."""

    at: float
    """Loop time."""
    memory: int | None
    """Bytes."""
    cpu_seconds: float | None
    """Since the app began, or since the agent did."""
    descriptors: int | None = None
    """Of the process that has the most."""
    of: str = ""
    """Whose, in words."""


@dataclass(frozen=True, slots=True)
class Fit:
    """`base + slope * connections`, and how sure that is."""

    slope: float
    """Per connection: bytes, or CPU seconds per second."""
    error: float
    """Standard error of the slope."""
    base: float
    """At no connections."""
    r_squared: float
    """0..1: how much of the ups and downs the connections explain."""
    samples: float
    """Independent ones: those that have faded, and those that only repeat the one before, count less than one."""
    least: float
    """Connections at the fewest..."""
    most: float
    """... and at the most, in what has not faded."""

    def as_json(self) -> dict[str, Any]:
        """For /status."""
        return {
            "slope": self.slope,
            "standard_error": self.error,
            "base": self.base,
            "r_squared": round(self.r_squared, 4),
            "samples": round(self.samples, 1),
            "connections": {"least": self.least, "most": self.most},
        }


class Range:
    """The least and the most of one to two half-lives."""

    __slots__ = ("_before", "_now", "_since")

    def __init__(self) -> None:
        self._since = -math.inf
        self._now = self._before = (math.inf, -math.inf)

    def add(self, at: float, value: float) -> None:
        """Take in a value of the moment `at`."""
        if at - self._since >= HALF_LIFE:
            self._before = self._now if at - self._since < 2 * HALF_LIFE else (math.inf, -math.inf)
            self._since, self._now = at, (value, value)
        self._now = min(self._now[0], value), max(self._now[1], value)

    @property
    def ends(self) -> tuple[float, float]:
        """(least, most)."""
        return min(self._now[0], self._before[0]), max(self._now[1], self._before[1])


class Line:
    """The regression of some y on x, the number of connections."""

    def __init__(self) -> None:
        self._at = 0.0
        self._weight = self._weight_squared = 0.0
        self._x = self._y = 0.0
        """Weighted means."""
        self._xx = self._xy = self._yy = 0.0
        """Weighted sums of products of the distances from them."""
        self._residual = self._residuals = self._neighbours = 0.0
        """The last one; the sum of their squares, and of the products of those that follow each other."""
        self._range = Range()

    def add(self, at: float, x: float, y: float) -> None:
        """Take in a sample of the moment `at`, in seconds; moments never go back."""
        self._fade(0.5 ** ((at - self._at) / HALF_LIFE) if self._weight else 1.0)
        self._at = at
        self._weight += 1.0
        self._weight_squared += 1.0
        from_x, from_y = x - self._x, y - self._y
        self._x += from_x / self._weight
        self._y += from_y / self._weight
        self._xx += from_x * (x - self._x)
        self._xy += from_x * (y - self._y)
        self._yy += from_y * (y - self._y)
        self._range.add(at, x)
        residual = y - self._y - self._slope * (x - self._x)
        self._residuals += residual * residual
        self._neighbours += residual * self._residual
        self._residual = residual

    def fit(self) -> Fit | None:
        """The line; None as long as the samples do not tell one: too few, or all with one number of connections."""
        samples = self._weight * self._weight / self._weight_squared if self._weight else 0.0
        samples *= (1 - self._alike) / (1 + self._alike)
        least, most = self._range.ends
        # What is left of a variance that has faded is rounding.
        if samples <= _FEWEST or least >= most or self._xx <= 0.0:
            return None
        slope = self._slope
        unexplained = max(0.0, self._yy - slope * self._xy)
        return Fit(
            slope=slope,
            error=math.sqrt(unexplained / (self._xx * (samples - _FEWEST))),
            base=self._y - slope * self._x,
            r_squared=1.0 - min(1.0, unexplained / self._yy) if self._yy > 0.0 else 0.0,
            samples=samples,
            least=least,
            most=most,
        )

    @property
    def _slope(self) -> float:
        return self._xy / self._xx if self._xx > 0.0 else 0.0

    @property
    def _alike(self) -> float:
        """0..1: the correlation of residuals that follow each other. Memory moves slowly: a sample says little new."""
        if self._residuals <= _ROUNDING * self._yy:
            return 0.0
        return min(_MOST_ALIKE, max(0.0, self._neighbours / self._residuals))

    def _fade(self, by: float) -> None:
        self._weight *= by
        self._weight_squared *= by * by
        self._xx *= by
        self._xy *= by
        self._yy *= by
        self._residuals *= by
        self._neighbours *= by


@dataclass(frozen=True, slots=True)
class Usage:
    """What is known of the app's memory and CPU."""

    source: str
    """`processes` or `metrics`; empty where nothing can be seen."""
    reading: Reading | None
    """The latest."""
    cores: float | None
    """CPU seconds per second between the latest two."""
    memory: Fit | None
    cpu: Fit | None
    missing: str = ""
    """Why nothing can be seen, or why the latest try failed."""
    good_for: float = 60.0
    """Seconds for which a reading holds."""

    def current(self, now: float) -> Reading | None:
        """The reading, unless it is too old."""
        return self.reading if self.reading and now - self.reading.at <= self.good_for else None

    def why_absent(self, what: str) -> str:
        """Why there is no value of that name, in words."""
        return self.missing or f"the app's {what} cannot be seen by {self.source or 'anything'} yet"

    def as_json(self, now: float) -> dict[str, Any]:
        """For /status; `now` is loop time."""
        reading = self.current(now)
        return {
            "source": self.source or None,
            "of": reading.of if reading else None,
            "age_seconds": round(now - reading.at, 3) if reading else None,
            "memory_bytes": reading.memory if reading else None,
            "cpu_seconds_total": reading.cpu_seconds if reading else None,
            "cpu_cores": self.cores if reading else None,
            "descriptors": reading.descriptors if reading else None,
            "missing": self.missing or None,
            "per_connection": {
                "memory": self.memory.as_json() if self.memory else None,
                "cpu": self.cpu.as_json() if self.cpu else None,
            },
        }


class Costs:
    """Takes in readings, and tells the Usage."""

    def __init__(self, good_for: float) -> None:
        self._good_for = good_for
        self._memory, self._cpu = Line(), Line()
        self._reading: Reading | None = None
        self._connections = 0
        self._cores: float | None = None
        self._source = self._missing = ""

    def add(self, source: str, reading: Reading, connections: int) -> None:
        """A reading, and the live connections at that moment."""
        before = self._reading
        self._missing = ""
        if before and reading.at <= before.at:
            return  # Told again.
        self._cores = None
        if reading.memory is not None:
            self._memory.add(reading.at, connections, reading.memory)
        if before and before.cpu_seconds is not None and reading.cpu_seconds is not None:
            spent = reading.cpu_seconds - before.cpu_seconds
            if spent >= 0:  # Less than before: another app.
                self._cores = spent / (reading.at - before.at)
                self._cpu.add(reading.at, (self._connections + connections) / 2, self._cores)
        self._source, self._reading, self._connections = source, reading, connections

    def miss(self, why: str) -> None:
        """A try that failed, and why."""
        self._missing = why

    @property
    def usage(self) -> Usage:
        """All that is known."""
        return Usage(
            source=self._source,
            reading=self._reading,
            cores=self._cores,
            memory=self._memory.fit(),
            cpu=self._cpu.fit(),
            missing=self._missing,
            good_for=self._good_for,
        )
