"""A drain in one sentence: the same words in Events, the pod's condition and the termination message."""

from __future__ import annotations

from dataclasses import dataclass

from drainer.deletion import Deletion
from drainer.phases import Announce, Outcome, Phase, Result
from drainer.status import Status

MAX_MESSAGE = 1024
"""Bytes of an Event's message (pkg/apis/core/validation/events.go)."""


@dataclass(frozen=True, slots=True)
class Story:
    """What happened."""

    reason: str
    """One word in CamelCase, for machines."""
    message: str
    type: str = "Normal"
    """Of the Event: Normal or Warning."""

    def as_condition(self) -> dict[str, str]:
        """The fields that a condition and an Event have in common."""
        return {"reason": self.reason, "message": self.message}


SERVING = Story("Serving", "The agent counts the connections; no drain is running.")


def tell(announce: Announce, status: Status) -> Story | None:
    """The story of a change of phase; None for those on the way."""
    outcome = announce.outcome
    if announce.phase is Phase.SETTLING and status.drain is not None:
        seconds = status.drain.deadline_at - announce.at
        return Story(
            "DrainStarted",
            f"The drain has begun with {_connections(status.census.live)}, for {seconds:.1f} s at most"
            f"{_WHY.get(status.deletion, '')}.",
        )
    if announce.phase is Phase.SERVING:
        return Story("DrainResumed", f"Serving again: {announce.reason or 'the pod lives on'}."[:MAX_MESSAGE])
    if outcome is None:
        return None
    if outcome.result is Result.DRAINED:
        return Story("Drained", f"Drained in {outcome.tally.seconds:.1f} s: {_gone(outcome)}.")
    return Story(
        "DrainDeadline",
        f"The deadline has come after {outcome.tally.seconds:.1f} s with {_connections(outcome.tally.remaining)} left; "
        f"{_gone(outcome)}.",
        type="Warning",
    )


_WHY = {
    Deletion.NONE: ": the pod is not being deleted, its app is restarted or the node ends it",
    Deletion.REQUESTED: ": the pod is being deleted",
}


def _connections(count: int) -> str:
    return f"{count} connection" if count == 1 else f"{count} connections"


def _gone(outcome: Outcome) -> str:
    tally = outcome.tally
    if not tally.left:
        return "nobody has left"
    if not tally.closings or not tally.closed:
        return f"{_connections(tally.left)} left by {'itself' if tally.left == 1 else 'themselves'}"
    by = ", ".join(f"{count} by {closer}" for closer, count in tally.closings.ended.items() if count)
    return f"{_connections(tally.left)} gone, {tally.closed} of them closed ({by})"
