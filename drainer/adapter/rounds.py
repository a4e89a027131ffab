"""When which agent is asked next."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass

from drainer.adapter.pods import Pod

PERIOD = 5.0
"""Seconds between two questions: one lost answer and a quick second try still leave a reading of less than 10 s."""
JITTER = 0.1
"""How much shorter or longer a period is, as a share of it."""
RETRY, LONGEST = 1.0, 30.0
"""Seconds after the first question in a row without an answer, doubled with each; those that hang must not take the
places of those that answer."""


@dataclass(slots=True)
class _Turn:
    pod: Pod
    at: float
    number: int
    """Which entry of the queue is the valid one."""
    answers: int = 0
    misses: int = 0


class Rounds:
    """A queue of pods by the time of their next question. Moments are loop time."""

    def __init__(self, random: Callable[[], float]) -> None:
        """`random`: of [0, 1)."""
        self._random = random
        self._turns: dict[str, _Turn] = {}
        self._queue: list[tuple[float, int, str]] = []
        self._numbers = itertools.count()

    def put(self, pod: Pod, now: float) -> None:
        """A pod is new, or has changed: it is asked at once if that may be why it did not answer."""
        turn = self._turns.get(pod.uid)
        if not pod.is_asked:
            self.remove(pod.uid)
        elif turn is None or (turn.pod.address, turn.pod.port) != (pod.address, pod.port):
            self._turns[pod.uid] = _Turn(pod, now, 0)
            self._queue_up(pod.uid, now)
        else:
            if turn.misses and turn.pod.ready is not pod.ready:
                turn.misses = 0
                self._queue_up(pod.uid, min(turn.at, now))
            turn.pod = pod

    def remove(self, uid: str) -> None:
        """A pod is gone."""
        self._turns.pop(uid, None)

    def keep(self, uids: set[str]) -> None:
        """All others are gone."""
        self._turns = {uid: turn for uid, turn in self._turns.items() if uid in uids}

    @property
    def unasked(self) -> int:
        """How many have never been asked yet."""
        return sum(1 for turn in self._turns.values() if not turn.answers + turn.misses)

    def next_at(self) -> float | None:
        """The one next moment."""
        while self._queue and not self._is_valid(self._queue[0]):
            heapq.heappop(self._queue)
        return self._queue[0][0] if self._queue else None

    def take(self, now: float) -> Pod | None:
        """One that is to be asked now; it has no next turn until `asked`."""
        at = self.next_at()
        if at is None or at > now:
            return None
        _, _, uid = heapq.heappop(self._queue)
        return self._turns[uid].pod

    def asked(self, pod: Pod, now: float, *, answered: bool) -> None:
        """What came of it."""
        turn = self._turns.get(pod.uid)
        if turn is None:
            return
        jitter = 1 - JITTER + 2 * JITTER * self._random()
        if answered:
            # Whoever began together is spread out over the second period.
            wait = PERIOD * jitter if turn.answers else PERIOD * self._random()
            turn.answers += 1
            turn.misses = 0
        else:
            wait = min(RETRY * 2**turn.misses, LONGEST) * jitter
            turn.misses += 1
        self._queue_up(pod.uid, now + wait)

    def _queue_up(self, uid: str, at: float) -> None:
        turn = self._turns[uid]
        turn.at, turn.number = at, next(self._numbers)
        heapq.heappush(self._queue, (at, turn.number, uid))

    def _is_valid(self, entry: tuple[float, int, str]) -> bool:
        turn = self._turns.get(entry[2])
        return turn is not None and turn.number == entry[1]
