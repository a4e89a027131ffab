"""The chooser: sock_diag while the kernel lets us, psutil where it does not, and one thread for both."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Protocol

from drainer.counter import CENSUS_STATES, join, live_count
from drainer.errors import RefusedError
from drainer.model import Dump, TcpState
from drainer.sockets.netlink import NetlinkTable, Watch
from drainer.worker import Worker


class _Table(Protocol):
    def dump(self, *, tally_ignored: bool = False) -> Dump: ...


class SocketTable:
    """Dumps of the rows on `ports`; blocking, for one thread."""

    def __init__(
        self,
        ports: Sequence[int],
        ignored: Sequence[str] = (),
        idle_after: float | None = None,
        clock: Callable[[], float] = time.monotonic,
        states: Sequence[TcpState] = CENSUS_STATES,
    ) -> None:
        self._ports = ports
        self._ignored = ignored
        self._clock = clock
        self._table: _Table = NetlinkTable(ports, ignored, idle_after, clock, states)

    def dump(self, confirm_at: int | None = None, *, tally_ignored: bool = False) -> Dump:
        """One dump; if it has at most `confirm_at` live connections, a second one joined to it.

        Raises SocketTableError.
        """
        first = self._dump(tally_ignored=tally_ignored)
        if confirm_at is None or live_count(first) > confirm_at:
            return first
        return join(first, self._dump(tally_ignored=False))

    def _dump(self, *, tally_ignored: bool) -> Dump:
        try:
            return self._table.dump(tally_ignored=tally_ignored)
        except RefusedError:
            # Here, not above: psutil costs memory and start time in every pod, and hardly any pod needs it.
            from drainer.sockets.psutil_table import PsutilTable  # noqa: PLC0415

            self._table = PsutilTable(self._ports, self._ignored, self._clock)
            return self._table.dump(tally_ignored=tally_ignored)

    def watch(self) -> Watch:
        """Notifications of closes. Raises SocketTableError where there are none.

        They speak of cookies, so they are of no use beside rows that are named by addresses.
        """
        if not isinstance(self._table, NetlinkTable):
            raise RefusedError("sock_diag notifications", detail="the rows come from psutil")
        return Watch(self._ports)


class CensusThread:
    """Runs the dumps beside the event loop: a walk over a big table with few matches is one long system call."""

    def __init__(self, table: SocketTable) -> None:
        self._table = table
        self._worker = Worker("census")

    async def dump(self, confirm_at: int | None = None, *, tally_ignored: bool = False) -> Dump:
        """See SocketTable.dump."""
        return await self._worker.run(lambda: self._table.dump(confirm_at, tally_ignored=tally_ignored))

    def watch(self) -> Watch:
        """See SocketTable.watch."""
        return self._table.watch()
