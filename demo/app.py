"""The app: an ordinary WebSocket server that echoes, and closes on SIGTERM (1001, going away).

On a second port, on loopback, it can be told to close so many clients; the agent asks only where it may not do it by
itself. It prints two lines of JSON: its ports, and on SIGTERM when its last connection had closed.
"""

from __future__ import annotations

import asyncio
import json
import signal
import time

from aiohttp import web
from websockets.asyncio.server import Server, ServerConnection, serve

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


async def notified(server: Server, request: web.Request) -> web.Response:
    """Close as many clients as we are told to."""
    order = await request.json()
    closing = list(server.connections)[: order["close"]]
    await asyncio.gather(*(one.close(order["code"], order["reason"]) for one in closing))
    return web.Response()


async def main() -> None:
    asked_to_go = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, asked_to_go.set)
    async with serve(echo, HOST, 0, create_connection=Connection, compression=None, backlog=1024) as server:
        endpoint = web.Application()
        endpoint.router.add_post("/drain", lambda request: notified(server, request))
        runner = web.AppRunner(endpoint, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, HOST, 0).start()
        ports = {"port": next(iter(server.sockets)).getsockname()[1], "notify_port": runner.addresses[0][1]}
        print(json.dumps(ports), flush=True)
        await asked_to_go.wait()
        print(json.dumps({"last_close": Connection.last_close}), flush=True)
        await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(main())
