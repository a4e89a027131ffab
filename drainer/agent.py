"""The agent: joins the drain, the counting and the callers. It knows neither HTTP nor the kernel."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable, Mapping, Sequence

from drainer.attempt import Attempt
from drainer.callers import Callers, is_hook
from drainer.cap import Limits, NoLimits
from drainer.crew import Closer, Crew
from drainer.deletion import Deletion, NoPodWatch, PodWatch, Sighting
from drainer.drain import Drain
from drainer.driver import Driver
from drainer.held import Answer, Held
from drainer.history import History
from drainer.lookout import Lookout, Pace, SocketTable
from drainer.model import Census, Identity
from drainer.observers import Observer, Observers, word
from drainer.phases import Announce, Outcome, Phase
from drainer.plan import DrainPlan
from drainer.policy import EXIT_FLUSH, Container, Policy
from drainer.status import DrainStatus, Status
from drainer.tracker import Tracker
from drainer.vitals import Vitals


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
            longest=policy.longest_gap,
            max_remaining=plan.max_remaining,
            on_census=self._counted,
            on_error=self._missed,
        )
        self._pod: PodWatch = NoPodWatch()
        self._limits: Limits = NoLimits()
        self.vitals: Callable[[], Vitals] = Vitals
        self._sighting = Sighting()
        self._held = Held(self._set_pace)
        self._terminated_at: float | None = None
        self._exit_at: float | None = None
        self._exit = asyncio.Event()
        self._history = History()
        self._listeners: frozenset[Identity] = frozenset()

    async def run(self) -> None:
        """Count until `terminate` has had its effect."""
        counting = asyncio.create_task(self._lookout.run())
        try:
            await self._exit.wait()
        finally:
            self._exit.set()
            self._crew.stop()
            self._limits.stop()
            counting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await counting
            await self._crew.leave()
            self._lookout.close()
            self._pod.follow(None)
            self._driver.stop()

    async def drain(self, peer: str, headers: Mapping[str, str]) -> Answer:
        """A call of /drain: begins or joins the drain, or is held without effect. Returns when there is an outcome."""
        # Whoever calls when the pod is being deleted cannot be wrong.
        if not self._judge(peer, headers) and not self._sighting.deletion.is_certain:
            return await self._held.wait_apart(peer, self._plan, self._lookout.census)
        self._begin(by_kubelet=is_hook(headers))
        if self._driver.drain.outcome is not None:
            return Answer(self._driver.drain.outcome, effect=True)
        return await self._held.wait()

    def resume(self, peer: str, headers: Mapping[str, str]) -> bool | None:
        """A call of /resume: whether there was something to resume; None if the caller may not."""
        if not self._judge(peer, headers):
            return None
        if self._driver.drain.phase is Phase.SERVING:
            return False
        self._driver.resume()
        return True

    def probed(self, peer: str, headers: Mapping[str, str]) -> tuple[bool, str]:
        """A probe of /readyz: whether the pod is ready, and the reason: the phase, or that it is full."""
        if (learned := self._callers.probed(peer, headers)) is not None:
            self._observers.noted(f"{learned} probes /readyz: trusted from now on as the node")
        return self._readiness()

    def terminate(self) -> None:
        """SIGTERM: a native sidecar goes when no drain runs, a plain container begins one."""
        if self._terminated_at is not None:
            return
        self._terminated_at = self._loop.time()
        if self._policy.container is Container.PLAIN:
            self._begin()
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

    def ask(self, pod: PodWatch) -> None:
        """There is an API that knows the pod."""
        self._pod = pod

    def heed(self, limits: Limits) -> None:
        """There is a limit to what the pod wants."""
        self._limits = limits
        limits.begin(lambda: self._observers.limited(self.status()))

    def adopt(self, plan: DrainPlan) -> None:
        """Another plan, for drains that are yet to begin."""
        self._plan = self._driver.drain.plan = plan

    def sighted(self, sighting: Sighting) -> None:
        """The API has said something of the pod's deletion. Nobody takes a deletion back."""
        if sighting == self._sighting or (self._sighting.deletion.is_certain and not sighting.deletion.is_certain):
            return
        self._sighting = sighting
        if sighting.deletion is not Deletion.ASKED:
            self._learn()
        if sighting.deletion.is_certain and self._held.strangers:
            self._observers.noted("the API says that the pod is being deleted: whoever calls /drain counts")
            self._begin(by_kubelet=True)
            self._held.promote()
            if self._driver.drain.outcome is not None:
                self._held.answer(self._driver.drain.outcome)
        self._observers.sighted(self.status())

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
            deletion=self._sighting.deletion,
            api_requests=self._pod.requests,
            keeps_cost=self._pod.keeps_cost,
            ready=self._readiness()[0],
            limit=self._limits.status,
            census=self._lookout.census,
            drain=DrainStatus(drain.deadline_at, drain.so_far(now), drain.pace) if drain.is_running() else None,
            last_outcome=self._history.last,
            held=self._held.callers,
            passive=self._held.strangers,
            drains=self._history.results,
            drain_seconds=self._history.seconds,
            calls=self._callers.calls,
            ages=self._lookout.ages,
            census_seconds=self._lookout.seconds,
            census_errors=self._lookout.errors,
            notified=self._lookout.is_notified,
            closers=self._crew.missing,
            closings=self._history.closings + drain.closings(),
            left_by_themselves=self._history.left_by_themselves,
            vitals=self.vitals(),
        )

    def _readiness(self) -> tuple[bool, str]:
        return self._policy.readyz(self._driver.drain.phase, self._sighting.deletion, self._limits.status)

    def _judge(self, peer: str, headers: Mapping[str, str]) -> bool:
        verdict = self._callers.judge(peer, headers)
        if verdict.warning is not None:
            self._observers.warned(verdict.warning)
        return verdict.counts

    def _begin(self, *, by_kubelet: bool = False) -> None:
        self._driver.begin(by_kubelet=by_kubelet)
        if self._sighting.deletion is not Deletion.ASKED:
            self._learn()

    def _learn(self) -> None:
        drain = self._driver.drain
        was_running = drain.is_running()
        self._driver.learn(self._sighting)
        if self._exit_at is not None and was_running:
            # A plain container that has been asked to go need not outstay its drain.
            self._exit_at = min(self._exit_at, drain.deadline_at)
            self._loop.call_at(self._exit_at, self._time_is_up)

    def _announced(self, announce: Announce) -> None:
        """The phase has changed: answer who waits for an outcome, count at the new pace, tell the observers."""
        if announce.phase is not Phase.CLOSING:
            self._crew.stop()
        if announce.phase is Phase.SETTLING:
            self._limits.stop()
            self._examine()
        self._forget(announce.phase)
        if announce.outcome is not None:
            self._conclude(announce.outcome)
        self._set_pace()
        self._lookout.kick()
        self._observers.announced(announce, self.status())

    def _forget(self, phase: Phase) -> None:
        """A pod that serves again may be deleted later; and after the end of a drain no answer is waited for."""
        if self._held.strangers or self._sighting.deletion.is_certain:
            return  # Whoever is held keeps the watch open, which says only what changes.
        if phase is Phase.SERVING or (phase is Phase.DONE and self._sighting.deletion is Deletion.ASKED):
            self._sighting = Sighting()

    def _conclude(self, outcome: Outcome) -> None:
        self._history.add(outcome)
        self._held.answer(outcome)
        if self._terminated_at is not None and self._exit_at is None:
            # A native sidecar that had been asked to go while its drain was running.
            self._exit_now()

    def _answered(self, closer: str, attempts: Mapping[Identity, Attempt]) -> None:
        self._driver.answer(closer, attempts)

    def _examine(self) -> None:
        """Find out which closers can work here: when there is an app to try it on, another app, or a drain."""
        self._crew.examine_soon(lambda: self._driver.equip(self._crew.unusable))

    def _set_pace(self) -> None:
        if self._exit.is_set():
            return  # Nobody counts any more, and nobody would close the watch.
        waits, is_leaving = bool(self._held.strangers), self._terminated_at is not None
        self._lookout.follow(Pace.of(self._driver.drain.phase, waits=waits, is_leaving=is_leaving))
        wants_to_know = self._driver.drain.is_running() or waits
        self._pod.follow(self.sighted if wants_to_know else None)

    def _counted(self, census: Census) -> None:
        if not census.listeners <= self._listeners:
            self._examine()
        self._listeners = census.listeners
        self._driver.observe(census)
        self._held.observe(census)
        if self._driver.drain.phase is Phase.SERVING:
            self._limits.observe(census)
        if self._terminated_at is not None and census.taken_at >= self._terminated_at:
            self._maybe_exit(census)

    def _missed(self, error: Exception) -> None:
        self._observers.troubled(f"counting is impaired: {word(error)}")
        if self._driver.drain.phase is Phase.SERVING:
            self._limits.miss()

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
        self._held.dismiss_strangers()
        self._exit.set()
