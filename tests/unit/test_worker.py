"""One thread beside the event loop."""

from __future__ import annotations

import asyncio
import threading

import pytest

from drainer.worker import Worker

PATIENCE = 10.0
"""Seconds after which a test gives up."""


async def test_a_call_runs_in_the_named_thread_and_hands_back_what_it_returns() -> None:
    worker = Worker("close")
    thread = await worker.run(threading.current_thread)
    assert (thread.name, thread.daemon) == ("close", True)
    assert thread is not threading.current_thread()
    assert await worker.run(threading.current_thread) is thread


@pytest.mark.parametrize("error", [OSError(1, "no"), SystemExit(3), StopIteration()])
async def test_whatever_a_call_raises_belongs_to_who_asked_and_the_next_call_runs(error: BaseException) -> None:
    worker = Worker("close")

    def fail() -> None:
        raise error

    async with asyncio.timeout(PATIENCE):
        with pytest.raises(RuntimeError if isinstance(error, StopIteration) else type(error)):
            await worker.run(fail)
        assert await worker.run(lambda: "next") == "next"


async def test_calls_run_one_after_the_other_in_the_order_they_came() -> None:
    worker, at_work, order = Worker("close"), threading.Lock(), list[int]()

    def call(number: int) -> None:
        assert at_work.acquire(blocking=False), "two at once"
        order.append(number)
        at_work.release()

    await asyncio.gather(*(worker.run(lambda number=number: call(number)) for number in range(50)))  # type: ignore[misc] # mypy cannot tell
    assert order == [*range(50)]


async def test_who_is_cancelled_waits_no_longer_and_the_call_goes_on_to_its_end() -> None:
    worker, began, goes_on, ended = Worker("close"), threading.Event(), threading.Event(), threading.Event()

    def hang() -> None:
        began.set()
        assert goes_on.wait(PATIENCE)
        ended.set()

    waiting = asyncio.create_task(worker.run(hang))
    assert await asyncio.to_thread(began.wait, PATIENCE)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert not ended.is_set()
    goes_on.set()
    assert await worker.run(ended.is_set)


def test_a_call_that_ends_when_the_loop_is_closed_hurts_nobody() -> None:
    worker, goes_on = Worker("close"), threading.Event()

    async def leave_it_hanging() -> None:
        hanging = asyncio.create_task(worker.run(lambda: goes_on.wait(PATIENCE)))
        await asyncio.sleep(0)
        hanging.cancel()

    asyncio.run(leave_it_hanging())
    goes_on.set()

    async def ask_again() -> str:
        return await worker.run(lambda: "still at work")

    assert asyncio.run(ask_again()) == "still at work"
