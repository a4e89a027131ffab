"""How an agent behaves beside the plan of its drain."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from drainer.cap import LimitStatus, Signal
from drainer.deletion import Deletion
from drainer.phases import Phase

EXIT_FLUSH = 1.5
"""Seconds that a native sidecar waits for last bytes after SIGTERM: the kubelet gives at least two."""


class Container(StrEnum):
    """What SIGTERM means to this container."""

    NATIVE = "native"
    """The app is gone, or only the agent is replaced."""
    PLAIN = "plain"
    """The pod is going, and the app's hook runs at the same time."""


class Readiness(StrEnum):
    """When a drain takes the pod out of its Services."""

    AUTO = "auto"
    """As `after` when the pod is known to be deleted: its endpoint is unready already, and to be unready too would only
    take kube-proxy's fallback away, which sends to ready terminating pods where no other is left. Otherwise as `now`:
    nobody else takes the pod out."""
    NOW = "now"
    AFTER = "after"
    NEVER = "never"

    def is_ready(self, phase: Phase, deletion: Deletion = Deletion.UNKNOWN) -> bool:
        """What /readyz says in `phase`; while the API is being asked, nothing is given up."""
        if phase is Phase.SERVING or self is Readiness.NEVER:
            return True
        waits = self is Readiness.AFTER or (
            self is Readiness.AUTO and (deletion.is_certain or deletion is Deletion.ASKED)
        )
        return waits and phase is Phase.SETTLING


@dataclass(frozen=True, slots=True)
class Policy:
    """What the settings say of it."""

    readiness: Readiness = Readiness.AUTO
    container: Container = Container.NATIVE
    interval: float = 1.0
    """Seconds between two censuses at rest."""
    longest_gap: float = math.inf
    """Seconds that they are apart at the most, as long as they cost no more than in a drain."""
    min_age: float = 0.0
    """Seconds below which a connection is not in the gauges."""

    def readyz(self, phase: Phase, deletion: Deletion, limit: LimitStatus | None) -> tuple[bool, str]:
        """What /readyz says, and why: the phase, or that the pod is full. A full pod that begins to drain stays out."""
        if not self.readiness.is_ready(phase, deletion):
            return False, phase
        is_full = limit is not None and limit.is_said_by(Signal.READINESS)
        return not is_full, "full" if is_full else phase
