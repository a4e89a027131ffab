"""From where the agent's own handshakes come, so that whoever counts can leave them out before there are any.

An address alone tells them from clients: by the time that a connection's cookie is known, a census may have seen it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import struct

IPV4 = "127.87.83.1"
"""All of 127.0.0.0/8 is this host; nobody else binds to this one."""
IPV6 = "::1"
"""There is no other one: the port tells us from others, and it is kept for us."""


class OwnAddresses:
    """Source addresses for connections to the app on loopback."""

    def __init__(self, ipv6: str = IPV6) -> None:
        self._reserved = _reserve(ipv6)
        """Bound and never connected: the kernel gives its port to no client that does not ask for it."""

    @property
    def peers(self) -> tuple[str, ...]:
        """What they are to whoever counts, as in `addresses.parse_peers`."""
        return (f"{IPV4}/32", *([f"[{IPV6}]:{self._port}"] if self._reserved else []))

    @property
    def _port(self) -> int:
        if self._reserved is None:
            raise OSError(errno.EAFNOSUPPORT, os.strerror(errno.EAFNOSUPPORT))
        port: int = self._reserved.getsockname()[1]
        return port

    def open(self, address: str) -> socket.socket:
        """A socket that can connect to `address`, and ends with a reset unless it is told otherwise. Raises OSError."""
        is_ipv6 = ":" in address
        made = socket.socket(socket.AF_INET6 if is_ipv6 else socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        try:
            made.setblocking(False)  # noqa: FBT003
            linger(made, resets=True)
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.bind((IPV6, self._port) if is_ipv6 else (IPV4, 0))
        except OSError:
            made.close()
            raise
        return made

    def close(self) -> None:
        """Give the port back."""
        if self._reserved is not None:
            self._reserved.close()


def linger(sock: socket.socket, *, resets: bool) -> None:
    """Whether its end is a reset, which leaves nothing behind, at an app that hangs least of all."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", int(resets), 0))


def _reserve(address: str) -> socket.socket | None:
    """A port of this address; None where there is no such one."""
    with contextlib.ExitStack() as made:
        try:
            reserved = made.enter_context(socket.socket(socket.AF_INET6, socket.SOCK_STREAM | socket.SOCK_CLOEXEC))
            reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            reserved.bind((address, 0))
        except OSError:
            return None
        made.pop_all()
        return reserved
