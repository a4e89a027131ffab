"""Ends WebSockets of an unchanged app: one Close frame, written through the app's own descriptor.

The app then sees a client that answers a close it never sent, and both ends finish as RFC 6455 tells them to. The
frame must land between two messages of the app's: `loops` says what that rests on. What cannot be shown to be safe is
left to the next closer.
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from drainer.attempt import Attempt, Verdict
from drainer.closers.descriptors import Descriptors, Place, Rows
from drainer.closers.hello import Answer, say_hello_to_all
from drainer.closers.loops import Loops, Standing
from drainer.closers.rights import Rights
from drainer.errors import SocketTableError
from drainer.model import Connection, Listener, TcpState

_TCP_INFO = struct.Struct("=B23xI16xI96xI52xQ")
"""struct tcp_info (linux/tcp.h): tcpi_state, tcpi_unacked, tcpi_last_data_sent, tcpi_notsent_bytes, tcpi_bytes_sent."""
_MARGIN = 0.2
"""Seconds between a reading and what was sent last before it. The kernel stamps in jiffies, up to 10 ms each, and a
virtual machine that is held up for a while stamps late."""
_SILENCE = 1.0
"""Seconds that settle for a proof where `websocket_unproven` is on."""
_TOGETHER = 32
"""Busy connections of which it is shown at a time that nothing was sent: some 2 ms from beginning to end."""

_BUSY, _GONE = Attempt(Verdict.BUSY), Attempt(Verdict.GONE)


class Tap(Protocol):
    """Who has seen the upgrades."""

    def knows(self, cookie: int) -> bool: ...

    def missing(self) -> str | None: ...


def close_frame(code: int, reason: str) -> bytes:
    """An unmasked Close frame (RFC 6455, sections 5.5.1 and 5.1: a server never masks).

    `reason` has at most 123 bytes as UTF-8.
    """
    body = struct.pack(">H", code) + reason.encode()
    return bytes((0x88, len(body))) + body


class WebSocketCloser:
    """A `crew.BlockingCloser` that writes Close frames."""

    def __init__(
        self,
        rows: Rows,
        tap: Tap | None,
        *,
        declared_ports: Iterable[int],
        code: int,
        reason: str,
        unproven: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`tap` is None where all ports are declared; `unproven` settles for silence where a loop cannot be read."""
        self._rows = rows
        self._tap = tap
        self._declared = frozenset(declared_ports)
        self._frame = close_frame(code, reason)
        self._unproven = unproven
        self._clock = clock
        self._descriptors = Descriptors(rows, clock=clock)
        self._rights = Rights(self._descriptors)
        self._loops = Loops(self._descriptors, clock=clock)
        self._answered: set[int] = set()
        """The cookies of listeners that have answered a TLS hello."""
        self._encrypted: dict[int, bool] = {}
        """Declared port -> whether its app has answered in TLS."""

    def missing(self) -> str | None:
        """What it lacks: the app's descriptors, or the right to watch its upgrades. None if it can work.

        Sends a TLS hello, then a request, to the listeners on declared ports that have not answered: up to 1.5 s for
        all of them.
        """
        listeners = self._rows.listeners()
        missing = self._rights.missing(listeners)
        if missing is None and self._tap is not None:
            missing = self._tap.missing()
        if missing is not None:
            return missing
        self._probe([one for one in listeners if self._is_open(one)])
        return None

    def _is_open(self, listener: Listener) -> bool:
        """Whether anything can be learned from its answer."""
        decided = listener.cookie in self._answered or self._encrypted.get(listener.port, False)
        return listener.port in self._declared and not decided

    def _probe(self, listeners: Sequence[Listener]) -> None:
        answers = say_hello_to_all({(listener.address, listener.port) for listener in listeners})
        for listener in listeners:
            answer = answers.get((listener.address, listener.port), Answer.SILENCE)
            # Who was silent may have been busy: it is asked again the next time, and until then it says nothing.
            if answer is not Answer.SILENCE:
                self._answered.add(listener.cookie)
                # One that encrypts speaks for the port, whatever the others are.
                self._encrypted[listener.port] = self._encrypted.get(listener.port, False) or answer is Answer.TLS

    def close(self, cookies: Sequence[int], wanted: Callable[[], bool]) -> dict[int, Attempt]:
        """Write a Close frame to each, where that is right and safe."""
        found = self._rows.look_up(cookies)
        looked_at = self._clock()
        answers = {cookie: self._unfit(found.get(cookie)) for cookie in cookies}
        fit = [found[cookie] for cookie, attempt in answers.items() if attempt is None]
        inodes = [connection.inode for connection in fit]
        if fit and self._loops.is_due(inodes) and self._loops.may_look():
            self._loops.look(inodes)
        done = {cookie: attempt for cookie, attempt in answers.items() if attempt is not None}
        for connection in fit:
            if not wanted():
                return done
            done[connection.cookie] = self._try(connection, looked_at)
        busy = [connection.cookie for connection in fit if done[connection.cookie] == _BUSY]
        for at in range(0, len(busy), _TOGETHER):
            if not wanted() or not self._loops.may_look():
                break
            try:
                done |= self._try_again(busy[at : at + _TOGETHER])
            except (SocketTableError, OSError):
                break  # They are busy still; and nothing that was done may be lost.
        return done

    def _try_again(self, cookies: Sequence[int]) -> dict[int, Attempt]:
        """The same with a reading of just now. Raises OSError and SocketTableError before anything is done."""
        found = self._rows.look_up(cookies)
        looked_at = self._clock()
        self._loops.look([connection.inode for connection in found.values()])
        return {cookie: self._unfit(found.get(cookie)) or self._try(found[cookie], looked_at) for cookie in cookies}

    def _unfit(self, connection: Connection | None) -> Attempt | None:
        """Why a frame is out of the question, whatever the app is doing."""
        if connection is None or connection.state is not TcpState.ESTABLISHED:
            return _GONE
        if not connection.inode:
            return Attempt(Verdict.UNACCEPTED)
        if connection.port not in self._declared:
            seen = self._tap is not None and self._tap.knows(connection.cookie)
            return None if seen else Attempt(Verdict.NOT_WEBSOCKET)
        if connection.port not in self._encrypted:
            return Attempt(Verdict.FAILED, "unprobed")
        if self._encrypted[connection.port]:
            return Attempt(Verdict.TLS)
        # On a port that speaks nothing but WebSocket the first thing to be sent is the answer to the handshake.
        return None if connection.bytes_sent else _BUSY

    def _try(self, connection: Connection, looked_at: float) -> Attempt:
        standing, place = self._loops.find(connection.inode)
        if standing is Standing.BETWEEN:
            reading_at, sent = self._loops.at, connection.bytes_sent if self._loops.at >= looked_at else None
            return self._write(
                connection,
                place,
                lambda silence, total: silence > self._clock() - reading_at + _MARGIN or total == sent,
            )
        # In no epoll is only who was looked for in all of them.
        if standing is Standing.MAYBE or (standing is Standing.UNSEEN and self._descriptors.at < looked_at):
            return _BUSY
        if not self._unproven:
            # Tried all the same: what is not there any more is gone, and not unproven.
            return self._descriptors.use(connection, lambda _: Attempt(Verdict.UNPROVEN), place)
        return self._write(connection, place, lambda silence, _: silence >= _SILENCE)

    def _write(
        self, connection: Connection, place: Place | None, nothing_sent: Callable[[float, int], bool]
    ) -> Attempt:
        return self._descriptors.use(
            connection, lambda duplicate: write_between(duplicate, self._frame, nothing_sent), place
        )


def write_between(duplicate: socket.socket, frame: bytes, nothing_sent: Callable[[float, int], bool]) -> Attempt:
    """Write the frame if the queue is empty and `nothing_sent(seconds without, bytes ever sent)`."""
    # One call for all of it: the kernel holds the socket's lock, so the numbers are of one moment. It does not let go
    # of the interpreter either, so no other thread comes between here and send(), some microseconds later.
    info = duplicate.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO.size)
    state, unacknowledged, silence, unsent, total = _TCP_INFO.unpack(info)
    if state != TcpState.ESTABLISHED:
        return _GONE
    if unacknowledged or unsent or not nothing_sent(silence / 1000, total):
        return _BUSY
    try:
        written = duplicate.send(frame, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
    except BlockingIOError:
        return _BUSY
    return Attempt(Verdict.SENT) if written == len(frame) else Attempt(Verdict.FAILED, "short")
