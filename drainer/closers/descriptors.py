"""The app's sockets: which process has which under which number, and how to borrow one for a moment.

All of it through /proc and pidfd_getfd(2), as ptrace(2) allows it ("Ptrace access mode checking").
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import socket
import struct
import time
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple, Protocol

from drainer.attempt import Attempt, Verdict
from drainer.closers.allowance import Allowance
from drainer.errors import SocketTableError
from drainer.model import Connection, Listener, TcpState

_PIDFD_GETFD = 438
"""The same on all architectures (include/uapi/asm-generic/unistd.h); neither glibc nor Python wraps it."""
_SO_COOKIE = 57
_COOKIE = struct.Struct("=Q")
_EVENTPOLL = "anon_inode:[eventpoll]"
_FD_BITS, _FLAG_BITS = 28, 4

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


class Rows(Protocol):
    """The socket table, row by row."""

    def look_up(self, cookies: Iterable[int]) -> dict[int, Connection]: ...

    def listeners(self) -> Sequence[Listener]: ...


class Place(NamedTuple):
    """Where a socket can be had."""

    pid: int
    descriptor: int


class Inodes:
    """Socket inode -> (descriptor, four flags) of one process, in eight bytes each."""

    def __init__(self, rows: Iterable[tuple[int, int, int]] = ()) -> None:
        """Rows of (inode, descriptor, flags)."""
        packed = [
            inode << _FD_BITS + _FLAG_BITS | descriptor << _FLAG_BITS | flags
            for inode, descriptor, flags in rows
            # Socket inodes have 32 bits (get_next_ino); what is longer is no socket.
            if not inode >> 32
        ]
        packed.sort()
        self._packed = array("Q", packed)

    def find(self, inode: int) -> list[tuple[int, int]]:
        """(descriptor, flags) of each entry: one descriptor may have been duplicated."""
        found, shift = [], _FD_BITS + _FLAG_BITS
        at = bisect_left(self._packed, inode << shift)
        while at < len(self._packed) and self._packed[at] >> shift == inode:
            found.append(
                (self._packed[at] >> _FLAG_BITS & (1 << _FD_BITS) - 1, self._packed[at] & (1 << _FLAG_BITS) - 1)
            )
            at += 1
        return found


@contextmanager
def borrow(place: Place) -> Iterator[socket.socket]:
    """A duplicate of the descriptor, closed at the end. Raises OSError.

    While it lives, the app's own close() sends no FIN and leaves the number in its epoll: nothing in between may wait.
    The file behind it is shared with the app, O_NONBLOCK with it: no timeout may be set on the duplicate.
    """
    pidfd = os.pidfd_open(place.pid)
    try:
        descriptor = _libc.syscall(_PIDFD_GETFD, pidfd, place.descriptor, 0)
        if descriptor < 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))
    finally:
        os.close(pidfd)
    try:
        # What is given here is not asked of the kernel, and is only looked at by methods that are not used.
        duplicate = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, descriptor)
    except OSError:
        os.close(descriptor)
        raise
    with duplicate:
        yield duplicate


def cookie_of(sock: socket.socket) -> int:
    """The kernel's name for it, the same as in the census."""
    return int(_COOKIE.unpack(sock.getsockopt(socket.SOL_SOCKET, _SO_COOKIE, _COOKIE.size))[0])


_GONE = frozenset({errno.EPIPE, errno.ECONNRESET, errno.ENOTCONN, errno.ETIMEDOUT})
"""What a socket says that was connected once."""
_MOVED = frozenset({errno.EBADF, errno.ESRCH, errno.ENOTSOCK})
"""The process or the descriptor is no more, or the number is another file's now."""


class Descriptors:
    """Where the app's sockets are. Found by reading every link in /proc/PID/fd (5 us each), hence seldom."""

    def __init__(self, rows: Rows, proc: str = "/proc", clock: Callable[[], float] = time.monotonic) -> None:
        self._rows = rows
        self._proc = proc
        self._clock = clock
        self._allowance = Allowance(clock)
        self.at = float("-inf")
        """The moment before all links were read last."""
        self._inodes: dict[int, Inodes] = {}
        self.epolls: dict[int, list[int]] = {}
        """Process -> the numbers of its epolls."""
        self.unreadable: dict[int, int] = {}
        """Process -> the errno with which its descriptors were refused."""

    def find(self, inode: int) -> list[Place]:
        """Where it was when last looked."""
        return [Place(pid, number) for pid, inodes in self._inodes.items() for number, _ in inodes.find(inode)]

    def look(self, *, at_once: bool = False) -> bool:
        """Read all links anew; unless `at_once`, only if the allowance permits. Whether it was done."""
        if not (at_once or self._allowance.is_left()):
            return False
        began, self.at = time.thread_time(), self._clock()
        self._inodes, self.epolls, self.unreadable = {}, {}, {}
        for pid in self._others():
            self._read(pid)
        self._allowance.spend(time.thread_time() - began)
        return True

    def _others(self) -> list[int]:
        own = os.getpid()
        with os.scandir(self._proc) as entries:
            return [int(entry.name) for entry in entries if entry.name.isdigit() and int(entry.name) != own]

    def _read(self, pid: int) -> None:
        found, epolls = [], []
        folder = f"{self._proc}/{pid}/fd"
        try:
            with os.scandir(folder) as entries:
                names = [entry.name for entry in entries]
            for name in names:
                with contextlib.suppress(FileNotFoundError):  # Closed in the meantime.
                    link = os.readlink(f"{folder}/{name}")  # noqa: PTH115 - a Path takes longer than the call
                    if link.startswith("socket:["):
                        found.append((int(link[8:-1]), int(name), 0))
                    elif link == _EVENTPOLL:
                        epolls.append(int(name))
        except (FileNotFoundError, ProcessLookupError):
            return
        except OSError as error:
            self.unreadable[pid] = error.errno or 0
            return
        if found:
            self._inodes[pid] = Inodes(found)
            self.epolls[pid] = epolls

    def use(
        self, connection: Connection, act: Callable[[socket.socket], Attempt], known: Place | None = None
    ) -> Attempt:
        """Do something with a duplicate of this connection's socket, and of no other: the cookie is compared.

        `known` is tried first; where nobody has it any more, all links are read anew, once. Raises nothing of its own.
        """
        places = [*([known] if known else []), *self.find(connection.inode)]
        attempt = self._use(connection, act, places)
        if attempt is not None:
            return attempt
        try:
            row = self._rows.look_up([connection.cookie]).get(connection.cookie)
            if row is None or row.state is not TcpState.ESTABLISHED:
                return Attempt(Verdict.GONE)
            if not self.look():
                return Attempt(Verdict.BUSY)  # The next time there will be a look.
        except (SocketTableError, OSError):
            return Attempt(Verdict.BUSY)  # Others were done in the same order: that may not be lost.
        return self._use(connection, act, self.find(connection.inode)) or self._unseen()

    def _use(
        self, connection: Connection, act: Callable[[socket.socket], Attempt], places: Sequence[Place]
    ) -> Attempt | None:
        """None if none of the places has the connection."""
        for place in places:
            try:
                with borrow(place) as duplicate:
                    if cookie_of(duplicate) == connection.cookie:
                        return act(duplicate)
            except OSError as error:
                if error.errno in _GONE:
                    return Attempt(Verdict.GONE)
                if error.errno not in _MOVED:
                    return Attempt(Verdict.REFUSED, errno.errorcode.get(error.errno or 0, str(error.errno)))
        return None

    def _unseen(self) -> Attempt:
        """Why nobody has it."""
        if self.unreadable:
            return Attempt(Verdict.REFUSED, errno.errorcode[next(iter(self.unreadable.values()))])
        return Attempt(Verdict.UNREACHABLE)
