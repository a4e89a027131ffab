"""An app in a process of its own, as the closers see it: its rows, and its words."""

from __future__ import annotations

import os
import select
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from drainer.attempt import Attempt, Verdict
from drainer.model import Connection, Listener, TcpState
from drainer.sockets.roster import Roster
from tests.process.waiting import PATIENCE, until

HERE = Path(__file__).parent
BUSY = Attempt(Verdict.BUSY)
SENT = Attempt(Verdict.SENT)
GONE = Attempt(Verdict.GONE)


class AppChild:
    """A program that prints its port first; it is ended by its id."""

    def __init__(self, program: str, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / program), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
        )
        self.pid = self.process.pid
        self._said = b""
        self.port = int(self.line())
        self.rows = Roster([self.port])
        self._clients: list[socket.socket] = []

    def line(self) -> str:
        """What it says next."""
        assert self.process.stdout is not None
        while b"\n" not in self._said:
            assert select.select([self.process.stdout], [], [], PATIENCE)[0], "it says nothing"
            more = os.read(self.process.stdout.fileno(), 4096)
            assert more, "it has ended"
            self._said += more
        line, _, self._said = self._said.partition(b"\n")
        return line.decode()

    def order(self, *words: object) -> None:
        """Without waiting for the answer."""
        assert self.process.stdin is not None
        self.process.stdin.write(" ".join(map(str, words)).encode() + b"\n")

    def obey(self, *words: object) -> None:
        """Wait until it has done so."""
        self.order(*words)
        assert self.line() == "done"

    def connect(self, host: str = "127.0.0.1") -> socket.socket:
        client = socket.create_connection((host, self.port), PATIENCE)
        self._clients.append(client)
        return client

    def only(self) -> Connection:
        """Its one connection, accepted."""
        return self.accepted(1)[0]

    def accepted(self, number: int) -> list[Connection]:
        """So many connections, once the app has taken them."""

        def look() -> list[Connection]:
            return list(self.rows.look_up(self.rows.cookies()).values())

        return until(look, lambda rows: len(rows) == number and all(row.inode for row in rows))

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(PATIENCE)

    def close(self) -> None:
        self.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()
        self.rows.close()
        for client in self._clients:
            client.close()


@contextmanager
def running(program: str, *arguments: str) -> Iterator[AppChild]:
    child = AppChild(program, *arguments)
    try:
        yield child
    finally:
        child.close()


def looped(mode: str = "level", host: str = "127.0.0.1") -> AppChild:
    return AppChild("looped_app.py", mode, host)


class Interrupted:
    """Rows of a real table, between two of which something happens."""

    def __init__(self, app: AppChild) -> None:
        self._rows = app.rows
        self.then: Callable[[], object] = int
        """Called after each look."""

    def look_up(self, cookies: Iterable[int]) -> dict[int, Connection]:
        found = self._rows.look_up(cookies)
        self.then()
        return found

    def listeners(self) -> list[Listener]:
        return self._rows.listeners()


def once(act: Callable[[], object]) -> Callable[[], object]:
    """The same for the first call, and nothing for those after it."""
    pending = [act]
    return lambda: pending and pending.pop()()


def state_of(app: AppChild, cookie: int) -> TcpState | None:
    row = app.rows.look_up([cookie]).get(cookie)
    return row.state if row else None


def descriptors() -> int:
    """How many this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))
