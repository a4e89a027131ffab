"""websockets, as its documentation begins: no signal handler. With a notify port it has the endpoint of the docs."""

from __future__ import annotations

import asyncio
import contextlib
from urllib.parse import urlsplit

from aiohttp import web
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from rollout.apps.ledger import HOST, NOTIFY_PORT, PORT, Ledger

LEDGER = Ledger()
CONNECTIONS: set[ServerConnection] = set()
CLOSING: set[asyncio.Task[None]] = set()


async def handle(connection: ServerConnection) -> None:
    assert connection.request is not None
    CONNECTIONS.add(connection)
    try:
        async with LEDGER.pushing(urlsplit(connection.request.path).query, connection.send):
            async for message in connection:
                # A question may come when the app has begun to close.
                with contextlib.suppress(ConnectionClosed):
                    await connection.send(message)
    except ConnectionClosed:
        pass
    finally:
        CONNECTIONS.discard(connection)


async def close_some(request: web.Request) -> web.Response:
    """What the agent asks for with DRAINER_NOTIFY_MODE=batch."""
    order = await request.json()
    for _ in range(min(order["close"], len(CONNECTIONS))):
        closing = asyncio.create_task(CONNECTIONS.pop().close(order["code"], order["reason"]))
        CLOSING.add(closing)
        closing.add_done_callback(CLOSING.discard)
    return web.Response(status=204)


async def main() -> None:
    if NOTIFY_PORT:
        notified = web.Application()
        notified.router.add_post("/close", close_some)
        runner = web.AppRunner(notified, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, HOST, NOTIFY_PORT).start()
    async with serve(handle, HOST, PORT, backlog=1024) as server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
