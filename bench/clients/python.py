"""One client of each ending, as the library comes: `python -m bench.clients.python NAME PORT ENDINGS NUMBER`.

What it shows to the application goes back to the server: POST /told/ENDING/NUMBER.
"""

from __future__ import annotations

import asyncio
import importlib
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

Tell = Callable[[str], Awaitable[object]]


async def of_websockets(url: str, tell: Tell) -> None:
    """The loop that its documentation recommends."""
    async for connection in connect(url, proxy=None):
        try:
            async for _ in connection:
                pass
            await tell(f"the loop ends; close_code {connection.close_code}")
        except ConnectionClosed as closed:
            await tell(f"{type(closed).__name__}; close_code {connection.close_code}")


async def of_aiohttp(url: str, tell: Tell) -> None:
    async with aiohttp.ClientSession() as session, session.ws_connect(url) as stream:
        async for _ in stream:
            pass
        await tell(f"the loop ends; close_code {stream.close_code}")


async def of_socketio(url: str, tell: Tell) -> None:
    # Only here, and untyped: the others are measured without it.
    socketio: Any = importlib.import_module("socketio")
    client = socketio.AsyncClient()

    async def disconnect(reason: str) -> None:
        await tell(f'"{reason}"')

    client.on("disconnect", disconnect)
    root, _, path = url.removeprefix("ws://").partition("/")
    await client.connect(f"http://{root}", socketio_path=path, transports=["websocket"])
    await client.wait()


CLIENTS = {"websockets": of_websockets, "aiohttp": of_aiohttp, "python-socketio": of_socketio}
PROTOCOLS = {"python-socketio": "socketio"}


async def main(name: str, port: str, endings: str, number: str) -> None:
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:

        async def run(ending: str) -> None:
            async def tell(shown: str) -> None:
                await session.post(f"/told/{ending}/{number}", data=shown)

            await CLIENTS[name](f"ws://127.0.0.1:{port}/{PROTOCOLS.get(name, 'plain')}/{ending}/{number}", tell)

        # A client that fails must not end the others.
        await asyncio.gather(*map(run, endings.split(",")), return_exceptions=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
