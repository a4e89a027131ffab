"""The drain: one machine with five phases, a deadline and an outcome. It is told the time and what was counted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from drainer.attempt import Attempt
from drainer.closing import Closing
from drainer.deletion import Sighting
from drainer.model import Census, Identity
from drainer.phases import (
    RUNNING,
    TRANSITIONS,
    Action,
    Announce,
    Close,
    Closings,
    Outcome,
    Pace,
    Phase,
    Result,
    Rung,
    Tally,
)
from drainer.plan import DrainPlan, Term

ASKED = "somebody asked"
RESTARTED = "the app was restarted"
FORGOTTEN = (
    "the app still listens long after its preStop hook: nobody has stopped it, "
    "or DRAINER_GRACE_PERIOD is shorter than the pod's grace period"
)


class Drain:
    """The machine. Each input returns the actions that follow from it; `wake_at` says when time alone will act."""

    def __init__(self, plan: DrainPlan, random: Callable[[], float] = lambda: 0.5) -> None:
        """`random` gives numbers from 0 to 1, for jitter."""
        self.plan = plan
        self.unusable: frozenset[str] = frozenset()
        """Closers that cannot work here and now: CLOSING does without them."""
        self.phase = Phase.SERVING
        self.entered_at = float("-inf")
        self.outcome: Outcome | None = None
        """There is one if and only if the phase is DONE."""
        self._term = Term(plan, 0.0)
        self._fitted = plan
        """The plan, made to fit the term."""
        self._flush_ends_at: float | None = None
        self._start: Census | None = None
        self._latest: Census | None = None
        self._listeners: frozenset[Identity] | None = None
        self._stopped_at: float | None = None
        self._when_overtaken: Tally | None = None
        self._random = random
        self._closing: Closing | None = None
        self._pace: Pace | None = None

    def begin(self, now: float, *, by_kubelet: bool = False) -> list[Announce]:
        """Start a drain, or join the one that runs or has just ended: preStop, SIGTERM and a human may all call it.

        The kubelet stops the app after its hook; where it does not, the drain was for nothing (see `observe`).
        """
        if by_kubelet:
            self._stopped_at = now + self.plan.stopped_after
        if self.is_running() or (self.outcome and now - self.outcome.tally.at <= self.plan.keep_outcome):
            self._set_term(self._term.called(now) if by_kubelet else self._term, now)
            return []
        self.outcome = None
        self._closing = None
        term = Term(self.plan, now)
        if self._term.sighting.deletion.is_certain:
            term = term.learn(self._term.sighting, now)
        self._set_term(term.called(now) if by_kubelet else term, now)
        self._start = self._listeners = None
        self._flush_ends_at = None
        self._when_overtaken = None
        if not by_kubelet:
            self._stopped_at = None
        return [self._enter(Phase.SETTLING, now)]

    def learn(self, sighting: Sighting, now: float) -> Sequence[Action]:
        """Take in what the API says of the pod's deletion: it moves the deadline, and rules out a restart."""
        self._set_term(self._term.learn(sighting, now), now)
        return self.advance(now)

    def observe(self, census: Census, now: float) -> list[Announce]:
        """Take in what was counted. Only a confirmed census from after the last change of phase can end a drain.

        The pod serves again when the app was restarted, and when the app still listens long after the kubelet should
        have stopped it: a kubelet that is itself restarted in the middle forgets a kill for a failed liveness probe.
        """
        self._latest = census
        if self.phase is Phase.SERVING or census.taken_at < self.began_at:
            return []
        if self._start is None:
            self._start = census
        if self._closing is not None:
            self._closing.observe(census, now)
        if self._is_restarted(census) and not self._term.sighting.deletion.is_certain:
            return self.resume(now, RESTARTED)
        if self.is_done() and self._is_forgotten(census, now):
            return self.resume(now, FORGOTTEN)
        if self.phase in (Phase.DRAINING, Phase.CLOSING) and census.taken_at >= self.entered_at:
            return self._weigh(census, now)
        return []

    def _weigh(self, census: Census, now: float) -> list[Announce]:
        """Who is left?"""
        if census.live > self.plan.max_remaining:
            self._flush_ends_at = None
            return self._close_if_due(now)
        if not census.confirmed:
            return []
        if not census.flushing:
            return self._emptied(now)
        if self._flush_ends_at is None:
            self._flush_ends_at = now + self.plan.flush
        return []

    def advance(self, now: float) -> Sequence[Action]:
        """Let time act: the settle time, the flush time, and before all the deadline."""
        if not self.is_running():
            return []
        if now >= self.deadline_at:
            return self._finish(Outcome(Result.DEADLINE, self._conclusion(now)))
        if self._flush_ends_at is not None and now >= self._flush_ends_at:
            return self._emptied(now)
        if self._closing is not None:
            return self._closing.advance(now)
        entered: list[Announce] = []
        if self.phase is Phase.SETTLING and now >= self.began_at + self._fitted.settle:
            entered = [self._enter(Phase.DRAINING, now)]
        return [*entered, *self._close_if_due(now)]

    def answer(self, closer: str, attempts: Mapping[Identity, Attempt], now: float) -> list[Close]:
        """Take in what came of the tries of `closer`."""
        return self._closing.answer(closer, attempts, now) if self._closing else []

    def narrow(self, order: Close) -> Close:
        """What of an order still holds."""
        return self._closing.narrow(order) if self._closing else replace(order, connections=())

    @property
    def pace(self) -> Pace | None:
        """While CLOSING: how it goes about it, as planned when its deadline was last set."""
        return self._pace if self.phase is Phase.CLOSING else None

    def resume(self, now: float, reason: str = ASKED) -> list[Announce]:
        """Back to SERVING; whoever is held by a running drain is told so."""
        if self.phase is Phase.SERVING:
            return []
        outcome = Outcome(Result.RESUMED, self._conclusion(now)) if self.is_running() else None
        self.outcome = self._closing = None
        self._flush_ends_at = None
        return [self._enter(Phase.SERVING, now, outcome, reason)]

    def overtake(self, now: float) -> None:
        """SIGTERM to a native sidecar whose drain runs: the grace period is over, or only the agent is replaced.

        The drain goes on; but if the app ends now, those who are here at this moment were cut and did not leave.
        """
        if self.is_running():
            self._when_overtaken = self.so_far(now)

    def conclude(self, now: float) -> list[Announce]:
        """The app listens no more and nothing is left: a running drain need not wait for anybody."""
        return self._emptied(now) if self.is_running() else []

    def wake_at(self) -> float | None:
        """The one next moment at which `advance` will do something, if no census comes before."""
        if not self.is_running():
            return None
        moments = [self.deadline_at]
        if self.phase is Phase.SETTLING:
            moments.append(self.began_at + self._fitted.settle)
        if self._flush_ends_at is not None:
            moments.append(self._flush_ends_at)
        if self._closing is not None:
            moments += [at for at in [self._closing.wake_at()] if at is not None]
        elif self._may_close():
            moments.append(self._patience_ends_at())
        return min(moments)

    @property
    def began_at(self) -> float:
        """When the running or the latest drain began."""
        return self._term.began_at

    @property
    def deadline_at(self) -> float:
        """When it ends at the latest."""
        return self._term.ends_at

    def is_running(self) -> bool:
        """Whether there is a drain without an outcome."""
        return self.phase in RUNNING

    def is_done(self) -> bool:
        """Whether there is an outcome."""
        return self.phase is Phase.DONE

    def so_far(self, now: float) -> Tally:
        """The numbers of the drain as they are now."""
        start, latest = self._start or self._latest, self._latest
        if start is None or latest is None:
            return Tally(self.began_at, now, at_start=0, arrived=0, left=0, remaining=0)
        arrived = latest.opened - start.opened
        return Tally(
            self.began_at,
            now,
            at_start=start.live,
            arrived=arrived,
            left=max(0, start.live + arrived - latest.live),
            remaining=latest.live,
            closings=self.closings(),
        )

    def closings(self) -> Closings | None:
        """What the closers of a running drain have come to; None when nothing is being closed."""
        return self._closing.closings() if self._closing else None

    def _set_term(self, term: Term, now: float) -> None:
        """Until when, from now on; who is being closed is closed at the pace that this leaves."""
        is_moved = term.ends_at != self._term.ends_at
        self._term, self._fitted = term, term.fitted
        if self._closing is not None and is_moved and self._fitted.closing is not None:
            self._pace = self._closing.retime(self._fitted.closing, term.ends_at, now)

    def _is_restarted(self, census: Census) -> bool:
        """Whether all listening sockets of the beginning are gone and a new one listens.

        A reload or a pool of SO_REUSEPORT workers changes some while others stay: those that are seen beside one of
        the beginning belong to the same app, and carry its name on when that one goes.
        """
        if self._listeners is None or self._listeners & census.listeners:
            self._listeners = census.listeners | (self._listeners or frozenset())
            return False
        return bool(census.listeners)

    def _patience_ends_at(self) -> float:
        patience = self._fitted.closing.patience if self._fitted.closing else 0.0
        return self.began_at + self._fitted.settle + patience

    def _may_close(self) -> bool:
        """Whether connections that stay will be closed in this drain, as far as one can see now."""
        is_needed = self._start is not None and self._latest is not None and self._latest.live > self.plan.max_remaining
        return self.phase is Phase.DRAINING and is_needed and bool(self._rungs())

    def _rungs(self) -> list[Rung]:
        rungs = self.plan.closing.rungs if self.plan.closing else ()
        return [rung for rung in rungs if rung.name not in self.unusable]

    def _close_if_due(self, now: float) -> list[Announce]:
        plan = self._fitted.closing
        if plan is None or now < self._patience_ends_at() or not self._may_close():
            return []
        self._closing = Closing(plan, self._rungs(), now, self.deadline_at, self._random)
        self._pace = self._closing.pace(now, self._latest.live if self._latest else 0)
        return [replace(self._enter(Phase.CLOSING, now), pace=self._pace)]

    def _is_forgotten(self, census: Census, now: float) -> bool:
        is_overdue = self._stopped_at is not None and now >= self._stopped_at
        return is_overdue and bool(census.listeners) and not self._term.sighting.deletion.is_certain

    def _emptied(self, now: float) -> list[Announce]:
        """Nobody is left. Did they leave, or did the app take them with it after `overtake`?"""
        tally = self._conclusion(now)
        cut = self._cut_with_the_app(tally)
        if cut > self.plan.max_remaining:
            tally = replace(tally, left=tally.left - cut, remaining=tally.remaining + cut)
            return self._finish(Outcome(Result.DEADLINE, tally))
        return self._finish(Outcome(Result.DRAINED, tally))

    def _cut_with_the_app(self, tally: Tally) -> int:
        """How many were there at `overtake`, and have gone since then with the app, closed by nobody."""
        before, latest = self._when_overtaken, self._latest
        if before is None or latest is None or latest.listeners:
            return 0
        gone, closed = tally.left - before.left, tally.closed - before.closed
        return max(0, min(before.remaining, gone - closed))

    def _conclusion(self, now: float) -> Tally:
        if self._closing is not None:
            self._closing.finish()
        return self.so_far(now)

    def _finish(self, outcome: Outcome) -> list[Announce]:
        self.outcome = outcome
        self._flush_ends_at = self._closing = None
        return [self._enter(Phase.DONE, outcome.tally.at, outcome)]

    def _enter(self, phase: Phase, now: float, outcome: Outcome | None = None, reason: str = "") -> Announce:
        if phase not in TRANSITIONS[self.phase]:
            raise AssertionError(f"{self.phase} -> {phase} is not in TRANSITIONS")
        self.phase = phase
        self.entered_at = now
        return Announce(phase, now, outcome, reason)
