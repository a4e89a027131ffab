"""Serves the page and its stream. Nothing here waits for a reader, and no reader is waited for at exit."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import socket
import time
from collections.abc import Callable, Sequence

from aiohttp import web

from drainer.addresses import parse_address
from drainer.observers import Observer
from drainer.page import Seen, sheet
from drainer.page.record import Record
from drainer.phases import Announce
from drainer.status import Status
from drainer.web import GATE, Route, sign

PLACES = 4
"""Streams at a time."""
BEAT, DRAINING_BEAT = 1.0, 0.5
"""Seconds between two looks at the agent, and between two events of a stream."""
SEND_BUFFER = 16384
"""Bytes (SO_SNDBUF) that the kernel keeps for one who does not read: without a bound it would be megabytes."""
MAX_EVENT = 1 << 20
"""Bytes, far above what an event has (some 10 KiB)."""
RETRY_AFTER = 10

_FULL = f"""All {PLACES} places are taken: so many people watch this agent live. Try again in {RETRY_AFTER} s, \
come through `kubectl port-forward` (then one who does not makes room), or read /status.
"""
_ELSEWHERE = "The stream is for the agent's own page: open / in a browser, or read /status.\n"
_END = "event: end\ndata: \n\n"


class Reader:
    """One who watches. It is told that there is news, never handed any: it takes the newest when it has room."""

    def __init__(self, *, is_near: bool) -> None:
        self.is_near = is_near
        """It comes from the pod itself, as a port-forward does."""
        self.is_dismissed = False
        self._news = asyncio.Event()

    def tell(self) -> None:
        """There is news."""
        self._news.set()

    def dismiss(self) -> None:
        """It has to go."""
        self.is_dismissed = True
        self.tell()

    async def told(self) -> None:
        """Wait for news."""
        await self._news.wait()
        self._news.clear()


class Page:
    """The page of one agent, which it follows as an Observer and by a look each second."""

    def __init__(self, wall: Callable[[], float] = time.time) -> None:  # noqa: TID251 - for people; nothing rests on it
        """`wall` is the time of day in Unix seconds."""
        self._wall = wall
        self._loop = asyncio.get_running_loop()
        self._record = Record()
        self._readers: list[Reader] = []
        self._agent: Seen | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._pause = BEAT
        self._refreshing: asyncio.Task[None] | None = None
        self._event = b""
        self._end = ""
        self.observers: Sequence[Observer] = (self,)
        self.routes: Sequence[Route] = (Route("GET", "/", self._show), Route("GET", "/stream", self._stream))

    def begin(self, agent: Seen) -> None:
        """Follow this agent."""
        self._agent = agent
        self._beat()

    def leave(self) -> None:
        """The agent goes: every stream gets its last event, if it has room for it, and ends."""
        if self._timer is not None:
            self._timer.cancel()
        if self._refreshing is not None:
            self._refreshing.cancel()
        self._end = _END
        if self._agent is not None:
            self._look()
        for reader in self._readers:
            reader.dismiss()

    def announced(self, announce: Announce, status: Status) -> None:
        """See Observer."""
        self._record.announced(announce, status)
        self._pause = DRAINING_BEAT if status.drain else BEAT
        # Not now: others are yet to be told, and one of them may be the hook.
        self._loop.call_soon(self._look)

    def sighted(self, status: Status) -> None:
        """See Observer: the next look will show it."""

    def limited(self, status: Status) -> None:
        """See Observer: the next look will show it."""

    def noted(self, note: str) -> None:
        """See Observer: nothing to show."""

    def warned(self, warning: str) -> None:
        """See Observer: nothing to show."""

    @property
    def _seen(self) -> Seen:
        assert self._agent is not None  # noqa: S101 - `begin` comes before the first request; for the type checker
        return self._agent

    def _beat(self) -> None:
        # On the beat of the clock: with a pause instead, now and then a second would have none.
        self._timer = self._loop.call_at((self._loop.time() // self._pause + 1) * self._pause, self._beat)
        self._look()

    def _look(self) -> None:
        """Remember what there is now, and make an event of it, once for all who watch."""
        status = self._seen.status()
        self._record.observe(status)
        if not self._readers:
            return
        self._event = f"data: {json.dumps(self._record.as_json(status, self._wall()))}\n\n{self._end}".encode()
        for reader in self._readers:
            reader.tell()
        if not self._end and (self._refreshing is None or self._refreshing.done()):
            self._refreshing = self._loop.create_task(self._refresh())

    async def _refresh(self) -> None:
        """See to it that nobody watches a census of more than 5 s."""
        with contextlib.suppress(Exception):
            await self._seen.fresh_status()

    @functools.cached_property
    def _sheet(self) -> sheet.Sheet:
        """Some 30 KiB, from the first who asks for it on."""
        return sheet.read()

    async def _show(self, _: web.Request, _peer: str) -> web.Response:
        status = await self._seen.fresh_status()
        self._record.observe(status)
        html = self._sheet.html(self._record.as_json(status, self._wall()))
        return web.Response(body=html.encode(), headers=self._sheet.headers)

    async def _stream(self, request: web.Request, peer: str) -> web.StreamResponse:
        if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
            return web.Response(text=_ELSEWHERE, status=403)
        reader = self._admit(peer)
        if reader is None:
            return web.Response(text=_FULL, status=503, headers={"Retry-After": str(RETRY_AFTER)})
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"})
        sign(response)
        try:
            with contextlib.suppress(ConnectionError):
                await self._feed(reader, request, response)
        finally:
            self._remove(reader)
        return response

    def _admit(self, peer: str) -> Reader | None:
        """A place for one more: one from afar makes room for one who is near, and nobody else for anybody."""
        address = parse_address(peer)
        reader = Reader(is_near=address is not None and address.is_loopback)
        if self._end:
            return None
        if len(self._readers) == PLACES:
            far = next((one for one in self._readers if not one.is_near), None)
            if far is None or not reader.is_near:
                return None
            self._remove(far)
            far.dismiss()
        self._readers.append(reader)
        return reader

    def _remove(self, reader: Reader) -> None:
        with contextlib.suppress(ValueError):
            self._readers.remove(reader)

    async def _feed(self, reader: Reader, request: web.Request, response: web.StreamResponse) -> None:
        """Write the newest event whenever there is room for it. Raises ConnectionError when the reader has gone."""
        transport = request.transport
        if transport is None:
            return
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        # An event goes whole into our own buffer, which is empty then: to write is never to wait.
        transport.set_write_buffer_limits(high=MAX_EVENT)
        await response.prepare(request)
        self._look()
        is_last = False
        while not is_last:
            await reader.told()
            is_last = reader.is_dismissed
            # Who has not taken the one before gets none: it has the Gate's patience to do so, as for every answer.
            if not transport.get_write_buffer_size() and (self._end or not is_last):
                await response.write(self._event)
                request.app[GATE].answered(transport)
