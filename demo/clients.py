"""The clients: real WebSocket connections that chat, and leave when they like. They notice who ended what."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

ARRIVAL_GAP = 0.004
"""Seconds between two arrivals: a crowd, but no flood."""
PAUSE = (0.5, 2.0)
"""Seconds between two messages of one client."""
NORMAL, RESTART = 1000, 1012
"""Close codes: a client has left by itself and the server has answered; the server restarts, come back elsewhere."""


class Crowd:
    """All clients, and what they have met with."""

    def __init__(self, port: int) -> None:
        self._uri = f"ws://127.0.0.1:{port}"
        self._dice = random.Random(1)
        self._clients: dict[asyncio.Event, asyncio.Task[None]] = {}
        self.connected = 0
        self.messages = 0
        """Sent, and echoed by the app."""
        self.left = 0
        """Clients that closed their connection themselves, in peace."""
        self.told: list[float] = []
        """When clients were told to go to another pod: closed with 1012."""
        self.cut: Counter[int] = Counter()
        """Clients whose connection was ended otherwise, by close code: 1006 without a word, 1001 by the app."""
        self.refused = 0
        """Clients that were never served."""
        self.last_leave_at = 0.0

    async def arrive(self, number: int) -> list[asyncio.Event]:
        """Let so many clients come; returns when each has been served or refused. Each event makes one leave."""
        group, served = [], []
        for _ in range(number):
            leave, first_echo = asyncio.Event(), asyncio.Event()
            self._clients[leave] = asyncio.create_task(self._live(leave, first_echo))
            group.append(leave)
            served.append(first_echo.wait())
            await asyncio.sleep(ARRIVAL_GAP)
        await asyncio.gather(*served)
        return group

    def leave_between(self, group: list[asyncio.Event], first: float, last: float) -> None:
        """Let a group leave one by one, from `first` to `last` seconds from now."""
        moments = sorted(self._dice.uniform(first, last) for _ in group)
        for leave, after in zip(group, [*moments[:-1], last], strict=False):
            asyncio.get_running_loop().call_later(after, leave.set)

    async def gone(self) -> None:
        """The app is gone: whoever has not left by itself notices now that it was cut."""
        for leave in self._clients:
            leave.set()
        await asyncio.gather(*self._clients.values())

    async def disperse(self) -> None:
        """Cancel everyone."""
        for client in self._clients.values():
            client.cancel()
        await asyncio.gather(*self._clients.values(), return_exceptions=True)

    async def _live(self, leave: asyncio.Event, first_echo: asyncio.Event) -> None:
        try:
            # No proxy: the environment may name one, and this is loopback.
            connection = await connect(self._uri, proxy=None, compression=None)
        except (OSError, TimeoutError, WebSocketException):
            self.refused += 1
            first_echo.set()
            return
        self.connected += 1
        closed = asyncio.create_task(connection.wait_closed())
        closed.add_done_callback(lambda _: leave.set())
        with contextlib.suppress(ConnectionClosed):
            await self._chat(connection, leave, first_echo)
        self.last_leave_at = asyncio.get_running_loop().time()
        await connection.close()
        self.connected -= 1
        first_echo.set()
        if connection.close_code == NORMAL:
            self.left += 1
        elif connection.close_code == RESTART:
            self.told.append(self.last_leave_at)
        else:
            self.cut[connection.close_code or 0] += 1

    async def _chat(self, connection: ClientConnection, leave: asyncio.Event, first_echo: asyncio.Event) -> None:
        while not leave.is_set():
            await connection.send("hello")
            await connection.recv()
            self.messages += 1
            first_echo.set()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(leave.wait(), self._dice.uniform(*PAUSE))
