"""How long the parts of a drain may last, and until when: the plan, and the term that a running drain is given."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

from drainer.closing import ClosePlan
from drainer.deletion import Deletion, Sighting

HASTE = 2.0
"""Seconds that a drain gets when its time turns out to be over: enough to tell whoever is left."""


def usable(grace: float, reserve: float) -> float:
    """Seconds of a grace period that a drain may use; a reserve that leaves nothing takes half."""
    return grace - reserve if reserve < grace else grace / 2


@dataclass(frozen=True, slots=True)
class DrainPlan:
    """Lengths in seconds, and what counts as empty."""

    window: float = 25.0
    """From the beginning to the deadline: grace period less the app's reserve, or the timeout."""
    settle: float = 5.0
    flush: float = 2.0
    max_remaining: int = 0
    keep_outcome: float = 60.0
    """How long a repeated hook is answered with the outcome that there is (the kubelet calls at least once)."""
    stopped_after: float = 40.0
    """How long after the kubelet's hook its app has been stopped for certain: the grace period and a margin."""
    reserve: float = 5.0
    """What the app keeps of a grace period for its own SIGTERM."""
    restart_timeout: float = 30.0
    """From the kubelet's hook to the deadline when the pod is not being deleted."""
    closing: ClosePlan | None = None
    """None where nobody closes: then there is no phase CLOSING."""

    def within(self, window: float) -> DrainPlan:
        """The same with at most `window` seconds: what would leave nothing of them is made half as long."""
        window = min(window, self.window)
        settle = self.settle if self.settle < window else window / 2
        closing = self.closing.within(window - settle) if self.closing else None
        return replace(self, window=window, settle=settle, closing=closing)


@dataclass(frozen=True, slots=True)
class Term:
    """Until when one drain may last. Moments are loop time; each change gives a new Term."""

    plan: DrainPlan
    began_at: float
    sighting: Sighting = field(default_factory=Sighting)
    hook_at: float | None = None
    """When the kubelet's hook came: its grace period runs from there."""
    restart_ends_at: float = math.inf
    """Holds only while the pod is not being deleted."""
    deletion_ends_at: float = math.inf
    """What the deletion allows; it only ever comes nearer."""

    @property
    def ends_at(self) -> float:
        """The deadline."""
        restart_ends_at = self.restart_ends_at if self.sighting.deletion is Deletion.NONE else math.inf
        return min(self.began_at + self.plan.window, self.deletion_ends_at, restart_ends_at)

    @property
    def fitted(self) -> DrainPlan:
        """The plan, made to fit the deadline."""
        return self.plan.within(self.ends_at - self.began_at)

    def called(self, now: float) -> Term:
        """The kubelet's hook has come."""
        if self.hook_at is not None:
            return self
        return replace(self, hook_at=now).learn(self.sighting, now)

    def learn(self, sighting: Sighting, now: float) -> Term:
        """The API has said something of the pod's deletion.

        The time that is left by a deletion counts from the hook. Where it is over already (a second, shorter delete) a
        moment remains, in which connections can still be closed rather than cut.
        """
        if self.sighting.deletion.is_certain and not sighting.deletion.is_certain:
            return self
        hook_at = now if self.hook_at is None else self.hook_at
        restart_ends_at, deletion_ends_at = self.restart_ends_at, self.deletion_ends_at
        if sighting.deletion is Deletion.NONE and self.hook_at is not None:
            bound = max(hook_at + self.plan.restart_timeout, now + HASTE)
            # Said again it gives no more time; after another word it may be over, and then a moment remains too.
            restart_ends_at = min(restart_ends_at, bound) if self.sighting.deletion is Deletion.NONE else bound
        elif sighting.deletion is Deletion.FORCED:
            deletion_ends_at = min(deletion_ends_at, now + HASTE)
        elif sighting.grace is not None:
            allowed = usable(sighting.grace, self.plan.reserve)
            deletion_ends_at = min(deletion_ends_at, max(hook_at + allowed, now + min(HASTE, allowed / 2)))
        return replace(self, sighting=sighting, restart_ends_at=restart_ends_at, deletion_ends_at=deletion_ends_at)
