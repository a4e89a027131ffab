"""Sees which connections became WebSockets: the app's answers to handshakes, as they leave.

A packet socket with a filter in the kernel: nothing else is copied to the agent, and nothing is held up. What it misses
(an upgrade before its time, a head cut in two, a full buffer) stays unknown, and unknown is never written to.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import re
import select
import socket
import struct
import threading
from collections.abc import Iterable, Sequence
from typing import Protocol

from drainer.errors import SocketTableError

_ETH_P_ALL = 0x0003
"""The only protocol for which a packet socket is shown what leaves (net/core/dev.c, dev_queue_xmit_nit)."""
_SO_ATTACH_FILTER = 26
_BUFFER = 1 << 20
_HEAD = 4096
"""Bytes of a packet that are looked at."""
_ADDRESSES = 64
"""Bytes that hold the addresses and ports of all that the filter lets through: 60 of IPv4 and 4 of TCP at most."""
_LINES = (
    re.compile(rb"HTTP/1\.1 101 "),
    re.compile(rb"\r\nupgrade:[ \t]*websocket[ \t]*\r\n", re.IGNORECASE),
    re.compile(rb"\r\nsec-websocket-accept:[ \t]*[A-Za-z0-9+/]{27}=[ \t]*\r\n", re.IGNORECASE),
)
"""RFC 6455, section 4.2.2: a server's answer has all of them, and the last one is the base64 of a SHA-1."""
_SPARE = 1024
"""Marks beyond twice the living ones that are kept before the dead are forgotten."""

_libc = ctypes.CDLL(None, use_errno=True)

# Classic BPF (linux/filter.h). Offsets are from the network header: the socket is SOCK_DGRAM.
_BPF = struct.Struct("=HBBI")
_LDW_ABS, _LDH_ABS, _LDB_ABS = 0x20, 0x28, 0x30
_LDW_IND, _LDH_IND, _LDB_IND = 0x40, 0x48, 0x50
_LDX_IMM, _LDX_MSH, _TAX = 0x01, 0xB1, 0x07
_ADD_X, _AND, _RSH = 0x0C, 0x54, 0x74
_JA, _JEQ, _JSET, _RET = 0x05, 0x15, 0x45, 0x06
_PROTOCOL, _PACKET_TYPE = 0xFFFFF000, 0xFFFFF004
"""SKF_AD_OFF with SKF_AD_PROTOCOL and SKF_AD_PKTTYPE."""
_PACKET_OUTGOING = 4
_FRAGMENT = 0x3FFF
"""More fragments, or an offset."""


class Names(Protocol):
    """The socket table, as far as it gives names to sockets."""

    def identify(self, port: int, local: bytes, peer: bytes, peer_port: int) -> int | None: ...

    def cookies(self) -> set[int]: ...


def upgrade_filter(ports: Iterable[int]) -> bytes:
    """An array of `struct sock_filter`: outgoing TCP segments from `ports` whose payload begins with `HTTP/1`.

    Whole if it begins with `HTTP/1.1 101`, otherwise no more than the addresses. IPv4 without fragments, IPv6 without
    extension headers. At most 256 ports.
    """
    program: list[str | tuple[int, int, str, str]] = [
        *_test(_LDW_ABS, _PACKET_TYPE, _PACKET_OUTGOING),
        (_LDH_ABS, _PROTOCOL, "", ""),
        (_JEQ, 0x86DD, "IPv6", ""),
        (_JEQ, 0x0800, "", "drop"),
        (_LDH_ABS, 6, "", ""),
        (_JSET, _FRAGMENT, "drop", ""),
        *_test(_LDB_ABS, 9, socket.IPPROTO_TCP),
        (_LDX_MSH, 0, "", ""),
        (_JA, 0, "TCP header", ""),
        "IPv6",
        *_test(_LDB_ABS, 6, socket.IPPROTO_TCP),
        (_LDX_IMM, 40, "", ""),
        (_JA, 0, "TCP header", ""),
        "drop",
        (_RET, 0, "", ""),
        "TCP header",
        (_LDH_IND, 0, "", ""),
    ]
    for port in sorted(set(ports)):
        # Conditional jumps reach 255 instructions, JA reaches everything.
        program += [(_JEQ, port, "", f"not {port}"), (_JA, 0, "TCP payload", ""), f"not {port}"]
    program += [
        (_RET, 0, "", ""),
        "TCP payload",
        # The upper half of byte 12 is the header's length in words of four bytes.
        (_LDB_IND, 12, "", ""),
        (_AND, 0xF0, "", ""),
        (_RSH, 2, "", ""),
        (_ADD_X, 0, "", ""),
        (_TAX, 0, "", ""),
        *_test(_LDW_IND, 0, int.from_bytes(b"HTTP", "big"), "no head"),
        *_test(_LDH_IND, 4, int.from_bytes(b"/1", "big"), "no head"),
        *_test(_LDW_IND, 4, int.from_bytes(b"/1.1", "big"), "another answer"),
        *_test(_LDW_IND, 8, int.from_bytes(b" 101", "big"), "another answer"),
        (_RET, _HEAD, "", ""),
        "another answer",
        (_RET, _ADDRESSES, "", ""),
        "no head",
        (_RET, 0, "", ""),
    ]
    return _assemble(program)


def _test(load: int, at: int, value: int, otherwise: str = "drop") -> list[str | tuple[int, int, str, str]]:
    return [(load, at, "", ""), (_JEQ, value, "", otherwise)]


def _assemble(program: Sequence[str | tuple[int, int, str, str]]) -> bytes:
    """Labels and (code, operand, label if true, label if false) -> instructions; no label is the next one."""
    at, labels = 0, {}
    for item in program:
        if isinstance(item, str):
            labels[item] = at
        else:
            at += 1
    code = b""
    for item in program:
        if isinstance(item, str):
            continue
        kind, operand, yes, no = item
        following = len(code) // _BPF.size + 1
        if kind == _JA:
            code += _BPF.pack(kind, 0, 0, labels[yes] - following)
        else:
            jumps = [labels[label] - following if label else 0 for label in (yes, no)]
            code += _BPF.pack(kind, *jumps, operand)
    return code


def _bind(packets: socket.socket) -> None:
    """To all interfaces, those to come too: socket.bind() wants the name of one."""
    # struct sockaddr_ll up to the interface's index (linux/if_packet.h); the rest is zero.
    address = struct.pack("=H2si12x", socket.AF_PACKET, struct.pack(">H", _ETH_P_ALL), 0)
    if _libc.bind(packets.fileno(), address, len(address)):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def addresses(packet: bytes) -> tuple[int, bytes, bytes, int]:
    """What the filter lets through -> (local port, local address, peer's address, peer's port); packed addresses."""
    if packet[0] >> 4 == 4:  # noqa: PLR2004 - the version
        tcp, local, peer = 4 * (packet[0] & 0xF), packet[12:16], packet[16:20]
    else:
        tcp, local, peer = 40, packet[8:24], packet[24:40]
    port, peer_port = struct.unpack_from(">HH", packet, tcp)
    return port, local, peer, peer_port


def is_upgrade(packet: bytes) -> bool:
    """Whether this holds the whole head of an upgrade to WebSocket."""
    head = packet.partition(b"\r\n\r\n")
    return bool(head[1]) and all(line.search(head[0] + b"\r\n") for line in _LINES)


class Tap:
    """Knows the cookies of the connections whose upgrade it has seen. Works in a thread of its own.

    `names` is used by this thread only.
    """

    def __init__(self, ports: Sequence[int], names: Names) -> None:
        self._program = upgrade_filter(ports)
        self._names = names
        self._seen: set[int] = set()
        self._marks: dict[tuple[int, bytes, bytes, int], int] = {}
        """Addresses -> cookie, of those who were seen."""
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
            fprog = struct.pack("HP", len(self._program) // _BPF.size, ctypes.addressof(instructions))
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
                    self._mark(packets.recv(_HEAD))
            except OSError as error:
                self._failure = error

    def _mark(self, packet: bytes) -> None:
        address = addresses(packet)
        # A WebSocket gives no HTTP answers: where there is another one, the last was no upgrade, whatever it said.
        earlier = self._marks.pop(address, None)
        if earlier is not None:
            self._seen.discard(earlier)
        if not is_upgrade(packet):
            return
        with contextlib.suppress(SocketTableError):  # Not named is not known.
            cookie = self._names.identify(*address)
            if cookie is not None:
                self._marks[address] = cookie
                self._seen.add(cookie)
            if len(self._seen) > self._room:
                # Twice: a dump may miss a row while the table moves.
                self._seen &= self._names.cookies() | self._names.cookies()
                self._marks = {address: cookie for address, cookie in self._marks.items() if cookie in self._seen}
                self._room = 2 * len(self._seen) + _SPARE
