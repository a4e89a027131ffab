"""Keeps counting: when a census is due, what it may cost, who waits for one, and the kernel's word of closes."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from enum import Enum, auto
from typing import Protocol

from drainer.errors import SocketTableError, WireError
from drainer.model import Census, CensusError, Dump, Histogram, Reason
from drainer.phases import Phase
from drainer.tracker import Tracker

SECONDS_BOUNDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)

MAX_AGE = 5.0
"""Seconds: nobody who reads is given an older census."""
MAX_READ_WAIT = 5.0
"""Seconds that a reader waits for it before it is given what there is."""


class SocketWatch(Protocol):
    """The kernel's word of closes."""

    def fileno(self) -> int: ...
    def read(self) -> list[tuple[int, int]]: ...
    def close(self) -> None: ...


class SocketTable(Protocol):
    """Where dumps come from; may raise SocketTableError."""

    async def dump(self, confirm_at: int | None = None, *, tally_ignored: bool = False) -> Dump: ...
    def watch(self) -> SocketWatch: ...


class Pace(Enum):
    """How closely the connections are followed."""

    REST = auto()
    """Each `interval`, at most 0.5 % of a core."""
    PASSIVE = auto()
    """As at rest, but empty dumps are confirmed: a stranger waits."""
    SETTLE = auto()
    """As DRAIN, but nothing ends yet: a connection that leaves makes no census due."""
    DRAIN = auto()
    """Notifications and a census each second, or one every 200 ms; at most 10 % of a core."""
    CLOSE = auto()
    """As DRAIN, and the censuses name the connections."""

    @classmethod
    def of(cls, phase: Phase, *, waits: bool, is_leaving: bool) -> Pace:
        """The pace of a phase; `waits`: a stranger does, `is_leaving`: the agent has been asked to go."""
        if phase is Phase.CLOSING:
            return cls.CLOSE
        if phase is Phase.DRAINING or is_leaving:
            return cls.DRAIN
        if phase is Phase.SETTLING:
            return cls.SETTLE
        return cls.PASSIVE if waits else cls.REST


_DRAINING = frozenset({Pace.SETTLE, Pace.DRAIN, Pace.CLOSE})
_REST_SHARE, _DRAIN_SHARE, _KICKED_SHARE = 0.005, 0.1, 0.5
_NOTIFIED_GAP, _UNNOTIFIED_GAP, _FLUSH_GAP = 1.0, 0.2, 0.05


class Lookout:
    """Takes the censuses and hands each to `on_census`, as it does the numbers after closes the kernel reports."""

    def __init__(
        self,
        table: SocketTable,
        tracker: Tracker,
        *,
        interval: float,
        longest: float,
        max_remaining: int,
        on_census: Callable[[Census], None],
        on_error: Callable[[Exception], None],
    ) -> None:
        self._table = table
        self._tracker = tracker
        self._interval = interval
        self._longest = longest
        self._max_remaining = max_remaining
        self._on_census = on_census
        self._on_error = on_error
        self._pace = Pace.REST
        self._watch: SocketWatch | None = None
        self._kicked = asyncio.Event()
        self._hurried = asyncio.Event()
        self._readers: set[asyncio.Future[None]] = set()
        self._cost = 0.0
        self._ended_at = float("-inf")
        self._tallied_at = float("-inf")
        self.census = tracker.census(0.0)
        """The latest; its taken_at is 0 before the first."""
        self.seconds = Histogram(SECONDS_BOUNDS)
        self.errors = dict.fromkeys(CensusError, 0)

    @property
    def ages(self) -> Histogram:
        """Ages of the connections that left."""
        return self._tracker.ages

    @property
    def is_notified(self) -> bool:
        """Whether the kernel reports closes now."""
        return self._watch is not None

    def follow(self, pace: Pace) -> None:
        """Count at `pace` from the next census on."""
        self._pace = pace
        if pace not in _DRAINING:
            self.close()
        elif self._watch is None:
            try:
                self._watch = self._table.watch()
            except SocketTableError as error:
                self._on_error(error)
            else:
                asyncio.get_running_loop().add_reader(self._watch.fileno(), self._on_readable)

    def kick(self, *, at_once: bool = False) -> None:
        """A census is due now; `at_once`, whatever the one before has cost."""
        if at_once:
            self._hurried.set()
        self._kicked.set()

    def close(self) -> None:
        """Stop listening to the kernel."""
        if self._watch is not None:
            asyncio.get_running_loop().remove_reader(self._watch.fileno())
            self._watch.close()
            self._watch = None

    async def fresh(self) -> None:
        """Wait until there is a census of at most MAX_AGE, taking one if need be; all who wait share it."""
        if self._is_fresh():
            return
        reader = asyncio.get_running_loop().create_future()
        self._readers.add(reader)
        self.kick()
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(MAX_READ_WAIT):
                    await reader
        finally:
            self._readers.discard(reader)

    def _is_fresh(self) -> bool:
        return min(self.census.taken_at, self._tallied_at) >= asyncio.get_running_loop().time() - MAX_AGE

    async def run(self) -> None:
        """Take a census whenever one is due, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            # Not wait_for: until Python 3.12 it may swallow a cancellation that comes together with a kick.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(self._ended_at + self._gap()):
                    await self._kicked.wait()
            # Not even a kick may let counting take more than half a core, unless it is in a hurry.
            spaced_at = self._ended_at + self._cost / _KICKED_SHARE
            if spaced_at > loop.time():
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout_at(spaced_at):
                        await self._hurried.wait()
            self._kicked.clear()
            self._hurried.clear()
            await self._take()

    def _gap(self) -> float:
        """Seconds from the end of one census to the beginning of the next."""
        if self._pace not in _DRAINING:
            gap = min(max(self._interval, self._cost / _REST_SHARE), self._longest)
            return max(gap, self._cost / _DRAIN_SHARE)
        gap = min(self._interval, _NOTIFIED_GAP) if self._watch else _UNNOTIFIED_GAP
        if self.census.flushing and self.census.live <= self._max_remaining:
            gap = _FLUSH_GAP
        return max(gap, self._cost / _DRAIN_SHARE)

    async def _take(self) -> None:
        loop = asyncio.get_running_loop()
        asked = set(self._readers)
        # The table cannot know which of the sockets in CLOSE_WAIT the app leaks: they must not keep it from confirming.
        leaked = self.census.excluded(Reason.HALF_CLOSED)
        confirm_at = None if self._pace is Pace.REST else self._max_remaining + leaked
        began_at = loop.time()
        try:
            dump = await self._table.dump(confirm_at, tally_ignored=bool(asked))
            spent = time.thread_time()
            self._tracker.observe(dump)
            self.census = self._tracker.census(loop.time(), named=self._pace is Pace.CLOSE)
            self._cost = dump.cost + time.thread_time() - spent
            if dump.ignored is not None:
                self._tallied_at = dump.taken_at
            self.seconds.observe(loop.time() - began_at)
            self._on_census(self.census)
        except Exception as error:  # noqa: BLE001 - counting must go on, whatever one census met
            self._failed(error)
        self._ended_at = loop.time()
        # Who came in the middle is content with this one too, unless it failed or made no tally.
        for reader in self._readers if self._is_fresh() else asked:
            if not reader.done():
                reader.set_result(None)

    def _failed(self, error: Exception, reason: CensusError | None = None) -> None:
        if reason is None:
            reason = CensusError.KERNEL if isinstance(error, SocketTableError) else CensusError.OTHER
            reason = CensusError.WIRE if isinstance(error, WireError) else reason
        self.errors[reason] += 1
        self._on_error(error)

    def _on_readable(self) -> None:
        """The kernel reports closes: take them off, and look again when that was the last."""
        assert self._watch is not None  # noqa: S101 - for the type checker; the reader is removed with the watch
        now = asyncio.get_running_loop().time()
        try:
            gone = self._watch.read()
        except SocketTableError as error:
            self._failed(error, CensusError.LOST)
            self.kick()
            return
        for port, cookie in gone:
            self._tracker.depart(port, cookie, now)
        self.census = self._tracker.census(now, departed=[cookie for _, cookie in gone])
        if self._pace in (Pace.DRAIN, Pace.CLOSE) and self.census.live <= self._max_remaining:
            self.kick()
        self._on_census(self.census)
