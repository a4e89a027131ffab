"""What is written at the pod, in fake time: one patch for each change, a handful of Events, and nobody waits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from drainer.deletion import Deletion
from drainer.keys import SERVING
from drainer.kube.reporter import EVENT_TRIES, MAX_EVENTS, Reporter, Wishes
from drainer.kube.words import ApiResult
from drainer.phases import Announce, Outcome, Phase, Result, Tally
from drainer.policy import Readiness
from drainer.status import DrainStatus, Status
from tests.unit.fakes import now, until
from tests.unit.kube.pods import POD, FakeSink, failure, pod
from tests.unit.statuses import make_status

pytestmark = pytest.mark.looptime

ALL = Wishes(label=True, gate=False, condition=True, events=True)
NOTHING = Wishes(label=False, gate=False, condition=False, events=False)
TALLY = Tally(0.0, 8.0, at_start=2, arrived=0, left=2, remaining=0)


def status(phase: Phase, deletion: Deletion = Deletion.UNKNOWN) -> Status:
    drain = DrainStatus(25.0, TALLY) if phase in (Phase.SETTLING, Phase.DRAINING, Phase.CLOSING) else None
    return make_status(phase=phase, deletion=deletion, drain=drain)


def standing(*, label: str | None = None, serving: bool | None = None, reason: str = "Serving") -> dict[str, Any]:
    """A pod at which this stands."""
    condition = {"type": SERVING, "status": str(serving), "reason": reason, "message": "A sentence."}
    return pod(labels={SERVING: label} if label else {}, conditions=[] if serving is None else [condition])


class Told:
    """A reporter at work, told as the agent tells it."""

    def __init__(self, reporter: Reporter, sink: FakeSink, running: asyncio.Task[None]) -> None:
        self.reporter = reporter
        self.sink = sink
        self.running = running
        self.deletion = Deletion.UNKNOWN
        self.phase = Phase.SERVING

    def enters(self, phase: Phase, result: Result | None = None) -> None:
        self.phase = phase
        outcome = Outcome(result, TALLY) if result else None
        self.reporter.announced(Announce(phase, now(), outcome), status(phase, self.deletion))

    def sees(self, deletion: Deletion) -> None:
        self.deletion = deletion
        self.reporter.sighted(status(self.phase, deletion))

    @property
    def patched(self) -> list[tuple[float, str | None, str | None, str | None]]:
        """(moment, label, condition's status, reason) of each patch."""
        return [(round(at, 3), *said(body)) for at, body in self.sink.patches]

    @property
    def reasons(self) -> list[tuple[float, str]]:
        """(moment, reason) of each try of an Event."""
        return [(round(at, 3), body["reason"]) for at, body in self.sink.events]


def said(body: Mapping[str, Any]) -> tuple[str | None, str | None, str | None]:
    assert body["metadata"]["uid"] == POD.uid
    label = body["metadata"].get("labels", {}).get(SERVING)
    (condition,) = body.get("status", {}).get("conditions", [{}])
    return label, condition.get("status"), condition.get("reason")


@asynccontextmanager
async def reporting(
    wishes: Wishes = ALL, readiness: Readiness = Readiness.AUTO, at_first: Mapping[str, Any] | None = None
) -> AsyncIterator[Told]:
    sink = FakeSink()
    reporter = Reporter(sink, POD, wishes, readiness, lambda: 0.5)
    reporter.noted("nothing for the API")
    reporter.warned("nothing for the API")
    reporter.begin(standing(label="true") if at_first is None else at_first, status(Phase.SERVING))
    running = asyncio.create_task(reporter.run())
    try:
        yield Told(reporter, sink, running)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


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


# -------------------------------------------------------------------------------------------------------- bad days


async def test_a_patch_that_fails_is_tried_again_less_and_less_often() -> None:
    async with reporting() as told:
        told.sink.patch_failure = failure(ApiResult.FAILED)
        told.enters(Phase.SETTLING)
        await until(5)
        told.sink.patch_failure = None
        await until(100)
        assert [at for at, *_ in told.patched] == [0.0, 0.5, 1.5, 3.5, 7.5]
        assert {rest for _, *rest in told.patched for rest in rest} == {"false", "False", "DrainStarted"}


async def test_a_newer_state_does_not_wait_for_the_older_one() -> None:
    async with reporting() as told:
        told.sink.patch_failure = failure(ApiResult.UNREACHABLE)
        told.enters(Phase.SETTLING)
        await until(4)
        told.sink.patch_failure = None
        told.enters(Phase.DONE, Result.DRAINED)
        await until(100)
        assert told.patched[-1] == (4.0, "false", "False", "Drained")
        assert [at for at, *_ in told.patched] == [0.0, 0.5, 1.5, 3.5, 4.0]


@pytest.mark.parametrize("result", [ApiResult.NOT_FOUND, ApiResult.CONFLICT, ApiResult.ODD])
async def test_what_would_not_help_is_not_tried_again_but_the_next_state_is(result: ApiResult) -> None:
    async with reporting() as told:
        told.sink.patch_failure = told.sink.event_failure = failure(result)
        told.enters(Phase.SETTLING)
        await until(8)
        told.enters(Phase.DONE, Result.DRAINED)
        await until(1000)
        assert [at for at, *_ in told.patched] == [0.0, 8.0]
        assert [at for at, _ in told.reasons] == [0.0, 8.0]


async def test_a_state_that_comes_while_an_older_one_is_in_vain_is_written() -> None:
    async with reporting() as told:
        told.sink.patch_failure, told.sink.takes = failure(ApiResult.ODD), 1.0
        told.enters(Phase.SETTLING)
        await until(0.5)
        told.enters(Phase.DONE, Result.DRAINED)
        await until(1000)
        assert [reason for *_, reason in told.patched] == ["DrainStarted", "Drained"]


async def test_what_is_forbidden_is_left_alone_for_ten_minutes() -> None:
    async with reporting() as told:
        told.sink.patch_failure = told.sink.event_failure = failure(ApiResult.FORBIDDEN)
        told.enters(Phase.SETTLING)
        await until(1000)
        assert [at for at, *_ in told.patched] == [0.0, 600.0]
        assert [at for at, _ in told.reasons] == [0.0]


async def test_an_event_is_tried_three_times_under_one_name() -> None:
    async with reporting() as told:
        told.sink.event_failure = failure(ApiResult.THROTTLED, retry_after=3.0)
        told.enters(Phase.SETTLING)
        await until(1000)
        assert [at for at, _ in told.reasons] == [0.0, 3.0, 6.0]
        assert len(told.reasons) == EVENT_TRIES
        assert len({body["metadata"]["name"] for _, body in told.sink.events}) == 1


async def test_events_that_wait_are_bounded_and_the_oldest_go() -> None:
    async with reporting() as told:
        told.sink.takes = 1000.0
        told.enters(Phase.SETTLING)
        await until(1)
        for _ in range(MAX_EVENTS):
            told.enters(Phase.SETTLING)
            told.enters(Phase.SERVING, Result.RESUMED)
        assert len(told.reporter._events) == MAX_EVENTS


# ----------------------------------------------------------------------------------------------------- force delete


async def test_a_pod_that_was_deleted_by_force_gets_nothing_more() -> None:
    async with reporting() as told:
        told.deletion = Deletion.REQUESTED
        told.enters(Phase.SETTLING)
        await until(2)
        told.sees(Deletion.FORCED)
        told.enters(Phase.DRAINING)
        told.enters(Phase.DONE, Result.DEADLINE)
        await until(100)
        assert [at for at, *_ in told.patched] == [0.0]
        assert told.reasons == [(0.0, "DrainStarted")]


async def test_nothing_is_tried_again_at_a_pod_that_was_deleted_by_force() -> None:
    async with reporting() as told:
        told.sink.patch_failure = told.sink.event_failure = failure(ApiResult.FAILED)
        told.enters(Phase.SETTLING)
        await until(0.25)
        told.sees(Deletion.FORCED)
        await until(100)
        assert (len(told.patched), len(told.reasons)) == (1, 1)


async def test_a_patch_that_lands_while_the_pod_goes_does_not_keep_the_agent() -> None:
    async with reporting() as told:
        told.sink.takes = 1.0
        told.enters(Phase.SETTLING)
        await until(0.5)
        told.sees(Deletion.FORCED)
        await until(2)
        told.reporter.leave()
        await told.running
        assert now() == 2.0


# ----------------------------------------------------------------------------------------------------------- the end


async def test_an_agent_that_goes_writes_what_is_still_to_be_written() -> None:
    async with reporting() as told:
        told.sink.takes = 0.1
        told.enters(Phase.SETTLING)
        await until(0.05)
        told.enters(Phase.DONE, Result.DRAINED)
        told.reporter.leave()
        await told.running
        assert [reason for *_, reason in told.patched] == ["DrainStarted", "Drained"]
        assert [reason for _, reason in told.reasons] == ["DrainStarted", "Drained"]
        assert now() == pytest.approx(0.2)


async def test_an_agent_that_has_nothing_to_write_goes_at_once() -> None:
    async with reporting() as told:
        await until(3)
        told.reporter.leave()
        await told.running
        assert now() == 3.0


async def test_an_agent_that_goes_while_the_api_is_being_asked_writes_nothing_empty() -> None:
    sink = FakeSink()
    reporter = Reporter(sink, POD, ALL, Readiness.AUTO, lambda: 0.5)
    reporter.begin(standing(label="true"), status(Phase.SETTLING, Deletion.ASKED))
    reporter.leave()
    await reporter.run()
    assert sink.patches == []
