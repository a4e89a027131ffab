"""Conversations that go as the test says."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from drainer.health.client import Conversation
from drainer.health.prober import Prober


class FakeConversation(Conversation):
    """Takes `seconds`, then returns or raises `outcome`; its end takes `ending`."""

    def __init__(self, outcome: str | Exception, seconds: float, ending: float, phone: Phone) -> None:
        self._outcome = outcome
        self._seconds = seconds
        self._ending = ending
        self._phone = phone
        self.stage = "for the test"

    async def ask(self) -> str:
        self._phone.open += 1
        self._phone.most = max(self._phone.most, self._phone.open)
        await asyncio.sleep(self._seconds)
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return self._outcome

    async def close(self) -> None:
        await asyncio.sleep(self._ending)
        self._phone.open -= 1


class Phone:
    """Begins conversations; the last of `outcomes` is that of all that follow."""

    def __init__(self, *outcomes: str | Exception, seconds: float = 0.01, ending: float = 0.0) -> None:
        self._outcomes: Sequence[str | Exception] = outcomes or ("101",)
        self.seconds = seconds
        self._ending = ending
        self.begun = 0
        self.open = 0
        self.most = 0
        """At a time."""

    def begin(self) -> Conversation:
        outcome = self._outcomes[min(self.begun, len(self._outcomes) - 1)]
        self.begun += 1
        return FakeConversation(outcome, self.seconds, self._ending, self)

    def prober(self, interval: float = 5.0, within: float = 0.8) -> Prober:
        return Prober(self.begin, interval=interval, within=within)
