"""The HTTP server on a real loopback port, with an agent that the test plays."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from drainer.gate import PATIENCE
from drainer.held import Answer
from drainer.phases import Outcome, Phase, Result, Tally
from drainer.status import Status
from drainer.web import Render, Route, Server, listen
from tests.sockets.loopback import port_of
from tests.unit.statuses import make_status

OUTCOME = Outcome(Result.DRAINED, Tally(10.0, 17.5, at_start=3, arrived=1, left=4, remaining=0))


@dataclass
class FakeAgent:
    """A `web.Agent` whose answers the test sets."""

    outcome: asyncio.Future[Answer]
    calls: list[tuple[str, str | None]] = field(default_factory=list)
    """(peer, token) of each /drain."""
    hung_up: int = 0
    resumed: bool | None = True
    ready: tuple[bool, Phase] = (True, Phase.SERVING)
    failure: Exception | None = None

    async def drain(self, peer: str, headers: Mapping[str, str]) -> Answer:
        self.calls.append((peer, headers.get("x-drainer-token")))
        try:
            return await asyncio.shield(self.outcome)
        except asyncio.CancelledError:
            self.hung_up += 1
            raise

    def resume(self, peer: str, headers: Mapping[str, str]) -> bool | None:
        return self.resumed

    def probed(self, peer: str, headers: Mapping[str, str]) -> tuple[bool, Phase]:
        return self.ready

    async def fresh_status(self) -> Status:
        if self.failure is not None:
            raise self.failure
        return make_status()


@dataclass
class Site:
    """A server, its agent, and ways to call it."""

    agent: FakeAgent
    port: int
    errors: list[tuple[str, Exception]] = field(default_factory=list)
    """What the server reported of its views."""
    _writers: list[asyncio.StreamWriter] = field(default_factory=list)

    async def connect(self, host: str = "127.0.0.1") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Closed at the end."""
        reader, writer = await asyncio.open_connection(host, self.port)
        self._writers.append(writer)
        return reader, writer

    async def close(self) -> None:
        for writer in self._writers:
            writer.close()
        await asyncio.gather(*(writer.wait_closed() for writer in self._writers), return_exceptions=True)

    async def send(self, request: bytes, host: str = "127.0.0.1") -> tuple[int, dict[str, str], str]:
        """Raw bytes -> (status, headers, body), read until the server closes; the status is 0 if it said nothing."""
        reader, writer = await self.connect(host)
        try:
            writer.write(request)
            answer = await asyncio.wait_for(reader.read(), 20)
        except ConnectionResetError:
            answer = b""
        head, _, body = answer.decode().partition("\r\n\r\n")
        status, *lines = head.split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        return int(status.split()[1]) if status else 0, headers, body

    async def ask(self, path: str, method: str = "GET", host: str = "127.0.0.1", **headers: str) -> tuple[int, str]:
        """(status, body)."""
        lines = [f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items()]
        request = f"{method} {path} HTTP/1.1\r\nHost: drainer\r\nConnection: close\r\n{''.join(lines)}\r\n"
        status, _, body = await self.send(request.encode(), host)
        return status, body


def render(status: Status, accept: str, wall: float) -> tuple[bytes, str]:
    """Shows what it was asked with."""
    return f"{accept} {wall > 1e9}".encode(), "text/plain; version=0.0.4"


@asynccontextmanager
async def serving(
    *,
    limit: int = 10_000,
    patience: float = PATIENCE,
    body: bytes = b"",
    host: str = "",
    routes: Sequence[Route] = (),
) -> AsyncIterator[Site]:
    agent = FakeAgent(asyncio.get_running_loop().create_future())
    shown: Render = (lambda *_: (body, "text/plain")) if body else render
    errors: list[tuple[str, Exception]] = []
    server = Server(
        agent, shown, lambda *error: errors.append(error), connection_limit=limit, patience=patience, routes=routes
    )
    listener = listen(host, 0)
    await server.start(listener)
    site = Site(agent, port_of(listener), errors)
    try:
        yield site
    finally:
        await site.close()
        await server.stop()


async def becomes(look: Callable[[], bool]) -> None:
    """Wait until it is so."""
    async with asyncio.timeout(20):
        while not look():  # noqa: ASYNC110 - what is looked at belongs to the code under test
            await asyncio.sleep(0.005)
