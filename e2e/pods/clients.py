"""The clients: real WebSocket connections in the cluster, opened and counted as the tests ask for by HTTP.

======================  ==========================================================================================
POST /open              {group, url, count, library, again}: opens so many, and answers when each is open or failed
GET /groups/NAME        every connection of the group: when it opened, to which pod, when it ended, by which code
POST /leave             {group, count}: so many leave by themselves (1000)
POST /call              {method, url, headers, seconds}: one HTTP request, and what it was answered
GET /libraries          library -> version, of those that are here
======================  ==========================================================================================

Moments are Unix seconds. A port more accepts connections and never says a word: a server that hangs.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib
import importlib.metadata
import json
import time
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass, field
from typing import Any

import aiohttp
from aiohttp import web

CHAT_EVERY = 0.5
"""Seconds between two messages of a client."""
AGAIN_AFTER = 0.1
"""Seconds after a failed connect."""
CONNECT_SECONDS = 10.0


@dataclass
class Connection:
    """One connection, and what became of it."""

    client: int
    began_at: float
    opened_at: float | None = None
    pod: str = ""
    """As the app says it."""
    answered: int = 0
    """Messages that came back."""
    closed_at: float | None = None
    code: int | None = None
    """1006 where there was no Close frame."""
    failed: str = ""
    """Why there was no connection at all."""


@dataclass
class Group:
    """Clients that were opened for one purpose."""

    connections: list[Connection] = field(default_factory=list)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)
    leaving: list[asyncio.Event] = field(default_factory=list)


class AiohttpSocket:
    """A connection of aiohttp."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket

    async def send(self, text: str) -> None:
        await self._socket.send_str(text)

    async def receive(self) -> str | None:
        """The next message; None at the end."""
        message = await self._socket.receive()
        return message.data if message.type is aiohttp.WSMsgType.TEXT else None

    async def close(self) -> None:
        await self._socket.close()

    @property
    def code(self) -> int:
        return self._socket.close_code or 1006


class WebsocketsSocket:
    """A connection of websockets."""

    def __init__(self, socket: Any) -> None:
        self._socket = socket
        self._ended: Any = importlib.import_module("websockets.exceptions").ConnectionClosed

    async def send(self, text: str) -> None:
        with contextlib.suppress(self._ended):
            await self._socket.send(text)

    async def receive(self) -> str | None:
        try:
            return str(await self._socket.recv())
        except self._ended:
            return None

    async def close(self) -> None:
        await self._socket.close()

    @property
    def code(self) -> int:
        return self._socket.close_code or 1006


@contextlib.asynccontextmanager
async def connect(library: str, url: str) -> AsyncIterator[AiohttpSocket | WebsocketsSocket]:
    if library == "websockets":
        client: Any = importlib.import_module("websockets.asyncio.client")
        async with client.connect(url, open_timeout=CONNECT_SECONDS, ping_interval=None) as socket:
            yield WebsocketsSocket(socket)
        return
    timeout = aiohttp.ClientTimeout(connect=CONNECT_SECONDS)
    async with aiohttp.ClientSession(timeout=timeout) as session, session.ws_connect(url) as plain:
        yield AiohttpSocket(plain)


async def talk(group: Group, number: int, library: str, url: str, settled: asyncio.Event) -> bool:
    """One connection, from its beginning to its end; whether it came about. `settled` when that is known."""
    connection = Connection(number, time.time())
    group.connections.append(connection)
    try:
        async with connect(library, url) as socket:
            connection.pod = await socket.receive() or ""
            connection.opened_at = time.time()
            settled.set()
            chatting = asyncio.create_task(chat(socket, group.leaving[number]))
            while await socket.receive() is not None:
                connection.answered += 1
            if group.leaving[number].is_set():
                await chatting  # which is in the middle of the closing handshake
            chatting.cancel()
            connection.code = socket.code
            connection.closed_at = time.time()
    except (OSError, TimeoutError, aiohttp.ClientError, RuntimeError) as error:
        connection.failed = f"{type(error).__name__}: {error}"
    except Exception as error:  # noqa: BLE001 - whatever a library raises for a refused handshake
        connection.failed = f"{type(error).__name__}: {error}"
    finally:
        settled.set()
        print(json.dumps(asdict(connection)), flush=True)
    return not connection.failed


async def chat(socket: AiohttpSocket | WebsocketsSocket, leaving: asyncio.Event) -> None:
    """Send something now and then, until it is time to leave."""
    while not leaving.is_set():
        with contextlib.suppress(OSError, RuntimeError, aiohttp.ClientError):
            await socket.send("hello")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(leaving.wait(), CHAT_EVERY)
    await socket.close()


async def live(group: Group, number: int, order: dict[str, Any], settled: asyncio.Event) -> None:
    """A client: one connection after the other where it comes back, else one."""
    while True:
        came_about = await talk(group, number, order["library"], order["url"], settled)
        if not order["again"] or group.leaving[number].is_set():
            return
        if not came_about:
            await asyncio.sleep(AGAIN_AFTER)


class Control:
    """What the tests ask for."""

    def __init__(self) -> None:
        self._groups: dict[str, Group] = {}

    async def open(self, request: web.Request) -> web.Response:
        order = await request.json()
        group = self._groups.setdefault(order["group"], Group())
        settled = []
        for _ in range(order["count"]):
            number = len(group.leaving)
            group.leaving.append(asyncio.Event())
            settled.append(asyncio.Event())
            group.tasks.append(asyncio.create_task(live(group, number, order, settled[-1])))
        await asyncio.gather(*(event.wait() for event in settled))
        return web.json_response({})

    async def show(self, request: web.Request) -> web.Response:
        group = self._groups.get(request.match_info["name"], Group())
        return web.json_response({"connections": [asdict(connection) for connection in group.connections]})

    async def leave(self, request: web.Request) -> web.Response:
        order = await request.json()
        staying = [event for event in self._groups[order["group"]].leaving if not event.is_set()]
        for event in staying[: order["count"]]:
            event.set()
        return web.json_response({})

    async def call(self, request: web.Request) -> web.Response:
        order = await request.json()
        began = time.time()
        result: dict[str, Any] = {"status": None, "text": "", "failed": ""}
        timeout = aiohttp.ClientTimeout(total=order["seconds"])
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.request(order["method"], order["url"], headers=order["headers"]) as answer,
            ):
                result |= {"status": answer.status, "text": await answer.text()}
        except (OSError, TimeoutError, aiohttp.ClientError) as error:
            result["failed"] = f"{type(error).__name__}: {error}"
        return web.json_response({**result, "seconds": time.time() - began})

    async def libraries(self, _: web.Request) -> web.Response:
        found = {}
        for name in ("aiohttp", "websockets"):
            with contextlib.suppress(importlib.metadata.PackageNotFoundError):
                found[name] = importlib.metadata.version(name)
        return web.json_response(found)


async def say_nothing(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.closing(writer):
        await asyncio.Event().wait()


async def main() -> None:
    parser = argparse.ArgumentParser(description="WebSocket clients.")
    parser.add_argument("--control", type=int, required=True)
    parser.add_argument("--silent", type=int, required=True)
    ports = parser.parse_args()
    control, app = Control(), web.Application()
    app.add_routes(
        [
            web.post("/open", control.open),
            web.get("/groups/{name}", control.show),
            web.post("/leave", control.leave),
            web.post("/call", control.call),
            web.get("/libraries", control.libraries),
        ]
    )
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, None, ports.control).start()
    async with await asyncio.start_server(say_nothing, None, ports.silent):
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
