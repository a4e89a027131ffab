"""Sees which connections became WebSockets: requests and answers of opening handshakes, as they pass.

A packet socket with a filter in the kernel: nothing else is copied to the agent, and nothing is held up. What it misses
(an upgrade before its time, an answer's head cut in two, a full buffer) stays unknown, and unknown is never written to.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import select
import socket
import struct
import threading
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from drainer.closers.tap_filter import BPF, HEAD, handshake_filter
from drainer.errors import SocketTableError
from drainer.handshake import ANY, given_by, wanted_by

_ETH_P_ALL = 0x0003
"""The only protocol for which a packet socket is shown what leaves (net/core/dev.c, dev_queue_xmit_nit)."""
_SO_ATTACH_FILTER = 26
_BUFFER = 1 << 20
_SPARE = 1024
"""Marks beyond twice the living ones that are kept before the dead are forgotten."""
_REQUESTS = 4096
"""Requests that are remembered until they are answered; of more, the oldest are forgotten."""

_libc = ctypes.CDLL(None, use_errno=True)


class Names(Protocol):
    """The socket table, as far as it gives names to sockets."""

    def identify(self, port: int, local: bytes, peer: bytes, peer_port: int) -> int | None: ...

    def cookies(self) -> set[int]: ...


class Ends(NamedTuple):
    """The addresses (packed) and ports of a connection, as the app has them."""

    port: int
    local: bytes
    peer: bytes
    peer_port: int


def _bind(packets: socket.socket) -> None:
    """To all interfaces, those to come too: socket.bind() wants the name of one."""
    # struct sockaddr_ll up to the interface's index (linux/if_packet.h); the rest is zero.
    address = struct.pack("=H2si12x", socket.AF_PACKET, struct.pack(">H", _ETH_P_ALL), 0)
    if _libc.bind(packets.fileno(), address, len(address)):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def parse(packet: bytes) -> tuple[Ends, bool, bytes]:
    """What the filter lets through -> (the connection, whether it is a request, what TCP carries)."""
    if packet[0] >> 4 == 4:  # noqa: PLR2004 - the version
        tcp, source, destination = 4 * (packet[0] & 0xF), packet[12:16], packet[16:20]
    else:
        tcp, source, destination = 40, packet[8:24], packet[24:40]
    source_port, destination_port = struct.unpack_from(">HH", packet, tcp)
    payload = packet[tcp + 4 * (packet[tcp + 12] >> 4) :]
    # What goes out begins with `HTTP`, if so much is kept of it.
    if payload.startswith(b"GET "):
        return Ends(destination_port, destination, source, source_port), True, payload
    return Ends(source_port, source, destination, destination_port), False, payload


class Tap:
    """Knows the cookies of the connections whose handshake it has seen. Works in a thread of its own.

    `names` is used by this thread only.
    """

    def __init__(self, ports: Sequence[int], names: Names) -> None:
        self._program = handshake_filter(ports)
        self._names = names
        self._seen: set[int] = set()
        self._marks: dict[Ends, int] = {}
        """The cookies of those who were seen."""
        self._wanted: dict[Ends, bytes] = {}
        """What the answer must be, of those who wait for one; the oldest first."""
        self._room = _SPARE
        self._failure: OSError | None = None
        self._thread: threading.Thread | None = None
        self._end, self._ending = socket.socketpair()
        self._start()

    def knows(self, cookie: int) -> bool:
        """Whether this connection is a WebSocket."""
        return cookie in self._seen

    def missing(self) -> str | None:
        """What it lacks; tries again if it could not start before. None while it watches."""
        if self._thread is None or not self._thread.is_alive():
            self._start()
        if self._failure is None:
            return None
        if self._failure.errno == errno.EPERM:
            return "CAP_NET_RAW (runAsUser: 0 with it added), or all app ports in websocket_ports"
        return f"watching upgrades failed: {errno.errorcode.get(self._failure.errno or 0, self._failure)}"

    def close(self) -> None:
        """Watch no longer."""
        self._end.close()
        if self._thread is not None:
            self._thread.join()
        self._ending.close()

    def _start(self) -> None:
        try:
            packets = self._open()
        except OSError as error:
            self._failure = error
            return
        self._failure = None
        self._thread = threading.Thread(target=self._watch, args=(packets,), name="tap", daemon=True)
        self._thread.start()

    def _open(self) -> socket.socket:
        # Without a protocol it is shown nothing until bind(): what came before the filter would be in the queue.
        packets = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM)
        try:
            instructions = ctypes.create_string_buffer(self._program, len(self._program))
            # struct sock_fprog { unsigned short len; struct sock_filter *filter; }
            fprog = struct.pack("HP", len(self._program) // BPF.size, ctypes.addressof(instructions))
            packets.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, fprog)
            packets.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
            _bind(packets)
        except OSError:
            packets.close()
            raise
        return packets

    def _watch(self, packets: socket.socket) -> None:
        poll = select.poll()
        poll.register(self._ending, select.POLLIN)
        poll.register(packets, select.POLLIN)
        with packets:
            try:
                while self._ending.fileno() not in dict(poll.poll()):
                    self._note(packets.recv(HEAD))
            except OSError as error:
                self._failure = error

    def _note(self, packet: bytes) -> None:
        ends, is_request, head = parse(packet)
        wanted = self._wanted.pop(ends, None)
        if is_request:
            wanted = wanted_by(head)
            if wanted is not None:
                self._wanted[ends] = wanted
                if len(self._wanted) > _REQUESTS:
                    del self._wanted[next(iter(self._wanted))]
            return
        given = given_by(head)
        if given is not None and wanted in (given, ANY):
            self._forget(ends)
            self._mark(ends)
        elif given is None or wanted is not None:
            # A WebSocket gives no HTTP answers: where there is one, this is none. The same answer is one sent again.
            self._forget(ends)

    def _forget(self, ends: Ends) -> None:
        cookie = self._marks.pop(ends, None)
        if cookie is not None:
            self._seen.discard(cookie)

    def _mark(self, ends: Ends) -> None:
        with contextlib.suppress(SocketTableError):  # Not named is not known.
            cookie = self._names.identify(*ends)
            if cookie is not None:
                self._marks[ends] = cookie
                self._seen.add(cookie)
            if len(self._seen) > self._room:
                # Twice: a dump may miss a row while the table moves.
                self._seen &= self._names.cookies() | self._names.cookies()
                self._marks = {ends: cookie for ends, cookie in self._marks.items() if cookie in self._seen}
                self._room = 2 * len(self._seen) + _SPARE
