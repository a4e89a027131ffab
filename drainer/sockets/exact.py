"""Exact requests of sock_diag: one socket, looked at or destroyed. Bytes <-> values, no sockets here.

A socket is asked for by its *name*: its family and struct inet_diag_sockid (ports, addresses, interface, cookie) as
they stand in a row, so that what a dump has shown goes back to the kernel as it came. The kernel finds the socket by
ports and addresses and then compares the cookie (inet_diag_find_one_icsk, net/ipv4/inet_diag.c): another socket that
has the same addresses by now is not found.
"""

from __future__ import annotations

import errno
import struct
from ipaddress import ip_address

from drainer.errors import SocketTableError, WireError
from drainer.model import Connection, TcpState
from drainer.sockets.wire import (
    ERROR,
    INFO_EXTENSION,
    INT,
    LAST_DATA_SENT,
    NLMSGHDR,
    ROW_SIZE,
    SOCK_DIAG_BY_FAMILY,
    tcp_info,
)

_OPERATION = "sock_diag request"
_SOCK_DESTROY = 21
_REQUEST, _ACK = 0x1, 0x4
_TCP = 6
_AF = {4: 2, 16: 10}
"""Bytes of an address -> its family."""

_HEAD = struct.Struct("=BBB5x")
"""struct inet_diag_req_v2 up to the id: family, protocol, extensions; an exact request ignores the states."""
_NAME = struct.Struct("=B3x2s2s16s16sIQ")
"""Family; local port, peer's port, local address, peer's address, interface, cookie."""
_ID, _LOCAL = slice(4, None), 8
"""In a name: struct inet_diag_sockid, and where the local address begins."""
_ROW = struct.Struct("=17xB2x2s38xQ8xI4xI")
"""Of a row with its nlmsghdr: state, local port, cookie, wqueue, inode."""
_BYTES_SENT_AT, _U64, _U32 = 200, struct.Struct("=Q"), struct.Struct("=I")
"""Offset of `tcpi_bytes_sent` in struct tcp_info, since Linux 4.19."""
ANY_COOKIE = (1 << 64) - 1
"""INET_DIAG_NOCOOKIE, twice: whichever socket has these addresses."""
_STATES = {state.value: state for state in TcpState}


def name(local: bytes, port: int, peer: bytes, peer_port: int, interface: int = 0, cookie: int = ANY_COOKIE) -> bytes:
    """The name of a connection from its packed addresses, both of 4 or both of 16 bytes.

    An IPv4 name finds an IPv6 socket that talks IPv4 too. `interface` is an index; it matters only where the socket is
    bound to one, as those with link-local addresses are.
    """
    ports = port.to_bytes(2, "big"), peer_port.to_bytes(2, "big")
    return _NAME.pack(_AF[len(local)], *ports, local, peer, interface, cookie)


def local_address(socket_name: bytes) -> str:
    """The local address in a name, as text."""
    size = next(size for size, family in _AF.items() if family == socket_name[0])
    return str(ip_address(socket_name[_LOCAL : _LOCAL + size]))


def look(socket_name: bytes, sequence: int) -> bytes:
    """A request for the row of this socket, with tcp_info. No privilege is needed."""
    return _request(SOCK_DIAG_BY_FAMILY, _REQUEST, socket_name, sequence)


def destroy(socket_name: bytes, sequence: int) -> bytes:
    """A request to end this socket, to be acknowledged: both ends get a reset. Needs CAP_NET_ADMIN."""
    return _request(_SOCK_DESTROY, _REQUEST | _ACK, socket_name, sequence)


def _request(kind: int, flags: int, socket_name: bytes, sequence: int) -> bytes:
    head = _HEAD.pack(socket_name[0], _TCP, INFO_EXTENSION)
    size = NLMSGHDR.size + _HEAD.size + len(socket_name[_ID])
    return NLMSGHDR.pack(size, kind, flags, sequence, 0) + head + socket_name[_ID]


def shown(view: memoryview, sequence: int) -> Connection | None:
    """The datagram that answers a `look`: the socket; None if there is none of that name.

    Raises SocketTableError with any other errno, and WireError for what is no answer to request `sequence`.
    """
    kind, size = _answer(view, sequence)
    if kind == SOCK_DIAG_BY_FAMILY and size >= ROW_SIZE:
        return _connection(view[:size])
    code = _errno(view, kind)
    if code != errno.ENOENT:
        raise SocketTableError(_OPERATION, errno=code, detail=f"the kernel answers errno {code}")
    return None


def done(view: memoryview, sequence: int) -> int:
    """The datagram that answers a `destroy`: 0, or the errno. Raises WireError as `shown` does."""
    return _errno(view, _answer(view, sequence)[0])


def _answer(view: memoryview, sequence: int) -> tuple[int, int]:
    """(type, size) of the one message in `view`."""
    if len(view) < NLMSGHDR.size + INT.size:
        raise WireError(_OPERATION, detail=f"an answer of {len(view)} bytes")
    size, kind, _, answered, _ = NLMSGHDR.unpack_from(view)
    if answered != sequence:
        raise WireError(_OPERATION, detail=f"an answer to request {answered}, not to {sequence}")
    if size > len(view):
        raise WireError(_OPERATION, detail=f"a message of {size} bytes in {len(view)}")
    return kind, size


def _errno(view: memoryview, kind: int) -> int:
    if kind != ERROR:
        raise WireError(_OPERATION, detail=f"a message of type {kind}")
    return -int(INT.unpack_from(view, NLMSGHDR.size)[0])


def _connection(row: memoryview) -> Connection:
    state, port, cookie, unsent, inode = _ROW.unpack_from(row)
    if state not in _STATES:
        raise WireError(_OPERATION, detail=f"a socket in state {state}")
    begin, end = tcp_info(row)
    info = row[begin:end]
    return Connection(
        cookie=cookie,
        port=int.from_bytes(port, "big"),
        inode=inode,
        state=_STATES[state],
        unsent=unsent,
        bytes_sent=_field(info, _U64, _BYTES_SENT_AT, -1),
        # Without tcp_info it is a handshake or what is left of a socket: as if it had just sent, for nobody may write.
        quiet_sent=_field(info, _U32, LAST_DATA_SENT, 0) / 1000,
    )


def _field(info: memoryview, kind: struct.Struct, at: int, absent: int) -> int:
    """The kernel lets struct tcp_info grow: what is behind its end is `absent`."""
    return int(kind.unpack_from(info, at)[0]) if at + kind.size <= len(info) else absent
