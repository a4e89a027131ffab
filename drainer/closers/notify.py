"""Tells the app by HTTP, and leaves the closing to it."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from aiohttp import (
    ClientConnectionError,
    ClientConnectorError,
    ClientError,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    DummyCookieJar,
    TCPConnector,
)
from aiohttp.abc import AbstractResolver

from drainer import __version__
from drainer.attempt import Attempt, Verdict
from drainer.model import Identity
from drainer.phases import Close
from drainer.resolver import Resolver

BUDGET = 1.5
"""Seconds that one order may take with all its tries: less than the 2 s after which the next closer has its turn."""
LEAST_WAIT = 0.05
"""Seconds that the last try gets at least."""
FIRST_PAUSE = 0.1
"""Seconds before the second try; each later pause is twice as long."""
MOST_READ = 4096
"""Bytes of an answer that are read. Nothing in them matters, but the next POST needs them out of the way."""
HEADERS = {"Accept-Encoding": "identity", "User-Agent": f"drainer/{__version__}"}


class NotifyCloser:
    """A Closer that posts JSON to `url`.

    `mode` is `batch`: a POST for each order says how many connections are to be closed; or `announce`: one POST in a
    drain says that all of them are, and how fast. `code` and `reason` are passed on.

    A try that was refused, broken off or answered by 5xx is made again. One that got no answer in time is not: the app
    may have begun, and would close twice as many.
    """

    def __init__(self, url: str, *, mode: str, code: int, reason: str) -> None:
        self._url = url
        self._batch = mode == "batch"
        self._words = {"code": code, "reason": reason}
        self._resolver = Resolver()
        self._talk: _Talk | None = None
        self._farewells: set[asyncio.Task[None]] = set()

    async def missing(self) -> str | None:
        """None: it needs no right. Whether the app listens is known when it is told."""
        return None

    async def close(self, order: Close) -> Mapping[Identity, Attempt]:
        """Tell the app; the same answer for all connections of `order`, within BUDGET seconds.

        SENT on 2xx. FAILED otherwise, with the status, the name of an errno, or one of `timeout` (nothing was
        answered), `disconnected` (the app hung up, or `finish` was called), `not_http`, `unreachable` (the URL's name
        has no address).
        """
        if self._talk is None:
            self._talk = _Talk(self._url, self._resolver)
        talk = self._talk
        if talk.has_announced:
            return dict.fromkeys(order.connections, Attempt(Verdict.SENT))
        attempt = await self._tell(talk, order)
        talk.has_announced = not self._batch and attempt.verdict is Verdict.SENT
        return dict.fromkeys(order.connections, attempt)

    def finish(self) -> None:
        """The drain is over: what is being said is broken off, and the next drain is announced anew."""
        talk, self._talk = self._talk, None
        if talk is not None:
            talk.over.cancel()
            farewell = asyncio.get_running_loop().create_task(talk.hang_up())
            self._farewells.add(farewell)
            farewell.add_done_callback(self._farewells.discard)

    async def leave(self) -> None:
        """The agent goes: wait until all connections to the app are closed."""
        self.finish()
        await asyncio.gather(*self._farewells)

    async def _tell(self, talk: _Talk, order: Close) -> Attempt:
        loop = asyncio.get_running_loop()
        began_at, pause = loop.time(), FIRST_PAUSE
        while True:
            spent = loop.time() - began_at
            message = self._words | numbers(order, spent)
            if self._batch:
                message["close"] = len(order.connections)
            attempt, is_final = await talk.post(message, BUDGET - spent)
            if is_final or loop.time() - began_at + pause >= BUDGET or await talk.is_over_within(pause):
                return attempt
            pause *= 2


class _Talk:
    """What is said to the app in one drain, over one connection if the app keeps it open."""

    def __init__(self, url: str, resolver: AbstractResolver) -> None:
        self._url = url
        self.over = asyncio.get_running_loop().create_future()
        self.has_announced = False
        # No environment (proxies, .netrc), no cookies, nothing decompressed: the app is next door.
        self._session = ClientSession(
            connector=TCPConnector(limit=1, resolver=resolver),
            cookie_jar=DummyCookieJar(),
            headers=HEADERS,
            auto_decompress=False,
            read_bufsize=MOST_READ,
        )

    async def post(self, message: Mapping[str, Any], within: float) -> tuple[Attempt, bool]:
        """What came of one try of at most `within` seconds, and whether it makes another one needless."""
        # aiohttp takes 0 for no limit at all, and a loop that was late may have come to that.
        limit = ClientTimeout(total=max(within, LEAST_WAIT))
        try:
            async with self._session.post(self._url, json=message, allow_redirects=False, timeout=limit) as response:
                await _pass_over(response)
                return judge(response.status)
        except TimeoutError:
            return Attempt(Verdict.FAILED, "timeout"), True
        except ClientError as error:
            return Attempt(Verdict.FAILED, word(error)), False

    async def is_over_within(self, seconds: float) -> bool:
        """Wait for the end of the talk, but not longer; returns whether it has come."""
        await asyncio.wait([self.over], timeout=seconds)
        return self.over.done()

    async def hang_up(self) -> None:
        """Close the connection, whatever is being said."""
        await self._session.close()


def numbers(order: Close, spent: float) -> dict[str, Any]:
    """How many connections there are, and how fast they must go, `spent` seconds after `order` was given."""
    return {
        "connections": order.remaining,
        "deadline_seconds": round(max(0.0, order.seconds_left - spent), 3),
        # With nobody left to be tried the pace is 0; these still have to go, and an app divides by it.
        "rate_per_second": float(f"{order.rate or len(order.connections):.4g}"),
    }


def judge(status: int) -> tuple[Attempt, bool]:
    """What an HTTP status means, and whether asking again is needless (RFC 9110, section 15)."""
    if 200 <= status < 300:  # noqa: PLR2004 - the class of success
        return Attempt(Verdict.SENT), True
    return Attempt(Verdict.FAILED, str(status)), status < 500  # noqa: PLR2004 - from here on it is the app's own trouble


def word(error: ClientError) -> str:
    """The one word for what kept a try from being answered."""
    name = errno.errorcode.get(error.errno or 0) if isinstance(error, OSError) else None
    if name is not None:
        return name
    if isinstance(error, ClientConnectorError):
        return "unreachable"
    return "disconnected" if isinstance(error, ClientConnectionError) else "not_http"


async def _pass_over(response: ClientResponse) -> None:
    """Read what the app says, up to MOST_READ bytes; with more than that the connection is not used again."""
    room = MOST_READ
    with suppress(TimeoutError, ClientError):  # The status has said it all.
        while room > 0 and (chunk := await response.content.read(room)):
            room -= len(chunk)
