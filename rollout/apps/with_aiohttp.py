"""aiohttp, by `run_app`."""

from __future__ import annotations

from aiohttp import web

from rollout.apps.ledger import HOST, PORT, Ledger

LEDGER = Ledger()


async def handle(request: web.Request) -> web.WebSocketResponse:
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    async with LEDGER.pushing(request.query_string, socket.send_str):
        async for message in socket:
            await socket.send_str(message.data)
    return socket


if __name__ == "__main__":
    app = web.Application()
    app.router.add_get("/", handle)
    web.run_app(app, host=HOST, port=PORT, backlog=1024, access_log=None, print=None)
