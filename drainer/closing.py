"""What the phase CLOSING does: the pacer says when, the ladder whom and by what."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from drainer.attempt import Attempt
from drainer.ladder import Ladder, Steps
from drainer.model import Census, Identity
from drainer.pacer import Pacer
from drainer.phases import Close, Closings, Pace, Rung

LAST_MOMENT = 1.0
"""Seconds before the deadline after which a first try can hardly have an effect."""


@dataclass(frozen=True, slots=True)
class ClosePlan:
    """Who closes, and at what pace. Lengths in seconds."""

    rungs: tuple[Rung, ...]
    patience: float = 0.0
    """From the end of the settle time to the first close."""
    straggler_time: float = 7.0
    """Between the last first try and the deadline, for the later rungs."""
    escalate_after: float = 2.0
    """From one rung to the next."""
    rate: float | None = None
    """At most so many first tries per second, if the deadline leaves time for it."""

    def within(self, room: float) -> ClosePlan:
        """The same with `room` seconds from the end of the settle time to the deadline."""
        patience = self.patience if self.patience < room else room / 2
        room -= patience
        straggler_time = self.straggler_time if self.straggler_time < room else room / 2
        return replace(self, patience=patience, straggler_time=straggler_time)


class Closing:
    """Connections on their way out. It is told who is there, and what came of each try."""

    def __init__(
        self, plan: ClosePlan, rungs: Sequence[Rung], now: float, deadline_at: float, random: Callable[[], float]
    ) -> None:
        self._rungs = rungs
        self._ladder = Ladder(rungs, plan.escalate_after, random)
        self._pacer = Pacer(now, deadline_at - plan.straggler_time, deadline_at - LAST_MOMENT, plan.rate, random)

    def retime(self, plan: ClosePlan, deadline_at: float, now: float) -> Pace:
        """The deadline is another one: whoever waits is spread over the time that is left now; returns how."""
        self._pacer.retime(now, deadline_at - plan.straggler_time, deadline_at - LAST_MOMENT)
        return self.pace(now, self._ladder.waiting)

    def pace(self, now: float, connections: int) -> Pace:
        """The plan while so many wait for their first try."""
        return Pace(
            connections,
            self._pacer.seconds_left(now, connections),
            self._pacer.rate(connections),
            self._pacer.fits(connections),
        )

    def observe(self, census: Census, now: float) -> None:
        """Take in who has left and, if the census names them, who is there."""
        self._ladder.leave(census.departed)
        if census.present is not None and self._ladder.meet(census.present):
            self._pacer.extend(now)

    def advance(self, now: float) -> list[Close]:
        """Let time act: the next first tries, and the next rung for whoever is still there."""
        closes = self._closes(self._ladder.advance(now), now)
        due = self._pacer.due(self._ladder.waiting)
        if due is not None and due <= now:
            closes += self._closes(self._ladder.start(self._pacer.take(now, self._ladder.waiting), now), now)
        return closes

    def answer(self, closer: str, attempts: Mapping[Identity, Attempt], now: float) -> list[Close]:
        """Take in what came of the tries of `closer`."""
        return self._closes(self._ladder.answer(closer, attempts, now), now)

    def narrow(self, order: Close) -> Close:
        """The order without those who have gone, or gone on to the next closer, since it was given."""
        asked = tuple(one for one in order.connections if self._ladder.is_asked(order.closer, one))
        return replace(order, connections=asked)

    def wake_at(self) -> float | None:
        """The next moment at which `advance` will do something."""
        moments = [self._pacer.due(self._ladder.waiting), self._ladder.wake_at()]
        return min((moment for moment in moments if moment is not None), default=None)

    def finish(self) -> None:
        """No more tries."""
        self._ladder.finish()

    def closings(self) -> Closings:
        """What has come of it so far."""
        return self._ladder.closings()

    def _closes(self, steps: Steps, now: float) -> list[Close]:
        pace = self.pace(now, self._ladder.waiting)
        return [
            Close(self._rungs[rung].name, tuple(connections), self._ladder.present, pace.seconds, round(pace.rate, 3))
            for rung, connections in steps.items()
        ]
