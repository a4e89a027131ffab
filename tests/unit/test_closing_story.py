"""Any story of a drain that closes connections: whoever comes and leaves, whatever closers answer, and when."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from random import Random

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from drainer.attempt import TRANSIENT, Attempt, Verdict
from drainer.closing import ClosePlan
from drainer.drain import Drain
from drainer.model import Census, Identity, PortCount, Source
from drainer.phases import Action, Announce, Close, Phase, Result, Rung
from drainer.plan import DrainPlan
from tests.unit.paces import PaceReference

NAMES = ("notify", "websocket", "shutdown", "reset")
HALVES = st.integers(0, 8).map(lambda halves: halves / 2)
VERDICTS = st.sampled_from([Verdict.SENT, Verdict.SENT, *Verdict])


@st.composite
def plans(draw: st.DrawFn) -> DrainPlan:
    chosen = draw(st.lists(st.sampled_from(NAMES), min_size=1, unique=True))
    at_once = draw(st.booleans())
    rungs = tuple(Rung(name, name == "notify", name == "notify" and at_once) for name in chosen)
    straggler, patience, settle = draw(HALVES) + 0.5, draw(HALVES), draw(HALVES)
    rate = draw(st.sampled_from([None, None, 0.5, 4.0, 300.0]))
    closing = ClosePlan(rungs, patience, straggler, draw(st.sampled_from([0.1, 1.0, 2.0])), rate)
    window = settle + patience + straggler + draw(st.sampled_from([0.5, 3.0, 12.0]))
    return DrainPlan(window, settle, max_remaining=draw(st.sampled_from([0, 0, 2])), keep_outcome=0.0, closing=closing)


class ClosingStory(RuleBasedStateMachine):
    @initialize(plan=plans(), clients=st.sampled_from([0, 1, 3, 20, 60]), seed=st.integers(0, 2**32))
    def the_agent_starts(self, plan: DrainPlan, clients: int, seed: int) -> None:
        assert plan.closing is not None
        self.plan, self.rungs, self.random = plan.closing, [rung.name for rung in plan.closing.rungs], Random(seed)
        self.now, self.opened, self.app = 100.0, 0, 1
        self.there: set[int] = set()
        """Who is there in truth."""
        self.departed: list[int] = []
        """Of whose end the kernel has not spoken yet."""
        self.drain = Drain(plan, self.random.random)
        self.odd = 0
        self.begin(clients)

    def begin(self, clients: int = 0) -> None:
        self.known: set[Identity] = set()
        """Who is there as far as the drain knows."""
        self.pace: PaceReference | None = None
        self.asked: dict[tuple[str, Identity], Verdict | None] = {}
        """(closer, connection) -> its last answer; None until there is one."""
        self.come(clients)
        self.do(self.drain.begin(self.now))
        self.a_census_arrives(late=0.0)
        if self.random.random() < 0.8:
            self.the_next_moments_come(self.random.choice([1, 2, 5]))

    # What happens in the world.

    @rule(number=st.sampled_from([1, 1, 2, 40]))
    def come(self, number: int) -> None:
        self.there.update(range(self.opened, self.opened + number))
        self.opened += number

    @rule(number=st.sampled_from([1, 2, 30, 1000]))
    def leave(self, number: int) -> None:
        self.gone(self.random.sample(sorted(self.there), min(number, len(self.there))))

    def gone(self, connections: Sequence[int]) -> None:
        self.there.difference_update(connections)
        self.departed += connections

    # What the drain is told.

    @rule(late=st.sampled_from([0.0, 0.0, 0.25]))
    def a_census_arrives(self, late: float) -> None:
        census = self.census(named=self.drain.phase is Phase.CLOSING)
        self.now += late
        self.observe(census)

    @rule()
    def the_kernel_speaks(self) -> None:
        self.observe(self.census(departed=self.departed))
        self.departed = []

    def census(self, departed: Sequence[int] = (), *, named: bool = False) -> Census:
        count = PortCount(len(self.there), {}, self.opened, self.opened - len(self.there))
        present = dict[Identity, float](dict.fromkeys(self.there, 0.0)) if named else None
        return Census(
            self.now, confirmed=True, source=Source.SOCK_DIAG, ports={80: count}, states={},
            listeners=frozenset({self.app}), present=present, departed=(*departed,)
        )  # fmt: skip

    def observe(self, census: Census) -> None:
        if self.pace is not None:
            present = self.known if census.present is None else {*census.present}
            if present - self.known:
                self.pace.somebody_comes(self.now)
            self.known = present.difference(census.departed) if census.present is None else present
        self.do(self.drain.observe(census, self.now))

    @rule(seconds=st.sampled_from([0.05, 0.5, 2.0]))
    def the_loop_is_late(self, seconds: float) -> None:
        self.now += seconds
        self.sample()
        self.do(self.drain.advance(self.now))

    @rule(moments=st.sampled_from([1, 5, 40]))
    def the_next_moments_come(self, moments: int) -> None:
        for _ in range(moments):
            at = self.drain.wake_at()
            if at is not None:
                # The need of this moment is not asked: who comes in time has kept the pace that was needed before.
                self.now = max(self.now, at)
                self.do(self.drain.advance(self.now))

    @precondition(lambda self: any(verdict is None for verdict in self.asked.values()))
    @rule(verdict=VERDICTS, most=st.sampled_from([1, 5, 1000]), leaves=st.sampled_from(["they", "others", "nobody"]))
    def a_closer_answers(self, verdict: Verdict, most: int, leaves: str) -> None:
        open_questions = [question for question, answer in self.asked.items() if answer is None]
        closer = self.random.choice(open_questions)[0]
        asked = [connection for name, connection in open_questions if name == closer][:most]
        self.asked |= {(closer, connection): verdict for connection in asked}
        if verdict is Verdict.SENT and leaves == "they":
            self.gone([connection for connection in asked if isinstance(connection, int) and connection in self.there])
        elif verdict is Verdict.SENT and leaves == "others":
            self.leave(len(asked))
        self.do(self.drain.answer(closer, dict.fromkeys(asked, Attempt(verdict, "why")), self.now))

    @rule(closer=st.sampled_from([*NAMES, "nobody"]), verdict=VERDICTS, connection=st.integers(0, 100))
    def somebody_talks_nonsense(self, closer: str, verdict: Verdict, connection: int) -> None:
        """Of a connection that was never there, or that this one was not asked to end."""
        if (closer, connection) not in self.asked:
            self.odd += 1
            self.do(self.drain.answer(closer, {connection: Attempt(verdict)}, self.now))

    @precondition(lambda self: self.drain.is_running())
    @rule(how=st.sampled_from([*["nothing"] * 8, "resume", "restart"]))
    def it_is_cut_short(self, how: str) -> None:
        if how == "resume":
            self.do(self.drain.resume(self.now))
        elif how == "restart":
            self.app += 1
            self.a_census_arrives(late=0.0)

    @precondition(lambda self: not self.drain.is_running())
    @rule()
    def another_drain_begins(self) -> None:
        self.now += 10
        self.begin()

    # What must follow.

    def do(self, actions: Sequence[Action]) -> None:
        for action in actions:
            if isinstance(action, Announce):
                self.announced(action)
            else:
                self.ordered(action)
        self.sample()
        if any(isinstance(action, Announce) and action.phase is Phase.CLOSING for action in actions):
            # The agent asks for it at once; another one may be on its way.
            self.a_census_arrives(late=self.random.choice([0.0, 0.25]))

    def announced(self, announce: Announce) -> None:
        if announce.phase is Phase.CLOSING:
            assert self.now >= self.drain.began_at + self.drain.plan.settle + self.plan.patience
            self.pace = PaceReference(self.plan, self.now, self.drain.deadline_at)
        elif announce.outcome is not None:
            self.pace = None
            self.is_counted_once(announce)

    def is_counted_once(self, announce: Announce) -> None:
        assert announce.outcome is not None
        tally = announce.outcome.tally
        assert tally.at_start + tally.arrived == tally.left + tally.remaining
        if tally.closings is not None:
            assert tally.left_by_themselves + sum(tally.closings.ended.values()) == tally.left
            for name, verdicts in tally.closings.attempts.items():
                asked = sum(closer == name for closer, _ in self.asked)
                final = sum(number for verdict, number in verdicts.items() if verdict not in TRANSIENT)
                assert name == "notify" or final <= asked + self.odd

    def ordered(self, order: Close) -> None:
        assert self.drain.phase is Phase.CLOSING
        assert self.pace is not None
        assert {*order.connections} <= self.known
        assert len({*order.connections}) == len(order.connections) <= order.remaining == len(self.known)
        assert min(order.seconds_left, order.rate) >= 0
        rung = self.rungs.index(order.closer)
        first = 0
        for connection in order.connections:
            answer = self.asked.get((order.closer, connection), Verdict.BUSY)
            assert order.closer == "notify" or answer in TRANSIENT, f"{order.closer} has had its try at {connection}"
            assert rung == 0 or (self.rungs[rung - 1], connection) in self.asked
            first += rung == 0 and (order.closer, connection) not in self.asked
        self.asked |= {(order.closer, connection): None for connection in order.connections}
        if first:
            self.pace.tried(self.now, first)

    def sample(self) -> None:
        """What even slots need now; where the app chooses, whoever it does not close waits again."""
        if self.pace is not None:
            tried = {connection for closer, connection in self.asked if closer == self.rungs[0] != "notify"}
            self.pace.needs(self.now, len(self.known - tried))

    # What always holds.

    @invariant()
    def it_wakes_for_something_or_later(self) -> None:
        wake_at = self.drain.wake_at()
        assert (wake_at is not None) is self.drain.is_running()
        if wake_at is not None and wake_at <= self.now:
            before = self.state()
            twin = copy.deepcopy(self.drain)
            assert twin.advance(self.now) or self.state(twin) != before

    def state(self, drain: Drain | None = None) -> object:
        drain = drain or self.drain
        closing = drain._closing
        return drain.phase, drain.wake_at(), closing and (closing._ladder.waiting, closing._ladder.wake_at())

    def teardown(self) -> None:
        if not hasattr(self, "drain") or not self.drain.is_running():
            return
        self.runs_out(self.random.choice([None, Verdict.FAILED, Verdict.BUSY, Verdict.SENT]))

    def runs_out(self, verdict: Verdict | None) -> None:
        """Time passes and nobody leaves; every closer says the same, or nothing at all."""
        drain, now, steps = copy.deepcopy(self.drain), self.now, 0
        tried = {connection for _, connection in self.asked}
        in_time = self.pace is not None and self.now < self.pace.latest_at
        while drain.is_running():
            steps += 1
            at = drain.wake_at()
            assert at is not None
            assert steps < 100 * (len(self.known) + self.drain.plan.window + 10), "time does not move on"
            now = max(now, at)
            todo = [*drain.advance(now)]
            for order in todo:
                if isinstance(order, Close):
                    tried.update(order.connections)
                    if verdict is not None:
                        answers = dict.fromkeys(order.connections, Attempt(verdict))
                        todo += drain.answer(order.closer, answers, now)
        assert drain.outcome is not None
        assert now == max(self.now, drain.deadline_at)
        assert drain.outcome.result is Result.DEADLINE
        assert not in_time or self.known <= tried


ClosingStory.TestCase.settings = settings(max_examples=150, stateful_step_count=40)
TestClosingStory = ClosingStory.TestCase
