"""Closers that a test writes, against the Protocols of `crew`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

from drainer.attempt import Attempt, Verdict
from drainer.model import Identity
from drainer.phases import Close, Closings, Result
from tests.unit.fakes import FakeTable, Stage, now, until


class FakeCloser:
    """A `crew.Closer` that remembers, and answers the same to all."""

    def __init__(self, attempt: Attempt | None = None, *, missing: str | Exception | None = None) -> None:
        self.lacks = missing
        self.attempt = attempt or Attempt(Verdict.SENT)
        self.takes = 0.0
        """Loop seconds for each order."""
        self.looks_for = 0.0
        """Loop seconds for each examination."""
        self.failure: Exception | None = None
        """What `close` raises."""
        self.on_close: Callable[[Close], None] = lambda order: None
        self.examined: list[float] = []
        self.orders: list[tuple[float, Close]] = []
        self.answered = 0
        self.finished = 0

    @property
    def tried(self) -> list[Identity]:
        """All who were to be closed."""
        return [identity for _, order in self.orders for identity in order.connections]

    async def missing(self) -> str | None:
        self.examined.append(now())
        await asyncio.sleep(self.looks_for)
        if isinstance(self.lacks, Exception):
            raise self.lacks
        return self.lacks

    async def close(self, order: Close) -> Mapping[Identity, Attempt]:
        self.orders.append((now(), order))
        await asyncio.sleep(self.takes)
        if self.failure is not None:
            raise self.failure
        self.on_close(order)
        self.answered += 1
        return dict.fromkeys(order.connections, self.attempt)

    def finish(self) -> None:
        self.finished += 1


class FakeBlockingCloser:
    """A `crew.BlockingCloser` that calls `between` after each connection."""

    def __init__(self, between: Callable[[], object] = lambda: None) -> None:
        self.between = between
        self.tried: list[int] = []

    def missing(self) -> str | None:
        return "a right"

    def close(self, cookies: Sequence[int], wanted: Callable[[], bool]) -> Mapping[int, Attempt]:
        answer = {}
        for cookie in cookies:
            if not wanted():
                break
            self.tried.append(cookie)
            answer[cookie] = Attempt(Verdict.SENT)
            self.between()
        return answer


def working(table: FakeTable) -> FakeCloser:
    """One that works: whom it tries is gone."""

    def end(order: Close) -> None:
        table.leave(*(cookie for cookie in order.connections if isinstance(cookie, int) and cookie in table.rows))

    closer = FakeCloser()
    closer.on_close = end
    return closer


async def outcome_of(stage: Stage, at: float) -> tuple[float, Result, Closings | None]:
    """A hook at this moment: (when it was answered, with what)."""
    await until(at)
    moment, answer = await stage.call()
    assert answer.outcome is not None
    return moment, answer.outcome.result, answer.outcome.tally.closings
