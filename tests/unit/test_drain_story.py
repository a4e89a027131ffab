"""Any story of a drain, against what the documents say of it.

The reference keeps the history and judges it anew at every step; the machine keeps a few fields. Times are multiples
of half a second, so that the boundaries are met exactly.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from drainer.drain import Drain
from drainer.model import Census, PortCount, Reason, Source
from drainer.phases import Outcome, Phase, Result, Tally
from drainer.plan import DrainPlan

ALLOWED = {
    "serving": {"settling"},
    "settling": {"draining", "done", "serving"},
    "draining": {"closing", "done", "serving"},
    "closing": {"done", "serving"},
    "done": {"settling", "serving"},
}
RUNNING = {"settling", "draining", "closing"}


class World:
    """The app and its clients, as they are."""

    def __init__(self, *, has_cookies: bool) -> None:
        self.opened = self.closed = self.flushing = 0
        self.listening = {1}
        self.sockets = 1
        self.has_cookies = has_cookies
        """Without, a listening socket has the name of the one before."""

    def census(self, now: float, *, confirmed: bool) -> Census:
        count = PortCount(self.opened - self.closed, {Reason.FLUSHING: self.flushing}, self.opened, self.closed)
        return Census(now, confirmed, Source.SOCK_DIAG, {8080: count}, {}, frozenset(self.listening))

    def listen(self) -> None:
        self.sockets += self.has_cookies
        self.listening.add(self.sockets)


class Reference:
    """What a drain has to do next, from its whole history."""

    def __init__(self, plan: DrainPlan) -> None:
        self.plan = plan
        self.phase = "serving"
        self.changed_at = -math.inf
        self.began_at = 0.0
        self.ended_at: float | None = None
        self.seen: list[tuple[float, Census]] = []
        """All censuses of this drain that were begun after it, with the moment of their arrival."""
        self.seen_before = 0
        """How many of them arrived before the last change of phase."""
        self.last: Census | None = None

    def move(self, phase: str, now: float) -> None:
        self.phase, self.changed_at = phase, now
        self.ended_at = now if phase == "done" else None
        if phase == "settling":
            self.began_at, self.seen = now, []
        self.seen_before = len(self.seen)

    def is_restarted(self) -> bool:
        """One listens now, and none of those that do was ever seen since the beginning."""
        *history, latest = [census.listeners for _, census in self.seen]
        return bool(history and latest) and latest.isdisjoint(frozenset().union(*history))

    def flush_due(self) -> float | None:
        """A flush time after the first proof of emptiness since connections were last seen."""
        due = None
        for arrived_at, census in self.seen[self.seen_before :]:
            if census.taken_at < self.changed_at:
                continue
            if census.live > self.plan.max_remaining:
                due = None
            elif census.confirmed and due is None:
                due = arrived_at + self.plan.flush
        return due if self.phase == "draining" else None

    def after_observe(self, census: Census, now: float) -> tuple[str, str | None]:
        """(phase, outcome announced) that this census leads to."""
        self.last = census
        if self.phase == "serving" or census.taken_at < self.began_at:
            return self.phase, None
        self.seen.append((now, census))
        if self.is_restarted():
            return "serving", "resumed" if self.phase in RUNNING else None
        is_proof = census.confirmed and census.taken_at >= self.changed_at
        is_empty = census.live <= self.plan.max_remaining and census.flushing == 0
        return ("done", "drained") if self.phase == "draining" and is_proof and is_empty else (self.phase, None)

    def after_advance(self, now: float) -> tuple[str, str | None]:
        if self.phase not in RUNNING:
            return self.phase, None
        if now - self.began_at >= self.plan.window:
            return "done", "deadline"
        flush_due = self.flush_due()
        if flush_due is not None and now >= flush_due:
            return "done", "drained"
        has_settled = self.phase == "settling" and now - self.began_at >= self.plan.settle
        return ("draining" if has_settled else self.phase), None

    def next_moment(self) -> float:
        settled_at = self.began_at + self.plan.settle if self.phase == "settling" else math.inf
        flush_due = self.flush_due()
        return min(self.began_at + self.plan.window, settled_at, math.inf if flush_due is None else flush_due)

    def tally(self, now: float) -> Tally:
        if self.last is None:
            return Tally(self.began_at, now, at_start=0, arrived=0, left=0, remaining=0)
        start = self.seen[0][1] if self.seen else self.last
        arrived, left = self.last.opened - start.opened, self.last.closed - start.closed
        assert start.live + arrived == left + self.last.live
        return Tally(self.began_at, now, at_start=start.live, arrived=arrived, left=left, remaining=self.last.live)


MOSTLY = st.sampled_from([True, True, False])
UNSENT = st.sampled_from([0, 1, 1])
HALVES = st.integers(0, 6).map(lambda halves: halves / 2)
PLANS = st.builds(
    lambda settle, more, flush, most, keep: DrainPlan(settle + 4 * more + 0.5, settle, flush, most, keep),
    HALVES,
    HALVES,
    st.sampled_from([0.0, 2.0, 4.0]),
    st.sampled_from([0, 0, 1]),
    st.sampled_from([0.0, 3.0]),
)


class DrainStory(RuleBasedStateMachine):
    @initialize(plan=PLANS, clients=st.integers(0, 2), begins=MOSTLY, has_cookies=MOSTLY)
    def the_agent_starts(self, plan: DrainPlan, clients: int, *, begins: bool, has_cookies: bool) -> None:
        self.now = 100.0
        self.world = World(has_cookies=has_cookies)
        self.world.opened = clients
        self.drain = Drain(plan)
        self.reference = Reference(plan)
        if begins:
            self.hook()

    # What happens in the world; the drain hears nothing of it.

    @rule(
        what=st.sampled_from(["one comes", "one comes", "one leaves", "all leave", "all leave", "all is delivered"]),
        unsent=UNSENT,
    )
    def clients_come_and_go(self, what: str, unsent: int) -> None:
        there = self.world.opened - self.world.closed
        self.world.opened += what == "one comes"
        leaving = {"one leaves": min(1, there), "all leave": there}.get(what, 0)
        self.world.closed += leaving
        self.world.flushing = 0 if what == "all is delivered" else self.world.flushing + unsent * leaving

    @rule(what=st.sampled_from(["one more", "one more", "one less", "one less", "restart", "stop"]))
    def the_app_changes_its_listeners(self, what: str) -> None:
        there = sorted(self.world.listening)
        closed = {"one more": [], "one less": there[: len(there) - 1][:1]}.get(what, there)
        self.world.listening.difference_update(closed)
        if what in ("one more", "restart"):
            self.world.listen()

    # What the drain is told.

    @rule(strikes=st.booleans(), seconds=st.sampled_from([0.0, 0.5, 1.0, 2.0]))
    def time_passes(self, seconds: float, *, strikes: bool) -> None:
        self.now += seconds
        if strikes:
            self.told(self.drain.advance(self.now), *self.reference.after_advance(self.now))

    @rule()
    def the_next_moment_comes(self) -> None:
        ahead = (self.drain.wake_at() or 0.0) - self.now
        self.time_passes(min(max(ahead, 0.0), 4.0), strikes=True)

    @rule(confirmed=MOSTLY)
    def a_census_arrives_at_once(self, *, confirmed: bool) -> None:
        self.observe(self.world.census(self.now, confirmed=confirmed))

    @rule(confirmed=MOSTLY, meanwhile=st.sampled_from(["nothing", "time acts", "a hook"]))
    def a_census_takes_its_time(self, meanwhile: str, *, confirmed: bool) -> None:
        census = self.world.census(self.now, confirmed=confirmed)
        self.time_passes(0.5, strikes=False)
        if meanwhile == "time acts":
            self.the_next_moment_comes()
        elif meanwhile == "a hook":
            self.hook()
        self.observe(census)

    @precondition(lambda self: self.drain._flush_ends_at is not None)
    @rule(what=st.sampled_from(["somebody comes", "nobody comes", "resume"]))
    def others_flush_and(self, what: str) -> None:
        if what == "resume":
            self.it_is_cut_short(what)
        self.world.opened += 2 * (what == "somebody comes")
        self.time_passes(0.5, strikes=False)
        self.a_census_arrives_at_once(confirmed=True)

    def observe(self, census: Census) -> None:
        was = self.drain.phase
        phase, outcome = self.reference.after_observe(census, self.now)
        self.told(self.drain.observe(census, self.now), phase, outcome)
        if self.drain.phase is Phase.DONE is not was:
            assert was is not Phase.SETTLING
            assert census.confirmed
            assert census.taken_at >= self.drain.began_at + self.drain.plan.settle

    @precondition(lambda self: not self.drain.is_running())
    @rule()
    def a_drain_long_after(self) -> None:
        self.now += 10
        self.hook()

    @rule()
    def hook(self) -> None:
        ended_at = self.reference.ended_at
        is_known = ended_at is not None and self.now - ended_at <= self.drain.plan.keep_outcome
        joins = self.reference.phase in RUNNING or is_known
        before = vars(copy.copy(self.drain))
        self.told(self.drain.begin(self.now), self.reference.phase if joins else "settling")
        if joins:
            assert vars(self.drain) == before
        else:
            assert self.drain.deadline_at == self.now + self.drain.plan.window

    @rule(what=st.sampled_from(["nothing", "nothing", "nothing", "resume", "conclude"]))
    def it_is_cut_short(self, what: str) -> None:
        runs = self.reference.phase in RUNNING
        if what == "resume":
            self.told(self.drain.resume(self.now), "serving", "resumed" if runs else None)
        elif what == "conclude":
            phase, outcome = ("done", "drained") if runs else (self.reference.phase, None)
            self.told(self.drain.conclude(self.now), phase, outcome)

    def told(self, actions: Sequence[Any], phase: str, outcome: str | None = None) -> None:
        """The actions lead the reference, along the table, to `phase`, with no outcome but this one."""
        if phase == self.reference.phase:
            assert list(actions) == []
            return
        (announce,) = actions
        assert announce.phase == phase in ALLOWED[self.reference.phase]
        assert announce.at == self.now
        expected = Outcome(Result(outcome), self.reference.tally(self.now)) if outcome else None
        assert announce.outcome == expected
        assert self.drain.outcome == (expected if phase == "done" else None)
        self.reference.move(phase, self.now)

    # What always holds.

    @invariant()
    def it_stands_where_the_reference_stands(self) -> None:
        assert self.drain.phase == self.reference.phase
        assert self.drain.is_running() is (self.reference.phase in RUNNING)
        assert (self.drain._flush_ends_at is not None) is (self.reference.flush_due() is not None)

    @invariant()
    def there_is_an_outcome_if_and_only_if_it_is_done(self) -> None:
        assert (self.drain.outcome is not None) is (self.drain.phase == "done") is self.drain.is_done()

    @invariant()
    def the_numbers_add_up(self) -> None:
        if self.drain.is_running():
            assert self.drain.so_far(self.now) == self.reference.tally(self.now)

    def would(self, act: Callable[[Drain], Sequence[Any]]) -> Sequence[Any]:
        return act(copy.copy(self.drain))

    @invariant()
    def the_deadline_would_end_it(self) -> None:
        late = max(self.now, self.drain.deadline_at)
        ended = self.would(lambda drain: drain.advance(late))
        results = [action.outcome.result for action in ended if action.outcome]
        assert results == ([Result.DEADLINE] if self.drain.is_running() else [])

    @invariant()
    def it_wakes_exactly_when_time_will_act(self) -> None:
        wake_at = self.drain.wake_at()
        if wake_at is None:
            assert not self.drain.is_running()
            assert self.would(lambda drain: drain.advance(math.inf)) == []
            return
        assert wake_at == self.reference.next_moment()
        at = max(self.now, wake_at)
        assert self.would(lambda drain: drain.advance(at)) != []
        if wake_at > self.now:
            assert self.would(lambda drain: drain.advance(math.nextafter(wake_at, 0))) == []


DrainStory.TestCase.settings = settings(max_examples=300, stateful_step_count=50)
TestDrainStory = DrainStory.TestCase
