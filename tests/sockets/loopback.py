"""Real TCP on loopback: listeners, connections, and clients that hear nothing."""

from __future__ import annotations

import ctypes
import resource
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from drainer.model import Dump, TcpState
from tests.process.waiting import until

_ROOT = Path(__file__).parents[2]
_SO_COOKIE, _SO_ATTACH_FILTER = 57, 26
_DROP_ALL = struct.pack("=HBBI", 0x06, 0, 0, 0)
"""Classic BPF: `ret #0`."""


def cookie_of(sock: socket.socket) -> int:
    """The kernel's name for a socket (SO_COOKIE)."""
    [cookie] = struct.unpack("=Q", sock.getsockopt(socket.SOL_SOCKET, _SO_COOKIE, 8))
    return int(cookie)


def cookies_of(sockets: Sequence[socket.socket]) -> set[int]:
    return {cookie_of(sock) for sock in sockets}


def port_of(sock: socket.socket) -> int:
    return int(sock.getsockname()[1])


def deafen(sock: socket.socket) -> None:
    """The kernel drops all that comes for this socket, acknowledgements too: its peer is never heard."""
    instructions = ctypes.create_string_buffer(_DROP_ALL, len(_DROP_ALL))
    fprog = struct.pack("HP", 1, ctypes.addressof(instructions))
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, fprog)
    except PermissionError:
        pytest.skip("a filter on a TCP socket needs root (CAP_NET_ADMIN) on this kernel")


class Loopback:
    """Makes sockets and closes them at the end."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack

    def listen(self, host: str = "127.0.0.1", backlog: int = 1024) -> socket.socket:
        """A listener on a free port; on "::" it takes IPv4 too."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        dual = host == "::"
        listener = socket.create_server((host, 0), family=family, backlog=backlog, dualstack_ipv6=dual)
        return self._stack.enter_context(listener)

    def connect(self, listener: socket.socket, host: str = "", source: str = "") -> socket.socket:
        """A client; with `source` from this address."""
        address = (host or listener.getsockname()[0], port_of(listener))
        client = socket.create_connection(address, timeout=10, source_address=(source, 0) if source else None)
        return self._stack.enter_context(client)

    def pair(self, listener: socket.socket, host: str = "", source: str = "") -> tuple[socket.socket, socket.socket]:
        """(client, the app's end)."""
        client = self.connect(listener, host, source)
        app, _ = listener.accept()
        return client, self._stack.enter_context(app)

    def pairs(self, listener: socket.socket, number: int) -> tuple[list[socket.socket], list[socket.socket]]:
        """(clients, the app's ends)."""
        clients, apps = zip(*(self.pair(listener) for _ in range(number)), strict=True)
        return list(clients), list(apps)


@contextmanager
def loopback() -> Iterator[Loopback]:
    with ExitStack() as stack:
        yield Loopback(stack)


@contextmanager
def no_descriptors_left() -> Iterator[None]:
    """Whoever wants a new descriptor gets EMFILE."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with socket.socket() as probe:
        lowest_free = probe.fileno()
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def in_a_child(script: str, *arguments: str) -> str:
    """What a Python script prints that runs in the project's root; it has to end well."""
    child = subprocess.run(
        [sys.executable, "-c", script, *arguments], cwd=_ROOT, capture_output=True, text=True, timeout=50, check=False
    )
    assert child.returncode == 0, child.stderr
    return child.stdout


def ids(dump: Dump, listener: socket.socket, state: TcpState) -> set[Any]:
    """The identities that the dump has on the listener's port in this state."""
    return set(dump.groups.get((port_of(listener), state), ()))


def states(dump: Dump) -> dict[tuple[int, TcpState], int]:
    """How many sockets there are by port and state."""
    return {(port, TcpState(state)): len(found) for (port, state), found in dump.groups.items() if found}


def dump_until(take: Callable[[], Dump], accept: Callable[[Dump], bool]) -> Dump:
    """Dump again and again until it is as it should be: the kernel's states change in their own time."""
    return until(take, accept)
