"""The door for the API server: TLS with its client certificate, and behind it who, may they, and what.

The certificate that is shown and the authority that is trusted change while it serves. A TLS context cannot forget an
authority, so that each change makes a new one: new connections get it, and old ones end after the answer they wait for.
"""

from __future__ import annotations

import asyncio
import json
import math
import socket
import ssl
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from drainer import __version__
from drainer.adapter.answers import Moment, metrics
from drainer.adapter.authorization import Authorizer
from drainer.adapter.certificates import Pair
from drainer.adapter.documents import AGGREGATED, aggregated, aggregated_version, documents
from drainer.adapter.failures import AnswerError
from drainer.adapter.fleet import Fleet
from drainer.adapter.identity import FrontProxy
from drainer.adapter.questions import Api, Question, question
from drainer.adapter.schemas import digest, index_3, version_2, version_3
from drainer.gate import Gate
from drainer.web import ACCEPT_BATCH, BACKLOG

MAX_CONNECTIONS = 512
"""At a time. API servers keep a handful; the oldest idle one makes room for a new one."""
PATIENCE = 95.0
"""Seconds that a connection may be idle: a little more than API servers keep theirs (90 s)."""
HANDSHAKE_WITHIN = 5.0
SHUTDOWN_WITHIN = 1.0
ASKS_WITHIN = 1.0
ANSWERS_WITHIN = 10.0
"""Seconds that a question gets that is being answered while the certificate changes."""


class Front:
    """Serves as soon as it has a certificate to show, and knows the API server."""

    def __init__(
        self,
        listener: socket.socket,
        fleet: Fleet,
        authorizer: Authorizer,
        apis: Sequence[Api],
        on_error: Callable[[str, Exception], None],
    ) -> None:
        self._listener = listener
        self._fleet = fleet
        self._authorizer = authorizer
        self._apis = apis
        self._on_error = on_error
        self._documents = documents(apis)
        self._open = {f"/openapi/v3{api.path}": version_3(api) for api in apis}
        self._pair: Pair | None = None
        self._proxy: FrontProxy | None = None
        self._gate = Gate(MAX_CONNECTIONS, PATIENCE, math.inf)
        self._server: asyncio.Server | None = None
        self._runner = web.AppRunner(
            self._app(),
            access_log=None,
            handler_cancellation=True,
            lingering_time=0.0,
            shutdown_timeout=SHUTDOWN_WITHIN,
        )
        self._shown: tuple[Pair | None, str | None] = (None, None)
        self._changes = asyncio.Lock()
        self._ends: set[asyncio.Future[Any]] = set()
        self.codes: Counter[int] = Counter()
        """Answers, by their HTTP status."""

    @property
    def serves(self) -> bool:
        """Whether it is open."""
        return self._server is not None

    async def show(self, pair: Pair) -> None:
        """From now on this certificate. Raises ssl.SSLError if it cannot be used; the one before stays."""
        await self._renew(pair, self._proxy)

    async def trust(self, proxy: FrontProxy) -> None:
        """From now on this API server. Raises ssl.SSLError, as `show`."""
        await self._renew(self._pair, proxy)

    async def stop(self) -> None:
        """No new connections; what has its answer gets it written."""
        if self._server is not None:
            self._server.close()
        self._listener.close()
        await self._runner.cleanup()

    async def _renew(self, pair: Pair | None, proxy: FrontProxy | None) -> None:
        async with self._changes:
            shown = pair, proxy.authority if proxy is not None else None
            # Names and headers are looked at with each request: no connection has to end for them.
            if pair is not None and proxy is not None and shown != self._shown:
                await self._open_with(tls_context(pair, proxy.authority))
            self._shown = shown
            self._pair, self._proxy = pair, proxy

    async def _open_with(self, context: ssl.SSLContext) -> None:
        """Serve with it; nobody is turned away in between: both servers take from the same socket."""
        if self._runner.server is None:
            await self._runner.setup()
        inner = self._runner.server
        assert inner is not None  # noqa: S101 - setup() makes it; for the type checker
        before, connected = self._server, [*inner.connections]
        self._server = await asyncio.get_running_loop().create_server(
            lambda: self._gate.guard(inner()),
            sock=self._listener.dup(),
            ssl=context,
            backlog=ACCEPT_BATCH,
            ssl_handshake_timeout=HANDSHAKE_WITHIN,
            ssl_shutdown_timeout=SHUTDOWN_WITHIN,
        )
        # asyncio's `backlog` is both; the kernel may keep more of them waiting.
        self._listener.listen(BACKLOG)
        if before is not None:
            before.close()
        # After a moment, so that none is cut that has only just come and not asked yet.
        asyncio.get_running_loop().call_later(ASKS_WITHIN, self._end, connected)

    def _end(self, connections: Sequence[RequestHandler]) -> None:
        """What is being answered is answered first."""
        for connection in connections:
            # Ends the wait of an idle one. What closes it, and what a busy one is given time by, is shutdown().
            connection.close()
        ends = asyncio.gather(*(connection.shutdown(ANSWERS_WITHIN) for connection in connections))
        self._ends.add(ends)
        ends.add_done_callback(self._ends.discard)

    def _app(self) -> web.Application:
        app = web.Application(client_max_size=16384)
        app.router.add_route("*", "/{path:.*}", self._handle)
        return app

    async def _handle(self, request: web.Request) -> web.Response:
        self._gate.asked(request.transport)
        try:
            response = await self._answer(request)
        except AnswerError as error:
            response = _json(error.as_status(), status=error.code)
        except Exception as error:  # noqa: BLE001 - a bug of ours: told, and nobody gets an answer that is none
            self._on_error(request.path, error)
            failed = AnswerError(HTTPStatus.INTERNAL_SERVER_ERROR, "this has failed; the adapter's log says why")
            response = _json(failed.as_status(), status=failed.code)
        if request.body_exists:
            # It is not read, and what comes after it cannot be told from it.
            response.force_close()
        response.headers["Server"] = f"drainer/{__version__}"
        response.headers["Cache-Control"] = "no-cache, private"
        self.codes[response.status] += 1
        self._gate.answered(request.transport)
        return response

    async def _answer(self, request: web.Request) -> web.Response:
        proxy, transport = self._proxy, request.transport
        if proxy is None or transport is None:
            raise AnswerError(HTTPStatus.SERVICE_UNAVAILABLE, "the connection is gone")
        user = proxy.user(transport.get_extra_info("peercert"), request.headers)
        asked = question(request.method, request.rel_url.raw_path)
        await self._authorizer.check(user, asked)
        if asked.api is not None:
            now = Moment(asyncio.get_running_loop().time(), time.time())  # noqa: TID251 - for a time of day
            return _json(metrics(asked, request.query, self._fleet, now, self._apis))
        return self._document(asked, request)

    def _document(self, asked: Question, request: web.Request) -> web.Response:
        if asked.verb not in ("list", "get"):
            raise AnswerError(HTTPStatus.METHOD_NOT_ALLOWED, f"documents are only read here, not {asked.verb}")
        path = asked.path.rstrip("/")
        version = aggregated_version(request.headers.get("Accept", "")) if path == "/apis" else None
        if version is not None:
            return _tagged(request, aggregated(self._apis, version), AGGREGATED.format(version=version))
        found: Mapping[str, Any] | None = self._documents.get(path) or self._open.get(path)
        if path == "/openapi/v2":
            found = version_2(self._apis)
        elif path == "/openapi/v3":
            found = index_3(self._apis)
        if found is None:
            raise AnswerError(HTTPStatus.NOT_FOUND, f"there is nothing at {asked.path}")
        return _tagged(request, found, "application/json")


def tls_context(pair: Pair, authority: str) -> ssl.SSLContext:
    """Shows `pair`, and asks for a client certificate of `authority` (PEM). Raises ssl.SSLError.

    Who has none gets an HTTP answer that says so; who has a wrong one gets none: the handshake fails.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    # A session that is taken up again would bring a certificate that was checked against an authority of then.
    context.options |= ssl.OP_NO_TICKET
    context.num_tickets = 0
    context.verify_mode = ssl.CERT_OPTIONAL
    try:
        context.load_verify_locations(cadata=authority)
    except (TypeError, ValueError) as error:
        raise ssl.SSLError(str(error)) from error
    # The module reads keys from files only.
    descriptor, name = tempfile.mkstemp(prefix="tls-")
    try:
        with open(descriptor, "w", encoding="ascii") as file:  # noqa: PTH123 - mkstemp has opened it
            file.write(pair.key + pair.chain)
        context.load_cert_chain(name)
    finally:
        Path(name).unlink()
    return context


def _tagged(request: web.Request, document: Mapping[str, Any], content_type: str) -> web.Response:
    """With a tag, by which the API server sees whether it has changed."""
    tag = f'"{digest(document)}"'
    if tag in [one.strip() for one in request.headers.get("If-None-Match", "").split(",")]:
        return web.Response(status=HTTPStatus.NOT_MODIFIED, headers={"ETag": tag})
    response = _json(document, content_type=content_type)
    response.headers["ETag"] = tag
    response.headers["Vary"] = "Accept"
    return response


def _json(value: Mapping[str, Any], *, status: int = 200, content_type: str = "application/json") -> web.Response:
    return web.Response(body=json.dumps(value).encode(), status=status, headers={"Content-Type": content_type})
