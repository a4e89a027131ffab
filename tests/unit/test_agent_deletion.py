"""What the agent makes of the word of the API, in fake time: readiness, deadline, strangers, and whom it asks when."""

from __future__ import annotations

from dataclasses import replace

import pytest

from drainer.deletion import Deletion, Sighting
from drainer.phases import Phase, Result
from drainer.plan import HASTE
from drainer.policy import Policy, Readiness
from tests.unit.asking import PLAN, asking, hook, is_ready
from tests.unit.fake_pods import ASKED, FORCED, NONE, UNKNOWN, requested
from tests.unit.fakes import LISTENER, STRANGER, after, serving_app, staged, until

pytestmark = pytest.mark.looptime


# ---------------------------------------------------------------------------------------------------- readiness


@pytest.mark.parametrize(
    ("sighting", "ready_until"), [(requested(60), 5.0), (FORCED, 1.25), (NONE, 0.5), (UNKNOWN, 0.5)]
)
async def test_auto_waits_for_the_settle_time_only_when_the_pod_is_being_deleted(
    sighting: Sighting, ready_until: float
) -> None:
    table, _ = serving_app(1)
    async with asking(table) as (stage, pod):
        hook(stage)
        # Nothing is given up while the API is being asked.
        after(0.5, pod.say, sighting)
        await until(ready_until - 0.01)
        assert is_ready(stage)
        await until(ready_until + 0.01)
        assert not is_ready(stage)


async def test_without_an_api_the_pod_is_unready_at_once() -> None:
    table, _ = serving_app(1)
    async with staged(table, PLAN) as stage:
        hook(stage)
        await until(0.01)
        assert not is_ready(stage)
        assert stage.agent.status().api_requests is None


@pytest.mark.parametrize(
    ("readiness", "ready"), [(Readiness.NOW, False), (Readiness.AFTER, True), (Readiness.NEVER, True)]
)
@pytest.mark.parametrize("sighting", [ASKED, NONE, requested(60)])
async def test_what_was_chosen_does_not_depend_on_the_api(
    readiness: Readiness, sighting: Sighting, *, ready: bool
) -> None:
    table, _ = serving_app(1)
    async with asking(table, at_once=sighting, policy=Policy(readiness=readiness)) as (stage, _):
        hook(stage)
        await until(1)
        assert is_ready(stage) is ready


# ------------------------------------------------------------------------------------------------- the deadline


@pytest.mark.parametrize(
    ("sighting", "ends_at"),
    [(requested(60), 55.0), (requested(None), 100.0), (NONE, 30.0), (UNKNOWN, 100.0), (FORCED, 0.5 + HASTE)],
)
async def test_the_drain_ends_when_the_api_says(sighting: Sighting, ends_at: float) -> None:
    table, _ = serving_app(1)
    async with asking(table) as (stage, pod):
        after(0.5, pod.say, sighting)
        moment, answer = await hook(stage)
        assert moment == ends_at
        assert answer.outcome is not None
        assert answer.outcome.result is Result.DEADLINE


async def test_a_shorter_delete_in_the_middle_is_followed() -> None:
    table, _ = serving_app(1)
    async with asking(table, at_once=requested(60)) as (stage, pod):
        call = hook(stage)
        await until(10)
        assert stage.agent.status().drain is not None
        pod.say(requested(20))
        status = stage.agent.status().drain
        assert status is not None
        assert status.deadline_at == 15.0
        assert (await call)[0] == 15.0


async def test_a_deletion_in_the_middle_of_a_restart_gives_the_pod_its_time() -> None:
    table, _ = serving_app(1)
    async with asking(table, at_once=NONE) as (stage, pod):
        after(20.0, pod.say, requested(60))
        assert (await hook(stage))[0] == 55.0


async def test_a_restart_resumes_when_the_app_is_back_and_what_was_known_is_forgotten() -> None:
    table, _ = serving_app(1)
    async with asking(table, at_once=NONE) as (stage, pod):
        call = hook(stage)
        await until(10)
        table.leave(LISTENER)
        table.listen()
        _, answer = await call
        assert answer.outcome is not None
        assert answer.outcome.result is Result.RESUMED
        assert stage.agent.status().deletion is Deletion.UNKNOWN
        assert is_ready(stage)
        assert [wanted for _, wanted in pod.wanted] == [True, False]


async def test_a_pod_that_is_being_deleted_is_not_served_again_by_a_new_listener() -> None:
    table, _ = serving_app(1)
    async with asking(table, at_once=requested(60)) as (stage, _):
        call = hook(stage)
        await until(10)
        table.leave(LISTENER)
        table.listen()
        assert (await call)[0] == 55.0


async def test_a_deletion_is_remembered_although_somebody_resumes() -> None:
    table, _ = serving_app(1)
    async with asking(table, at_once=requested(60)) as (stage, _):
        hook(stage)
        await until(2)
        assert stage.agent.resume("127.0.0.1", {})
        assert stage.phase() is Phase.SERVING
        assert stage.agent.status().deletion is Deletion.REQUESTED
        stage.call(STRANGER)
        await until(3)
        assert stage.phase() is Phase.SETTLING, "whoever calls when the pod is being deleted cannot be wrong"


async def test_what_is_known_is_used_by_who_calls_again() -> None:
    table, _ = serving_app(1)
    async with asking(table, replace(PLAN, keep_outcome=60.0), at_once=requested(20)) as (stage, _):
        assert (await hook(stage))[0] == 15.0
        moment, answer = await hook(stage)
        assert (moment, answer.effect) == (15.0, True)


# -------------------------------------------------------------------------------------------------- what is told


async def test_observers_are_told_of_each_change_and_of_nothing_twice() -> None:
    table, _ = serving_app(1)
    async with asking(table) as (stage, pod):
        hook(stage)
        for moment, sighting in [(1.0, NONE), (2.0, NONE), (3.0, requested(60)), (4.0, NONE), (5.5, requested(60)),
                                 (6.5, requested(30)), (7.0, ASKED)]:  # fmt: skip
            after(moment, pod.say, sighting)
        await until(8)
        assert stage.listener.sightings == [
            (0.0, Deletion.ASKED), (1.0, Deletion.NONE), (3.0, Deletion.REQUESTED), (6.5, Deletion.REQUESTED)
        ]  # fmt: skip


@pytest.mark.parametrize("sighting", [ASKED, NONE, UNKNOWN, requested(60), FORCED])
async def test_without_a_settle_time_the_phases_are_told_in_their_order(sighting: Sighting) -> None:
    table, _ = serving_app(1)
    async with asking(table, replace(PLAN, settle=0.0)) as (stage, pod):
        hook(stage)
        after(0.0, pod.say, sighting)
        await until(0.5)
        assert [phase for _, phase in stage.listener.phases] == [Phase.SETTLING, Phase.DRAINING]


async def test_a_drain_that_is_over_before_the_api_has_answered_waits_for_no_answer() -> None:
    table, _ = serving_app()
    async with asking(table, replace(PLAN, settle=0.1)) as (stage, _):
        await hook(stage)
        assert stage.listener.phases[-1][1] is Phase.DONE
        assert stage.listener.statuses[-1].deletion is Deletion.UNKNOWN


# ------------------------------------------------------------------------------------------------- whom it asks


async def test_it_wants_to_know_from_the_hook_to_the_end_and_not_at_rest() -> None:
    table, [client] = serving_app(1)
    async with asking(table) as (stage, pod):
        await until(10)
        assert pod.wanted == []
        after(30.0, table.leave, client)
        await hook(stage)
        await until(40)
        assert pod.wanted == [(10.0, True), (pytest.approx(30.0, abs=0.1), False)]


async def test_it_wants_to_know_while_a_stranger_is_held() -> None:
    table, _ = serving_app(1)
    async with asking(table) as (stage, pod):
        await until(2)
        call = stage.call(STRANGER)
        await until(6)
        call.cancel()
        await until(7)
        assert pod.wanted == [(2.0, True), (6.0, False)]


async def test_an_agent_that_goes_wants_to_know_nothing_more() -> None:
    table, _ = serving_app(1)
    async with asking(table) as (stage, pod):
        stage.call(STRANGER)
        await until(3)
        gone = stage.gone_at()
        stage.agent.terminate()
        await gone
        assert not pod.wanted[-1][1]


async def test_what_a_stranger_keeps_being_told_is_not_forgotten_by_a_resume() -> None:
    table, _ = serving_app(1)
    async with asking(table, at_once=NONE) as (stage, _):
        stage.call(STRANGER)
        hook(stage)
        await until(2)
        stage.agent.resume("127.0.0.1", {})
        await until(3)
        assert stage.agent.status().deletion is Deletion.NONE
        assert (await hook(stage))[0] == 33.0
