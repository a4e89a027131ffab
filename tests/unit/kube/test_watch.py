"""The API's word on the pod, in fake time: what was seen when, and how often the API was asked."""

from __future__ import annotations

import pytest

from drainer.deletion import Deletion
from drainer.kube.words import ApiResult
from tests.unit.fakes import until
from tests.unit.kube.following import following
from tests.unit.kube.pods import FakeSource, failure, pod

pytestmark = pytest.mark.looptime

ASKED, NONE, FORCED = Deletion.ASKED, Deletion.NONE, Deletion.FORCED
REQUESTED, UNKNOWN = Deletion.REQUESTED, Deletion.UNKNOWN
NOT_FOUND = failure(ApiResult.NOT_FOUND)
SILENT = [ApiResult.UNAUTHORIZED, ApiResult.FORBIDDEN, ApiResult.FAILED, ApiResult.UNREACHABLE, ApiResult.TIMEOUT,
          ApiResult.THROTTLED, ApiResult.ODD, ApiResult.CONFLICT]  # fmt: skip


# ------------------------------------------------------------------------------------------------------ what is seen


async def test_who_wants_to_know_is_told_that_the_api_is_asked_and_then_what_it_says() -> None:
    source = FakeSource()
    async with following(source) as (_, seen):
        await until(1.5)
        assert seen == [(0.0, ASKED), (0.0, NONE)]
        assert (source.gets, source.watches) == ([0.0], [(0.0, "1")])


async def test_a_deletion_is_seen_when_it_comes_and_nothing_is_told_twice() -> None:
    source = FakeSource()
    async with following(source) as (_, seen):
        await until(3)
        source.say("MODIFIED", pod(version="2"))
        source.say("BOOKMARK", {"metadata": {"resourceVersion": "7"}})
        await until(4)
        source.say("MODIFIED", pod(deletion=60))
        source.say("MODIFIED", pod(deletion=60))
        await until(5)
        source.say("MODIFIED", pod(deletion=10))
        await until(6)
        assert seen[1:] == [(0.0, NONE), (4.0, REQUESTED), (5.0, REQUESTED)]
        assert len(source.gets) == 1


async def test_an_api_that_says_nothing_for_a_second_is_unknown_until_it_speaks() -> None:
    source = FakeSource()
    source.hangs = True
    async with following(source) as (watch, seen):
        await until(5)
        assert seen == [(0.0, ASKED), (1.0, UNKNOWN)]
        watch.follow(None)
        watch.follow(seen)
        await until(7)
        assert seen[2:] == [(5.0, ASKED), (5.0, UNKNOWN)]


async def test_an_api_that_comes_back_is_asked_again() -> None:
    source = FakeSource()
    source.pod = failure(ApiResult.UNREACHABLE)
    async with following(source) as (_, seen):
        await until(2)
        source.pod = pod(deletion=30)
        await until(10)
        assert seen == [(0.0, ASKED), (1.0, UNKNOWN), (3.5, REQUESTED)]
        assert source.gets == [0.0, 0.5, 1.5, 3.5]


# ------------------------------------------------------------------------------------------------------ force delete


async def test_a_pod_that_is_gone_in_two_looks_two_seconds_apart_was_deleted_by_force() -> None:
    source = FakeSource()
    async with following(source) as (_, seen):
        await until(3)
        source.pod = NOT_FOUND
        source.say("DELETED", pod(deletion=30))
        await until(20)
        assert source.gets == [0.0, 3.5, 5.5]
        assert seen == [(0.0, ASKED), (0.0, NONE), (5.5, FORCED)]
        assert source.open == 0


async def test_another_pod_of_that_name_counts_as_gone() -> None:
    source = FakeSource()
    async with following(source) as (_, seen):
        await until(3)
        source.pod = pod(uid="another")
        source.say("ADDED", pod(uid="another"))
        await until(20)
        assert seen[-1] == (5.5, FORCED)


async def test_one_look_in_vain_is_no_force_delete() -> None:
    source = FakeSource()
    async with following(source) as (_, seen):
        await until(3)
        source.pod = NOT_FOUND
        source.end()
        await until(4)
        source.pod = pod()
        await until(9)
        source.pod = NOT_FOUND
        source.end()
        await until(9.6)
        source.pod = pod()
        await until(20)
        assert [deletion for _, deletion in seen] == [ASKED, NONE]


@pytest.mark.parametrize("result", SILENT)
async def test_only_the_absence_of_the_pod_says_that_it_is_gone(result: ApiResult) -> None:
    source = FakeSource()
    async with following(source) as (_, seen):
        await until(3)
        source.pod = failure(result)
        source.end()
        await until(3000)
        assert [deletion for _, deletion in seen] == [ASKED, NONE]
        assert len(source.gets) > 3


@pytest.mark.parametrize("absent", [NOT_FOUND, pod(uid="another")])
async def test_a_pod_that_was_never_seen_may_only_be_called_otherwise(absent: object) -> None:
    source = FakeSource()
    source.pod = absent  # type: ignore[assignment] # one of both
    async with following(source) as (_, seen):
        await until(600)
        assert [deletion for _, deletion in seen] == [ASKED, UNKNOWN]


async def test_a_look_in_vain_of_before_the_pod_was_seen_does_not_count() -> None:
    source = FakeSource()
    source.pod = NOT_FOUND
    async with following(source) as (watch, seen):
        await until(0.25)
        source.pod = pod()
        assert await watch.first_look() == pod()
        source.pod = NOT_FOUND
        await until(2.4)
        assert FORCED not in [deletion for _, deletion in seen]
        await until(3)
        assert seen[-1] == (2.5, FORCED)


async def test_after_a_force_delete_nobody_asks_again_and_who_wants_to_know_is_told() -> None:
    source = FakeSource()
    async with following(source) as (watch, seen):
        await until(1)
        source.pod = NOT_FOUND
        source.end()
        await until(10)
        asked = len(source.gets)
        watch.follow(None)
        watch.follow(seen)
        await until(15)
        assert seen[-2:] == [(10.0, ASKED), (10.0, FORCED)]
        assert len(source.gets) == asked


# ------------------------------------------------------------------------------------------------------- the stream


@pytest.mark.parametrize("end", [None, failure(ApiResult.EXPIRED), failure(ApiResult.UNREACHABLE)])
async def test_a_stream_that_ends_is_opened_again_from_where_the_pod_is(end: object) -> None:
    source = FakeSource()
    async with following(source) as (_, seen):
        await until(3)
        source.pod = pod(deletion=30, version="9")
        source.end(end)  # type: ignore[arg-type] # one of both
        await until(4)
        assert source.watches == [(0.0, "1"), (3.5, "9")]
        assert seen[-1] == (3.5, REQUESTED)


async def test_a_stream_that_always_ends_at_once_is_opened_less_and_less_often() -> None:
    source = FakeSource()
    source.watch_failure = failure(ApiResult.EXPIRED)
    async with following(source) as (_, seen):
        await until(64)
        assert source.gets == [0.0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5, 63.5]
        assert [deletion for _, deletion in seen] == [ASKED, NONE]


async def test_a_change_on_the_stream_says_that_it_works() -> None:
    source = FakeSource()
    async with following(source):
        for moment in (10, 20, 30):
            await until(moment)
            source.say("MODIFIED", pod(version="2"))
            source.end()
        await until(40)
        assert source.gets == [0.0, 10.5, 20.5, 30.5]


async def test_a_forbidden_watch_leaves_the_api_alone_for_ten_minutes() -> None:
    source = FakeSource()
    source.pod = failure(ApiResult.FORBIDDEN)
    async with following(source):
        await until(1199)
        assert source.gets == [0.0, 600.0]
