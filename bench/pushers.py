"""`python -m bench.pushers LIBRARY PORT`: an app by a library as it comes, which pushes numbered messages.

What it pushes on a connection is in the path that the client asks for. When told to end it prints, as JSON, how many
messages the library has taken for each connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import random
import socket
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from bench.child import raise_descriptor_limit, say_ready, told_to_end

HOST = "127.0.0.1"
BACKLOG = 1024
SEND_BUFFER = 128 << 10
"""Bytes. Loopback would take a megabyte at once. A network does not, and the rest of a message waits in the app."""
NUMBER = 8
"""Bytes of a message that are its number; the others follow from their place."""
PATTERN = bytes(range(251))

SENT: dict[str, int] = {}
"""Connection -> messages that the library has taken."""


@dataclass(frozen=True, slots=True)
class Push:
    """What is pushed on one connection."""

    rate: float
    """Messages per second; may be 0."""
    size: int
    """Bytes of each."""
    work: float = 0.0
    """Seconds for which the app's loop is held up before each message. Then all connections get theirs at once."""

    def path(self, name: str) -> str:
        """What the client of this name asks for."""
        return f"/{name}/{self.rate}/{self.size}/{self.work}"

    @classmethod
    def parse(cls, path: str) -> tuple[str, Push]:
        """The inverse of `path`."""
        name, rate, size, work = path.strip("/").split("/")
        return name, cls(float(rate), int(size), float(work))

    def message(self, number: int) -> bytes:
        """Any foreign byte in it is found by comparing."""
        length = self.size - NUMBER
        return number.to_bytes(NUMBER, "big") + (PATTERN * (length // len(PATTERN) + 1))[:length]


async def _push(path: str, send: Callable[[bytes], Awaitable[None]]) -> None:
    name, push = Push.parse(path)
    SENT[name] = 0
    if not push.rate:
        return
    period, now = 1 / push.rate, asyncio.get_running_loop().time
    at = math.ceil(now() / period) * period
    if not push.work:
        at += random.uniform(0, period)
    while True:
        await asyncio.sleep(at - now())
        if push.work:
            # To the loop it is the same as computing, and leaves the core to those who are measured.
            time.sleep(push.work)  # noqa: ASYNC251 - see above
        await send(push.message(SENT[name]))
        SENT[name] += 1
        # Whoever is late leaves some out, rather than push them in a burst.
        at += period * max(1, math.ceil((now() - at) / period))


@contextlib.asynccontextmanager
async def _pushing(path: str, send: Callable[[bytes], Awaitable[None]]) -> AsyncIterator[None]:
    pushing = asyncio.create_task(_push(path, send))
    try:
        yield
    finally:
        pushing.cancel()
        # Each library has its own error for a connection that it knows to be closed.
        await asyncio.gather(pushing, return_exceptions=True)


def _listener(port: int) -> socket.socket:
    """Whom it accepts has its send buffer."""
    listener = socket.create_server((HOST, port), backlog=BACKLOG)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
    return listener


async def _with_websockets(port: int) -> None:
    async def handle(connection: ServerConnection) -> None:
        assert connection.request is not None
        with contextlib.suppress(ConnectionClosed):
            async with _pushing(connection.request.path, connection.send):
                async for _ in connection:
                    pass

    async with serve(handle, sock=_listener(port), compression=None):
        say_ready()
        await told_to_end()


async def _with_aiohttp(port: int) -> None:
    async def handle(request: web.Request) -> web.WebSocketResponse:
        connection = web.WebSocketResponse(compress=False)
        await connection.prepare(request)
        async with _pushing(request.path, connection.send_bytes):
            async for _ in connection:
                pass
        return connection

    app = web.Application()
    app.router.add_get("/{path:.*}", handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.SockSite(runner, _listener(port)).start()
    say_ready()
    await told_to_end()
    await runner.cleanup()


APPS = {"websockets": _with_websockets, "aiohttp": _with_aiohttp}

if __name__ == "__main__":
    raise_descriptor_limit()
    asyncio.run(APPS[sys.argv[1]](int(sys.argv[2])))
    json.dump(SENT, sys.stdout)
