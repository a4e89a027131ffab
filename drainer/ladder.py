"""Which closer a connection gets next, and who ended it."""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from drainer.attempt import TRANSIENT, Attempt, Verdict
from drainer.model import Identity
from drainer.phases import Closings, Rung
from drainer.scores import Scores

RETRY_AFTER = 0.2
"""Seconds until a connection that was busy is tried again."""
PATIENCE = 3
"""A closer that does not answer gets so many times as long as one that has done its part: it may only be late."""
MOST_AT_ONCE = 1000
"""Connections whose time has come that are taken in one go: the event loop has others to serve."""


class _Stand(Enum):
    ASKED = auto()
    """The closer has been asked and has not answered."""
    TRYING = auto()
    """It could do nothing yet, and is asked again."""
    TRIED = auto()
    """It has done its part; or there is no more to try."""


@dataclass(slots=True)
class _Climber:
    rung: int
    since: float
    """When this rung was first tried."""
    stand: _Stand = _Stand.ASKED
    by: int | None = None
    """The last rung that has done its part."""
    attempt: Attempt | None = None
    """The last one, while TRYING."""
    turn: int = 0
    """Which entry of the timetable is meant; older ones are void."""


Steps = dict[int, list[Identity]]
"""Rung -> the connections to be tried by it now."""


class Ladder:
    """Each connection is tried by one closer after the other until it is gone.

    A rung that has done its part is not used again for the same connection. Where the app chooses whom to close, one
    that it chose takes the place of one that was meant: that one waits for its turn again.
    """

    def __init__(self, rungs: Sequence[Rung], escalate_after: float, random: Callable[[], float]) -> None:
        self._rungs = rungs
        self._escalate_after = escalate_after
        self._random = random
        self._order: deque[Identity] = deque()
        self._waiting: set[Identity] = set()
        self._climbing: dict[Identity, _Climber] = {}
        self._told: dict[Identity, int] = {}
        """Those for whom the app is told to close one, the oldest first, with the rung."""
        self._all_told: int | None = None
        self._left_unanswered: dict[Identity, _Climber] = {}
        """Those who left while a closer was at it: they are often quicker than its answer."""
        self._on_credit: dict[Identity, int] = {}
        """Those whose place was taken before the app had answered: it may yet say no."""
        self._missed: dict[Identity, _Climber] = {}
        """Those who were not in a census, and of whose end the kernel has not spoken."""
        self._timetable: list[tuple[float, int, Identity]] = []
        self._turns = itertools.count(1)
        self._scores = Scores(rungs)

    @property
    def waiting(self) -> int:
        """How many have not been tried yet."""
        return len(self._waiting)

    @property
    def present(self) -> int:
        """How many are there in all."""
        return len(self._waiting) + len(self._climbing)

    def is_asked(self, closer: str, identity: Identity) -> bool:
        """Whether this closer is still meant to try this connection."""
        climber = self._climbing.get(identity)
        return climber is not None and climber.stand is _Stand.ASKED and self._rungs[climber.rung].name == closer

    def meet(self, present: Mapping[Identity, float]) -> bool:
        """Take in who is there (identity -> seconds without data); returns whether somebody is new.

        Whoever has been silent longest is tried first; among equals chance decides.
        """
        absent = [known for known in itertools.chain(self._waiting, self._climbing) if known not in present]
        # A dump may have missed them: whoever comes back stands where it stood.
        missed = {identity: self._climbing[identity] for identity in absent if identity in self._climbing}
        self.leave(absent)
        for identity in [identity for identity in self._missed if identity in present]:
            self._come_back(identity, self._missed.pop(identity))
        self._missed |= missed
        new = [identity for identity in present if identity not in self._waiting and identity not in self._climbing]
        self._order.extend(sorted(new, key=lambda identity: (-present[identity], self._random())))
        self._waiting.update(new)
        return bool(new)

    def leave(self, gone: Iterable[Identity]) -> None:
        """These are not there any more."""
        for identity in gone:
            self._missed.pop(identity, None)
            climber = self._climbing.pop(identity, None)
            if climber is not None:
                self._told.pop(identity, None)
                if climber.stand is _Stand.ASKED:
                    self._left_unanswered[identity] = climber
                elif climber.by is not None:
                    self._scores.ended[climber.by] += 1
            elif identity in self._waiting:
                self._waiting.discard(identity)
                self._credit_the_app()

    def _come_back(self, identity: Identity, climber: _Climber) -> None:
        if self._left_unanswered.pop(identity, None) is None and climber.by is not None:
            self._scores.ended[climber.by] -= 1
        self._climbing[identity] = climber
        self._schedule(identity, climber, climber.since + self._escalate_after)

    def _credit_the_app(self) -> None:
        """One has left that nobody has tried: by itself, or because the app was told to close so many."""
        if self._told:
            stand_in = next(iter(self._told))
            rung = self._told.pop(stand_in)
            self._scores.ended[rung] += 1
            climber = self._climbing[stand_in]
            if climber.stand is _Stand.ASKED:
                self._on_credit[stand_in] = rung
            self._ask_again(stand_in, climber, climber.since)
        elif self._all_told is not None:
            self._scores.ended[self._all_told] += 1

    def start(self, count: int, now: float) -> Steps:
        """Try the next `count` for the first time."""
        chosen: list[Identity] = []
        while len(chosen) < count and self._order:
            identity = self._order.popleft()
            if identity in self._waiting:
                self._waiting.discard(identity)
                self._climbing[identity] = climber = _Climber(0, now)
                self._ask(identity, climber, now)
                chosen.append(identity)
        return {0: chosen} if chosen else {}

    def advance(self, now: float) -> Steps:
        """Whose time has come: to be tried again, or by the next closer."""
        steps: Steps = {}
        for _ in range(MOST_AT_ONCE):
            due = self.wake_at()
            if due is None or due > now:
                break
            _, _, identity = heapq.heappop(self._timetable)
            climber = self._climbing[identity]
            if climber.stand is _Stand.TRYING and (
                now < climber.since + self._escalate_after or self._is_last(climber)
            ):
                self._ask(identity, climber, now)
                steps.setdefault(climber.rung, []).append(identity)
            else:
                self._climb(identity, climber, now, steps)
        return steps

    def answer(self, closer: str, attempts: Mapping[Identity, Attempt], now: float) -> Steps:
        """What came of the tries of `closer`; returns what follows at once."""
        steps: Steps = {}
        rung = next((index for index, one in enumerate(self._rungs) if one.name == closer), None)
        if rung is None:
            return steps
        if self._rungs[rung].tells_at_once and any(attempt.verdict is Verdict.SENT for attempt in attempts.values()):
            self._all_told = rung
        for identity, attempt in attempts.items():
            if self._on_credit.pop(identity, None) is not None and attempt.verdict is not Verdict.SENT:
                self._scores.ended[rung] -= 1
            climber = self._climbing.get(identity)
            if climber is None or climber.rung != rung or climber.stand is not _Stand.ASKED:
                self._answer_too_late(identity, climber, rung, attempt)
            elif attempt.verdict in TRANSIENT:
                climber.stand, climber.attempt = _Stand.TRYING, attempt
                self._schedule(identity, climber, now + RETRY_AFTER * (0.5 + self._random()))
            else:
                self._settle(identity, climber, attempt, now, steps)
        return steps

    def _answer_too_late(self, identity: Identity, climber: _Climber | None, rung: int, attempt: Attempt) -> None:
        """It has gone, or the next closer has it. What was done is told all the same."""
        if attempt.verdict not in TRANSIENT:
            self._scores.count(rung, attempt)
        is_done = attempt.verdict is Verdict.SENT
        if climber is not None:
            if is_done and rung <= climber.rung:
                climber.by = rung if climber.by is None else max(climber.by, rung)
            return
        left = self._left_unanswered.get(identity)
        if left is not None and (is_done or left.rung == rung):
            del self._left_unanswered[identity]
            left.by = rung if is_done else left.by
            self._scores.ended.update(() if left.by is None else (left.by,))

    def _settle(self, identity: Identity, climber: _Climber, attempt: Attempt, now: float, steps: Steps) -> None:
        rung = self._rungs[climber.rung]
        if attempt.verdict in (Verdict.SENT, Verdict.GONE):
            self._scores.count(climber.rung, attempt)
            climber.stand, climber.attempt = _Stand.TRIED, None
            if attempt.verdict is Verdict.SENT:
                climber.by = climber.rung
            self._give_time(identity, climber, now)
        elif rung.app_chooses and self._is_last(climber):
            # Nothing else to try, and the app may be willing later.
            self._told.pop(identity, None)
            climber.stand, climber.attempt = _Stand.TRIED, attempt
            self._schedule(identity, climber, now + self._escalate_after)
        else:
            climber.attempt = attempt
            self._climb(identity, climber, now, steps)

    def _climb(self, identity: Identity, climber: _Climber, now: float, steps: Steps) -> None:
        """To the next closer, if there is one."""
        if climber.attempt is not None:
            self._scores.count(climber.rung, climber.attempt)
        self._told.pop(identity, None)
        climber.stand, climber.attempt, climber.turn = _Stand.TRIED, None, 0
        if self._is_last(climber):
            if self._rungs[climber.rung].app_chooses:
                self._ask_again(identity, climber, now)
        else:
            climber.rung, climber.since = climber.rung + 1, now
            self._ask(identity, climber, now)
            steps.setdefault(climber.rung, []).append(identity)

    def _ask(self, identity: Identity, climber: _Climber, now: float) -> None:
        climber.stand = _Stand.ASKED
        self._give_time(identity, climber, now, PATIENCE)
        if self._rungs[climber.rung].app_chooses:
            # Not only when it has answered: those whom it closes are often quicker than its answer.
            self._told[identity] = climber.rung

    def _ask_again(self, identity: Identity, climber: _Climber, now: float) -> None:
        """The app is to close one more, whichever."""
        if climber.rung == 0:
            del self._climbing[identity]
            self._waiting.add(identity)
            self._order.appendleft(identity)
        else:
            climber.stand, climber.by = _Stand.TRYING, None
            self._schedule(identity, climber, now)

    def _give_time(self, identity: Identity, climber: _Climber, now: float, times: int = 1) -> None:
        """How long until the next closer has its turn, or the app is asked again; for ever where neither is left."""
        rung = self._rungs[climber.rung]
        climber.turn = 0
        if not self._is_last(climber) or (rung.app_chooses and self._all_told is None):
            self._schedule(identity, climber, now + times * self._escalate_after)

    def _is_last(self, climber: _Climber) -> bool:
        return climber.rung == len(self._rungs) - 1

    def wake_at(self) -> float | None:
        """When the next one's time comes."""
        while self._timetable:
            due, turn, identity = self._timetable[0]
            climber = self._climbing.get(identity)
            if climber is not None and climber.turn == turn:
                return due
            heapq.heappop(self._timetable)
        return None

    def finish(self) -> None:
        """The drain is over: who was busy to the end is counted as that."""
        for climber in self._climbing.values():
            if climber.attempt is not None:
                self._scores.count(climber.rung, climber.attempt)
                climber.attempt = None
        # Who has not answered has probably done it, unless it has never done anything but fail.
        is_able = self._scores.is_able
        self._scores.ended.update(left.rung for left in self._left_unanswered.values() if is_able(left.rung))
        self._scores.ended.subtract(rung for rung in self._on_credit.values() if not is_able(rung))
        self._left_unanswered.clear()
        self._on_credit.clear()

    def closings(self) -> Closings:
        """What has come of it so far."""
        return self._scores.closings()

    def _schedule(self, identity: Identity, climber: _Climber, at: float) -> None:
        climber.turn = next(self._turns)
        heapq.heappush(self._timetable, (at, climber.turn, identity))
