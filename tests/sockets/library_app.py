"""Servers as users write them, by the library's own means. Usage: library_app.py aiohttp|websockets|threads|tls.

They print their port, then the close code of each WebSocket that has ended. aiohttp serves plain HTTP beside: `/slow`
takes its time over a body of a known length. A connection that sends "push" is sent 100 numbered messages per second.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import sys

from aiohttp import WSMsgType, web
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.sync import server as threads

BODY = 20
"""Pieces of 1,000 bytes, one each 50 ms."""


def say(what: object) -> None:
    sys.stdout.write(f"{int(what) if what is not None else 0}\n")  # type: ignore[call-overload]
    sys.stdout.flush()


async def echo(client: ServerConnection) -> None:
    pushing = None
    try:
        async for message in client:
            if message == "push":
                pushing = asyncio.create_task(push(client))
            else:
                await client.send(message)
    except ConnectionClosed:
        pass
    finally:
        if pushing is not None:
            pushing.cancel()
        say(client.close_code)


async def push(client: ServerConnection) -> None:
    number = 0
    while True:
        number += 1
        await client.send(f"{number:08}" + 192 * "x")
        await asyncio.sleep(0.01)


async def with_websockets(listener: socket.socket) -> None:
    async with serve(echo, sock=listener, ping_interval=None, compression=None):
        await asyncio.Future()


def with_threads(listener: socket.socket) -> None:
    def serve_one(client: threads.ServerConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            for message in client:
                client.send(message)
        say(client.close_code)

    threads.serve(serve_one, sock=listener, compression=None).serve_forever()


def with_tls(listener: socket.socket) -> None:
    """Without a certificate: its answer to any hello is an alert."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    while True:
        with contextlib.suppress(OSError):
            context.wrap_socket(listener.accept()[0], server_side=True).close()


async def page(_: web.Request) -> web.Response:
    return web.Response(text="page")


async def slow(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": str(BODY * 1000)})
    await response.prepare(request)
    for _ in range(BODY):
        await response.write(1000 * b"x")
        await asyncio.sleep(0.05)
    return response


async def websocket(request: web.Request) -> web.WebSocketResponse:
    client = web.WebSocketResponse()
    await client.prepare(request)
    async for message in client:
        if message.type is WSMsgType.TEXT:
            await client.send_str(message.data)
    say(client.close_code)
    return client


def with_aiohttp(listener: socket.socket) -> None:
    app = web.Application()
    app.router.add_get("/", websocket)
    app.router.add_get("/page", page)
    app.router.add_get("/slow", slow)
    web.run_app(app, sock=listener, print=None)


if __name__ == "__main__":
    made = socket.create_server(("127.0.0.1", 0))
    say(made.getsockname()[1])
    if sys.argv[1] == "aiohttp":
        with_aiohttp(made)
    elif sys.argv[1] == "threads":
        with_threads(made)
    elif sys.argv[1] == "tls":
        with_tls(made)
    else:
        asyncio.run(with_websockets(made))
