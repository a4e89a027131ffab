"""Bytes <-> values of sock_diag (linux/netlink.h, linux/sock_diag.h, linux/inet_diag.h). No sockets here.

A reply datagram of up to 32 KiB carries messages that are mostly of one length. Where that is so (it is checked for
each datagram, never assumed), a column of the table is one strided slice of the buffer, made in C; where it is not,
the datagram is cut into runs of equal length.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import Literal

from drainer.errors import SocketTableError, WireError
from drainer.sockets.bytecode import SPORT_AT

NETLINK_SOCK_DIAG = 4
BUFFER_SIZE = 65536
"""Twice what netlink_dump() puts into one datagram (NETLINK_SKB limit, 32 KiB)."""

DESTROY_GROUPS = 1 << 0 | 1 << 2
"""bind() mask of SKNLGRP_INET_TCP_DESTROY (1) and SKNLGRP_INET6_TCP_DESTROY (3)."""

_TCPDIAG_GETSOCK = 18
SOCK_DIAG_BY_FAMILY = 20
ERROR, _DONE = 2, 3
_REQUEST_DUMP = 0x301
_BYTECODE = 1
INFO_EXTENSION = 1 << (2 - 1)
"""`idiag_ext` bit that asks for INET_DIAG_INFO (struct tcp_info)."""
_INET_DIAG_INFO = 2

NLMSGHDR = struct.Struct("=IHHII")
_REQUEST = struct.Struct("=BBBB48xII")
_ATTRIBUTE = struct.Struct("=HH")
INT = struct.Struct("=i")

# Offsets in one message: nlmsghdr (16), then struct inet_diag_msg (72).
_FAMILY, _STATE, _COOKIE, _NAME_END, _WQUEUE, _UID, _INODE, ROW_SIZE = 16, 17, 60, 68, 76, 80, 84, 88
NAME_SIZE = _NAME_END - _FAMILY
"""Bytes of a message that name its socket to the kernel: the family, three that do not matter, inet_diag_sockid."""

# Offsets in struct tcp_info (linux/tcp.h), both in milliseconds.
LAST_DATA_SENT, _LAST_DATA_RECV = 44, 52


def dump_request(states: int, byte_code: bytes, extensions: int = 0) -> bytes:
    """A request that walks the TCP table once for both families.

    `states` has bit n set for TcpState n. The old type TCPDIAG_GETSOCK is the one that takes AF_UNSPEC: the newer
    SOCK_DIAG_BY_FAMILY needs one walk per family (net/ipv4/inet_diag.c, inet_diag_dump_compat).
    """
    attribute = _ATTRIBUTE.pack(_ATTRIBUTE.size + len(byte_code), _BYTECODE) + byte_code
    body = _REQUEST.pack(0, 0, 0, extensions, states, 0) + attribute
    return NLMSGHDR.pack(NLMSGHDR.size + len(body), _TCPDIAG_GETSOCK, _REQUEST_DUMP, 1, 0) + body


class Run:
    """Messages of one length, in columns (a `model.Rows`). A view of the buffer: use it before the next recv."""

    __slots__ = ("_count", "_size", "_view")

    def __init__(self, view: memoryview, size: int, count: int) -> None:
        self._view = view
        self._size = size
        self._count = count

    def __len__(self) -> int:
        return self._count

    @property
    def states(self) -> bytes:
        return self._view[_STATE :: self._size].tobytes()

    @property
    def only_port(self) -> int | None:
        column = self._view.cast("H")[SPORT_AT // 2 :: self._size // 2].tobytes()
        port = column[:2]
        return int.from_bytes(port, "big") if column == port * self._count else None

    @property
    def ports(self) -> list[int]:
        high = self._view[SPORT_AT :: self._size]
        low = self._view[SPORT_AT + 1 :: self._size]
        return [256 * a + b for a, b in zip(high, low, strict=True)]

    @property
    def ids(self) -> list[int]:
        if self._size % 8 == 0:
            return self._cookies(_COOKIE, self._size, self._count)
        # Lengths are multiples of four (NLMSG_ALIGN): then every second message has a stride that eight divides.
        ids = [0] * self._count
        ids[::2] = self._cookies(_COOKIE, 2 * self._size, (self._count + 1) // 2)
        ids[1::2] = self._cookies(_COOKIE + self._size, 2 * self._size, self._count // 2)
        return ids

    def _cookies(self, offset: int, stride: int, count: int) -> list[int]:
        if not count:
            return []
        end = offset + (count - 1) * stride + 8
        return self._view[offset:end].cast("Q")[:: stride // 8].tolist()

    @property
    def names(self) -> list[bytes]:
        """What names each socket to the kernel (see `exact`), NAME_SIZE bytes."""
        starts = range(_FAMILY, len(self._view), self._size)
        return [self._view[at : at + NAME_SIZE].tobytes() for at in starts]

    @property
    def inodes(self) -> list[int]:
        """N of `socket:[N]` in /proc/PID/fd; 0 for a socket that nobody has a descriptor of."""
        return self._words(_INODE)

    @property
    def uids(self) -> list[int]:
        """Whose each socket is."""
        return self._words(_UID)

    @property
    def unsent(self) -> list[int]:
        return self._words(_WQUEUE)

    @property
    def quiet(self) -> list[float]:
        info = self._info_offset()
        # One look at the attribute's header in every row proves that it stands at the same place in all of them.
        if len(set(self._words(info - _ATTRIBUTE.size))) == 1:
            sent, received = self._words(info + LAST_DATA_SENT), self._words(info + _LAST_DATA_RECV)
            return [min(pair) / 1000 for pair in zip(sent, received, strict=True)]
        return [one.quiet[0] for one in self._each()]

    def _words(self, offset: int) -> list[int]:
        return self._view.cast("I")[offset // 4 :: self._size // 4].tolist()

    def _each(self) -> Iterator[Run]:
        for at in range(0, len(self._view), self._size):
            yield Run(self._view[at : at + self._size], self._size, 1)

    def _info_offset(self) -> int:
        """Where struct tcp_info begins in the first message."""
        begin, end = tcp_info(self._view[: self._size])
        if end - begin < _LAST_DATA_RECV + 4:
            raise WireError("sock_diag dump", detail="a row without tcp_info, though it was asked for")
        return begin


def tcp_info(message: memoryview) -> tuple[int, int]:
    """Where struct tcp_info begins and ends in a message of one row; (0, 0) if it is not there, or not whole."""
    at = ROW_SIZE
    while at + _ATTRIBUTE.size <= len(message):
        length, kind = _ATTRIBUTE.unpack_from(message, at)
        if kind == _INET_DIAG_INFO and _ATTRIBUTE.size <= length <= len(message) - at:
            return at + _ATTRIBUTE.size, at + length
        at += max(_ATTRIBUTE.size, length + 3 & ~3)
    return 0, 0


def parse(view: memoryview) -> tuple[Sequence[Run], bool]:
    """One datagram of a dump -> its rows in runs of equal length, and whether the dump ends here.

    Raises SocketTableError with the kernel's errno for NLMSG_ERROR and for a dump that ended in an error, and
    WireError for what is neither.
    """
    total = len(view)
    size = _header(view, 0)[0]
    if total % size == 0 and _is_uniform(view, size):
        return [Run(view, size, total // size)], False
    runs: list[Run] = []
    at = 0
    while at < total:
        size, kind = _header(view, at)
        if kind in (ERROR, _DONE):
            _raise_errno(view[at : at + size], kind)
            return runs, True
        _check_row(size, kind)
        end = at + size
        while end < total and _header(view, end) == (size, kind):
            end += size
        runs.append(Run(view[at:end], size, (end - at) // size))
        at = end
    return runs, False


def _is_uniform(view: memoryview, size: int) -> bool:
    """Whether the datagram is nothing but rows of this length: then every header is where the stride expects it."""
    if size < ROW_SIZE or size % 4:
        return False
    count = len(view) // size
    words = view.cast("I")
    lengths = words[:: size // 4].tobytes()
    kinds = view.cast("H")[2 :: size // 2].tobytes()
    return lengths == lengths[:4] * count and kinds == _TCPDIAG_GETSOCK.to_bytes(2, _NATIVE) * count


_NATIVE: Literal["little", "big"] = "little" if struct.pack("=H", 1) == b"\1\0" else "big"


def _header(view: memoryview, at: int) -> tuple[int, int]:
    """(length, type) of the message at `at`."""
    if at + NLMSGHDR.size > len(view):
        raise WireError("sock_diag dump", detail=f"{len(view) - at} bytes where a message should begin")
    length, kind, *_ = NLMSGHDR.unpack_from(view, at)
    if not NLMSGHDR.size <= length <= len(view) - at:
        raise WireError("sock_diag dump", detail=f"a message of {length} bytes in {len(view) - at}")
    return length, kind


def _check_row(size: int, kind: int) -> None:
    if kind not in (_TCPDIAG_GETSOCK, SOCK_DIAG_BY_FAMILY):
        raise WireError("sock_diag dump", detail=f"a message of type {kind}")
    if size < ROW_SIZE or size % 4:
        raise WireError("sock_diag dump", detail=f"a row of {size} bytes: inet_diag_msg has {ROW_SIZE}, in steps of 4")


def _raise_errno(message: memoryview, kind: int) -> None:
    """NLMSG_ERROR carries a negative errno; NLMSG_DONE does too when the dump was cut short."""
    payload = message[NLMSGHDR.size :]
    code = INT.unpack_from(payload)[0] if len(payload) >= INT.size else 0
    if code < 0:
        raise SocketTableError("sock_diag dump", errno=-code, detail=f"the kernel answers errno {-code}")
    if kind == ERROR:
        raise WireError("sock_diag dump", detail="an acknowledgement that was not asked for")


def destroyed(view: memoryview) -> list[tuple[int, int]]:
    """One notification datagram -> (local port, cookie) of each socket that is gone."""
    gone, at = [], 0
    while at < len(view):
        size, kind = _header(view, at)
        _check_row(size, kind)
        port = int.from_bytes(view[at + SPORT_AT : at + SPORT_AT + 2], "big")
        gone.append((port, int.from_bytes(view[at + _COOKIE : at + _COOKIE + 8], _NATIVE)))
        at += size
    return gone
