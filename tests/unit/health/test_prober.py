from __future__ import annotations

import asyncio

import pytest

from drainer.health.client import UnwellError
from tests.unit.health.asking import Phone

pytestmark = pytest.mark.looptime


async def test_many_who_ask_at_once_share_one_handshake() -> None:
    phone = Phone("101 and a pong")
    prober = phone.prober()
    answers = await asyncio.gather(*(prober.ask() for _ in range(500)))
    assert phone.begun == 1
    assert {answer.detail for answer in answers} == {"101 and a pong"}
    assert answers[0].seconds == pytest.approx(0.01, abs=0.002)


async def test_its_answer_holds_for_the_interval_and_no_longer() -> None:
    phone = Phone()
    prober = phone.prober(interval=5)
    first = await prober.ask()
    await asyncio.sleep(4.9)
    assert await prober.ask() is first
    await asyncio.sleep(0.11)
    assert (await prober.ask()).at == pytest.approx(first.at + 5.02, abs=0.05)
    assert phone.begun == 2


async def test_strangers_who_ask_without_end_cost_one_handshake_in_each_interval() -> None:
    phone = Phone(seconds=0.1)
    prober = phone.prober(interval=5)
    until = asyncio.get_running_loop().time() + 60
    while asyncio.get_running_loop().time() < until:
        await asyncio.gather(*(prober.ask() for _ in range(3)))
        await asyncio.sleep(0.05)
    assert phone.begun in (12, 13)
    assert phone.most == 1


async def test_whoever_hangs_up_takes_nothing_from_the_others() -> None:
    phone = Phone(seconds=0.5)
    prober = phone.prober()
    first = asyncio.create_task(prober.ask())
    await asyncio.sleep(0.1)
    second = asyncio.create_task(prober.ask())
    await asyncio.sleep(0.1)
    first.cancel()
    assert (await second).is_answered
    assert phone.begun == 1


async def test_a_handshake_begins_when_the_one_before_has_let_go_of_its_connection() -> None:
    phone = Phone(ending=3)
    prober = phone.prober(interval=1)
    began_at = asyncio.get_running_loop().time()
    await prober.ask()
    assert asyncio.get_running_loop().time() - began_at < 0.1, "the answer does not wait for the goodbye"
    await asyncio.sleep(1)
    await prober.ask()
    assert asyncio.get_running_loop().time() - began_at >= 3
    assert phone.most == 1
    await prober.stop()


async def test_an_app_that_hangs_is_missed_when_its_time_is_up() -> None:
    prober = Phone(seconds=1e6).prober(within=0.8)
    began_at = asyncio.get_running_loop().time()
    asked = await prober.ask()
    assert asyncio.get_running_loop().time() - began_at == pytest.approx(0.8, abs=0.01)
    assert (asked.seconds, asked.detail) == (None, "no answer within 0.8 s, waiting for the test")
    assert prober.misses == 1


async def test_misses_in_a_row_are_counted_and_an_answer_ends_the_row() -> None:
    phone = Phone(UnwellError("no"), UnwellError("no"), "101", UnwellError("no"))
    prober = phone.prober(interval=1)
    seen = []
    for _ in range(4):
        await prober.ask()
        await prober.ask()
        seen.append(prober.misses)
        await asyncio.sleep(1)
    assert seen == [1, 2, 0, 1]
    prober.forgive()
    assert prober.misses == 0


async def test_what_the_agent_cannot_do_is_no_miss_of_the_app() -> None:
    phone = Phone(UnwellError("no"), OSError(24, "Too many open files"), RuntimeError())
    prober = phone.prober(interval=1)
    details = []
    for _ in range(3):
        asked = await prober.ask()
        details.append(asked.detail)
        assert not asked.is_answered
        assert prober.misses == 1
        await asyncio.sleep(1)
    assert details == [
        "no", "the agent cannot ask: [Errno 24] Too many open files", "the agent cannot ask: RuntimeError"
    ]  # fmt: skip


async def test_whoever_waits_when_the_agent_goes_is_told_nothing_and_waits_no_longer() -> None:
    phone = Phone(seconds=100)
    prober = phone.prober(within=200)
    asking = asyncio.create_task(prober.ask())
    await asyncio.sleep(0.1)
    await prober.stop()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert phone.open == 0


async def test_it_can_be_stopped_before_anybody_has_asked() -> None:
    await Phone().prober().stop()
