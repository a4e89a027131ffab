"""Ladders in the middle of a drain, and what came of them."""

from __future__ import annotations

from drainer.attempt import Attempt, Verdict
from drainer.ladder import Ladder, Steps
from drainer.model import Identity
from drainer.phases import Rung

WEBSOCKET, SHUTDOWN, RESET = Rung("websocket"), Rung("shutdown"), Rung("reset")
BATCH, ANNOUNCE = Rung("notify", app_chooses=True), Rung("notify", app_chooses=True, tells_at_once=True)
SENT, GONE, BUSY = Attempt(Verdict.SENT), Attempt(Verdict.GONE), Attempt(Verdict.BUSY)
UNACCEPTED, REFUSED = Attempt(Verdict.UNACCEPTED), Attempt(Verdict.REFUSED, "EPERM")


def climbing(*rungs: Rung, waiting: int = 1, started: int | None = None) -> Ladder:
    """Connections 1, 2, ... of which so many were tried for the first time at 0."""
    ladder = Ladder(rungs, 2.0, lambda: 0.5)
    assert ladder.meet(dict.fromkeys(range(1, waiting + 1), 0.0))
    started = waiting if started is None else started
    assert ladder.start(started, 0.0) == ({0: [*range(1, started + 1)]} if started else {})
    return ladder


def answer(ladder: Ladder, closer: Rung, attempt: Attempt, *identities: Identity, now: float = 0.0) -> Steps:
    return ladder.answer(closer.name, dict.fromkeys(identities or (1,), attempt), now)


def ended(ladder: Ladder) -> dict[str, int]:
    """Only who ended somebody."""
    return {name: number for name, number in ladder.closings().ended.items() if number}


def attempts(ladder: Ladder) -> dict[str, dict[Verdict, int]]:
    return {name: dict(found) for name, found in ladder.closings().attempts.items() if found}


def woken(ladder: Ladder, *, until: float) -> list[tuple[float, Steps]]:
    """What time alone brings; nobody answers."""
    found: list[tuple[float, Steps]] = []
    while (at := ladder.wake_at()) is not None and at <= until:
        found.append((at, ladder.advance(at)))
        assert len(found) < 100, "time does not move on"
    return found
