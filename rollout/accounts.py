"""What a rollout did to its clients, from what both sides have written down. Pure: no clock, no files.

A *life* is one connection of one client, from its opening handshake to its end. The server numbers the messages that
it pushes on a life, from 1; the client numbers what it asks, and the server echoes it.

- **lost**: a push that the server's library took without an error, written down before the server knew of the close,
  that the client never received; or a question that was never answered on its life.
- **crossed**: the same, but the life ended with a Close frame, and the message was sent at most ROUND_TRIP before
  or after the client read it. The two were under way at the same time: the pusher had not read the answer to the
  Close yet, or the asker not the Close (RFC 6455, section 5.5.1, ends the data there). An asker is told.

Both ends are on one machine, and its monotonic clock is one for all processes: seconds of it are compared as they are.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

ROUND_TRIP = 1.0
"""Seconds around a Close within which a message counts as crossed: generous for loopback, as the machine is busy."""

ABNORMAL = 1006
"""The client's library says so when a connection ends without a Close frame (RFC 6455, section 7.1.5)."""

AT_ONCE = 2.0
"""Closings within fewer seconds than this have no pace to speak of: there is only a peak."""


@dataclass(frozen=True, slots=True)
class Life:
    """One connection as its client saw it. Moments in seconds of the monotonic clock."""

    client: int
    number: int
    """Of the client's lives, from 1."""
    attempts: Sequence[float]
    """When it tried to connect: the last time with success, if it was ever opened."""
    opened_at: float | None
    closed_at: float | None
    """None while it lives."""
    code: int = ABNORMAL
    """The close code it was told; ABNORMAL without a Close frame. Of no meaning while it lives."""
    received: int = 0
    """Pushes, of which none may be missing in between: `altered` counts those that were not the expected ones."""
    altered: int = 0
    unanswered: Sequence[float] = ()
    """When each question was asked that has no answer."""

    @property
    def name(self) -> str:
        """What the server calls it."""
        return f"{self.client}.{self.number}"


@dataclass(frozen=True, slots=True)
class Stop:
    """One replica that was stopped."""

    replica: str
    began_at: float
    """When its hook was called, or would have been."""
    gone_at: float
    killed: bool
    pushed: Mapping[str, Sequence[float]]
    """By name of the life: when each push was taken by the server's library, in their order."""
    outcome: str = ""
    """The agent's word for it; empty without an agent."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How the clients of one replica came back."""

    peak: int
    """Attempts in the busiest second."""
    seconds: float
    """From the first to the last."""
    ratio: float | None
    """The peak by the mean; None if all came at once."""


@dataclass(slots=True)
class Account:
    """The sums."""

    clients: int
    codes: Counter[int] = field(default_factory=Counter)
    """Lives that somebody else ended, by close code."""
    lost_pushes: int = 0
    lost_answers: int = 0
    crossed_pushes: int = 0
    crossed_questions: int = 0
    altered: int = 0
    absences: list[float] = field(default_factory=list)
    """Seconds from the end of a life to the beginning of the same client's next, in rising order."""
    never_back: int = 0
    """Clients that were closed and have no connection in the end."""
    failed_attempts: int = 0
    returns: list[list[float]] = field(default_factory=list)
    """For each stop, when each attempt to come back was made, in rising order."""
    kills: int = 0

    @property
    def paces(self) -> list[Pace]:
        """One for each stop."""
        return [pace(moments) for moments in self.returns]

    @property
    def closings(self) -> int:
        return self.codes.total()

    @property
    def abnormal(self) -> int:
        return self.codes[ABNORMAL]

    @property
    def lost(self) -> int:
        return self.lost_pushes + self.lost_answers

    @property
    def crossed(self) -> int:
        return self.crossed_pushes + self.crossed_questions

    @property
    def closings_per_client(self) -> float:
        return self.closings / self.clients

    @property
    def peak(self) -> int:
        """Of all stops."""
        return max((pace.peak for pace in self.paces), default=0)

    @property
    def ratio(self) -> float | None:
        """The worst of all stops; None if at one of them all came at once, or nobody came."""
        ratios = [pace.ratio for pace in self.paces]
        known = [ratio for ratio in ratios if ratio is not None]
        return max(known) if known and len(known) == len(ratios) else None

    def absent(self, share: float) -> float | None:
        """The time without a connection that so many of all closings did not exceed; None without any."""
        if not self.absences:
            return None
        return self.absences[max(0, math.ceil(share * len(self.absences)) - 1)]


def account(lives: Iterable[Life], stops: Sequence[Stop]) -> Account:
    """The sums of a rollout: all lives of all clients, those that are alive in the end too."""
    by_client: dict[int, list[Life]] = {}
    for life in sorted(lives, key=lambda life: (life.client, life.number)):
        by_client.setdefault(life.client, []).append(life)
    sums = Account(len(by_client), kills=sum(stop.killed for stop in stops))
    sums.returns = [[] for _ in stops]
    for own in by_client.values():
        for life in own:
            sums.altered += life.altered
            sums.failed_attempts += len(life.attempts) - (life.opened_at is not None)
        for life, following in itertools.zip_longest(own, own[1:]):
            if life.closed_at is None:
                continue
            at = stop_of(life, stops)
            pushed = stops[at].pushed.get(life.name, ()) if at is not None else ()
            _close(sums, life, life.closed_at, pushed)
            _come_back(sums, life.closed_at, following)
            if at is not None and following is not None:
                sums.returns[at] += following.attempts
    sums.absences.sort()
    for moments in sums.returns:
        moments.sort()
    return sums


def stop_of(life: Life, stops: Sequence[Stop]) -> int | None:
    """Which stop ended it: that of the replica that it was on; None if none of them knows it."""
    for index, stop in enumerate(stops):
        if life.name in stop.pushed:
            return index
    return None


def pace(moments: Sequence[float]) -> Pace:
    """Of attempts at these moments; the peak is that of `bins`, the mean goes from the first to the last."""
    if not moments:
        return Pace(0, 0.0, None)
    peak = max(bins(moments))
    seconds = max(moments) - min(moments)
    return Pace(peak, seconds, peak * seconds / len(moments) if seconds >= AT_ONCE else None)


def bins(moments: Sequence[float]) -> list[int]:
    """How many there are in each second from the first on."""
    first = min(moments)
    counts = Counter(int(moment - first) for moment in moments)
    return [counts[second] for second in range(max(counts) + 1)]


def _close(sums: Account, life: Life, closed_at: float, pushed: Sequence[float]) -> None:
    sums.codes[life.code] += 1
    told = life.code != ABNORMAL

    def crossed(moments: Sequence[float]) -> int:
        return sum(told and abs(moment - closed_at) <= ROUND_TRIP for moment in moments)

    missing = pushed[life.received :]
    sums.crossed_pushes += crossed(missing)
    sums.lost_pushes += len(missing) - crossed(missing)
    sums.crossed_questions += crossed(life.unanswered)
    sums.lost_answers += len(life.unanswered) - crossed(life.unanswered)


def _come_back(sums: Account, closed_at: float, following: Life | None) -> None:
    if following is None or following.opened_at is None:
        sums.never_back += 1
    else:
        sums.absences.append(following.opened_at - closed_at)
