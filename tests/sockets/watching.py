"""A site with the page, and those who watch it."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from drainer.gate import PATIENCE
from drainer.model import PortCount
from drainer.page.live import Page
from drainer.status import Status
from drainer.web import Route
from tests.sockets.site import Site, serving
from tests.unit.fakes import PORT, now
from tests.unit.statuses import make_census, make_status

WALL = 1_800_000_000.0
NEAR, FAR = "127.0.0.1", "198.51.100.7"
STREAM = b"GET /stream HTTP/1.1\r\nHost: drainer\r\n\r\n"


class Watched:
    """An agent that the page sees: so many connections, counted now."""

    def __init__(self) -> None:
        self.connections = 0
        self.failure: Exception | None = None
        self.refreshed = 0
        self.hangs = False
        """Whether a census never comes."""
        self.changes: dict[str, Any] = {}

    def status(self) -> Status:
        census = make_census({PORT: PortCount(live=self.connections)}, now())
        return make_status(at=now(), census=census, **self.changes)

    async def fresh_status(self) -> Status:
        self.refreshed += 1
        if self.failure is not None:
            raise self.failure
        if self.hangs:
            await asyncio.get_running_loop().create_future()
        return self.status()


class Watcher:
    """One stream, read event by event."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.head = ""
        self._rest = ""

    async def begin(self, *headers: str) -> Watcher:
        """Ask for the stream; returns when the head of the answer is there."""
        lines = "".join(f"{header}\r\n" for header in headers)
        self._writer.write(STREAM[:-2] + lines.encode() + b"\r\n")
        self.head = (await asyncio.wait_for(self._reader.readuntil(b"\r\n\r\n"), 20)).decode()
        return self

    @property
    def status(self) -> int:
        return int(self.head.split()[1])

    async def event(self) -> dict[str, Any]:
        """The next state. Raises EOFError at the end of the stream."""
        name, data = await self.raw()
        assert name == "message", name
        value: dict[str, Any] = json.loads(data)
        return value

    async def raw(self) -> tuple[str, str]:
        """(name, data) of the next event."""
        while "\n\n" not in self._rest:
            size = int(await asyncio.wait_for(self._reader.readline(), 20) or b"0", 16)
            if not size:
                raise EOFError
            self._rest += (await self._reader.readexactly(size)).decode()
            await self._reader.readexactly(2)
        text, _, self._rest = self._rest.partition("\n\n")
        fields = dict(line.split(": ", 1) for line in text.splitlines())
        return fields.get("event", "message"), fields["data"]

    async def body(self) -> str:
        """The rest, of an answer that is no stream."""
        return (await asyncio.wait_for(self._reader.read(), 20)).decode()

    def pause(self) -> None:
        """Read no more, from the kernel either."""
        self._transport.pause_reading()

    def resume(self) -> None:
        self._transport.resume_reading()

    @property
    def _transport(self) -> asyncio.ReadTransport:
        transport = self._writer.transport
        assert isinstance(transport, asyncio.ReadTransport)
        return transport

    def close(self) -> None:
        self._writer.close()


class DeafWatcher:
    """Asks for the stream and never reads, with as small a window as the kernel gives."""

    def __init__(self, port: int) -> None:
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        self.socket.setblocking(False)  # noqa: FBT003 - socket's
        self._port = port

    async def begin(self) -> DeafWatcher:
        loop = asyncio.get_running_loop()
        await loop.sock_connect(self.socket, (NEAR, self._port))
        await loop.sock_sendall(self.socket, STREAM)
        return self

    def close(self) -> None:
        self.socket.close()


@dataclass
class Watching:
    """The site and the page."""

    site: Site
    page: Page
    agent: Watched
    transports: list[asyncio.WriteTransport]
    """The agent's ends of the streams, in the order in which they were asked for."""

    async def watch(self, *headers: str, host: str = NEAR) -> Watcher:
        return await Watcher(*await self.site.connect(host)).begin(*headers)


@asynccontextmanager
async def watching(*, limit: int = 10_000, patience: float = PATIENCE) -> AsyncIterator[Watching]:
    page, agent = Page(lambda: WALL), Watched()
    page.begin(agent)
    transports: list[asyncio.WriteTransport] = []
    [shown, streamed] = page.routes

    async def noticed(request: web.Request, peer: str) -> web.StreamResponse:
        assert isinstance(request.transport, asyncio.WriteTransport)
        transports.append(request.transport)
        return await streamed.handler(request, peer)

    routes = [shown, Route(streamed.method, streamed.path, noticed)]
    async with serving(limit=limit, patience=patience, routes=routes) as site:
        try:
            yield Watching(site, page, agent, transports)
        finally:
            page.leave()
