"""What is written at the pod, in fake time: one patch for each change, a handful of Events, and nobody waits."""

from __future__ import annotations

import asyncio

import pytest

from drainer.deletion import Deletion
from drainer.kube.reporter import Reporter, Wishes
from drainer.phases import Phase, Result
from drainer.policy import Readiness
from tests.unit.fakes import until
from tests.unit.kube.pods import POD, FakeSink
from tests.unit.kube.reporting import ALL, NOTHING, Told, reporting, standing, status

pytestmark = pytest.mark.looptime


# -------------------------------------------------------------------------------------------------------- at rest


@pytest.mark.parametrize("wishes", [ALL, NOTHING])
async def test_at_rest_nothing_is_written(wishes: Wishes) -> None:
    async with reporting(wishes) as told:
        await until(10_000)
        assert (told.sink.patches, told.sink.events) == ([], [])


@pytest.mark.parametrize("found", [None, "false"])
async def test_the_label_is_there_from_the_start(found: str | None) -> None:
    async with reporting(at_first=standing(label=found)) as told:
        await until(10)
        assert told.patched == [(0.0, "true", None, None)]


async def test_a_readiness_gate_has_its_condition_from_the_start() -> None:
    async with reporting(Wishes(label=False, gate=True, condition=False, events=False)) as told:
        await until(10)
        assert told.patched == [(0.0, None, "True", "Serving")]


async def test_what_an_agent_before_has_left_is_put_right() -> None:
    async with reporting(at_first=standing(label="true", serving=False, reason="DrainStarted")) as told:
        await until(10)
        assert told.patched == [(0.0, None, "True", "Serving")]


async def test_a_condition_that_says_serving_in_other_words_stays() -> None:
    async with reporting(at_first=standing(label="true", serving=True, reason="DrainResumed")) as told:
        await until(10)
        assert told.patched == []


# -------------------------------------------------------------------------------------------------------- a drain


async def test_a_drain_of_a_pod_that_lives_on_is_two_patches_and_two_events() -> None:
    async with reporting() as told:
        told.deletion = Deletion.NONE
        told.enters(Phase.SETTLING)
        await until(5)
        told.enters(Phase.DRAINING)
        await until(8)
        told.enters(Phase.DONE, Result.DRAINED)
        await until(9)
        assert told.patched == [(0.0, "false", "False", "DrainStarted"), (8.0, None, "False", "Drained")]
        assert told.reasons == [(0.0, "DrainStarted"), (8.0, "Drained")]
        assert told.sink.events[0][1]["involvedObject"]["uid"] == POD.uid


async def test_the_label_of_a_pod_that_is_being_deleted_waits_for_the_settle_time() -> None:
    async with reporting() as told:
        told.deletion = Deletion.REQUESTED
        told.enters(Phase.SETTLING)
        await until(5)
        told.enters(Phase.DRAINING)
        await until(6)
        assert told.patched == [(0.0, None, "False", "DrainStarted"), (5.0, "false", None, None)]


async def test_while_the_api_is_being_asked_nothing_is_written() -> None:
    async with reporting() as told:
        told.sees(Deletion.ASKED)
        told.enters(Phase.SETTLING)
        await until(0.5)
        told.sees(Deletion.REQUESTED)
        await until(0.6)
        assert told.patched == [(0.5, None, "False", "DrainStarted")]


async def test_a_pod_that_serves_again_says_so() -> None:
    async with reporting() as told:
        told.enters(Phase.SETTLING)
        await until(8)
        told.enters(Phase.SERVING, Result.RESUMED)
        await until(9)
        assert told.patched == [(0.0, "false", "False", "DrainStarted"), (8.0, "true", "True", "DrainResumed")]
        assert [reason for _, reason in told.reasons] == ["DrainStarted", "DrainResumed"]


@pytest.mark.parametrize(
    ("readiness", "at"), [(Readiness.NOW, 0.0), (Readiness.AFTER, 5.0), (Readiness.AUTO, 0.0), (Readiness.NEVER, 0.0)]
)
async def test_the_label_goes_with_readiness_but_who_wants_no_probe_to_say_it_wants_the_label_to(
    readiness: Readiness, at: float
) -> None:
    async with reporting(readiness=readiness) as told:
        told.enters(Phase.SETTLING)
        await until(5)
        told.enters(Phase.DRAINING)
        await until(6)
        assert [moment for moment, label, _, _ in told.patched if label == "false"] == [at]


async def test_only_what_is_switched_on_is_written() -> None:
    async with reporting(NOTHING) as told:
        told.enters(Phase.SETTLING)
        told.enters(Phase.DONE, Result.DEADLINE)
        await until(10)
        assert (told.sink.patches, told.sink.events) == ([], [])


async def test_changes_that_come_together_are_one_patch() -> None:
    async with reporting() as told:
        told.sink.takes = 1.0
        told.enters(Phase.SETTLING)
        await until(0.5)
        told.enters(Phase.DRAINING)
        told.enters(Phase.DONE, Result.DRAINED)
        await until(5)
        assert told.patched == [(0.0, "false", "False", "DrainStarted"), (1.0, None, "False", "Drained")]


async def test_a_change_that_is_taken_back_in_time_is_none() -> None:
    async with reporting(Wishes(label=True, gate=False, condition=False, events=False)) as told:
        told.enters(Phase.SETTLING)
        told.enters(Phase.SERVING, Result.RESUMED)
        await until(5)
        assert told.patched == []


async def test_a_drain_that_began_before_the_first_look_is_written_after_it() -> None:
    sink = FakeSink()
    reporter = Reporter(sink, POD, ALL, Readiness.AUTO, lambda: 0.5)
    running = asyncio.create_task(asyncio.sleep(0))
    told = Told(reporter, sink, running)
    told.enters(Phase.SETTLING)
    reporter.begin(standing(label="true"), status(Phase.SETTLING))
    told.running = asyncio.create_task(reporter.run())
    await until(1)
    reporter.leave()
    await told.running
    assert told.patched == [(0.0, "false", "False", "DrainStarted")]
    assert told.reasons == [(0.0, "DrainStarted")]
