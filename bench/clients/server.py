"""A server that ends its WebSockets in a given way, refuses whoever comes back, and notes when that was.

It speaks the least of each protocol that gets a client to the state connected.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

HEARTBEAT = 3.0
"""Seconds between two heartbeats, as Action Cable's server sends them."""
CLOSE_TIMEOUT = 5.0
"""Seconds that a client has to answer a Close frame."""
FIN, RST = "FIN", "RST"
PAGE = Path(__file__).with_name("page.html")


@dataclass(frozen=True, slots=True)
class Protocol:
    """What is said until a client calls itself connected."""

    greeting: str | None = None
    answers: Sequence[tuple[str, str]] = ()
    """A part of what the client says, and the answer to it, in this order."""
    subprotocols: Sequence[str] = ()
    heartbeat: str | None = None
    negotiation: dict[str, Any] | None = None
    """The answer to the POST that comes before the WebSocket."""


PROTOCOLS = {
    "plain": Protocol(),
    "graphql": Protocol(
        answers=[("connection_init", '{"type": "connection_ack"}')], subprotocols=["graphql-transport-ws"]
    ),
    "socketio": Protocol(
        greeting='0{"sid": "a", "upgrades": [], "pingInterval": 60000, "pingTimeout": 60000, "maxPayload": 100000}',
        answers=[("40", '40{"sid": "b"}')],
    ),
    "phoenix": Protocol(),
    "centrifuge": Protocol(
        answers=[("connect", '{"id": 1, "connect": {"client": "a", "version": "0", "ping": 60, "pong": true}}')]
    ),
    "signalr": Protocol(
        answers=[("protocol", "{}\x1e")],
        negotiation={
            "connectionId": "a",
            "connectionToken": "b",
            "negotiateVersion": 1,
            "availableTransports": [{"transport": "WebSockets", "transferFormats": ["Text", "Binary"]}],
        },
    ),
    "pusher": Protocol(
        greeting=json.dumps(
            {
                "event": "pusher:connection_established",
                "data": json.dumps({"socket_id": "1.1", "activity_timeout": 120}),
            }
        )
    ),
    "actioncable": Protocol(
        greeting='{"type": "welcome"}', subprotocols=["actioncable-v1-json"], heartbeat='{"type": "ping", "message": 1}'
    ),
}


@dataclass(slots=True)
class Visit:
    """One client's connection, its end, and its tries to come back."""

    ending: str
    ended_at: float | None = None
    """time.monotonic() when the connection was closed and gone."""
    answer: int | None = None
    """The code in the client's own Close frame; 1006 if none came."""
    tries: list[float] = field(default_factory=list)
    """Seconds from the end, then from the refusal before, to each try."""
    told: str | None = None
    """What the library showed to the application."""

    _waits_since: float = 0.0

    def end(self) -> None:
        self.ended_at = self._waits_since = time.monotonic()

    def waiting(self) -> float:
        """Seconds since the end or the last refusal."""
        return time.monotonic() - self._waits_since

    def come_back(self) -> None:
        now = time.monotonic()
        self.tries.append(now - self._waits_since)
        self._waits_since = now


class Server:
    """On a port of its own, for one client library."""

    def __init__(self, endings: Sequence[str], samples: int, stay: float) -> None:
        """Each connection is ended between `stay` and `stay` + HEARTBEAT seconds after it is connected."""
        self.visits = {(ending, number): Visit(ending) for ending in endings for number in range(samples)}
        self.port = 0
        self._samples = samples
        self._stay = stay
        app = web.Application()
        app.router.add_post(r"/told/{ending}/{number:\d+}", self._hear)
        app.router.add_get("/page", show_page)
        app.router.add_route("*", r"/{protocol}/{ending}/{number:\d+}{rest:.*}", self._serve)
        self._runner = web.AppRunner(app, shutdown_timeout=0)

    async def start(self) -> None:
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        await self._runner.cleanup()

    async def _hear(self, request: web.Request) -> web.Response:
        visit = self._visit(request)
        # The first is the one about the end that is looked at; the refusals are shown too.
        visit.told = visit.told or await request.text()
        return web.Response()

    def _visit(self, request: web.Request) -> Visit:
        return self.visits[request.match_info["ending"], int(request.match_info["number"])]

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        visit, protocol = self._visit(request), PROTOCOLS[request.match_info["protocol"]]
        if visit.ended_at is not None:
            visit.come_back()
            return web.Response(status=503)
        if request.method == "POST":
            return web.json_response(protocol.negotiation)
        stream = web.WebSocketResponse(protocols=protocol.subprotocols, timeout=CLOSE_TIMEOUT)
        await stream.prepare(request)
        await connect(stream, protocol)
        share = int(request.match_info["number"]) / self._samples
        await remain(stream, protocol, self._stay + HEARTBEAT * share)
        await self._end(request, stream, visit)
        return stream

    async def _end(self, request: web.Request, stream: web.WebSocketResponse, visit: Visit) -> None:
        transport = request.transport
        assert isinstance(transport, asyncio.Transport)
        if visit.ending == FIN:
            transport.close()
        elif visit.ending == RST:
            linger = struct.pack("ii", 1, 0)
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            transport.abort()
        else:
            await stream.close(code=int(visit.ending), message=b"bench")
            visit.answer = stream.close_code
        visit.end()


async def show_page(_: web.Request) -> web.FileResponse:
    """For browsers: as many clients as its query says."""
    return web.FileResponse(PAGE)


async def connect(stream: web.WebSocketResponse, protocol: Protocol) -> None:
    """Returns when the client calls itself connected."""
    if protocol.greeting is not None:
        await stream.send_str(protocol.greeting)
    for said, answer in protocol.answers:
        while said not in str((await stream.receive()).data):
            pass
        await stream.send_str(answer)


async def remain(stream: web.WebSocketResponse, protocol: Protocol, seconds: float) -> None:
    """The connection stays open for a while, with heartbeats."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        await asyncio.sleep(min(left, HEARTBEAT))
        if protocol.heartbeat is not None and left > HEARTBEAT:
            await stream.send_str(protocol.heartbeat)
