"""`python -m bench.pushed PORT COUNT PATH`: clients by libraries as they come, which check each message.

They ask for PATH (`Push.path`), each with its number behind the name; every second one is by the other library. When
told to end it prints, as JSON, what each has met with (`Met`).
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import aiohttp
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedError

from bench.child import raise_descriptor_limit, say_ready, told_to_end
from bench.pushers import HOST, Push

ABNORMAL = 1006
"""Ended without a Close frame."""


@dataclass(slots=True)
class Met:
    """One connection, as its client saw it."""

    received: int = 0
    """Whole messages, each the one that had to come next."""
    altered: int = 0
    """Messages that were something else."""
    code: int | None = None
    """Of the Close frame, or ABNORMAL; None while it is open."""


Opened = Callable[[], None]
Take = Callable[[bytes], None]


async def _by_websockets(path: str, port: int, opened: Opened, take: Take) -> int:
    # No proxy: the environment may name one, and this is loopback.
    uri = f"ws://{HOST}:{port}{path}"
    async with connect(uri, proxy=None, compression=None, max_size=None, ping_interval=None) as connection:
        opened()
        try:
            async for message in connection:
                assert isinstance(message, bytes)
                take(message)
        except ConnectionClosedError as closed:
            # What this side has sent is no word of the app's.
            return closed.rcvd.code if closed.rcvd else ABNORMAL
        return connection.close_code or ABNORMAL


async def _by_aiohttp(path: str, port: int, opened: Opened, take: Take) -> int:
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"http://{HOST}:{port}{path}", max_msg_size=0) as connection,
    ):
        opened()
        async for message in connection:
            if message.type is aiohttp.WSMsgType.BINARY:
                take(message.data)
        return connection.close_code or ABNORMAL


CLIENTS: tuple[Callable[[str, int, Opened, Take], Awaitable[int]], ...] = (_by_websockets, _by_aiohttp)
"""Each returns the code with which its connection has ended."""


async def _live(port: int, count: int, group: str, push: Push) -> dict[str, Met]:
    """Until told to end."""
    mets = {f"{group}-{number}": Met() for number in range(count)}
    opened = asyncio.Semaphore(0)

    async def live(number: int, name: str, met: Met) -> None:
        def take(message: bytes) -> None:
            if message == push.message(met.received):
                met.received += 1
            else:
                met.altered += 1

        try:
            met.code = await CLIENTS[number % len(CLIENTS)](push.path(name), port, opened.release, take)
        finally:
            # Whoever fails before is waited for no longer, and its error raised in the end.
            opened.release()

    living = [asyncio.create_task(live(number, *item)) for number, item in enumerate(mets.items())]
    for _ in living:
        await opened.acquire()
    say_ready()
    await told_to_end()
    for one in living:
        one.cancel()
    for trouble in await asyncio.gather(*living, return_exceptions=True):
        if isinstance(trouble, Exception):
            raise trouble
    return mets


if __name__ == "__main__":
    raise_descriptor_limit()
    met = asyncio.run(_live(int(sys.argv[1]), int(sys.argv[2]), *Push.parse(sys.argv[3])))
    json.dump({name: dataclasses.asdict(one) for name, one in met.items()}, sys.stdout)
