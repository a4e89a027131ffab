"""What one agent has said of its connections, and what that comes to as a metric."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from drainer.lenient import mapping
from drainer.phases import Phase

MOST_CONNECTIONS = 1_000_000_000
"""More than this is no count: a pod has fewer ports, addresses and bytes of memory."""


class Metric(StrEnum):
    """What an autoscaler can ask for."""

    CONNECTIONS = "connections"
    """Live client connections of the pod: for HPAs of type Pods."""
    SERVING = "connections_serving"
    """The same, and 0 while the pod drains: those connections will be another pod's."""
    UTILIZATION = "connections_utilization"
    """Connections, as a share of max_connections; missing where the agent has no limit."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One answer."""

    connections: int
    serving: int
    limit: int | None
    """max_connections; None where it is not set."""
    taken_at: float
    """Loop time of the census, not of the question."""
    is_serving: bool
    """False from the beginning of a drain until the pod serves again."""
    keeps_cost: bool
    """Whether the agent keeps the pod's deletion cost by itself."""

    def milli(self, metric: Metric) -> int | None:
        """The metric in thousandths, rounded to the nearest; None where it is missing."""
        if metric is Metric.CONNECTIONS:
            return 1000 * self.connections
        if metric is Metric.SERVING:
            return 1000 * self.serving
        return None if self.limit is None else round(1000 * self.connections / self.limit)


def reading(body: bytes, asked_at: float) -> Reading:
    """Of an agent's /status that was asked for at a moment. Raises ValueError if it is anything else."""
    try:
        status = json.loads(body)
    except RecursionError as error:
        raise ValueError("JSON too deep to be read") from error
    connections = _part(status, "connections")
    age = _part(status, "source").get("census_age_seconds")
    if isinstance(age, bool) or not isinstance(age, int | float) or not 0 <= age < float("inf"):
        raise ValueError(f"source.census_age_seconds is {age!r}")
    limit = status.get("limit")
    return Reading(
        connections=_count(connections, "total", 0),
        serving=_count(connections, "serving", 0),
        # Without max_connections there is no limit, or one on something else (max_rate).
        limit=_count(limit, "connections", 1) if isinstance(limit, Mapping) and limit.get("connections") else None,
        taken_at=asked_at - age,
        is_serving=status.get("phase") == Phase.SERVING,
        keeps_cost=mapping(status.get("kubernetes")).get("deletion_cost") is True,
    )


def _part(status: Any, name: str) -> Mapping[str, Any]:
    part = status.get(name) if isinstance(status, Mapping) else None
    if not isinstance(part, Mapping):
        raise ValueError(f"no {name} in it")  # noqa: TRY004 - an answer that cannot be used, as any other
    return part


def _count(part: Mapping[str, Any], name: str, least: int) -> int:
    value = part.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= MOST_CONNECTIONS:
        raise ValueError(f"{name} is {str(value)[:40]!r}")
    return value
