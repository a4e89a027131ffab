"""The agent: joins the drain, the counting and the callers. It knows neither HTTP nor the kernel."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from drainer.callers import Callers, PassiveSlots, Trust, is_hook
from drainer.drain import Announce, Drain, DrainPlan, Outcome, Phase, Result
from drainer.driver import Driver
from drainer.lookout import Lookout, Pace, SocketTable
from drainer.model import Census, Histogram
from drainer.policy import Container, Policy
from drainer.status import DrainStatus, Status
from drainer.tracker import Tracker

DRAIN_SECONDS_BOUNDS = (1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0)

EXIT_FLUSH = 1.5
"""Seconds that a native sidecar waits for last bytes: the kubelet gives at least two."""


TELL_AGAIN_AFTER = 60.0
"""Seconds until the same error of counting is told again."""


class Observer(Protocol):
    """Is told what happens. Whatever it raises is counted nowhere and changes nothing."""

    def announced(self, announce: Announce, status: Status) -> None:
        """The phase has changed."""
        ...

    def noted(self, note: str) -> None:
        """Something that explains what the agent does later."""
        ...

    def warned(self, warning: str) -> None:
        """Something that the user should know."""
        ...


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
        observers: Sequence[Observer] = (),
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._plan = plan
        self._callers = callers
        self._policy = policy
        self._observers = observers
        self._driver = Driver(Drain(plan), self._announced)
        self._lookout = Lookout(
            table,
            Tracker(ports, policy.min_age),
            interval=policy.interval,
            max_remaining=plan.max_remaining,
            on_census=self._counted,
            on_error=self._failed_to_count,
        )
        self._held: set[asyncio.Future[Outcome]] = set()
        self._passive: dict[asyncio.Future[Outcome | None], Driver] = {}
        self._slots: PassiveSlots[asyncio.Future[Outcome | None]] = PassiveSlots()
        self._terminated_at: float | None = None
        self._exit_at: float | None = None
        self._exit = asyncio.Event()
        self._last_outcome: Outcome | None = None
        self._errors_told: dict[str, float] = {}
        self._drains = dict.fromkeys(Result, 0)
        self._drain_seconds = Histogram(DRAIN_SECONDS_BOUNDS)
        self._calls = dict.fromkeys(Trust, 0)

    async def run(self) -> None:
        """Count until `terminate` has had its effect."""
        counting = asyncio.create_task(self._lookout.run())
        try:
            await self._exit.wait()
        finally:
            self._exit.set()
            counting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await counting
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
            self._tell(lambda observer: observer.noted(f"{learned} probes /readyz: trusted from now on as the node"))
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
            drain=DrainStatus(drain.deadline_at, drain.so_far(now)) if drain.is_running() else None,
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
        )

    def _judge(self, peer: str, headers: Mapping[str, str]) -> bool:
        verdict = self._callers.judge(peer, headers)
        self._calls[verdict.trust] += 1
        if verdict.warning is not None:
            self._tell(lambda observer: observer.warned(verdict.warning or ""))
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
        driver = self._passive[future] = Driver(Drain(self._plan), announced)
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
        if announce.outcome is not None:
            self._last_outcome = announce.outcome
            self._drains[announce.outcome.result] += 1
            self._drain_seconds.observe(announce.outcome.tally.seconds)
            for future in self._held:
                if not future.done():
                    future.set_result(announce.outcome)
            if self._terminated_at is not None and self._exit_at is None:
                # A native sidecar that had been asked to go while its drain was running.
                self._exit_now()
        self._set_pace()
        self._lookout.kick()
        status = self.status()
        self._tell(lambda observer: observer.announced(announce, status))

    def _set_pace(self) -> None:
        if self._exit.is_set():
            return  # Nobody counts any more, and nobody would close the watch.
        pace = Pace.PASSIVE if self._passive else Pace.REST
        if self._terminated_at is not None:
            pace = Pace.DRAIN
        elif self._driver.drain.is_running():
            pace = Pace.SETTLE if self._driver.drain.phase is Phase.SETTLING else Pace.DRAIN
        self._lookout.follow(pace)

    def _counted(self, census: Census) -> None:
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

    def _failed_to_count(self, error: Exception) -> None:
        """Say so, but not the same thing each second."""
        text, now = f"counting is impaired: {str(error) or type(error).__name__}", self._loop.time()
        if now - self._errors_told.get(text, float("-inf")) >= TELL_AGAIN_AFTER:
            self._errors_told = {told: at for told, at in self._errors_told.items() if now - at < TELL_AGAIN_AFTER}
            self._errors_told[text] = now
            self._tell(lambda observer: observer.warned(text))

    def _tell(self, call: Callable[[Observer], None]) -> None:
        for observer in self._observers:
            with contextlib.suppress(Exception):
                call(observer)
