"""What the agent watches: a real WebSocket server in a process of its own, and bare sockets for exact control."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import sys
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from websockets.sync.client import ClientConnection, connect

from tests.process.harness import Child, Reserved
from tests.process.waiting import PATIENCE, until


def _has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not _has_ipv6(), reason="needs IPv6 on loopback (::1)")


class WebApp(Child):
    """The `websockets` server; it may be started again on its port."""

    def __init__(self, reserved: Reserved, host: str = "") -> None:
        self.port = reserved.port
        unmeasured = {name: "" for name in os.environ if name.startswith("COVERAGE_")}
        program = str(Path(__file__).with_name("web_app.py"))
        super().__init__([sys.executable, program, host, str(self.port)], unmeasured)
        until(self.stderr, lambda said: said != "")
        assert self.stderr() == "serving\n"

    def client(self, host: str = "127.0.0.1") -> AbstractContextManager[ClientConnection]:
        """A client to be entered and left."""
        return connect(f"ws://{f'[{host}]' if ':' in host else host}:{self.port}", ping_interval=None)


def echoes(client: ClientConnection) -> bool:
    """Whether the app serves this client."""
    client.send("a word")
    return client.recv(PATIENCE) == "a word"


class BareApp:
    """A listening socket, with both ends of each connection in the hands of the test."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0, *, reuse_port: bool = False) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.listener = socket.create_server(
            (host, port),
            family=family,
            backlog=1024,
            reuse_port=reuse_port,
            dualstack_ipv6=host == "::",
        )
        self.port: int = self.listener.getsockname()[1]
        self._clients: list[socket.socket] = []
        self._accepted: list[socket.socket] = []
        self._strangers: list[socket.socket] = []

    def connect(
        self, host: str = "127.0.0.1", source: str | None = None, receive_buffer: int = 0
    ) -> tuple[socket.socket, socket.socket]:
        """(the client's end, the app's end)."""
        client = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        if receive_buffer:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        if source:
            client.bind((source, 0))
        client.settimeout(PATIENCE)
        client.connect((host, self.port))
        accepted, peer = self.listener.accept()
        while peer[1] != client.getsockname()[1]:
            # Somebody else's, who asks the app whether it is well: it is left without an answer.
            self._strangers.append(accepted)
            accepted, peer = self.listener.accept()
        self._clients.append(client)
        self._accepted.append(accepted)
        return client, accepted

    def leave_unsent(self, accepted: socket.socket) -> None:
        """Write until the client, which does not read, has no room left; then close."""
        accepted.settimeout(0)
        with contextlib.suppress(BlockingIOError):
            while True:
                accepted.send(bytes(65536))
        accepted.close()

    def leaves(self, client: socket.socket) -> None:
        """This client's connection ends at both ends."""
        for end in (client, self._accepted[self._clients.index(client)]):
            end.close()

    def clients(self, number: int) -> list[socket.socket]:
        """So many clients more."""
        return [self.connect()[0] for _ in range(number)]

    def all_leave(self) -> None:
        """Every connection ends, and leaves nothing behind."""
        for end in (*self._clients, *self._accepted):
            if end.fileno() >= 0:
                reset(end)

    def close(self) -> None:
        self.all_leave()
        for stranger in self._strangers:
            stranger.close()
        self.listener.close()


def reset(end: socket.socket) -> None:
    """Close with a reset: no TIME_WAIT keeps the port from being used again."""
    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    end.close()
