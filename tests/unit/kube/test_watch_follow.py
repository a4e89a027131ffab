"""Who wants to know of the pod, in fake time: what it costs to ask, to leave and to come back; and the first look."""

from __future__ import annotations

import asyncio

import pytest

from drainer.deletion import Deletion
from drainer.kube.watch import LINGER, PodWatch
from drainer.kube.words import ApiResult
from tests.unit.fakes import until
from tests.unit.kube.following import following
from tests.unit.kube.pods import POD, FakeSource, failure, pod

pytestmark = pytest.mark.looptime

ASKED, NONE, FORCED = Deletion.ASKED, Deletion.NONE, Deletion.FORCED
REQUESTED, UNKNOWN = Deletion.REQUESTED, Deletion.UNKNOWN
NOT_FOUND = failure(ApiResult.NOT_FOUND)


# ------------------------------------------------------------------------------------------------- who wants to know


async def test_a_watch_outlives_who_wanted_it_by_a_moment() -> None:
    source = FakeSource()
    async with following(source) as (watch, seen):
        await until(3)
        watch.follow(None)
        watch.follow(None)
        await until(3 + LINGER - 0.1)
        assert source.open == 1
        source.say("MODIFIED", pod(deletion=60))
        await until(3 + LINGER + 0.1)
        assert source.open == 0
        assert [deletion for _, deletion in seen] == [ASKED, NONE]


async def test_who_comes_back_in_that_moment_costs_no_request() -> None:
    source = FakeSource()
    async with following(source) as (watch, seen):
        watch.follow(seen)
        await until(3)
        watch.follow(None)
        await until(5)
        source.say("MODIFIED", pod(deletion=60))
        await until(6)
        watch.follow(seen)
        await until(60)
        assert seen == [(0.0, ASKED), (0.0, NONE), (6.0, ASKED), (6.0, REQUESTED)]
        assert (len(source.gets), source.open) == (1, 1)


async def test_what_is_seen_in_the_very_moment_of_coming_back_is_not_taken_back() -> None:
    source = FakeSource()
    async with following(source) as (watch, seen):
        await until(3)
        watch.follow(None)
        await until(4)
        source.say("MODIFIED", pod(deletion=60))
        watch.follow(seen)
        await until(5)
        assert seen[-1] == (4.0, REQUESTED)


async def test_who_comes_later_has_the_api_asked_anew() -> None:
    source = FakeSource()
    async with following(source) as (watch, seen):
        watch.follow(None)
        await until(30)
        source.pod = pod(deletion=20)
        watch.follow(seen)
        await until(31)
        assert seen[-2:] == [(30.0, ASKED), (30.0, REQUESTED)]


async def test_who_leaves_waits_until_the_stream_is_closed() -> None:
    source = FakeSource()
    async with following(source) as (watch, _):
        await until(1)
        assert source.open == 1
        await watch.leave()
        assert source.open == 0
        await watch.leave()


async def test_who_has_stopped_makes_no_request() -> None:
    source = FakeSource()
    watch = PodWatch(source, POD.uid, lambda: 0.5)
    watch.stop()
    await until(100)
    assert (source.gets, source.watches, watch.requests) == ([], [], {})


# ------------------------------------------------------------------------------------------------------- first look


async def test_the_first_look_is_taken_as_soon_as_the_api_answers() -> None:
    source = FakeSource()
    source.pod = failure(ApiResult.UNREACHABLE)
    look = asyncio.create_task(PodWatch(source, POD.uid, lambda: 0.5).first_look())
    await until(100)
    source.pod = pod()
    assert await look == pod()
    assert source.gets == [0.0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5, 63.5, 123.5]


async def test_a_forbidden_first_look_is_taken_again_after_ten_minutes() -> None:
    source = FakeSource()
    source.pod = failure(ApiResult.FORBIDDEN)
    look = asyncio.create_task(PodWatch(source, POD.uid, lambda: 0.5).first_look())
    await until(1)
    source.pod = pod()
    await look
    assert source.gets == [0.0, 600.0]


async def test_a_first_look_at_another_pod_finds_none_and_takes_nothing_back() -> None:
    source = FakeSource()
    async with following(source) as (watch, seen):
        await until(1)
        source.pod = pod(uid="another")
        assert await watch.first_look() is None
        source.end()
        await until(5)
        assert seen[-1] == (3.5, FORCED)
