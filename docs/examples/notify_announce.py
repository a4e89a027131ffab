"""A WebSocket app on aiohttp that is told once, and paces by itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

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
tasks: set[asyncio.Task[Any]] = set()


def in_background(work: Any) -> None:
    task = asyncio.create_task(work)
    tasks.add(task)
    task.add_done_callback(tasks.discard)


async def close_all(order: dict[str, Any]) -> None:
    began, closed, elapsed = asyncio.get_running_loop().time(), 0, 0.0
    while elapsed < order["deadline_seconds"] + 1:
        while clients and closed < order["rate_per_second"] * elapsed:
            in_background(clients.pop().close(code=order["code"], message=order["reason"].encode()))
            closed += 1
        await asyncio.sleep(0.05)
        elapsed = asyncio.get_running_loop().time() - began


async def drain(request: web.Request) -> web.Response:
    in_background(close_all(await request.json()))
    return web.Response(status=204)


# ---- end


async def listen_for_notice(_: web.Application) -> AsyncIterator[None]:
    inner = web.Application()
    inner.router.add_post("/drain", drain)
    runner = web.AppRunner(inner)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 9809).start()
    yield
    await runner.cleanup()


def make_app() -> web.Application:
    app = web.Application()
    app.router.add_get("/", echo)
    app.cleanup_ctx.append(listen_for_notice)
    return app


if __name__ == "__main__":
    web.run_app(make_app(), port=8080)
