"""Asks every agent for its /status, again and again."""

from __future__ import annotations

import asyncio
from enum import StrEnum

from aiohttp import ClientError, ClientSession, ClientTimeout, DummyCookieJar, TCPConnector

from drainer import __version__
from drainer.adapter.fleet import Fleet
from drainer.adapter.pods import Pod
from drainer.adapter.readings import reading
from drainer.adapter.rounds import Rounds

CONNECT_WITHIN, ANSWER_WITHIN = 1.0, 2.0
"""Seconds to connect, and in all."""
TOGETHER = 128
"""Questions at a time: more than hang when a third of 1,000 agents do, once they are asked less often."""
MOST = 256 << 10
"""Bytes of an answer: with 256 ports, the most that an agent has, a /status is some 150 KiB."""


class Answered(StrEnum):
    """What came of a question."""

    OK = "ok"
    UNREACHABLE = "unreachable"
    """No connection, or it broke."""
    TIMEOUT = "timeout"
    """No whole answer in time."""
    ODD = "odd"
    """Another status than 200, or no /status of an agent."""
    TOO_LONG = "too_long"
    """More than 256 KiB."""


class Sweep:
    """Fills the fleet with readings. Use it inside a running event loop."""

    def __init__(self, fleet: Fleet, rounds: Rounds) -> None:
        self._fleet = fleet
        self._rounds = rounds
        self._changed = asyncio.Event()
        self._asking: set[asyncio.Task[None]] = set()
        self.answers = dict.fromkeys(map(str, Answered), 0)

    def changed(self) -> None:
        """The rounds have changed: somebody may be due."""
        self._changed.set()

    async def run(self) -> None:
        """Until it is cancelled."""
        loop = asyncio.get_running_loop()
        # No environment (proxies), no cookies, and each connection is for one question: agents close them.
        connector = TCPConnector(limit=TOGETHER, force_close=True, use_dns_cache=False)
        timeout = ClientTimeout(total=ANSWER_WITHIN, sock_connect=CONNECT_WITHIN)
        headers = {"User-Agent": f"drainer-adapter/{__version__}", "Accept-Encoding": "identity"}
        async with ClientSession(
            connector=connector, timeout=timeout, headers=headers, cookie_jar=DummyCookieJar()
        ) as session:
            try:
                while True:
                    self._changed.clear()
                    while len(self._asking) < TOGETHER and (pod := self._rounds.take(loop.time())):
                        task = loop.create_task(self._ask(session, pod))
                        self._asking.add(task)
                        task.add_done_callback(self._done)
                    await self._wait()
            finally:
                for task in self._asking:
                    task.cancel()
                await asyncio.gather(*self._asking, return_exceptions=True)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._asking.discard(task)
        self._changed.set()

    async def _wait(self) -> None:
        """Until somebody is due, and there is room to ask."""
        at = self._rounds.next_at()
        is_room = len(self._asking) < TOGETHER
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout_at(max(at, loop.time()) if at is not None and is_room else None):
                await self._changed.wait()
        except TimeoutError:
            pass

    async def _ask(self, session: ClientSession, pod: Pod) -> None:
        loop = asyncio.get_running_loop()
        asked_at = loop.time()
        answered = Answered.OK
        try:
            self._fleet.read(pod, reading(await _body(session, pod), asked_at))
        except TimeoutError:
            answered = Answered.TIMEOUT
        except _TooLongError:
            answered = Answered.TOO_LONG
        except (ClientError, OSError) as error:
            answered = Answered.UNREACHABLE if isinstance(error, OSError) else Answered.ODD
        except ValueError:
            answered = Answered.ODD
        self.answers[answered] += 1
        self._rounds.asked(pod, loop.time(), answered=answered is Answered.OK)


class _TooLongError(Exception):
    """An answer of more bytes than any agent has to say."""


async def _body(session: ClientSession, pod: Pod) -> bytes:
    host = f"[{pod.address}]" if ":" in pod.address else pod.address
    async with session.get(f"http://{host}:{pod.port}/status", allow_redirects=False) as response:
        if response.status != 200:  # noqa: PLR2004 - what an agent answers
            raise ValueError(f"HTTP status {response.status}")
        data = bytearray()
        async for piece in response.content.iter_any():
            data += piece
            if len(data) > MOST:
                raise _TooLongError
        return bytes(data)
