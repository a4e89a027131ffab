"""The app: an ordinary WebSocket server that echoes, closes on SIGTERM (1001, going away), and knows no drainer.

It prints two lines of JSON: the port it listens on, and on SIGTERM when its last connection had closed.
"""

from __future__ import annotations

import asyncio
import json
import signal
import time

from websockets.asyncio.server import ServerConnection, serve

HOST = "127.0.0.1"


class Connection(ServerConnection):
    """One client's connection; the class remembers when the last of them closed."""

    last_close = 0.0
    """Monotonic clock, which is one for all processes of a machine."""

    def connection_lost(self, exc: Exception | None) -> None:
        """Called right before the socket is closed."""
        Connection.last_close = time.monotonic()
        super().connection_lost(exc)


async def echo(connection: ServerConnection) -> None:
    async for message in connection:
        await connection.send(message)


async def main() -> None:
    asked_to_go = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, asked_to_go.set)
    async with serve(echo, HOST, 0, create_connection=Connection, compression=None, backlog=1024) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        print(json.dumps({"port": port}), flush=True)
        await asked_to_go.wait()
        print(json.dumps({"last_close": Connection.last_close}), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
