"""What every app in Python has in common: what it is told, what it writes down, and how it pushes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from urllib.parse import parse_qs

PORT = int(os.environ.get("ROLLOUT_PORT", "0"))
NOTIFY_PORT = int(os.environ.get("ROLLOUT_NOTIFY_PORT", "0"))
"""Where the app is told to close; 0 for an app that knows nothing of that."""
HOST = "127.0.0.1"
PUSH_EVERY = 1.0
"""Seconds between two pushes on one connection."""
PADDING = "." * 80


class Ledger:
    """A file with a line for each push: the life's name, the push's number, the moment. Number 0 is the life's begin.

    A line is written with one system call as soon as the library has taken the push, so SIGKILL takes none away.
    """

    def __init__(self) -> None:
        self._file = os.open(os.environ["ROLLOUT_LEDGER"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    @contextlib.asynccontextmanager
    async def pushing(self, query: str, send: Callable[[str], Awaitable[None]]) -> AsyncIterator[None]:
        """Push on the connection that was opened with this query, until the block is left or `send` raises."""
        pushing = asyncio.create_task(self._push(parse_qs(query)["life"][0], send))
        try:
            yield
        finally:
            pushing.cancel()
            # Each library has its own error for a connection that it knows to be closed.
            await asyncio.gather(pushing, return_exceptions=True)

    async def _push(self, name: str, send: Callable[[str], Awaitable[None]]) -> None:
        self._write(name, 0)
        number = 0
        # Not all in the same moment, as the clients do not come in the same moment.
        await asyncio.sleep(random.uniform(0, PUSH_EVERY))
        while True:
            await send(f"p {number + 1} {PADDING}")
            number += 1
            self._write(name, number)
            await asyncio.sleep(PUSH_EVERY)

    def _write(self, name: str, number: int) -> None:
        os.write(self._file, f"{name} {number} {time.monotonic():.4f}\n".encode())
