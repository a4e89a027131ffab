"""Stand-ins for what surrounds the shells, written against the Protocols that the code defines."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from drainer.agent import Agent
from drainer.callers import CallerPolicy, Callers
from drainer.cap import Limits, NoLimits
from drainer.counter import Counter, live_count
from drainer.crew import Closer
from drainer.held import Answer
from drainer.lookout import SocketWatch
from drainer.model import Dump, Identity, TcpState
from drainer.phases import Phase
from drainer.plan import DrainPlan
from drainer.policy import Policy
from tests.unit.listeners import BrokenObserver, Listener

PORT = 8080
NODE, STRANGER = "192.0.2.1", "198.51.100.7"
"""Addresses of documentation (RFC 5737)."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One dump that somebody asked for."""

    at: float
    confirm_at: int | None
    tally_ignored: bool


@dataclass(slots=True)
class FakeRows:
    """A `model.Rows` from a list of (cookie, state, unsent)."""

    rows: Sequence[tuple[int, TcpState, int]]
    only_port: int | None = PORT

    @property
    def states(self) -> bytes:
        return bytes(state for _, state, _ in self.rows)

    @property
    def ports(self) -> list[int]:
        return [PORT] * len(self.rows)

    @property
    def ids(self) -> list[Identity]:
        return [cookie for cookie, _, _ in self.rows]

    @property
    def unsent(self) -> list[int]:
        return [unsent for _, _, unsent in self.rows]

    @property
    def quiet(self) -> list[float]:
        return [0.0] * len(self.rows)


class FakeWatch:
    """Notifications through a socket pair, so that the event loop's own add_reader wakes for them."""

    def __init__(self) -> None:
        self._mine, self._kernels = socket.socketpair()
        self._said: list[tuple[int, int]] = []
        self._failure: Exception | None = None
        self.is_closed = False

    def say(self, *gone: tuple[int, int], failure: Exception | None = None) -> None:
        """Speak as the kernel does: (port, cookie) of what is gone, or a failure of the next read."""
        self._said += gone
        self._failure = failure
        self._kernels.send(b"!")

    def fileno(self) -> int:
        return self._mine.fileno()

    def read(self) -> list[tuple[int, int]]:
        self._mine.recv(4096)
        said, self._said = self._said, []
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure
        return said

    def close(self) -> None:
        self.is_closed = True
        self._mine.close()
        self._kernels.close()


@dataclass
class FakeTable:
    """A socket table that the test writes; `asked` tells what was wanted of it and when."""

    rows: dict[int, tuple[TcpState, int]] = field(default_factory=dict)
    """cookie -> (state, unsent bytes)."""
    cost: float = 0.0
    """CPU seconds that a dump says it took."""
    takes: float = 0.0
    """Loop seconds that a dump takes; its rows are those of its beginning."""
    failure: Exception | None = None
    """What a dump raises."""
    watch_failure: Exception | None = None
    """What `watch` raises."""
    hangs: bool = False
    tallies_unasked: bool = True
    """As without `ignore_peers`: the tally of ignored peers is always there."""
    asked: list[Asked] = field(default_factory=list)
    watches: list[FakeWatch] = field(default_factory=list)
    _next_cookie: int = 1

    def open(self, state: TcpState = TcpState.ESTABLISHED, unsent: int = 0) -> int:
        """A new socket; returns its cookie."""
        cookie = self._next_cookie
        self._next_cookie += 1
        self.rows[cookie] = (state, unsent)
        return cookie

    def listen(self) -> int:
        return self.open(TcpState.LISTEN)

    def leave(self, *cookies: int) -> None:
        """These are gone, and the kernel says so to who listens."""
        for cookie in cookies:
            del self.rows[cookie]
        if self.is_watched:
            self.watches[-1].say(*((PORT, cookie) for cookie in cookies))

    def leave_silently(self, *cookies: int) -> None:
        for cookie in cookies:
            del self.rows[cookie]

    @property
    def is_watched(self) -> bool:
        return bool(self.watches) and not self.watches[-1].is_closed

    @property
    def asked_at(self) -> list[float]:
        return [asked.at for asked in self.asked]

    async def dump(self, confirm_at: int | None = None, *, tally_ignored: bool = False) -> Dump:
        loop = asyncio.get_running_loop()
        self.asked.append(Asked(loop.time(), confirm_at, tally_ignored))
        counter = Counter()
        counter.add(FakeRows([(cookie, *row) for cookie, row in self.rows.items()]))
        dump = counter.dump
        dump.taken_at, dump.cost = loop.time(), self.cost
        dump.ignored = {} if tally_ignored or self.tallies_unasked else None
        dump.confirmed = confirm_at is not None and live_count(dump) <= confirm_at
        if self.hangs:
            await loop.create_future()
        await asyncio.sleep(self.takes)
        if self.failure is not None:
            raise self.failure
        return dump

    def watch(self) -> SocketWatch:
        if self.watch_failure is not None:
            raise self.watch_failure
        self.watches.append(FakeWatch())
        return self.watches[-1]


LISTENER = 1
"""The cookie of the app's listening socket."""


def serving_app(connections: int = 0) -> tuple[FakeTable, list[int]]:
    """A table with a listener and some clients: (table, the clients' cookies)."""
    table = FakeTable()
    assert table.listen() == LISTENER
    return table, [table.open() for _ in range(connections)]


@dataclass
class Stage:
    """An agent that runs on a fake table, and what it does."""

    agent: Agent
    table: FakeTable
    listener: Listener
    running: asyncio.Task[None]

    def call(self, peer: str = "127.0.0.1", **headers: str) -> asyncio.Task[tuple[float, Answer]]:
        """A call of /drain: (moment of the answer, answer)."""

        async def called() -> tuple[float, Answer]:
            answer = await self.agent.drain(peer, {name.replace("_", "-"): value for name, value in headers.items()})
            return now(), answer

        return asyncio.create_task(called())

    def phase(self) -> Phase:
        return self.agent.status().phase

    def gone_at(self) -> asyncio.Task[float]:
        """The moment at which the agent's run ends."""

        async def gone() -> float:
            await self.running
            return now()

        return asyncio.create_task(gone())


def no_limits() -> Limits:
    return NoLimits()


class Usual:
    """What agents have that a test says nothing of."""

    limits: Callable[[], Limits] = staticmethod(no_limits)


@asynccontextmanager
async def staged(
    table: FakeTable,
    plan: DrainPlan | None = None,
    policy: Policy | None = None,
    callers: CallerPolicy | None = None,
    *,
    closers: Mapping[str, Closer] | None = None,
    limits: Limits | None = None,
    broken_observer: bool = False,
) -> AsyncIterator[Stage]:
    """An agent that runs until the block ends; the node 192.0.2.1 is trusted."""
    listener = Listener()
    agent = Agent(
        table,
        ports=[PORT],
        plan=plan or DrainPlan(),
        callers=Callers(callers or CallerPolicy(sources=[NODE])),
        policy=policy or Policy(),
        closers=closers,
        observers=[BrokenObserver(), listener] if broken_observer else [listener],
    )
    agent.heed(limits or Usual.limits())
    running = asyncio.create_task(agent.run())
    try:
        yield Stage(agent, table, listener, running)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def now() -> float:
    return asyncio.get_running_loop().time()


async def until(moment: float) -> None:
    """Sleep to this moment of the loop's time."""
    await asyncio.sleep(moment - now())


def after(moment: float, call: Callable[..., object], *arguments: object) -> None:
    """Do it at this moment of the loop's time."""
    asyncio.get_running_loop().call_at(moment, call, *arguments)
