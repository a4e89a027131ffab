"""The closer that writes Close frames, with an app and rows to try it on."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from drainer.attempt import Attempt
from drainer.closers.descriptors import Rows
from drainer.closers.websocket import WebSocketCloser, close_frame
from tests.process.waiting import PATIENCE, until
from tests.sockets.app_child import BUSY, AppChild

FRAME = close_frame(1012, "restart")


class Seen:
    """A tap that has seen the upgrades of these."""

    def __init__(self, *cookies: int) -> None:
        self.cookies = set(cookies)
        self.lacks: str | None = None

    def knows(self, cookie: int) -> bool:
        return cookie in self.cookies

    def missing(self) -> str | None:
        return self.lacks


def closer_of(app: AppChild, *cookies: int, rows: Rows | None = None, unproven: bool = False) -> WebSocketCloser:
    """With a tap that knows these."""
    tap = Seen(*cookies)
    return WebSocketCloser(rows or app.rows, tap, declared_ports=(), code=1012, reason="restart", unproven=unproven)


def declared(app: AppChild) -> WebSocketCloser:
    return WebSocketCloser(app.rows, None, declared_ports=[app.port], code=1012, reason="restart", unproven=False)


def close(closer: WebSocketCloser, *cookies: int) -> list[Attempt]:
    answers = closer.close(cookies, lambda: True)
    return [answers[cookie] for cookie in cookies]


def closes(closer: WebSocketCloser, cookie: int) -> Attempt:
    """As the ladder does: again while it is busy."""
    return until(lambda: close(closer, cookie)[0], lambda attempt: attempt != BUSY)


def received(client: socket.socket) -> bytes:
    """Until the app closes or is silent for a while."""
    client.settimeout(0.3)
    read = b""
    try:
        while more := client.recv(1 << 20):
            read += more
    except TimeoutError:
        pass
    return read


@contextmanager
def sessions(app: AppChild, number: int) -> Iterator[list[ClientConnection]]:
    with ExitStack() as stack:
        url = f"ws://127.0.0.1:{app.port}"
        yield [stack.enter_context(connect(url, ping_interval=None, compression=None)) for _ in range(number)]


def ending(client: ClientConnection) -> tuple[int | None, str | None]:
    with pytest.raises(ConnectionClosed):
        client.recv(PATIENCE)
    return client.close_code, client.close_reason
