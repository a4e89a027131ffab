"""How an agent behaves beside the plan of its drain."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from drainer.phases import Phase


class Container(StrEnum):
    """What SIGTERM means to this container."""

    NATIVE = "native"
    """The app is gone, or only the agent is replaced."""
    PLAIN = "plain"
    """The pod is going, and the app's hook runs at the same time."""


class Readiness(StrEnum):
    """When a drain takes the pod out of its Services."""

    AUTO = "auto"
    """As `now`: without the API the agent cannot know that the pod is being deleted."""
    NOW = "now"
    AFTER = "after"
    NEVER = "never"

    def is_ready(self, phase: Phase) -> bool:
        """What /readyz says in `phase`."""
        if phase is Phase.SERVING or self is Readiness.NEVER:
            return True
        return self is Readiness.AFTER and phase is Phase.SETTLING


@dataclass(frozen=True, slots=True)
class Policy:
    """What the settings say of it."""

    readiness: Readiness = Readiness.AUTO
    container: Container = Container.NATIVE
    interval: float = 1.0
    """Seconds between two censuses at rest."""
    min_age: float = 0.0
    """Seconds below which a connection is not in the gauges."""
