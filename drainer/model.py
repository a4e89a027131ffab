"""The values that everything else speaks in: states, reasons, dumps, censuses."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Protocol

Identity = Hashable
"""What names one socket for its whole life: the kernel's cookie (int), or the address pair where that is hidden."""


class TcpState(IntEnum):
    """The states of a TCP socket as the kernel numbers them (include/net/tcp_states.h)."""

    ESTABLISHED = 1
    SYN_SENT = 2
    SYN_RECV = 3
    FIN_WAIT1 = 4
    FIN_WAIT2 = 5
    TIME_WAIT = 6
    CLOSE = 7
    CLOSE_WAIT = 8
    LAST_ACK = 9
    LISTEN = 10
    CLOSING = 11
    NEW_SYN_RECV = 12


class Reason(StrEnum):
    """Why a row on an app port is not in the count."""

    IGNORED_PEER = "ignored_peer"
    """Its peer is in `ignore_peers`."""
    IDLE = "idle"
    """No data in either direction for `idle_after`."""
    HALF_CLOSED = "half_closed"
    """In CLOSE_WAIT for longer than a living app needs: the client is gone, the app leaks the socket."""
    YOUNG = "young"
    """Younger than `min_age`: left out of the gauges, not of a drain."""
    FLUSHING = "flushing"
    """The app has closed it, and the client has not got everything yet."""
    CLOSED = "closed"
    """The app has closed it; only the FIN waits to be acknowledged."""


class Source(StrEnum):
    """Where the rows come from."""

    SOCK_DIAG = "sock_diag"
    PSUTIL = "psutil"


BLIND_TO: Mapping[Source, tuple[str, ...]] = {
    Source.SOCK_DIAG: (),
    Source.PSUTIL: (
        "flushing: unsent bytes are not visible, a drain does not wait for them",
        "idle: the time without data is not visible, idle_after has no effect",
        "notifications: a close is seen at the next census, not at once",
        "cookies: a client that is back from its old address and port counts as the same connection",
        "restarts: an app that is back before the next census is not seen as restarted",
    ),
}
"""What a source cannot see, in words for people."""


class CensusError(StrEnum):
    """Why a census failed or had to be taken again."""

    KERNEL = "kernel"
    """The kernel answered with an errno."""
    WIRE = "wire"
    """The kernel's answer could not be read."""
    LOST = "lost"
    """Notifications of closes were lost in a flood; a census made up for them."""
    OTHER = "other"
    """Anything else: a bug, or the machine."""


class Rows(Protocol):
    """Rows of the socket table in columns, all of the same length and order."""

    @property
    def states(self) -> bytes:
        """The TcpState of each row, one byte each."""
        ...

    @property
    def only_port(self) -> int | None:
        """The local port, if all rows share one."""
        ...

    @property
    def ports(self) -> Sequence[int]:
        """The local port of each row."""
        ...

    @property
    def ids(self) -> Sequence[Identity]:
        """The identity of each row."""
        ...

    @property
    def unsent(self) -> Sequence[int]:
        """Bytes that the peer has not acknowledged (`idiag_wqueue`); a FIN counts as one."""
        ...

    @property
    def quiet(self) -> Sequence[float]:
        """Seconds since data last went in either direction."""
        ...


@dataclass(slots=True)
class Dump:
    """One walk over the socket table, sorted into groups (`counter` fills it)."""

    groups: dict[tuple[int, int], set[Identity]] = field(default_factory=dict)
    """(local port, TcpState) -> the sockets."""
    flushing: set[Identity] = field(default_factory=set)
    """Closed by the app with bytes that the client has not acknowledged."""
    idle: set[Identity] = field(default_factory=set)
    """Without data in either direction for `idle_after`."""
    ignored: dict[int, int] | None = None
    """Local port -> rows of ignored peers; None when nobody asked for the tally."""
    taken_at: float = 0.0
    """The moment *before* the first row was read, in loop time."""
    cost: float = 0.0
    """CPU seconds that the walk took."""
    confirmed: bool = False
    """Taken twice and joined: a row that either walk saw is in it."""
    source: Source = Source.SOCK_DIAG
    quiet: dict[Identity, float] = field(default_factory=dict)
    """Seconds without data in either direction, where that was read."""


@dataclass(frozen=True, slots=True)
class Connection:
    """One connection on an app port, looked at closely."""

    cookie: int
    port: int
    """The local port."""
    inode: int
    """N of `socket:[N]` in /proc/PID/fd; 0 while the app has not accepted it."""
    state: TcpState
    unsent: int
    """Bytes that the peer has not acknowledged (`idiag_wqueue`)."""
    bytes_sent: int
    """Payload bytes ever transmitted (`tcpi_bytes_sent`, Linux 4.19); -1 where the kernel does not say."""
    quiet_sent: float
    """Seconds since data was last transmitted (`tcpi_last_data_sent`)."""


@dataclass(frozen=True, slots=True)
class Listener:
    """One listening socket on an app port."""

    cookie: int
    port: int
    inode: int
    address: str
    """As text; `0.0.0.0` or `::` for all."""
    uid: int = 0
    """Whose socket it is (`idiag_uid`), as this user namespace numbers users."""


@dataclass(frozen=True, slots=True)
class PortCount:
    """The numbers of one app port."""

    live: int = 0
    """Live client connections: these hold a drain."""
    excluded: Mapping[Reason, int] = field(default_factory=dict)
    opened: int = 0
    """Connections ever seen."""
    closed: int = 0
    """Connections that were seen and have left."""

    @property
    def shown(self) -> int:
        """Live without the young: what the gauges show."""
        return self.live - self.excluded.get(Reason.YOUNG, 0)


@dataclass(frozen=True, slots=True)
class Census:
    """What is alive at one instant, in numbers."""

    taken_at: float
    """Nothing that happened after this moment (loop time) need be in it, but for departures."""
    confirmed: bool
    source: Source
    ports: Mapping[int, PortCount]
    states: Mapping[TcpState, int]
    listeners: frozenset[Identity]
    """The listening sockets on the app ports."""
    present: Mapping[Identity, float] | None = None
    """Live connections and their seconds without data (0 where that is not read); only while somebody closes them."""
    departed: tuple[Identity, ...] = ()
    """Sockets that the kernel says are gone since the census before."""

    @property
    def live(self) -> int:
        """Live client connections on all ports."""
        return sum(count.live for count in self.ports.values())

    @property
    def shown(self) -> int:
        """Live without the young, on all ports."""
        return sum(count.shown for count in self.ports.values())

    @property
    def flushing(self) -> int:
        """Connections that the app has closed and whose client waits for the rest."""
        return self.excluded(Reason.FLUSHING)

    @property
    def opened(self) -> int:
        """Connections ever seen on all ports."""
        return sum(count.opened for count in self.ports.values())

    @property
    def closed(self) -> int:
        """Connections that were seen and have left, on all ports."""
        return sum(count.closed for count in self.ports.values())

    def excluded(self, reason: Reason) -> int:
        """Rows left out for `reason` on all ports."""
        return sum(count.excluded.get(reason, 0) for count in self.ports.values())


class Histogram:
    """Counts of observations by upper bound, as Prometheus wants them."""

    __slots__ = ("_counts", "bounds", "total")

    def __init__(self, bounds: Iterable[float]) -> None:
        self.bounds = tuple(bounds)
        self._counts = [0] * (len(self.bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """Add one observation; a value on a bound belongs to it (Prometheus' `le`)."""
        self._counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    @property
    def count(self) -> int:
        """How many observations there were."""
        return sum(self._counts)

    def cumulative(self) -> list[tuple[str, float]]:
        """(`le`, observations up to it), the last for `+Inf`."""
        running, buckets = 0, []
        for bound, count in zip([*map(str, self.bounds), "+Inf"], self._counts, strict=True):
            running += count
            buckets.append((bound, float(running)))
        return buckets
