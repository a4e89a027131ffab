"""Counting that fails again and again: told, but not each second."""

from __future__ import annotations

import errno
from itertools import cycle

import pytest

from drainer.errors import SocketTableError
from drainer.model import Dump
from drainer.observers import TELL_AGAIN_AFTER
from tests.unit.fakes import FakeTable, staged, until

pytestmark = pytest.mark.looptime

IO = SocketTableError("dump", errno.EIO, "EIO")
NO_BUFFERS = SocketTableError("dump", errno.ENOBUFS, "ENOBUFS")


class Alternating(FakeTable):
    """Fails each time otherwise than the time before."""

    def __init__(self, *failures: Exception) -> None:
        super().__init__()
        self._failures = cycle(failures)

    async def dump(self, confirm_at: int | None = None, *, tally_ignored: bool = False) -> Dump:
        self.failure = next(self._failures)
        return await super().dump(confirm_at, tally_ignored=tally_ignored)


async def test_the_same_error_is_told_again_after_a_minute_and_not_before() -> None:
    async with staged(FakeTable(failure=IO)) as stage:
        for minute in range(3):
            for second in (1.5, TELL_AGAIN_AFTER - 0.5):
                await until(minute * TELL_AGAIN_AFTER + second + 0.1 * minute)
                assert stage.listener.warnings == [f"counting is impaired: {IO}"] * (minute + 1)


async def test_errors_that_take_turns_are_each_told_once_a_minute() -> None:
    async with staged(Alternating(IO, NO_BUFFERS)) as stage:
        both = [f"counting is impaired: {error}" for error in (IO, NO_BUFFERS)]
        await until(TELL_AGAIN_AFTER - 0.5)
        assert stage.listener.warnings == both
        await until(TELL_AGAIN_AFTER + 3.5)
        assert stage.listener.warnings == both * 2
        await until(2 * TELL_AGAIN_AFTER - 1)
        assert stage.listener.warnings == both * 2


async def test_an_error_that_is_new_is_told_at_once() -> None:
    table = FakeTable(failure=IO)
    async with staged(table) as stage:
        await until(10.5)
        table.failure = NO_BUFFERS
        await until(11.6)
        assert stage.listener.warnings == [f"counting is impaired: {error}" for error in (IO, NO_BUFFERS)]
