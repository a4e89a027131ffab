"""An app of which every byte is written by the test: what no library would send."""

from __future__ import annotations

import asyncio
import contextlib
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

from drainer.handshake import accept_of

Script = Callable[["Client"], Awaitable[None]]


@dataclass
class Client:
    """One connection, with the head of its request."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    head: str = ""

    def say(self, data: bytes) -> None:
        self.writer.write(data)

    @property
    def accept(self) -> bytes:
        found = re.search(r"Sec-WebSocket-Key: (\S+)", self.head)
        assert found is not None
        return accept_of(found[1].encode())

    def upgrade(self, *lines: bytes) -> None:
        """The answer that makes it a WebSocket; `lines` come with it."""
        fields = [b"Upgrade: WebSocket", b"Connection: keep-alive, Upgrade", b"Sec-WebSocket-Accept: " + self.accept]
        self.say(b"\r\n".join([b"HTTP/1.1 101 Switching Protocols", *fields, *lines, b"", b""]))

    async def hears(self) -> tuple[int, bytes]:
        """(opcode, payload) of the next frame of the client, which must be masked."""
        first, second = await self.reader.readexactly(2)
        assert (first & 0xF0, second & 0x80) == (0x80, 0x80)
        mask = await self.reader.readexactly(4)
        payload = await self.reader.readexactly(second & 0x7F)
        return first & 0x0F, bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))

    def frame(self, first: int, payload: bytes) -> None:
        """A frame of a server; `first` is its first byte."""
        size = len(payload)
        length = bytes([size]) if size < 126 else b"\x7e" + size.to_bytes(2, "big") if size < 65536 else (
            b"\x7f" + size.to_bytes(8, "big")
        )  # fmt: skip
        self.say(bytes([first]) + length + payload)

    async def hangs_up(self) -> bytes:
        """What comes until the client's end of the connection; a reset is an end too."""
        with contextlib.suppress(ConnectionError):
            return await self.reader.read()
        return b""


@dataclass
class App:
    """Listens on loopback, and lets a script talk to each client."""

    port: int = 0
    heads: list[str] = field(default_factory=list)
    peers: list[str] = field(default_factory=list)
    open: int = 0
    most: int = 0
    """Connections at a time."""
    faults: list[BaseException] = field(default_factory=list)


@contextlib.asynccontextmanager
async def scripted(
    script: Script, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None, *, reads: bool = True
) -> AsyncIterator[App]:
    """`reads`: whether the request is taken in before the script begins."""
    app = App()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = Client(reader, writer)
        app.open += 1
        app.most = max(app.most, app.open)
        app.peers.append(writer.get_extra_info("peername")[0])
        try:
            if reads:
                client.head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                app.heads.append(client.head)
            await script(client)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # The agent has hung up: that is for the test to see.
        except AssertionError as error:
            app.faults.append(error)
        finally:
            app.open -= 1
            writer.close()

    server = await asyncio.start_server(serve, host, 0, ssl=tls)
    app.port = server.sockets[0].getsockname()[1]
    try:
        yield app
    finally:
        server.close()
        assert not app.faults, app.faults
