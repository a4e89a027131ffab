"""The agent: joins the drain, the counting and the callers. It knows neither HTTP nor the kernel."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from drainer.attempt import Attempt
from drainer.callers import Callers, PassiveSlots, Trust, is_hook
from drainer.crew import Closer, Crew
from drainer.drain import Drain, DrainPlan
from drainer.driver import Driver
from drainer.lookout import Lookout, Pace, SocketTable
from drainer.model import Census, Histogram, Identity
from drainer.observers import Observer, Observers
from drainer.phases import Announce, Closings, Outcome, Phase, Result
from drainer.policy import Container, Policy
from drainer.status import DrainStatus, Status
from drainer.tracker import Tracker

DRAIN_SECONDS_BOUNDS = (1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0)

EXIT_FLUSH = 1.5
"""Seconds that a native sidecar waits for last bytes: the kubelet gives at least two."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a caller of /drain gets."""

    outcome: Outcome | None
    """None when a stranger had to make room or the agent stops."""
    effect: bool
    """Whether the call began or joined the pod's drain."""


class Agent:
    """One pod's drain. Use it inside a running event loop; `run` returns when the process should exit."""

    def __init__(
        self,
        table: SocketTable,
        *,
        ports: Sequence[int],
        plan: DrainPlan,
        callers: Callers,
        policy: Policy,
        closers: Mapping[str, Closer] | None = None,
        observers: Sequence[Observer] = (),
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._plan = plan
        self._callers = callers
        self._policy = policy
        self._observers = Observers(observers, self._loop.time)
        drain = Drain(plan, random.random)
        self._crew = Crew(closers or {}, self._answered, self._observers, drain.narrow)
        self._driver = Driver(drain, self._announced, self._crew.close)
        self._driver.equip(self._crew.unusable)
        self._lookout = Lookout(
            table,
            Tracker(ports, policy.min_age),
            interval=policy.interval,
            max_remaining=plan.max_remaining,
            on_census=self._counted,
            on_error=self._miscounted,
        )
        self._held: set[asyncio.Future[Outcome]] = set()
        self._passive: dict[asyncio.Future[Outcome | None], Driver] = {}
        self._slots: PassiveSlots[asyncio.Future[Outcome | None]] = PassiveSlots()
        self._terminated_at: float | None = None
        self._exit_at: float | None = None
        self._exit = asyncio.Event()
        self._last_outcome: Outcome | None = None
        self._examination: asyncio.Task[None] | None = None
        self._examinations_due = 0
        self._listeners: frozenset[Identity] = frozenset()
        self._drains = dict.fromkeys(Result, 0)
        self._drain_seconds = Histogram(DRAIN_SECONDS_BOUNDS)
        self._calls = dict.fromkeys(Trust, 0)
        self._closings = Closings()
        self._left_by_themselves = 0

    async def run(self) -> None:
        """Count until `terminate` has had its effect."""
        counting = asyncio.create_task(self._lookout.run())
        try:
            await self._exit.wait()
        finally:
            self._exit.set()
            self._crew.stop()
            for task in filter(None, (counting, self._examination)):
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
            self._lookout.close()
            self._driver.stop()

    async def drain(self, peer: str, headers: Mapping[str, str]) -> Answer:
        """A call of /drain: begins or joins the drain, or is held without effect. Returns when there is an outcome."""
        if not self._judge(peer, headers):
            return await self._hold_stranger(peer)
        self._driver.begin(by_kubelet=is_hook(headers))
        if self._driver.drain.outcome is not None:
            return Answer(self._driver.drain.outcome, effect=True)
        future: asyncio.Future[Outcome] = self._loop.create_future()
        self._held.add(future)
        try:
            return Answer(await future, effect=True)
        finally:
            self._held.discard(future)

    def resume(self, peer: str, headers: Mapping[str, str]) -> bool | None:
        """A call of /resume: whether there was something to resume; None if the caller may not."""
        if not self._judge(peer, headers):
            return None
        if self._driver.drain.phase is Phase.SERVING:
            return False
        self._driver.resume()
        return True

    def probed(self, peer: str, headers: Mapping[str, str]) -> tuple[bool, Phase]:
        """A probe of /readyz: whether the pod is ready, and the phase as the reason."""
        learned = self._callers.probed(peer, headers)
        if learned is not None:
            self._observers.noted(f"{learned} probes /readyz: trusted from now on as the node")
        phase = self._driver.drain.phase
        return self._policy.readiness.is_ready(phase), phase

    def terminate(self) -> None:
        """SIGTERM: a native sidecar goes when no drain runs, a plain container begins one."""
        if self._terminated_at is not None:
            return
        self._terminated_at = self._loop.time()
        if self._policy.container is Container.PLAIN:
            self._driver.begin()
            drain = self._driver.drain
            self._exit_at = drain.deadline_at if drain.is_running() else self._terminated_at + self._plan.window
        elif self._driver.drain.is_running():
            self._driver.drain.overtake(self._terminated_at)
        else:
            self._exit_at = self._terminated_at + EXIT_FLUSH
        if self._exit_at is not None:
            self._loop.call_at(self._exit_at, self._time_is_up)
        self._set_pace()
        self._lookout.kick(at_once=True)

    async def fresh_status(self) -> Status:
        """The status with a census of at most 5 s."""
        await self._lookout.fresh()
        return self.status()

    def status(self) -> Status:
        """Everything that anyone may show."""
        drain, now = self._driver.drain, self._loop.time()
        return Status(
            at=now,
            phase=drain.phase,
            ready=self._policy.readiness.is_ready(drain.phase),
            census=self._lookout.census,
            drain=DrainStatus(drain.deadline_at, drain.so_far(now), drain.pace) if drain.is_running() else None,
            last_outcome=self._last_outcome,
            held=len(self._held),
            passive=len(self._passive),
            drains=self._drains,
            drain_seconds=self._drain_seconds,
            calls=self._calls,
            ages=self._lookout.ages,
            census_seconds=self._lookout.seconds,
            census_errors=self._lookout.errors,
            notified=self._lookout.is_notified,
            closers=self._crew.missing,
            closings=self._closings + drain.closings(),
            left_by_themselves=self._left_by_themselves,
        )

    def _judge(self, peer: str, headers: Mapping[str, str]) -> bool:
        verdict = self._callers.judge(peer, headers)
        self._calls[verdict.trust] += 1
        if verdict.warning is not None:
            self._observers.warned(verdict.warning)
        return verdict.counts

    async def _hold_stranger(self, peer: str) -> Answer:
        """Hold a caller with a drain of its own that nobody else notices."""
        future: asyncio.Future[Outcome | None] = self._loop.create_future()

        def announced(announce: Announce) -> None:
            if announce.outcome is not None and not future.done():
                future.set_result(announce.outcome)

        evicted = self._slots.take(future, peer)
        if evicted is not None and not evicted.done():
            evicted.set_result(None)
        # Without a plan for closing: whatever a stranger asks for, nobody is closed.
        driver = self._passive[future] = Driver(Drain(replace(self._plan, closing=None)), announced)
        # The numbers of now: at rest the next census may be long in coming, and the deadline need not wait for it.
        driver.observe(self._lookout.census)
        driver.begin()
        self._set_pace()
        try:
            return Answer(await future, effect=False)
        finally:
            driver.stop()
            del self._passive[future]
            self._slots.release(future)
            self._set_pace()

    def _announced(self, announce: Announce) -> None:
        """The phase has changed: answer who waits for an outcome, count at the new pace, tell the observers."""
        if announce.phase is not Phase.CLOSING:
            self._crew.stop()
        if announce.phase is Phase.SETTLING:
            self._examine()
        if announce.outcome is not None:
            self._conclude(announce.outcome)
        self._set_pace()
        self._lookout.kick()
        self._observers.announced(announce, self.status())

    def _conclude(self, outcome: Outcome) -> None:
        self._last_outcome = outcome
        self._drains[outcome.result] += 1
        self._drain_seconds.observe(outcome.tally.seconds)
        self._closings += outcome.tally.closings
        self._left_by_themselves += outcome.tally.left_by_themselves
        for future in self._held:
            if not future.done():
                future.set_result(outcome)
        if self._terminated_at is not None and self._exit_at is None:
            # A native sidecar that had been asked to go while its drain was running.
            self._exit_now()

    def _answered(self, closer: str, attempts: Mapping[Identity, Attempt]) -> None:
        self._driver.answer(closer, attempts)

    def _examine(self) -> None:
        """Find out which closers can work here: when there is an app to try it on, another app, or a drain."""
        self._examinations_due += 1
        if self._crew.missing and (self._examination is None or self._examination.done()):
            self._examination = self._loop.create_task(self._examine_closers(), name="examine closers")

    async def _examine_closers(self) -> None:
        while self._examinations_due:
            self._examinations_due = 0
            await self._crew.examine(lambda: self._driver.equip(self._crew.unusable))

    def _set_pace(self) -> None:
        if self._exit.is_set():
            return  # Nobody counts any more, and nobody would close the watch.
        pace, phase = Pace.PASSIVE if self._passive else Pace.REST, self._driver.drain.phase
        if phase is Phase.CLOSING:
            pace = Pace.CLOSE
        elif phase is Phase.DRAINING or self._terminated_at is not None:
            pace = Pace.DRAIN
        elif phase is Phase.SETTLING:
            pace = Pace.SETTLE
        self._lookout.follow(pace)

    def _counted(self, census: Census) -> None:
        if not census.listeners <= self._listeners:
            self._examine()
        self._listeners = census.listeners
        for driver in (self._driver, *self._passive.values()):
            driver.observe(census)
        if self._terminated_at is not None and census.taken_at >= self._terminated_at:
            self._maybe_exit(census)

    def _maybe_exit(self, census: Census) -> None:
        """Asked to go: is there anything left to stay for?"""
        # Only what looks empty is taken twice: with live connections a census is never confirmed.
        if not census.confirmed and not census.live:
            return
        app_is_gone = not census.listeners and not census.live and not census.flushing
        if app_is_gone:
            self._driver.conclude()
            self._exit_now()
        elif self._policy.container is Container.NATIVE and not self._driver.drain.is_running() and not census.flushing:
            self._exit_now()

    def _time_is_up(self) -> None:
        """SIGTERM waits no longer, unless a hook has begun a drain since then: that one goes on to its end."""
        self._driver.advance()
        if self._driver.drain.is_running():
            self._exit_at = None
        else:
            self._exit_now()

    def _exit_now(self) -> None:
        self._driver.advance()
        for passive in self._passive:
            if not passive.done():
                passive.set_result(None)
        self._exit.set()

    def _miscounted(self, error: Exception) -> None:
        self._observers.troubled(f"counting is impaired: {str(error) or type(error).__name__}")
