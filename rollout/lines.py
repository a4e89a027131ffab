"""A client's end of one connection, by the library that makes it: numbered messages there and back."""

from __future__ import annotations

import asyncio
import contextlib
import time
from abc import ABC, abstractmethod
from typing import Any, Self

import aiohttp
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from rollout.accounts import ABNORMAL

PATIENCE = 10.0
"""Seconds that a client waits for an opening handshake."""


class RefusedError(Exception):
    """Nobody has served the opening handshake."""


class ClosedError(Exception):
    """Somebody else has ended the connection."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code
        """ABNORMAL without a Close frame."""
        self.at = time.monotonic()


class Line(ABC):
    """Open from the beginning; each method may raise ClosedError."""

    @classmethod
    @abstractmethod
    async def open(cls, port: int, life: str) -> Self:
        """Raises RefusedError."""

    @abstractmethod
    async def ask(self, number: int) -> None:
        """Send a number that is to come back."""

    @abstractmethod
    async def hear(self) -> tuple[str, str]:
        """The next message: "q" and what was asked, or "p" and the number of a push. What is neither comes as it is."""

    @abstractmethod
    async def end(self) -> None:
        """The client's own end of it."""


class WebSocketLine(Line):
    """By `websockets`."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection

    @classmethod
    async def open(cls, port: int, life: str) -> Self:
        uri = f"ws://127.0.0.1:{port}/?life={life}"
        try:
            # No proxy: the environment may name one, and this is loopback.
            return cls(await connect(uri, proxy=None, compression=None, ping_interval=None, open_timeout=PATIENCE))
        except (OSError, TimeoutError, WebSocketException) as error:
            raise RefusedError from error

    async def ask(self, number: int) -> None:
        try:
            await self._connection.send(f"q {number}")
        except ConnectionClosed as closed:
            raise _closed(closed) from closed

    async def hear(self) -> tuple[str, str]:
        try:
            message = str(await self._connection.recv())
        except ConnectionClosed as closed:
            raise _closed(closed) from closed
        kind, number, *_ = [*message.split(" "), ""]
        return kind, number

    async def end(self) -> None:
        self._connection.transport.abort()


def _closed(closed: ConnectionClosed) -> ClosedError:
    # `rcvd` is the Close frame that has come, if one has.
    return ClosedError(ABNORMAL if closed.rcvd is None else closed.rcvd.code)


class SocketIoLine(Line):
    """By `python-socketio` over aiohttp's WebSocket, which is not asked to reconnect by itself."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._heard: asyncio.Queue[tuple[str, str] | None] = asyncio.Queue()

    @classmethod
    async def open(cls, port: int, life: str) -> Self:
        import socketio  # type: ignore[import-untyped] # noqa: PLC0415 - only its own clients need it

        client = socketio.AsyncClient(reconnection=False, handle_sigint=False)
        line = cls(client)
        client.on("p", line._push)
        client.on("q", line._answer)
        client.on("disconnect", line._gone)
        try:
            async with asyncio.timeout(PATIENCE):
                url = f"http://127.0.0.1:{port}/?life={life}"
                await client.connect(url, transports=["websocket"], wait_timeout=PATIENCE)
        except (OSError, TimeoutError, socketio.exceptions.ConnectionError, aiohttp.ClientError) as error:
            await line.end()
            raise RefusedError from error
        line._socket = client.eio.ws
        return line

    async def ask(self, number: int) -> None:
        if not self._client.connected:
            raise self._closed()
        await self._client.emit("q", str(number))

    async def hear(self) -> tuple[str, str]:
        heard = await self._heard.get()
        if heard is None:
            raise self._closed()
        return heard

    async def end(self) -> None:
        # What is half open may not be closed once more, and says so in many ways.
        with contextlib.suppress(Exception):
            await self._client.eio.disconnect(abort=True)

    def _closed(self) -> ClosedError:
        """The library tells its user no code; the WebSocket under it has one."""
        code = self._socket.close_code if self._socket is not None else None
        return ClosedError(code or ABNORMAL)

    async def _push(self, number: int, _: str) -> None:
        self._heard.put_nowait(("p", str(number)))

    async def _answer(self, number: str) -> None:
        self._heard.put_nowait(("q", number))

    async def _gone(self, _: str) -> None:
        self._heard.put_nowait(None)


LINES: dict[str, type[Line]] = {"websockets": WebSocketLine, "socketio": SocketIoLine}
