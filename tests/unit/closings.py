"""Censuses that name the connections, and drains in the phase CLOSING."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from drainer.attempt import Attempt, Verdict
from drainer.closing import ClosePlan
from drainer.drain import Drain
from drainer.model import Census, Identity
from drainer.phases import Close, Phase, Rung
from drainer.plan import DrainPlan
from tests.unit.census import census

SENT, BUSY, FAILED = Attempt(Verdict.SENT), Attempt(Verdict.BUSY), Attempt(Verdict.FAILED, "500")
LADDER = (Rung("websocket"), Rung("reset"))
CLOSE_PLAN = ClosePlan(LADDER, straggler_time=7.0)
PLAN = DrainPlan(window=25.0, settle=5.0, closing=CLOSE_PLAN)
RESET_ONLY = DrainPlan(closing=ClosePlan((Rung("reset"),), straggler_time=3.0))
"""The window is 25 s, the settle time 5 s: first tries from 5 to 22 s after the hook."""


def named(
    taken_at: float,
    present: Iterable[Identity],
    *,
    quiet: Mapping[Identity, float] | None = None,
    departed: Iterable[Identity] = (),
    opened: int | None = None,
    confirmed: bool = True,
) -> Census:
    """A census while somebody closes: these are there."""
    there = {**dict.fromkeys(present, 0.0), **(quiet or {})}
    numbers = census(taken_at, len(there), opened=opened, confirmed=confirmed)
    return replace(numbers, present=there, departed=tuple(departed))


def closing(live: int = 3, plan: DrainPlan = PLAN) -> Drain:
    """Begun at 0 with so many clients (1, 2, ...), CLOSING from 5, knows them by name since then."""
    drain = Drain(plan)
    drain.begin(0.0)
    drain.observe(census(0.0, live), 0.0)
    drain.advance(plan.settle)
    assert drain.phase is Phase.CLOSING
    assert drain.observe(named(plan.settle, range(1, live + 1)), plan.settle) == []
    return drain


def at_its_time(drain: Drain) -> tuple[float, list[Close]]:
    """What comes next if nothing but time happens: (when, what)."""
    at = drain.wake_at()
    assert at is not None
    actions = drain.advance(at)
    closes = [action for action in actions if isinstance(action, Close)]
    assert len(closes) == len(actions), actions
    return at, closes
