"""The closers at work: hands them what the drain asks for, and the drain what came of it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from drainer.attempt import TRANSIENT, Attempt, Verdict
from drainer.model import Identity
from drainer.observers import Observers
from drainer.phases import Close
from drainer.worker import Worker

_UNREMARKABLE = TRANSIENT | {Verdict.SENT, Verdict.GONE}


class Closer(Protocol):
    """One way to end connections."""

    async def missing(self) -> str | None:
        """What it lacks here, in one line: which right, which field. None if it can work."""
        ...

    async def close(self, order: Close) -> Mapping[Identity, Attempt]:
        """Try to end the connections of `order`; what came of each."""
        ...

    def finish(self) -> None:
        """The drain is over: the next order belongs to another one."""
        ...


class BlockingCloser(Protocol):
    """The same for one thread."""

    def missing(self) -> str | None: ...

    def close(self, cookies: Sequence[int], wanted: Callable[[], bool]) -> Mapping[int, Attempt]:
        """Stops between two connections once `wanted` says no; who was not tried is not in the answer."""
        ...


class InThread:
    """A Closer from a blocking one. Closers that share a worker never run at the same time."""

    def __init__(self, closer: BlockingCloser, worker: Worker) -> None:
        self._closer = closer
        self._worker = worker
        self._drain = object()

    async def missing(self) -> str | None:
        """See Closer."""
        return await self._worker.run(self._closer.missing)

    async def close(self, order: Close) -> Mapping[Identity, Attempt]:
        """See Closer. Only identities that are cookies name a socket to the kernel."""
        cookies = [identity for identity in order.connections if isinstance(identity, int)]
        drain = self._drain
        answer = await self._worker.run(lambda: self._closer.close(cookies, lambda: self._drain is drain))
        unnamed = [identity for identity in order.connections if not isinstance(identity, int)]
        return dict.fromkeys(unnamed, Attempt(Verdict.UNREACHABLE)) | dict[Identity, Attempt](answer.items())

    def finish(self) -> None:
        """See Closer: a call that still runs stops at its next connection."""
        self._drain = object()


class Crew:
    """A task for each closer. What is ordered while it works waits, and becomes one order."""

    def __init__(
        self,
        closers: Mapping[str, Closer],
        on_answer: Callable[[str, Mapping[Identity, Attempt]], None],
        observers: Observers,
        narrow: Callable[[Close], Close] = lambda order: order,
    ) -> None:
        """`narrow` leaves of an order what still holds when its closer is free."""
        self._closers = closers
        self._narrow = narrow
        self._on_answer = on_answer
        self._observers = observers
        self._told: set[tuple[str, Attempt]] = set()
        self._inbox: dict[str, Close] = {}
        self._at_work: dict[str, asyncio.Task[None]] = {}
        self._examination: asyncio.Task[None] | None = None
        self._examination_is_due = False
        self.missing: dict[str, str | None] = dict.fromkeys(closers, "not tried yet")
        """Closer -> what it lacks; None if it can work."""

    async def examine(self, on_answer: Callable[[], None] = lambda: None) -> None:
        """Find out who can work here, and say so when it is another answer than before; `on_answer` after each."""
        for name, closer in self._closers.items():
            try:
                missing = await closer.missing()
            except Exception as error:  # noqa: BLE001 - a closer that cannot be examined is off, the agent is not
                missing = f"{type(error).__name__}: {error}"
            if missing != self.missing[name]:
                self.missing[name] = missing
                if missing is None:
                    self._observers.noted(f"closer {name} can work here")
                else:
                    self._observers.warned(f"closer {name} is off: {missing}")
            on_answer()

    def examine_soon(self, on_answer: Callable[[], None]) -> None:
        """The same without waiting; who asks while it runs has it run once more."""
        self._examination_is_due = True
        if self.missing and (self._examination is None or self._examination.done()):
            self._examination = asyncio.get_running_loop().create_task(
                self._examine_while_due(on_answer), name="examine closers"
            )

    async def _examine_while_due(self, on_answer: Callable[[], None]) -> None:
        while self._examination_is_due:
            self._examination_is_due = False
            await self.examine(on_answer)

    async def leave(self) -> None:
        """The agent goes: nobody is examined any more."""
        if self._examination is not None:
            self._examination.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._examination

    @property
    def unusable(self) -> frozenset[str]:
        """Who cannot work here."""
        return frozenset(name for name, missing in self.missing.items() if missing is not None)

    def close(self, order: Close) -> None:
        """Carry out an order as soon as its closer is free."""
        name = order.closer
        waiting = self._inbox.get(name)
        if waiting is not None:
            # Without repeats: an app that answers slowly is asked again for those who still wait here.
            order = replace(order, connections=tuple(dict.fromkeys(waiting.connections + order.connections)))
        self._inbox[name] = order
        if name not in self._at_work:
            self._at_work[name] = asyncio.get_running_loop().create_task(self._work(name), name=f"closer {name}")

    def stop(self) -> None:
        """The drain is over: nobody is closed any more."""
        self._inbox.clear()
        self._told.clear()
        for closer in self._closers.values():
            closer.finish()
        for task in self._at_work.values():
            task.cancel()
        self._at_work.clear()

    async def _work(self, name: str) -> None:
        me = asyncio.current_task()
        while name in self._inbox:
            order = self._narrow(self._inbox.pop(name))
            if not order.connections:
                continue
            try:
                attempts = await self._closers[name].close(order)
            except Exception as error:  # noqa: BLE001 - a closer that fails must not end the drain
                attempts = dict.fromkeys(order.connections, Attempt(Verdict.FAILED, type(error).__name__))
                self._observers.troubled(f"closer {name} has failed: {type(error).__name__}: {error}")
            if self._at_work.get(name) is not me:
                return  # The drain is over, and the closer did not heed that: the inbox is another one's.
            self._tell(name, attempts)
            self._on_answer(name, attempts)
        self._at_work.pop(name, None)

    def _tell(self, name: str, attempts: Mapping[Identity, Attempt]) -> None:
        """What could not be done, once in a drain for each kind."""
        for attempt in {*attempts.values()}:
            if attempt.verdict not in _UNREMARKABLE and (name, attempt) not in self._told:
                self._told.add((name, attempt))
                why = f"{attempt.verdict} ({attempt.detail})" if attempt.detail else attempt.verdict
                self._observers.warned(f"closer {name}: {why}; such connections go on to the next closer, if any")
