"""A reporter whose API fails, whose pod is deleted by force, and whose agent goes."""

from __future__ import annotations

import pytest

from drainer.deletion import Deletion
from drainer.kube.reporter import EVENT_TRIES, MAX_EVENTS, Reporter
from drainer.kube.words import ApiResult
from drainer.phases import Phase, Result
from drainer.policy import Readiness
from tests.unit.fakes import now, until
from tests.unit.kube.pods import POD, FakeSink, failure
from tests.unit.kube.reporting import ALL, reporting, said, standing, status

pytestmark = pytest.mark.looptime


# -------------------------------------------------------------------------------------------------------- bad days


async def test_a_patch_that_fails_is_tried_again_less_and_less_often() -> None:
    async with reporting() as told:
        told.sink.patch_failure = failure(ApiResult.FAILED)
        told.enters(Phase.SETTLING)
        await until(5)
        told.sink.patch_failure = None
        await until(100)
        assert [at for at, *_ in told.patched] == [0.0, 0.5, 1.5, 3.5, 7.5]
        assert {said(body) for _, body in told.sink.patches} == {("false", "False", "DrainStarted")}


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


async def test_a_drain_that_is_over_before_the_api_has_answered_is_told_whole() -> None:
    async with reporting() as told:
        told.sees(Deletion.ASKED)
        told.enters(Phase.SETTLING)
        await until(0.2)
        told.enters(Phase.DRAINING)
        told.deletion = Deletion.UNKNOWN
        told.enters(Phase.DONE, Result.DRAINED)
        await until(1)
        assert told.reasons == [(0.2, "DrainStarted"), (0.2, "Drained")]
        assert told.patched == [(0.2, "false", "False", "Drained")]
