"""WebSockets on one port that never leave by themselves, as many as wanted, and how each of them ended.

The app is asyncio without a library, the clients are an epoll loop: both cost so little that two cores are enough for
50,000. Nobody pushes. The clients answer a Close frame (RFC 6455, section 5.5.1) and wait for the end of the stream, as
the RFC asks of them; the app answers theirs and is the first to close.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import resource
import select
import socket
import sys
import time
from collections.abc import Iterator, Mapping, Sequence

from bench.child import Child, children, raise_descriptor_limit, say_ready, told_to_end
from bench.sockets import SPARE_DESCRIPTORS, free_port

MOST = 17_000
"""Connections of one child: the app's ends or the clients'."""
ADDRESSES = 8
"""Of the clients of one child: no address runs out of ports."""
BATCH = 500
"""Clients that connect before their answers are read: fewer than a listener's backlog takes."""
BACKLOG = 4096
TIMEOUT = 30.0

# The example of RFC 6455, section 1.3.
REQUEST = (
    b"GET / HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
ANSWER = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)
CLOSE = 0x88
"""The first byte of a Close frame: FIN and opcode 8."""
MASKED = 0x80
NO_MASK = bytes(4)
"""A masking key of zeros leaves the payload as it is."""

RESET, OPEN, CUT, GARBAGE = "reset", "open", "cut", "garbage"
"""How it went without a Close frame: by RST, not at all, by the end of the stream, or something else came."""

Endings = Mapping[str, Sequence[float]]
"""Close code or one of the words above -> the moments, by the monotonic clock, at which the clients were told."""


class Flock:
    """Its port, and its clients."""

    def __init__(self, port: int, clients: Sequence[Child]) -> None:
        self.port = port
        self._clients = clients

    def endings(self) -> Endings:
        """How they have ended; those that are left then are OPEN, and leave."""
        together: dict[str, list[float]] = {}
        for child in self._clients:
            for how, moments in json.loads(child.end()).items():
                together.setdefault(how, []).extend(moments)
        return together


@contextlib.contextmanager
def flock(count: int) -> Iterator[Flock]:
    """Yields `count` open WebSockets. Raises RuntimeError if they cannot be had."""
    port = free_port()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    most = MOST if hard == resource.RLIM_INFINITY else min(MOST, hard - SPARE_DESCRIPTORS)
    shares = [len(range(index, count, math.ceil(count / most))) for index in range(math.ceil(count / most))]
    with children(*(Child("bench.flock", "app", index, port) for index in range(len(shares)))):
        clients = [Child("bench.flock", "clients", index, port, share) for index, share in enumerate(shares)]
        with children(*clients):
            yield Flock(port, clients)


def _address(index: int) -> str:
    """Where the app's child of this number listens: its own address, so that it gets its own clients."""
    return f"127.1.{index}.1"


class _Served(asyncio.Protocol):
    """The app's end of one."""

    __slots__ = ("_transport",)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if data[0] != CLOSE:
            self._transport.write(ANSWER)
            return
        length = data[1] ^ MASKED
        self._transport.write(bytes((CLOSE, length)) + data[6 : 6 + length])
        self._transport.close()


async def _serve(index: int, port: int) -> None:
    """The app's child."""
    server = await asyncio.get_running_loop().create_server(_Served, _address(index), port, backlog=BACKLOG)
    say_ready()
    await told_to_end()
    server.close()


class _Client:
    """The client's end of one."""

    __slots__ = ("at", "how", "socket")

    def __init__(self, source: str, address: tuple[str, int]) -> None:
        self.socket = socket.create_connection(address, TIMEOUT, (source, 0))
        self.socket.sendall(REQUEST)
        self.how: str | None = None
        """The code of the Close frame, or GARBAGE, once it is there."""
        self.at = 0.0

    def await_upgrade(self) -> None:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            data = self.socket.recv(4096)
            if not data:
                raise RuntimeError("the app has not upgraded a connection")
            head += data
        self.socket.settimeout(0)

    def hear(self) -> bool:
        """Take what has come; returns whether this was the end."""
        now = time.monotonic()
        try:
            data = self.socket.recv(4096)
            if data and self.how is None:
                self.at, self.how = now, GARBAGE
                if data[0] == CLOSE:
                    self.how = str(int.from_bytes(data[2:4], "big"))
                    self.socket.sendall(bytes((CLOSE, MASKED | data[1])) + NO_MASK + data[2 : 2 + data[1]])
        except (ConnectionResetError, BrokenPipeError):
            self._ended(now, RESET)
            return True
        if not data:
            self._ended(now, CUT)
        return not data

    def _ended(self, now: float, how: str) -> None:
        if self.how is None:
            self.at, self.how = now, how
        elif how == RESET:
            self.how += f", {RESET}"


def _live(index: int, port: int, count: int) -> None:
    """The clients' child."""
    clients: dict[int, _Client] = {}
    sources = [f"127.{2 + index}.0.{number}" for number in range(1, 1 + ADDRESSES)]
    for begun in range(0, count, BATCH):
        batch = [
            _Client(sources[number % ADDRESSES], (_address(index), port))
            for number in range(begun, min(count, begun + BATCH))
        ]
        for client in batch:
            client.await_upgrade()
            clients[client.socket.fileno()] = client
    endings: dict[str, list[float]] = {}
    with select.epoll() as poll:
        for number in (sys.stdin.fileno(), *clients):
            poll.register(number, select.EPOLLIN)
        say_ready()
        while sys.stdin.fileno() not in (numbers := [number for number, _ in poll.poll()]):
            for number in numbers:
                client = clients[number]
                if client.hear():
                    assert client.how is not None
                    endings.setdefault(client.how, []).append(client.at)
                    del clients[number]
                    client.socket.close()
    # A Close frame that the app has not answered by the end of the stream is no clean end.
    for client in clients.values():
        how = OPEN if client.how is None else f"{client.how}, {OPEN}"
        endings.setdefault(how, []).append(client.at)
    json.dump(endings, sys.stdout)


if __name__ == "__main__":
    raise_descriptor_limit()
    role, *numbers = sys.argv[1:]
    if role == "app":
        asyncio.run(_serve(*map(int, numbers)))
    else:
        _live(*map(int, numbers))
