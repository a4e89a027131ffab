"""An ASGI app without a framework, for uvicorn and hypercorn."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from rollout.apps.ledger import Ledger

LEDGER = Ledger()


async def app(
    scope: dict[str, Any], receive: Callable[[], Awaitable[dict[str, Any]]], send: Callable[[Any], Awaitable[None]]
) -> None:
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
    elif scope["type"] == "websocket":
        await _talk(scope, receive, send)


async def _talk(
    scope: dict[str, Any], receive: Callable[[], Awaitable[dict[str, Any]]], send: Callable[[Any], Awaitable[None]]
) -> None:
    async def send_text(text: str) -> None:
        await send({"type": "websocket.send", "text": text})

    await receive()
    await send({"type": "websocket.accept"})
    async with LEDGER.pushing(scope["query_string"].decode(), send_text):
        while (event := await receive())["type"] == "websocket.receive":
            await send_text(event["text"])
