"""One WebSocket handshake with the app, by a client that believes nothing it is told (RFC 6455, section 4.1)."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import errno
import os
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from urllib.parse import urlsplit

from drainer import __version__
from drainer.handshake import accept_of
from drainer.health import frames
from drainer.health.own import OwnAddresses, linger
from drainer.target import Ask, Target

LOOPBACK = ("127.0.0.1", "::1")
MAX_HEAD = 16384
"""Bytes of an answer until its empty line; more than any server sends."""
MAX_BYTES = 1 << 20
"""Bytes that the app may send before its answer: some push whatever has happened to each new client."""
CLOSE_WITHIN = 0.25
"""Seconds for the closing handshake, which is only polite."""
_CHUNK = 65536
_NORMAL = struct.pack(">H", 1000)
_TLS_ALERT = b"\x15\x03"
_NOBODY_THERE = frozenset(
    {errno.ECONNREFUSED, errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.ENETUNREACH, errno.EHOSTUNREACH}
)
"""What an address answers where nobody listens, or there is no such family."""

Elsewhere = Callable[[], Awaitable[Sequence[str]]]
"""The addresses on which the app listens."""


async def nowhere() -> Sequence[str]:
    """Nobody knows."""
    return ()


class UnwellError(Exception):
    """The app did not answer as it should: `args[0]` is how, in words."""


class Conversation:
    """A connection to the app, from the first SYN to its end. Use each once; `close` it in any case."""

    def __init__(self, target: Target, own: OwnAddresses, elsewhere: Elsewhere = nowhere) -> None:
        """`elsewhere` is asked when nobody listens on loopback."""
        self._target = target
        self._own = own
        self._elsewhere = elsewhere
        self._socket: socket.socket | None = None
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._left = MAX_BYTES
        self._is_open = False
        """Whether it is a WebSocket, which has an end of its own."""
        self.stage = "to connect"
        """What it waits for, in words."""

    async def ask(self) -> str:
        """What came of it, in words. Raises UnwellError, and OSError if this host cannot ask. It knows no deadline."""
        target = self._target
        try:
            connected = self._socket = await self._connect()
            reader, writer = await self._begin(connected)
            self.stage = "for the answer to the handshake"
            await self._open(reader, writer)
            self._is_open = True
            if target.ask is Ask.HANDSHAKE:
                return "101"
            self.stage = f"for the answer to {target.ask}"
            await self._exchange(reader, writer)
        except ssl.SSLError as error:
            raise UnwellError(f"no TLS: {error.reason or 'the connection was closed'}") from error
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise UnwellError(f"the connection was closed, waiting {self.stage}") from error
        except ValueError as error:
            raise UnwellError(str(error)) from error
        return f"101 and {'an echo' if target.ask is Ask.ECHO else 'a pong'}"

    async def close(self) -> None:
        """End it: politely if it is a WebSocket and the app is quick, and with a reset otherwise."""
        if self._streams is not None:
            reader, writer = self._streams
            if self._is_open:
                with contextlib.suppress(OSError):
                    async with asyncio.timeout(CLOSE_WITHIN):
                        await self._part(reader, writer)
            writer.transport.abort()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
        if self._socket is not None:
            self._socket.close()

    async def _connect(self) -> socket.socket:
        async for address in self._addresses():
            made = None
            try:
                made = self._own.open(address)
                await asyncio.get_running_loop().sock_connect(made, (address, self._target.port))
            except BaseException as error:
                if made is not None:
                    made.close()
                if not isinstance(error, OSError) or error.errno not in _NOBODY_THERE:
                    raise
            else:
                return made
        raise UnwellError(f"nobody listens on port {self._target.port}")

    async def _addresses(self) -> AsyncIterator[str]:
        for address in LOOPBACK:
            yield address
        for address in await self._elsewhere():
            yield address

    async def _begin(self, connected: socket.socket) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """The streams. They have a duplicate, so that how the connection ends is up to whoever closes last."""
        context = name = None
        if self._target.tls:
            self.stage = "for TLS"
            context, name = _context(), _server_name(self._target.host)
        duplicate = connected.dup()
        duplicate.setblocking(False)  # noqa: FBT003 - dup() makes one that blocks
        try:
            self._streams = await asyncio.open_connection(
                sock=duplicate, limit=MAX_HEAD, ssl=context, server_hostname=name
            )
        except BaseException:
            duplicate.close()
            raise
        return self._streams

    async def _open(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        key = base64.b64encode(os.urandom(16))
        writer.write(request(self._target, key))
        try:
            answer = await reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError:
            raise UnwellError(f"an answer without an end in {MAX_HEAD} bytes") from None
        except asyncio.IncompleteReadError as error:
            if error.partial.startswith(_TLS_ALERT):
                raise UnwellError("the app speaks TLS: health_tls is false") from None
            raise
        judge(answer, self._target.subprotocols, accept_of(key))

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Send something that comes back, and wait for it."""
        is_echo = self._target.ask is Ask.ECHO
        said = b"drainer-" + os.urandom(8).hex().encode()
        wanted = (frames.TEXT, said) if is_echo else (frames.PONG, said)
        writer.write(_framed(frames.TEXT if is_echo else frames.PING, said))
        while (heard := await self._take(reader)) != wanted:
            opcode, payload = heard
            if opcode == frames.CLOSE:
                raise UnwellError(f"closed with {frames.close_code(payload)}, waiting {self.stage}")
            if opcode == frames.PING:
                writer.write(_framed(frames.PONG, payload))

    async def _part(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """The closing handshake; who closes TCP is the server (RFC 6455, section 7.1.1)."""
        writer.write(_framed(frames.CLOSE, _NORMAL))
        while data := await reader.read(_CHUNK):
            self._left -= len(data)
            if self._left < 0:
                return
        assert self._socket is not None  # noqa: S101 - for the type checker
        linger(self._socket, resets=False)

    async def _take(self, reader: asyncio.StreamReader) -> tuple[int, bytes]:
        """(opcode, payload) of the next frame; no payload of one that is longer than any of ours."""
        first = await reader.readexactly(2)
        head = frames.head(first, await reader.readexactly(frames.more(first)))
        self._left -= head.length
        if self._left < 0:
            raise UnwellError(f"more than {MAX_BYTES} bytes came, waiting {self.stage}")
        if head.length <= frames.MAX_CONTROL:
            return head.opcode, await reader.readexactly(head.length)
        left = head.length
        while left:
            left -= len(await reader.readexactly(min(left, _CHUNK)))
        return head.opcode, b""


def request(target: Target, key: bytes) -> bytes:
    """The opening handshake."""
    lines = [
        f"GET {target.path} HTTP/1.1",
        f"Host: {target.host or f'localhost:{target.port}'}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {key.decode()}",
        "Sec-WebSocket-Version: 13",
    ]
    if target.origin:
        lines.append(f"Origin: {target.origin}")
    if target.subprotocols:
        lines.append(f"Sec-WebSocket-Protocol: {', '.join(target.subprotocols)}")
    if not any(name.lower() == "user-agent" for name, _ in target.headers):
        lines.append(f"User-Agent: drainer/{__version__}")
    lines += [f"{name}: {value}" for name, value in target.headers]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def judge(answer: bytes, offered: Sequence[str], accept: bytes) -> None:
    """Whether a head is the one that makes this connection a WebSocket. Raises UnwellError with what it lacks."""
    first, *lines = answer.decode("latin-1").split("\r\n")
    version, _, status = first.partition(" ")
    if not version.startswith("HTTP/1."):
        raise UnwellError("what came is no answer of HTTP/1.1")
    code = status[:3]
    if code != "101":
        raise UnwellError(f"answered {code if code.isdigit() else 'without a status'}, not 101")
    fields: dict[str, list[str]] = {}
    for line in lines:
        name, _, value = line.partition(":")
        fields.setdefault(name.strip().lower(), []).extend(part.strip() for part in value.split(","))
    if "websocket" not in map(str.lower, fields.get("upgrade", ())):
        raise UnwellError("101 without Upgrade: websocket")
    if "upgrade" not in map(str.lower, fields.get("connection", ())):
        raise UnwellError("101 without Connection: Upgrade")
    if fields.get("sec-websocket-accept") != [accept.decode()]:
        raise UnwellError("101 with a wrong Sec-WebSocket-Accept")
    if any(fields.get("sec-websocket-extensions", ())):
        raise UnwellError("101 with an extension that was not offered")
    chosen = fields.get("sec-websocket-protocol", [])
    if len(chosen) > 1 or not set(chosen) <= set(offered):
        raise UnwellError("101 with a subprotocol that was not offered")


def _framed(opcode: int, payload: bytes) -> bytes:
    return frames.frame(opcode, payload, os.urandom(4))


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _server_name(host: str) -> str:
    """The host of a Host header, without its port."""
    return urlsplit(f"//{host}").hostname or "localhost"
