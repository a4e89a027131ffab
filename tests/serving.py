"""Servers of tests: each in a thread of its own for the length of a block, and it ends with all of its connections."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import Any, Self, TypeVar

from aiohttp import web

T = TypeVar("T")

PATIENCE = 20.0


class Listener(socket.socket):
    """A port on loopback for an asyncio server; it knows every connection that was made to it."""

    def __init__(self, *of: Any, **how: Any) -> None:
        super().__init__(*of, **how)
        self._accepted: list[socket.socket] = []

    @classmethod
    def at(cls, address: str = "127.0.0.1", port: int = 0) -> Self:
        """A bound one; port 0 is any that is free."""
        listener = cls(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        return listener

    @property
    def port(self) -> int:
        return int(self.getsockname()[1])

    def dup(self) -> Self:
        copy = super().dup()
        copy._accepted = self._accepted
        return copy

    def accept(self) -> tuple[socket.socket, Any]:
        connection, peer = super().accept()
        self._accepted.append(connection)
        return connection, peer

    async def hang_up(self) -> None:
        """Accept nobody any more, and end all connections: those in a TLS handshake too. In the server's loop, before
        the server is closed.

        asyncio gives a connection its transport one turn of the loop after it has accepted it. A server that is closed
        in between refuses that (an assertion in Server._attach, which nobody hears of), and the connection stays open
        until the garbage collector comes, in the middle of another test.
        """
        if self.fileno() != -1:
            asyncio.get_running_loop().remove_reader(self)
            await asyncio.sleep(0)
        for connection in self._open():
            # Not through asyncio: TLS would be shut down first, with a client that may say nothing any more.
            with contextlib.suppress(OSError):  # The client was faster.
                connection.shutdown(socket.SHUT_RDWR)
        give_up_at = time.monotonic() + PATIENCE / 2
        while self._open():
            assert time.monotonic() < give_up_at, f"still open: {self._open()}"
            await asyncio.sleep(0.001)

    def _open(self) -> list[socket.socket]:
        return [connection for connection in self._accepted if connection.fileno() != -1]


@contextmanager
def in_thread(name: str, serve: Callable[[], AbstractAsyncContextManager[T]]) -> Iterator[T]:
    """What `serve` yields, which lives in an event loop in a thread."""
    begun: Future[T] = Future()
    ends = threading.Event()

    async def run() -> None:
        async with serve() as made:
            begun.set_result(made)
            await asyncio.to_thread(ends.wait)

    thread = threading.Thread(target=asyncio.run, args=(run(),), name=name)
    thread.start()
    try:
        yield begun.result(PATIENCE)
    finally:
        ends.set()
        thread.join(PATIENCE)
        assert not thread.is_alive()


@contextmanager
def serving(name: str, routes: Iterable[web.RouteDef], tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """The port of an HTTP server on loopback. A client that goes away ends its handler."""

    @asynccontextmanager
    async def serve() -> AsyncIterator[int]:
        app, listener = web.Application(), Listener.at()
        app.add_routes(routes)
        runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        await runner.setup()
        await web.SockSite(runner, listener, ssl_context=tls).start()
        yield listener.port
        await listener.hang_up()
        await runner.cleanup()

    with in_thread(name, serve) as port:
        yield port
