"""The fallback where sock_diag is refused: psutil reads /proc/net/tcp and /proc/net/tcp6.

What it cannot see is listed in `model.BLIND_TO`. It is slow (it also walks the descriptors of every process that it
may look at), but it is right about the one thing that matters: which connections are there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import psutil

from drainer.addresses import parse_address, parse_peers
from drainer.counter import LIVE_STATES, Counter
from drainer.errors import SocketTableError
from drainer.model import Dump, Identity, Source, TcpState

_STATES = {
    psutil.CONN_ESTABLISHED: TcpState.ESTABLISHED,
    psutil.CONN_CLOSE_WAIT: TcpState.CLOSE_WAIT,
    psutil.CONN_FIN_WAIT1: TcpState.FIN_WAIT1,
    psutil.CONN_CLOSING: TcpState.CLOSING,
    psutil.CONN_LAST_ACK: TcpState.LAST_ACK,
    psutil.CONN_LISTEN: TcpState.LISTEN,
}


@dataclass(slots=True)
class _Rows:
    """A `model.Rows` of what psutil lists; unsent bytes and quiet times are not to be had."""

    codes: list[int] = field(default_factory=list)
    ports: list[int] = field(default_factory=list)
    ids: list[Identity] = field(default_factory=list)
    only_port: int | None = None

    @property
    def states(self) -> bytes:
        return bytes(self.codes)

    @property
    def unsent(self) -> list[int]:
        return [0] * len(self.ids)

    @property
    def quiet(self) -> list[float]:
        return [0.0] * len(self.ids)


class PsutilTable:
    """The socket table through psutil, filtered here."""

    def __init__(
        self, ports: Sequence[int], ignored: Sequence[str] = (), clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._ports = frozenset(ports)
        self._ignored = [parse_peers(text) for text in ignored]
        self._clock = clock
        self._listening: dict[Identity, int] = {}
        """Listening address -> how often it has come back: a new app where there was none for one dump."""
        self._present: set[Identity] = set()
        self._seen: set[Identity] = set()

    def dump(self, *, tally_ignored: bool = False) -> Dump:  # noqa: ARG002 - the Protocol's
        """List all connections once; the tally of ignored peers costs nothing here and is always made."""
        taken_at, spent = self._clock(), time.thread_time()
        counter, ignored = Counter(), dict.fromkeys(self._ports, 0)
        rows = _Rows()
        self._seen = set()
        try:
            connections = psutil.net_connections("tcp")
        except (OSError, psutil.Error) as error:
            raise SocketTableError("psutil", getattr(error, "errno", None), str(error)) from error
        for connection in connections:
            state = _STATES.get(connection.status)
            if state is None or not connection.laddr or connection.laddr.port not in self._ports:
                continue
            port = connection.laddr.port
            if connection.raddr and self._is_ignored(*connection.raddr):
                ignored[port] += state in LIVE_STATES
                continue
            rows.codes.append(state)
            rows.ports.append(port)
            rows.ids.append(self._identity(connection))
        self._present = self._seen
        counter.add(rows)
        dump = counter.dump
        dump.ignored = ignored
        dump.taken_at, dump.cost, dump.source = taken_at, time.thread_time() - spent, Source.PSUTIL
        return dump

    def _identity(self, connection: Any) -> Identity:
        local = tuple(connection.laddr)
        if connection.raddr:
            return local, tuple(connection.raddr)
        self._seen.add(local)
        if local not in self._present:
            self._listening[local] = self._listening.get(local, 0) + 1
        return local, self._listening[local]

    def _is_ignored(self, text: str, port: int) -> bool:
        peer = parse_address(text)
        return peer is not None and any(peer in network and only in (None, port) for network, only in self._ignored)
