"""The app: a WebSocket server as people write it, and a log that says what it was told and when.

Each client is told the name of the pod, then gets back what it sends. On SIGTERM all are closed with 1001 (going away),
and the app takes as long to end as it was asked to. A line of JSON tells of each of these moments, `at` Unix seconds.

Beside it, for the tests: a port that says whether the app is well, and can be told to hang; and the endpoint on
loopback by which the agent has connections closed.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import json
import os
import signal
import time
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

Close = Callable[[int, str], Awaitable[object]]

POD = os.environ.get("HOSTNAME", "")


def tell(event: str, **facts: object) -> None:
    print(json.dumps({"event": event, "at": time.time(), **facts}), flush=True)


class App:
    """The connections that are open, whichever library serves them."""

    def __init__(self) -> None:
        self.well = True
        self._open: dict[object, Close] = {}
        self._closing: set[asyncio.Future[object]] = set()

    @property
    def count(self) -> int:
        return len(self._open)

    def opened(self, connection: object, close: Close) -> None:
        self._open[connection] = close

    def ended(self, connection: object) -> None:
        self._open.pop(connection, None)

    def close(self, number: int, code: int, reason: str) -> None:
        """Begin to close so many."""
        for connection in list(self._open)[:number]:
            closing = asyncio.ensure_future(self._open.pop(connection)(code, reason))
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)

    async def closed(self) -> None:
        """All that was begun has ended."""
        await asyncio.gather(*self._closing, return_exceptions=True)


async def serve_with_aiohttp(app: App, port: int) -> Callable[[], Awaitable[object]]:
    async def talk(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        app.opened(socket, lambda code, reason: socket.close(code=code, message=reason.encode()))
        try:
            await socket.send_str(POD)
            async for message in socket:
                await socket.send_str(message.data)
        finally:
            app.ended(socket)
        return socket

    site = await listen(port, [web.get("/", talk)])
    return site.stop


async def serve_with_websockets(app: App, port: int) -> Callable[[], Awaitable[object]]:
    library: Any = importlib.import_module("websockets.asyncio.server")
    ended: Any = importlib.import_module("websockets.exceptions").ConnectionClosed

    async def talk(connection: Any) -> None:
        app.opened(connection, connection.close)
        try:
            await connection.send(POD)
            async for message in connection:
                await connection.send(message)
        except ended:
            pass  # To this library 1012 is no normal end.
        finally:
            app.ended(connection)

    server = await library.serve(talk, None, port)

    async def stop() -> None:
        server.close(close_connections=False)

    return stop


LIBRARIES = {"aiohttp": serve_with_aiohttp, "websockets": serve_with_websockets}


async def listen(port: int, routes: list[web.RouteDef], host: str | None = None) -> web.TCPSite:
    """An HTTP server; `host` None is all addresses of both families."""
    site_app = web.Application()
    site_app.add_routes(routes)
    runner = web.AppRunner(site_app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, host, port)
    await site.start()
    return site


async def watch_over(app: App, port: int) -> None:
    """The port for probes and tests."""

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(status=200 if app.well else 503)

    async def hang(_: web.Request) -> web.Response:
        app.well = False
        tell("hung", connections=app.count)
        return web.Response()

    async def state(_: web.Request) -> web.Response:
        return web.json_response({"connections": app.count})

    await listen(port, [web.get("/healthz", healthz), web.post("/hang", hang), web.get("/state", state)])


async def be_notified(app: App, port: int) -> None:
    """The endpoint of docs/notify-your-app.md: a port of its own on loopback."""

    async def drain(request: web.Request) -> web.Response:
        order = await request.json()
        app.close(order["close"], order["code"], order["reason"])
        return web.Response(status=204)

    await listen(port, [web.post("/drain", drain)], "127.0.0.1")


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="A WebSocket server.")
    parser.add_argument("ports", type=int, nargs="+")
    parser.add_argument("--library", choices=LIBRARIES, default="aiohttp")
    parser.add_argument("--control", type=int, required=True, help="the port for probes and tests")
    parser.add_argument("--notify", type=int, help="the port on loopback by which it is told to close")
    parser.add_argument("--stop-seconds", type=float, default=0, help="how long its end takes")
    return parser.parse_args()


async def main() -> None:
    chosen, app, asked_to_go = options(), App(), asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, asked_to_go.set)
    stops = [await LIBRARIES[chosen.library](app, port) for port in chosen.ports]
    await watch_over(app, chosen.control)
    if chosen.notify:
        await be_notified(app, chosen.notify)
    tell("started", ports=chosen.ports)
    await asked_to_go.wait()
    tell("sigterm", connections=app.count)
    for stop in stops:
        await stop()
    app.close(app.count, 1001, "going away")
    await app.closed()
    await asyncio.sleep(chosen.stop_seconds)
    tell("stopped")


if __name__ == "__main__":
    asyncio.run(main())
