"""What the adapter says of itself, on a port of its own without TLS: /livez, /readyz, /metrics."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence

from aiohttp import web

from drainer.gate import Gate
from drainer.web import ACCEPT_BATCH, BACKLOG, SHUTDOWN_TIMEOUT, sign

MAX_CONNECTIONS = 64

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Ops:
    """One request for each connection, as the agent's own."""

    def __init__(
        self,
        listener: socket.socket,
        unready: Callable[[], Sequence[str]],
        render: Callable[[str], tuple[bytes, str]],
    ) -> None:
        """`unready`: why the API server should not ask here, a sentence each; `render`: metrics for an Accept."""
        self._listener = listener
        self._unready = unready
        self._render = render
        self._gate = Gate(MAX_CONNECTIONS)
        app = web.Application(client_max_size=16384)
        for path, handler in (("/livez", self._livez), ("/readyz", self._readyz), ("/metrics", self._metrics)):
            app.router.add_get(path, self._signed(handler))
        self._runner = web.AppRunner(
            app, access_log=None, handler_cancellation=True, lingering_time=0.0, shutdown_timeout=SHUTDOWN_TIMEOUT
        )
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Serve."""
        await self._runner.setup()
        inner = self._runner.server
        assert inner is not None  # noqa: S101 - setup() makes it; for the type checker
        self._server = await asyncio.get_running_loop().create_server(
            lambda: self._gate.guard(inner()), sock=self._listener, backlog=ACCEPT_BATCH
        )
        # asyncio's `backlog` is both; the kernel may keep more of them waiting.
        self._listener.listen(BACKLOG)

    async def stop(self) -> None:
        """No new connections."""
        assert self._server is not None  # noqa: S101 - start() comes first; for the type checker
        self._server.close()
        await self._runner.cleanup()

    def _signed(self, handler: Handler) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            self._gate.asked(request.transport)
            response = await handler(request)
            sign(response)
            self._gate.answered(request.transport)
            return response

        return handle

    async def _livez(self, _: web.Request) -> web.Response:
        return web.Response(text="alive\n")

    async def _readyz(self, _: web.Request) -> web.Response:
        reasons = self._unready()
        return web.Response(text="".join(f"{one}\n" for one in reasons) or "ready\n", status=503 if reasons else 200)

    async def _metrics(self, request: web.Request) -> web.Response:
        body, content_type = self._render(request.headers.get("Accept", ""))
        return web.Response(body=body, headers={"Content-Type": content_type})
