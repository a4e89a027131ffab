"""What the agent serves: one port, these paths and what others bring. HTTP/1.1, one request for each connection.

=====================  ==========================================================================================
GET or POST /drain     the preStop hook: holds the whole answer back until there is an outcome
GET /readyz            200, or 503 with the reason: the phase, or `full`
GET /livez             200 while the event loop runs
GET /metrics           Prometheus or OpenMetrics
GET /status            JSON
POST /resume           back to serving
GET /health[/live]     404, unless the package `health` brings them
GET / and GET /stream  the page to look at, and what keeps it live (`page`)
=====================  ==========================================================================================
"""

from __future__ import annotations

import asyncio
import errno
import functools
import json
import os
import socket
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from aiohttp import web

from drainer import __version__
from drainer.errors import StartError
from drainer.gate import PATIENCE, Gate
from drainer.held import Answer
from drainer.status import Status, outcome_as_json

BACKLOG = 1024
ACCEPT_BATCH = 8
"""Connections taken in one turn of the event loop. asyncio would take a whole backlog before the Gate sees the first,
and a batch or two more before what the Gate turns away has given its descriptor back."""
SHUTDOWN_TIMEOUT = 0.15
"""Seconds that answers get to be written when the agent exits."""

GATE = web.AppKey("gate", Gate)
"""For whoever streams: `answered` after each piece makes the other end's patience begin anew."""

Render = Callable[[Status, str, float], tuple[bytes, str]]
Handler = Callable[[web.Request, str], Awaitable[web.StreamResponse]]
"""Of a request and its peer's address."""


@dataclass(frozen=True, slots=True)
class Route:
    """A path that somebody else answers."""

    method: str
    path: str
    handler: Handler


async def _no_health(_: web.Request, _peer: str) -> web.Response:
    return web.Response(text="health is off: DRAINER_HEALTH=ping asks the app (docs/health.md)\n", status=404)


NO_HEALTH = Route("GET", "/health", _no_health), Route("GET", "/health/live", _no_health)
"""The paths of the app's probes, where nobody asks the app."""


class Served(Protocol):
    """What the views need of an agent."""

    async def drain(self, peer: str, headers: Mapping[str, str]) -> Answer: ...
    def resume(self, peer: str, headers: Mapping[str, str]) -> bool | None: ...
    def probed(self, peer: str, headers: Mapping[str, str]) -> tuple[bool, str]: ...
    async def fresh_status(self) -> Status: ...


class Server:
    """The HTTP server; `start` binds, `stop` lets the last answers out."""

    def __init__(
        self,
        agent: Served,
        render: Render,
        on_error: Callable[[str, Exception], None],
        *,
        connection_limit: int,
        patience: float = PATIENCE,
        routes: Sequence[Route] = (),
    ) -> None:
        self._agent = agent
        self._render = render
        self._on_error = on_error
        self._gate = Gate(connection_limit, patience)
        self._routes = (
            Route("GET", "/drain", self._drain),
            Route("POST", "/drain", self._drain),
            Route("GET", "/readyz", self._readyz),
            Route("GET", "/livez", self._livez),
            Route("GET", "/metrics", self._metrics),
            Route("GET", "/status", self._status),
            Route("POST", "/resume", self._resume),
            *routes,
        )
        self._runner: web.AppRunner | None = None
        self._server: asyncio.Server | None = None

    async def start(self, listener: socket.socket) -> None:
        """Serve on a bound socket."""
        app = web.Application(client_max_size=16384)
        app[GATE] = self._gate
        for route in self._routes:
            handler = self._serve(route.handler)
            app.router.add_route(route.method, route.path, handler, expect_handler=_expect_nothing)
        # A caller that hangs up must free its place, so its handler is cancelled.
        self._runner = web.AppRunner(
            app, access_log=None, handler_cancellation=True, lingering_time=0.0, shutdown_timeout=SHUTDOWN_TIMEOUT
        )
        await self._runner.setup()
        inner = self._runner.server
        assert inner is not None  # noqa: S101 - setup() makes it; for the type checker
        self._server = await asyncio.get_running_loop().create_server(
            lambda: self._gate.guard(inner()), sock=listener, backlog=ACCEPT_BATCH
        )
        # asyncio's `backlog` is both; the kernel may keep more of them waiting.
        listener.listen(BACKLOG)

    async def stop(self) -> None:
        """No new connections; what has its answer gets it written."""
        if self._server is not None:
            self._server.close()
        if self._runner is not None:
            await self._runner.cleanup()

    def _serve(self, handler: Handler) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        @functools.wraps(handler)
        async def handle(request: web.Request) -> web.StreamResponse:
            self._gate.asked(request.transport)
            peer = request.transport.get_extra_info("peername") if request.transport is not None else None
            response: web.StreamResponse
            try:
                response = await handler(request, peer[0] if peer else "")
            except Exception as error:  # noqa: BLE001 - a view that fails is a fault of that view alone
                self._on_error(request.path, error)
                response = web.Response(text="this view has failed; the log says why\n", status=500)
            if not response.prepared:
                sign(response)
            self._gate.answered(request.transport)
            return response

        return handle

    async def _drain(self, request: web.Request, peer: str) -> web.Response:
        answer = await self._agent.drain(peer, request.headers)
        return as_answer(answer_as_json(answer))

    async def _readyz(self, request: web.Request, peer: str) -> web.Response:
        ready, reason = self._agent.probed(peer, request.headers)
        return web.Response(text="ready\n") if ready else web.Response(text=f"{reason}\n", status=503)

    async def _livez(self, _: web.Request, _peer: str) -> web.Response:
        return web.Response(text="alive\n")

    async def _metrics(self, request: web.Request, _: str) -> web.Response:
        status = await self._agent.fresh_status()
        body, content_type = self._render(status, request.headers.get("Accept", ""), _wall())
        return web.Response(body=body, headers={"Content-Type": content_type})

    async def _status(self, _: web.Request, _peer: str) -> web.Response:
        status = await self._agent.fresh_status()
        return as_answer({"version": __version__, **status.as_json(_wall())})

    async def _resume(self, request: web.Request, peer: str) -> web.Response:
        resumed = self._agent.resume(peer, request.headers)
        if resumed is None:
            return as_answer({"resumed": False, "reason": "this caller may not resume"}, 403)
        if not resumed:
            return as_answer({"resumed": False, "reason": "there is no drain to resume from"}, 409)
        return as_answer({"resumed": True})


def sign(response: web.StreamResponse) -> None:
    """What all answers have in common; whoever streams calls it before the first byte."""
    # The kubelet keeps a hook's connection open for ever unless it is told not to.
    response.force_close()
    response.headers["Server"] = f"drainer/{__version__}"
    response.headers["Cache-Control"] = "no-store"


async def _expect_nothing(_: web.Request) -> None:
    """No `100 Continue` for `Expect`: the whole answer is held back, and nobody's body is read."""


def _wall() -> float:
    """Unix time, for people and Prometheus; no decision rests on it."""
    return time.time()  # noqa: TID251


def answer_as_json(answer: Answer) -> dict[str, Any]:
    """What a caller of /drain reads; the kubelet reads none of it."""
    if answer.outcome is None:
        return {"outcome": None, "effect": answer.effect, "reason": "answered early, to make room or to stop"}
    return {**outcome_as_json(answer.outcome), "effect": answer.effect}


def as_answer(value: Mapping[str, Any], status: int = 200) -> web.Response:
    """JSON, as all endpoints answer it."""
    return web.Response(
        text=json.dumps(value, indent=2) + "\n", status=status, headers={"Content-Type": "application/json"}
    )


def listen(host: str, port: int, named: str = "") -> socket.socket:
    """A bound socket: on all addresses of both families where `host` is empty and there is IPv6.

    Raises StartError that names address and port, as the settings or flags that `named` says.
    """
    attempts = [(socket.AF_INET6, "::"), (socket.AF_INET, "0.0.0.0")]  # noqa: S104 - the kubelet calls the pod's address
    if host:
        attempts = [(socket.AF_INET6 if ":" in host else socket.AF_INET, host)]
    for family, address in attempts:
        try:
            return _bind(family, address, port)
        except OSError as error:
            no_ipv6 = error.errno in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL) and (family, address) != attempts[-1]
            if not no_ipv6:
                raise StartError(
                    f"{named or f'DRAINER_HOST={host!r}, DRAINER_PORT={port}'}: cannot listen there "
                    f"({os.strerror(error.errno or 0)}); allowed: a free port on an address of this pod"
                ) from error
    raise AssertionError("the last attempt returns or raises")


def _bind(family: socket.AddressFamily, address: str, port: int) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            # IPv4 too on "::", whatever net.ipv6.bindv6only says.
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(address != "::"))
        listener.bind((address, port))
    except OSError:
        listener.close()
        raise
    return listener
