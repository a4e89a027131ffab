"""Everybody who is held by /drain: callers, strangers, and strangers who have become callers."""

from __future__ import annotations

import asyncio

import pytest

from drainer.held import Answer, Held
from drainer.phases import Outcome, Result, Tally
from drainer.plan import DrainPlan
from tests.unit.census import census
from tests.unit.fakes import STRANGER, until

pytestmark = pytest.mark.looptime

OUTCOME = Outcome(Result.DRAINED, Tally(0.0, 3.0, at_start=1, arrived=0, left=1, remaining=0))
PLAN = DrainPlan(window=10.0, settle=2.0)


class Changes:
    """How often strangers came and went."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> None:
        self.count += 1


def held() -> tuple[Held, Changes]:
    changes = Changes()
    return Held(changes), changes


def apart(everybody: Held, peer: str = STRANGER, live: int = 1) -> asyncio.Task[Answer]:
    return asyncio.create_task(everybody.wait_apart(peer, PLAN, census(0.0, live)))


async def test_a_caller_waits_for_the_outcome_of_the_pod() -> None:
    everybody, changes = held()
    call = asyncio.create_task(everybody.wait())
    await until(1)
    assert (everybody.callers, everybody.strangers) == (1, 0)
    everybody.answer(OUTCOME)
    assert await call == Answer(OUTCOME, effect=True)
    assert (everybody.callers, changes.count) == (0, 0)


async def test_a_caller_who_hangs_up_is_held_no_more() -> None:
    everybody, _ = held()
    call = asyncio.create_task(everybody.wait())
    await until(1)
    call.cancel()
    await until(2)
    assert everybody.callers == 0
    everybody.answer(OUTCOME)


async def test_a_stranger_waits_for_a_drain_of_its_own() -> None:
    everybody, changes = held()
    call = apart(everybody)
    await until(1)
    assert (everybody.callers, everybody.strangers, changes.count) == (0, 1, 1)
    everybody.answer(OUTCOME)
    await until(5)
    everybody.observe(census(5.0, 0, opened=1))
    answer = await call
    assert answer.outcome is not None
    assert (answer.outcome.tally.at, answer.effect) == (5.0, False)
    assert (everybody.strangers, changes.count) == (0, 2)


async def test_a_promoted_stranger_waits_for_the_pod_and_its_own_drain_is_over() -> None:
    everybody, changes = held()
    call = apart(everybody)
    await until(1)
    everybody.promote()
    assert (everybody.callers, everybody.strangers) == (1, 0)
    await until(20)
    assert not call.done(), "the deadline of its own drain has answered it"
    everybody.answer(OUTCOME)
    assert await call == Answer(OUTCOME, effect=True)
    assert (everybody.callers, everybody.strangers, changes.count) == (0, 0, 2)


async def test_a_stranger_who_has_its_answer_is_not_promoted() -> None:
    everybody, _ = held()
    call = apart(everybody)
    await until(1)
    everybody.dismiss_strangers()
    everybody.promote()
    assert everybody.callers == 0
    assert await call == Answer(None, effect=False)


async def test_a_promoted_stranger_makes_room_for_four_more_of_its_address() -> None:
    everybody, _ = held()
    promoted = [apart(everybody) for _ in range(4)]
    await until(1)
    everybody.promote()
    calls = [apart(everybody) for _ in range(4)]
    await until(2)
    assert (everybody.callers, everybody.strangers) == (4, 4)
    assert not any(call.done() for call in [*promoted, *calls])
    everybody.answer(OUTCOME)
    everybody.dismiss_strangers()
    assert {(await call).effect for call in promoted} == {True}
    assert {(await call).effect for call in calls} == {False}


async def test_a_promoted_stranger_who_hangs_up_is_held_no_more() -> None:
    everybody, changes = held()
    call = apart(everybody)
    await until(1)
    everybody.promote()
    call.cancel()
    await until(2)
    assert (everybody.callers, everybody.strangers, changes.count) == (0, 0, 2)


async def test_a_stranger_closes_nobody_whatever_the_plan() -> None:
    everybody, _ = held()
    call = apart(everybody)
    await until(9)
    everybody.observe(census(9.0, 1))
    answer = await call
    assert answer.outcome is not None
    assert (answer.outcome.result, answer.outcome.tally.closings) == (Result.DEADLINE, None)
