"""One thread beside the event loop, for calls that may hang in the kernel."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


class Worker:
    """Runs calls one after the other.

    A daemon thread, and not an executor: whatever hangs in the kernel must not keep the process from exiting.
    """

    def __init__(self, name: str) -> None:
        self._jobs: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        threading.Thread(target=self._run, name=name, daemon=True).start()

    async def run(self, call: Callable[[], T]) -> T:
        """What `call` returns or raises. Who is cancelled waits no longer; the call goes on to its end."""
        loop = asyncio.get_running_loop()
        result: asyncio.Future[T] = loop.create_future()

        def settle(value: Any, error: BaseException | None) -> None:
            if result.cancelled():
                return
            if error is None:
                result.set_result(value)
            else:
                result.set_exception(error)

        def job() -> None:
            value: T | None = None
            error: BaseException | None = None
            try:
                value = call()
            except StopIteration as caught:  # No future takes it: to a coroutine it would mean its own end.
                error = RuntimeError(repr(caught))
            except BaseException as caught:  # noqa: BLE001 - whatever it is belongs to the one who asked
                error = caught
            with contextlib.suppress(RuntimeError):  # The loop is closed: the agent has gone in the meantime.
                loop.call_soon_threadsafe(settle, value, error)

        self._jobs.put(job)
        return await result

    def _run(self) -> None:
        while True:
            self._jobs.get()()
