"""Ends connections of an unchanged app by the end of the stream: the app reads it and ends the session its own way."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence

from drainer.attempt import Attempt, Verdict
from drainer.closers.descriptors import Descriptors, Rows
from drainer.closers.rights import Rights
from drainer.model import Connection, TcpState


class ShutdownCloser:
    """A `crew.BlockingCloser` that shuts the receiving side. Nothing is written, so nothing has to be guarded."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._descriptors = Descriptors(rows)
        self._rights = Rights(self._descriptors)

    def missing(self) -> str | None:
        """What it lacks to reach the app's descriptors; None if it can work."""
        return self._rights.missing(self._rows.listeners())

    def close(self, cookies: Sequence[int], wanted: Callable[[], bool]) -> dict[int, Attempt]:
        """shutdown(SHUT_RD) on each."""
        found = self._rows.look_up(cookies)
        done: dict[int, Attempt] = {}
        for cookie in cookies:
            if not wanted():
                break
            done[cookie] = self._close(found.get(cookie))
        return done

    def _close(self, connection: Connection | None) -> Attempt:
        # In CLOSE_WAIT the app has the end of the stream already.
        if connection is None or connection.state is not TcpState.ESTABLISHED:
            return Attempt(Verdict.GONE)
        if not connection.inode:
            return Attempt(Verdict.UNACCEPTED)
        return self._descriptors.use(connection, _shut)


def _shut(duplicate: socket.socket) -> Attempt:
    duplicate.shutdown(socket.SHUT_RD)
    return Attempt(Verdict.SENT)
