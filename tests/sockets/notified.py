"""An app that is told over HTTP: real sockets, answers byte by byte."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from tests.sockets.loopback import port_of

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
HANG_UP = b""
SILENCE = None


def answer(status: int, *headers: str) -> bytes:
    """An answer without a body that keeps the connection open."""
    lines = [f"HTTP/1.1 {status} Whatever", "Content-Length: 0", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


@dataclass
class Notified:
    """What the app answers, and what it was told."""

    port: int
    answers: list[bytes | None]
    """One for each POST; the last one for all that follow."""
    hangs_up: bool = False
    """After each answer, without having said so."""
    told: list[dict[str, Any]] = field(default_factory=list)
    heads: list[str] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    accepted: int = 0
    open: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/drain"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        self.open += 1
        try:
            with suppress(asyncio.IncompleteReadError, ConnectionError):
                while await self._serve_one(reader, writer):
                    pass
        finally:
            self.open -= 1
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def _serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = next(int(line.split(": ")[1]) for line in head.split("\r\n") if line.startswith("Content-Length"))
        self.told.append(json.loads(await reader.readexactly(length)))
        self.heads.append(head)
        self.times.append(asyncio.get_running_loop().time())
        said = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if said is SILENCE:
            await reader.read()
            return False
        writer.write(said)
        await writer.drain()
        return said != HANG_UP and not self.hangs_up


@asynccontextmanager
async def notified(*answers: bytes | None, hangs_up: bool = False) -> AsyncIterator[Notified]:
    """An app that listens, and ends with the block."""
    serving: set[asyncio.Task[None]] = set()
    app = Notified(0, list(answers or [OK]), hangs_up)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving.add(task)
        await app.serve(reader, writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    app.port = port_of(server.sockets[0])
    try:
        yield app
    finally:
        server.close()
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)
        await server.wait_closed()
