"""Any story of a drain that the API has a word in: hooks, sightings, censuses, answers and time, in any order."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from drainer.attempt import Attempt, Verdict
from drainer.closing import ClosePlan
from drainer.deletion import Deletion, Sighting
from drainer.drain import ASKED, FORGOTTEN, RESTARTED, Drain
from drainer.model import Census, Identity, PortCount, Source
from drainer.phases import TRANSITIONS, Action, Announce, Close, Phase, Result, Rung
from drainer.plan import HASTE, DrainPlan, usable

HALVES = st.integers(0, 8).map(lambda halves: halves / 2)
WORDS = st.one_of(
    st.sampled_from([Deletion.NONE, Deletion.NONE, Deletion.FORCED, Deletion.UNKNOWN]).map(Sighting),
    st.sampled_from([None, 1.0, 2.0, 6.0, 20.0, 40.0]).map(lambda grace: Sighting(Deletion.REQUESTED, grace)),
)
LADDERS = st.sampled_from([(), (Rung("reset"),), (Rung("shutdown"), Rung("reset"))])


@st.composite
def plans(draw: st.DrawFn) -> DrainPlan:
    rungs = draw(LADDERS)
    closing = ClosePlan(rungs, draw(HALVES), 0.5 + draw(HALVES), draw(st.sampled_from([0.5, 2.0]))) if rungs else None
    plan = DrainPlan(
        window=draw(st.sampled_from([0.5, 5.0, 25.0])),
        settle=draw(HALVES),
        reserve=draw(st.sampled_from([0.0, 5.0])),
        restart_timeout=draw(st.sampled_from([1.0, 8.0])),
        keep_outcome=draw(st.sampled_from([0.0, 3.0])),
        stopped_after=30.0,
        closing=closing,
    )
    return plan.within(plan.window)


class DeletionStory(RuleBasedStateMachine):
    @initialize(plan=plans(), clients=st.integers(0, 12))
    def the_agent_starts(self, plan: DrainPlan, clients: int) -> None:
        self.now, self.app, self.opened = 100.0, 1, clients
        self.there: set[int] = {*range(clients)}
        self.drain = Drain(plan)
        self.phase = Phase.SERVING
        self.word = Sighting()
        self.bound = math.inf
        """What the deletions seen so far allow this drain."""
        self.hook_at: float | None = None
        self.open: set[tuple[str, Identity]] = set()
        """(closer, connection) that is being tried."""
        self.begin(by_kubelet=True)

    # What happens.

    @rule(by_kubelet=st.booleans())
    def begin(self, *, by_kubelet: bool) -> None:
        was_running = self.drain.is_running()
        deadline_at = self.drain.deadline_at
        actions = self.drain.begin(self.now, by_kubelet=by_kubelet)
        if actions:
            self.bound, self.hook_at = math.inf, None
            self.word = self.word if self.word.deletion.is_certain else Sighting()
        elif was_running:
            assert self.drain.deadline_at <= deadline_at, "a call that joins gives more time"
        if by_kubelet and self.hook_at is None:
            self.hook_at = self.now
        if actions:
            self.allow(self.word)
        self.do(actions)

    @rule(word=WORDS)
    def the_api_says(self, word: Sighting) -> None:
        deadline_at, before = self.drain.deadline_at, self.word
        if not before.deletion.is_certain or word.deletion.is_certain:
            self.word = word
            self.allow(word)
        actions = self.drain.learn(word, self.now)
        is_lifted = before.deletion is Deletion.NONE and self.word.deletion is not Deletion.NONE
        assert is_lifted or self.drain.deadline_at <= deadline_at
        self.do(actions)

    def allow(self, word: Sighting) -> None:
        """No deadline may be later than this, by the documents."""
        if word.deletion is Deletion.FORCED:
            self.bound = min(self.bound, self.now + HASTE)
        elif word.grace is not None:
            since = self.now if self.hook_at is None else self.hook_at
            allowed = usable(word.grace, self.drain.plan.reserve)
            self.bound = min(self.bound, max(since + allowed, self.now + min(HASTE, allowed / 2)))

    @rule(
        leave=st.sampled_from([0, 0, 1, 2, 12]), come=st.sampled_from([0, 0, 1, 3]), restart=st.sampled_from([0, 0, 1])
    )
    def a_census_arrives(self, leave: int, come: int, restart: int) -> None:
        self.app += restart
        for one in sorted(self.there)[:leave]:
            self.there.discard(one)
        self.there.update(range(self.opened, self.opened + come))
        self.opened += come
        count = PortCount(len(self.there), {}, self.opened, self.opened - len(self.there))
        named = dict[Identity, float](dict.fromkeys(self.there, 0.0)) if self.drain.phase is Phase.CLOSING else None
        self.open = {(closer, one) for closer, one in self.open if one in self.there}
        census = Census(
            self.now, confirmed=True, source=Source.SOCK_DIAG, ports={80: count}, states={},
            listeners=frozenset({self.app}), present=named
        )  # fmt: skip
        self.do(self.drain.observe(census, self.now))

    @rule(seconds=st.sampled_from([0.25, 0.5, 2.0, 10.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        self.do(self.drain.advance(self.now))

    @rule(moments=st.sampled_from([1, 3, 20]))
    def the_next_moments_come(self, moments: int) -> None:
        for _ in range(moments):
            if (at := self.drain.wake_at()) is not None:
                self.now = max(self.now, at)
                self.do(self.drain.advance(self.now))

    @precondition(lambda self: self.open)
    @rule(verdict=st.sampled_from([Verdict.SENT, Verdict.FAILED, Verdict.BUSY]))
    def a_closer_answers(self, verdict: Verdict) -> None:
        closer, _ = min(self.open, key=str)
        asked = [one for name, one in self.open if name == closer]
        self.open -= {(closer, one) for one in asked}
        self.do(self.drain.answer(closer, dict.fromkeys(asked, Attempt(verdict)), self.now))

    @rule(really=st.sampled_from([False, False, True]))
    def somebody_resumes(self, *, really: bool) -> None:
        if really:
            self.do(self.drain.resume(self.now))

    # What must follow.

    def do(self, actions: Sequence[Action]) -> None:
        for action in actions:
            if isinstance(action, Announce):
                self.announced(action)
            else:
                self.ordered(action)

    def announced(self, announce: Announce) -> None:
        assert announce.phase in TRANSITIONS[self.phase]
        self.phase = announce.phase
        if announce.phase is not Phase.CLOSING:
            self.open.clear()
        if announce.phase is Phase.SERVING and self.word.deletion.is_certain:
            assert announce.reason == ASKED, "a pod that is being deleted serves again by itself"
        assert announce.phase is not Phase.SERVING or announce.reason in (ASKED, RESTARTED, FORGOTTEN)
        if announce.outcome is not None and announce.outcome.result is Result.DEADLINE and not self.drain.plan.closing:
            assert self.now >= self.drain.deadline_at

    def ordered(self, order: Close) -> None:
        assert self.drain.phase is Phase.CLOSING
        assert self.now < self.drain.deadline_at
        for one in order.connections:
            assert (order.closer, one) not in self.open, f"{order.closer} is at {one} already"
            self.open.add((order.closer, one))

    # What always holds.

    @invariant()
    def it_stands_where_it_has_said(self) -> None:
        assert self.drain.phase is self.phase

    @invariant()
    def no_deadline_is_later_than_the_deletion_allows(self) -> None:
        if self.drain.is_running():
            plan = self.drain.plan
            assert self.drain.deadline_at <= min(self.bound, self.drain.began_at + plan.window)
            if self.word.deletion is Deletion.NONE and self.hook_at is not None:
                assert self.drain.deadline_at <= max(self.hook_at + plan.restart_timeout, self.now + HASTE)

    @invariant()
    def the_deadline_would_end_it(self) -> None:
        if not self.drain.is_running():
            return
        drain = copy.deepcopy(self.drain)
        actions = drain.advance(max(self.now, self.drain.deadline_at))
        assert not any(isinstance(action, Close) for action in actions)
        assert drain.is_done()
        assert drain.wake_at() is None

    @invariant()
    def it_wakes_exactly_when_time_will_act(self) -> None:
        wake_at = self.drain.wake_at()
        assert (wake_at is not None) is self.drain.is_running()
        if wake_at is None:
            return
        assert wake_at <= self.drain.deadline_at
        if wake_at > self.now:
            early = copy.deepcopy(self.drain)
            assert early.advance(math.nextafter(wake_at, 0)) == []
        drain = copy.deepcopy(self.drain)
        acted = drain.advance(max(self.now, wake_at))
        after = drain.wake_at()
        assert acted or after is None or after > wake_at


DeletionStory.TestCase.settings = settings(max_examples=200, stateful_step_count=40)
TestDeletionStory = DeletionStory.TestCase
