"""Who the connections on the app ports are: each of them by its cookie, to be looked at closely, or destroyed."""

from __future__ import annotations

import errno
import socket
import struct
import time
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from ipaddress import ip_address
from typing import TypeVar

from drainer.counter import LIVE_STATES
from drainer.errors import SocketTableError, WireError
from drainer.model import Connection, Listener, TcpState
from drainer.sockets import exact, wire
from drainer.sockets.bytecode import dump_filter
from drainer.sockets.netlink import failed, open_netlink, replies, state_mask

T = TypeVar("T")

_AT_ONCE = 32
"""Requests that are sent together. The kernel answers while they are sent, and what does not fit into the receive
buffer (166 rows at the default size) is lost.
"""
_ANSWER_TIMEOUT = struct.pack("ll", 5, 0)
"""The answer is there when the send returns; this only keeps a broken kernel from holding the thread for ever."""
_REST = 10.0
_MAX_REST = 1.0
"""Between two dumps: so many times the CPU seconds of the first, and at most so many seconds."""
_NUMBERS = 1 << 32
"""`nlmsg_seq` is unsigned and has 32 bits."""
_LOOPBACK_TIMEOUT = 1.0
_SO_COOKIE = 57
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
"""SO_LINGER: no TIME_WAIT is left behind."""


class Roster:
    """The live connections on `ports`, without peers in `ignored` (CIDRs); blocking, for one thread.

    It holds cookies and names, in arrays of 64 bytes for each connection; all else the kernel is asked for when it is
    wanted. Nothing is opened before it is used. All methods raise SocketTableError with the kernel's errno;
    RefusedError if there is no hope for the next time.
    """

    def __init__(
        self,
        ports: Sequence[int],
        ignored: Sequence[str] = (),
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._live_request = wire.dump_request(state_mask(LIVE_STATES), dump_filter(ports, ignored))
        self._listen_request = wire.dump_request(state_mask([TcpState.LISTEN]), dump_filter(ports))
        self._buffer = memoryview(bytearray(wire.BUFFER_SIZE))
        self._netlink: socket.socket | None = None
        self._sequence = 0
        self._cookies = array("Q")
        """Ascending."""
        self._places = array("I")
        """In the order of the cookies: which of the names is whose."""
        self._names = bytearray()
        self._rested_at = float("-inf")

    def look_up(self, cookies: Iterable[int]) -> dict[int, Connection]:
        """Cookie -> the connection as it is now; who is gone is absent, and so is who the app has closed.

        A cookie that is not known makes one dump. Dumps take at most about a tenth of a core: this may wait up to a
        second for the next one, since without it nobody knows whether that connection is gone or new.
        """
        wanted = list(cookies)
        if any(self._name(cookie) is None for cookie in wanted):
            self._sleep(max(0.0, self._rested_at - self._clock()))
            self._renew()
        names = [name for name in map(self._name, wanted) if name is not None]
        rows = self._ask(exact.look, exact.shown, names)
        # Not all that have the cookie are connections still: TIME_WAIT inherits it (inet_twsk_alloc).
        return {row.cookie: row for row in rows if row is not None and row.state in LIVE_STATES}

    def destroy(self, cookie: int) -> None:
        """End this connection: the app gets ECONNABORTED, the client a reset. Accepted or not makes no difference.

        Only one that `look_up` or `cookies` has shown. Raises SocketTableError: ENOENT when it is gone, EPERM
        without CAP_NET_ADMIN.
        """
        name = self._name(cookie)
        [code] = [errno.ENOENT] if name is None else self._ask(exact.destroy, exact.done, [name])
        if code:
            raise SocketTableError("SOCK_DESTROY", errno=code, detail=errno.errorcode.get(code, str(code)))

    def cookies(self) -> set[int]:
        """The cookies of all live connections, by a dump."""
        self._renew()
        return set(self._cookies)

    def listeners(self) -> list[Listener]:
        """Who listens on the ports, by a dump."""
        return [
            Listener(cookie, port, inode, exact.local_address(name), uid)
            for run in self._rows(self._listen_request)
            for cookie, port, inode, name, uid in zip(run.ids, run.ports, run.inodes, run.names, run.uids, strict=True)
        ]

    def identify(
        self, port: int, local: str | bytes, peer: str | bytes, peer_port: int, interface: int = 0
    ) -> int | None:
        """The cookie of the socket with these addresses (text, or packed); None if there is none.

        IPv4 addresses find an IPv6 socket that talks IPv4 too. `interface` is the index that a packet came by; only
        sockets that are bound to one need it, as those with link-local addresses are.
        """
        name = exact.name(_packed(local), port, _packed(peer), peer_port, interface)
        [row] = self._ask(exact.look, exact.shown, [name])
        # Where no connection has these addresses the kernel answers with who listens there (inet_lookup).
        return None if row is None or row.state is TcpState.LISTEN else row.cookie

    def can_destroy(self) -> int | None:
        """The errno with which the kernel refuses to destroy a connection of our own; None if it does not refuse.

        Tried, on loopback: the kernel asks for the capability only when it has found the socket (sock_diag_destroy,
        net/core/sock_diag.c), so there is nothing cheaper to ask.
        """
        try:
            with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as client:
                client.settimeout(_LOOPBACK_TIMEOUT)
                client.connect(server.getsockname())
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
                [cookie] = struct.unpack("=Q", client.getsockopt(socket.SOL_SOCKET, _SO_COOKIE, 8))
                (ours, port), (theirs, peer_port) = client.getsockname(), client.getpeername()
                name = exact.name(_packed(ours), port, _packed(theirs), peer_port, cookie=cookie)
                [code] = self._ask(exact.destroy, exact.done, [name])
        except OSError as error:
            raise failed("a connection on loopback", error) from error
        return code or None

    def close(self) -> None:
        """Give the netlink socket back; the next request opens another one."""
        if self._netlink is not None:
            self._netlink.close()
            self._netlink = None

    def _name(self, cookie: int) -> bytes | None:
        at = bisect_left(self._cookies, cookie)
        if at == len(self._cookies) or self._cookies[at] != cookie:
            return None
        begin = self._places[at] * wire.NAME_SIZE
        return bytes(self._names[begin : begin + wire.NAME_SIZE])

    def _renew(self) -> None:
        spent = time.thread_time()
        cookies, names = array("Q"), bytearray()
        for run in self._rows(self._live_request):
            cookies.extend(run.ids)
            names += b"".join(run.names)
        order = sorted(range(len(cookies)), key=cookies.__getitem__)
        self._cookies = array("Q", map(cookies.__getitem__, order))
        self._places = array("I", order)
        self._names = names
        rest = _REST * (time.thread_time() - spent)
        self._rested_at = self._clock() + min(rest, _MAX_REST)

    def _rows(self, request: bytes) -> Iterator[wire.Run]:
        for runs in replies(request, self._buffer):
            yield from runs

    def _ask(
        self,
        request: Callable[[bytes, int], bytes],
        read: Callable[[memoryview, int], T],
        names: Sequence[bytes],
    ) -> list[T]:
        """What is read of the answers, in the order of the names."""
        answers = []
        netlink = self._open()
        try:
            for at in range(0, len(names), _AT_ONCE):
                numbers = [self._number() for _ in names[at : at + _AT_ONCE]]
                netlink.send(b"".join(map(request, names[at : at + _AT_ONCE], numbers)))
                for number in numbers:
                    length = netlink.recv_into(self._buffer)
                    answers.append(read(self._buffer[:length], number))
        except (OSError, SocketTableError) as error:
            # What is still to be read from this socket would be taken for the answer to the next request.
            self.close()
            raise error if isinstance(error, WireError) else failed("sock_diag request", error) from error
        return answers

    def _open(self) -> socket.socket:
        if self._netlink is None:
            self._netlink = open_netlink()
            self._netlink.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _ANSWER_TIMEOUT)
        return self._netlink

    def _number(self) -> int:
        self._sequence = (self._sequence + 1) % _NUMBERS
        return self._sequence


def _packed(address: str | bytes) -> bytes:
    return address if isinstance(address, bytes) else ip_address(address).packed
