"""Asks the app, one handshake at a time, and remembers what came of it: many probes cost one."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from drainer.health.client import Conversation, UnwellError
from drainer.observers import word
from drainer.vitals import Asked


class Prober:
    """Whoever asks within `interval` seconds of a handshake is told what came of that one."""

    def __init__(self, begin: Callable[[], Conversation], *, interval: float, within: float) -> None:
        """`within`: seconds from the first SYN to the answer."""
        self._begin = begin
        self.interval = interval
        self._within = within
        self._flight: asyncio.Task[None] | None = None
        self._answer: asyncio.Future[Asked] | None = None
        self.misses = 0
        """In a row."""

    async def ask(self) -> Asked:
        """What came of the latest handshake, or of a new one if that is too long ago.

        Whoever hangs up takes nothing from the others who wait.
        """
        loop = asyncio.get_running_loop()
        answer = self._answer
        if answer is None or (answer.done() and loop.time() - answer.result().at >= self.interval):
            answer = self._answer = loop.create_future()
            self._flight = loop.create_task(self._fly(answer, self._flight), name="a handshake with the app")
        return await asyncio.shield(answer)

    def forgive(self) -> None:
        """What was missed counts no longer: the pod drains, and an app that goes may say no."""
        self.misses = 0

    async def stop(self) -> None:
        """No handshake any more."""
        if self._flight is not None:
            self._flight.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._flight

    async def _fly(self, answer: asyncio.Future[Asked], before: asyncio.Task[None] | None) -> None:
        """One handshake, after the one before has let its connection go."""
        if before is not None:
            await asyncio.wait([before])
        conversation = self._begin()
        try:
            asked = await self._ask(conversation)
            self.misses = self.misses + 1 if asked.is_miss else 0 if asked.is_answered else self.misses
            answer.set_result(asked)
        finally:
            answer.cancel()  # Only if there is no result: the agent goes.
            await conversation.close()

    async def _ask(self, conversation: Conversation) -> Asked:
        loop = asyncio.get_running_loop()
        at = loop.time()
        try:
            async with asyncio.timeout(self._within):
                detail = await conversation.ask()
        except TimeoutError:
            return Asked(at, None, f"no answer within {self._within:g} s, waiting {conversation.stage}", is_miss=True)
        except UnwellError as error:
            return Asked(at, None, str(error), is_miss=True)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the agent's own fault and not the app's
            return Asked(at, None, f"the agent cannot ask: {word(error)}", is_miss=False)
        return Asked(at, loop.time() - at, detail, is_miss=False)
