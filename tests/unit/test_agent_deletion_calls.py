"""Whose calls count when the API says that the pod is being deleted, when plain containers go, and another plan."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from drainer.deletion import Sighting
from drainer.phases import Phase
from drainer.policy import Container, Policy
from tests.unit.asking import PLAN, asking, hook
from tests.unit.fake_pods import FORCED, NONE, UNKNOWN, requested
from tests.unit.fakes import STRANGER, Stage, after, serving_app, staged, until

pytestmark = pytest.mark.looptime


# ---------------------------------------------------------------------------------------------------- strangers


async def test_a_stranger_begins_the_drain_as_soon_as_the_pod_is_seen_to_be_deleted() -> None:
    table, [client] = serving_app(1)
    async with asking(table) as (stage, pod):
        call = stage.call(STRANGER)
        await until(3)
        assert stage.phase() is Phase.SERVING
        pod.say(requested(60))
        status = stage.agent.status()
        assert (status.phase, status.held, status.passive) == (Phase.SETTLING, 1, 0)
        assert stage.listener.notes == ["the API says that the pod is being deleted: whoever calls /drain counts"]
        after(20.0, table.leave, client)
        moment, answer = await call
        assert moment == pytest.approx(20.0, abs=0.1)
        assert answer.effect
        assert answer.outcome is not None
        assert answer.outcome.tally.began_at == 3.0
        await until(21)
        assert (stage.agent.status().held, stage.agent.status().passive) == (0, 0)


async def test_strangers_join_a_drain_that_runs_and_new_ones_count_at_once() -> None:
    table, _ = serving_app(1)
    async with asking(table) as (stage, pod):
        hook(stage)
        early = stage.call(STRANGER)
        await until(1)
        pod.say(requested(60))
        late = stage.call("198.51.100.8")
        for moment, answer in await asyncio.gather(early, late):
            assert (moment, answer.effect) == (55.0, True)


async def test_a_stranger_of_a_drain_that_has_ended_gets_its_outcome() -> None:
    table, _ = serving_app(1)
    async with asking(table, replace(PLAN, window=20.0), at_once=NONE) as (stage, pod):
        await hook(stage)
        call = stage.call(STRANGER)
        await until(22)
        assert stage.phase() is Phase.DONE
        pod.say(requested(60))
        moment, answer = await call
        assert (moment, answer.effect) == (22.0, True)
        assert answer.outcome is not None
        assert answer.outcome.tally.seconds == 20.0
        await until(23)
        assert not pod.wanted[-1][1]


@pytest.mark.parametrize("sighting", [NONE, UNKNOWN])
async def test_a_stranger_of_a_pod_that_lives_on_has_no_effect(sighting: Sighting) -> None:
    table, _ = serving_app(1)
    async with asking(table, at_once=sighting) as (stage, _):
        moment, answer = await stage.call(STRANGER)
        assert (moment, answer.effect) == (100.0, False)
        assert stage.listener.phases == []


async def test_a_deletion_promotes_nobody_who_has_hung_up() -> None:
    table, _ = serving_app(1)
    async with asking(table) as (stage, pod):
        gone, stays = stage.call(STRANGER), stage.call(STRANGER)
        await until(2)
        gone.cancel()
        pod.say(requested(60))
        await until(3)
        assert stage.agent.status().held == 1
        assert (await stays)[0] == 57.0


# --------------------------------------------------------------------------------------------- plain containers


async def terminated_at(stage: Stage, moment: float) -> Any:
    await until(moment)
    gone = stage.gone_at()
    stage.agent.terminate()
    return gone


@pytest.mark.parametrize(("sighting", "gone_at"), [(requested(20), 26.0), (FORCED, 22.0), (NONE, 110.0)])
async def test_a_plain_container_goes_no_later_than_a_deadline_that_has_come_nearer(
    sighting: Sighting, gone_at: float
) -> None:
    table, _ = serving_app(1)
    async with asking(table, policy=Policy(container=Container.PLAIN)) as (stage, pod):
        gone = await terminated_at(stage, 10.0)
        hook_at = 11.0
        await until(hook_at)
        if sighting is not NONE:
            hook(stage)
        after(20.0, pod.say, sighting)
        assert await gone == gone_at


async def test_a_plain_container_whose_restart_becomes_a_deletion_goes_at_the_end_of_the_drain() -> None:
    table, _ = serving_app(1)
    async with asking(table, at_once=NONE, policy=Policy(container=Container.PLAIN)) as (stage, pod):
        hook(stage)
        gone = await terminated_at(stage, 10.0)
        after(20.0, pod.say, requested(60))
        assert await gone == 55.0


# --------------------------------------------------------------------------------------------------- another plan


async def test_another_plan_is_for_drains_that_are_yet_to_begin() -> None:
    table, _ = serving_app(1)
    async with staged(table, replace(PLAN, window=10.0, keep_outcome=1.0)) as stage:
        call = stage.call()
        await until(2)
        stage.agent.adopt(PLAN)
        assert (await call)[0] == 10.0
        await until(80)
        assert (await stage.call())[0] == 180.0


async def test_strangers_have_the_other_plan_too() -> None:
    table, _ = serving_app(1)
    async with staged(table, replace(PLAN, window=10.0)) as stage:
        await until(1)
        stage.agent.adopt(PLAN)
        assert (await stage.call(STRANGER))[0] == 101.0


async def test_a_stranger_may_never_resume_not_even_when_the_pod_is_being_deleted() -> None:
    table, _ = serving_app(1)
    async with asking(table) as (stage, pod):
        hook(stage)
        after(0.5, pod.say, requested(60))
        await until(1)
        assert stage.agent.resume(STRANGER, {}) is None
        assert stage.phase() is Phase.SETTLING
