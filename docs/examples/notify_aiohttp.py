"""A WebSocket app on aiohttp that closes connections when it is told to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from aiohttp import web

clients: set[web.WebSocketResponse] = set()


async def echo(request: web.Request) -> web.WebSocketResponse:
    client = web.WebSocketResponse()
    await client.prepare(request)
    clients.add(client)
    try:
        async for message in client:
            await client.send_str(message.data)
    finally:
        clients.discard(client)
    return client


# ---- on notice
closing: set[asyncio.Task[bool]] = set()


async def drain(request: web.Request) -> web.Response:
    order = await request.json()
    for _ in range(min(order["close"], len(clients))):
        task = asyncio.create_task(clients.pop().close(code=order["code"], message=order["reason"].encode()))
        closing.add(task)
        task.add_done_callback(closing.discard)
    return web.Response(status=204)


async def listen_for_notice(_: web.Application) -> AsyncIterator[None]:
    inner = web.Application()
    inner.router.add_post("/drain", drain)
    runner = web.AppRunner(inner)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 9809).start()
    yield
    await runner.cleanup()


# ---- end


def make_app() -> web.Application:
    app = web.Application()
    app.router.add_get("/", echo)
    # ---- at start
    app.cleanup_ctx.append(listen_for_notice)
    # ---- end
    return app


if __name__ == "__main__":
    web.run_app(make_app(), port=8080)
