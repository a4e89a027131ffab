"""sock_diag over netlink: dumps of the socket table, and notifications of destroyed sockets.

None of it needs a privilege: both work with all capabilities dropped and seccomp RuntimeDefault.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import socket
import struct
import time
from collections.abc import Callable, Iterator, Sequence

from drainer.counter import CENSUS_STATES, LIVE_STATES, Counter
from drainer.errors import RefusedError, SocketTableError, WireError
from drainer.model import Dump, TcpState
from drainer.sockets import wire
from drainer.sockets.bytecode import dump_filter, notification_filter

REFUSALS = frozenset(
    {
        errno.EPERM,
        errno.EACCES,
        errno.ENOSYS,
        errno.ENOENT,
        errno.EPROTONOSUPPORT,
        errno.EAFNOSUPPORT,
        errno.EOPNOTSUPP,
        errno.ESOCKTNOSUPPORT,
    }
)
"""What a seccomp profile, gVisor or a kernel without tcp_diag answers: it will not be better the next time."""

_SO_ATTACH_FILTER = 26
_RECEIVE_TIMEOUT = struct.pack("ll", 30, 0)
"""A dump never waits for anything; this only keeps a broken kernel from holding the thread for ever."""
_NOTIFICATION_BUFFER = 1 << 20
_MAX_READ = 512
"""Notifications taken in one turn of the event loop, so that a flood leaves room for the probes."""


def open_netlink() -> socket.socket:
    """A sock_diag socket. Raises SocketTableError."""
    try:
        return socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, wire.NETLINK_SOCK_DIAG)
    except OSError as error:
        raise failed("sock_diag socket", error) from error


def failed(operation: str, error: OSError | SocketTableError) -> SocketTableError:
    """The error for what the kernel said, with the errno's name; RefusedError where there is no hope."""
    kind = RefusedError if error.errno in REFUSALS else SocketTableError
    name = errno.errorcode.get(error.errno or 0, str(error.errno))
    return kind(operation, errno=error.errno, detail=f"{name} ({os.strerror(error.errno or 0)})")


def state_mask(states: Sequence[TcpState]) -> int:
    """`idiag_states` for these states."""
    return sum(1 << state for state in states)


class NetlinkTable:
    """The socket table through sock_diag, filtered in the kernel by port and peer.

    One netlink socket for each dump: a dump that was given up half-way cannot leave its rest to the next one.
    """

    def __init__(
        self,
        ports: Sequence[int],
        ignored: Sequence[str] = (),
        idle_after: float | None = None,
        clock: Callable[[], float] = time.monotonic,
        states: Sequence[TcpState] = CENSUS_STATES,
    ) -> None:
        self._idle_after = idle_after
        self._clock = clock
        extensions = 0 if idle_after is None else wire.INFO_EXTENSION
        self._request = wire.dump_request(state_mask(states), dump_filter(ports, ignored), extensions)
        self._ignored_request = (
            wire.dump_request(state_mask(LIVE_STATES), dump_filter(ports, ignored, only_ignored=True))
            if ignored
            else None
        )
        self._buffer = memoryview(bytearray(wire.BUFFER_SIZE))

    def dump(self, *, tally_ignored: bool = False) -> Dump:
        """Walk the table once (and a second time for the tally of ignored peers).

        Raises SocketTableError with the kernel's errno; RefusedError if there is no hope for the next time.
        """
        taken_at, spent = self._clock(), time.thread_time()
        dump = self._count(self._request, Counter(self._idle_after))
        if self._ignored_request is None:
            dump.ignored = {}
        elif tally_ignored:
            dump.ignored = {}
            for (port, _), ids in self._count(self._ignored_request, Counter()).groups.items():
                dump.ignored[port] = dump.ignored.get(port, 0) + len(ids)
        dump.taken_at = taken_at
        dump.cost = time.thread_time() - spent
        return dump

    def _count(self, request: bytes, counter: Counter) -> Dump:
        for runs in replies(request, self._buffer):
            for run in runs:
                counter.add(run)
        return counter.dump


def replies(request: bytes, buffer: memoryview) -> Iterator[Sequence[wire.Run]]:
    """The datagrams of one dump; what is yielded is valid until the next one is asked for."""
    with open_netlink() as netlink:
        try:
            netlink.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _RECEIVE_TIMEOUT)
            netlink.send(request)
            done = False
            while not done:
                # With MSG_TRUNC the result is the datagram's real length, also when the buffer was too small.
                length = netlink.recv_into(buffer, len(buffer), socket.MSG_TRUNC)
                if length > len(buffer):
                    raise WireError("sock_diag dump", detail=f"a datagram of {length} bytes, room for {len(buffer)}")
                runs, done = wire.parse(buffer[:length])
                yield runs
        except OSError as error:
            raise failed("sock_diag dump", error) from error
        except SocketTableError as error:
            raise (failed(error.operation, error) if error.errno else error) from None


class Watch:
    """The kernel's word for each TCP socket on the app ports that is destroyed in this network namespace.

    The message comes when the socket is gone for good: after the app's close() and, if the app closed first, as soon
    as its FIN is acknowledged. Only one that a client began to close is silent until the app closes its side.
    """

    def __init__(self, ports: Sequence[int]) -> None:
        self._socket = open_netlink()
        try:
            self._socket.setblocking(False)  # noqa: FBT003
            # SO_RCVBUF is cut to net.core.rmem_max without CAP_NET_ADMIN: more is better, less is no error.
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _NOTIFICATION_BUFFER)
            # Before bind(), so that no message of another port is ever queued.
            self._attach(notification_filter(ports))
            self._socket.bind((0, wire.DESTROY_GROUPS))
        except OSError as error:
            self._socket.close()
            raise failed("sock_diag notifications", error) from error

    def _attach(self, program: bytes) -> None:
        instructions = ctypes.create_string_buffer(program, len(program))
        # struct sock_fprog { unsigned short len; struct sock_filter *filter; }
        fprog = struct.pack("HP", len(program) // 8, ctypes.addressof(instructions))
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, fprog)

    def fileno(self) -> int:
        """For the event loop's add_reader."""
        return self._socket.fileno()

    def read(self, at_most: int = _MAX_READ) -> list[tuple[int, int]]:
        """(local port, cookie) of the sockets that are gone, as far as there is word of them now.

        Raises SocketTableError when messages were lost (ENOBUFS): then only a dump tells who is left.
        """
        gone: list[tuple[int, int]] = []
        with contextlib.suppress(BlockingIOError):
            for _ in range(at_most):
                try:
                    gone += wire.destroyed(memoryview(self._socket.recv(wire.BUFFER_SIZE)))
                except BlockingIOError:
                    raise
                except OSError as error:
                    raise failed("sock_diag notifications", error) from error
        return gone

    def close(self) -> None:
        """Leave the multicast groups."""
        self._socket.close()
