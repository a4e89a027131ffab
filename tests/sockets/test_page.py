"""The page and its stream, on a real loopback port, with an agent that the test plays."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator

import pytest
from aiohttp.test_utils import make_mocked_request

from drainer.page.live import BEAT, PLACES, Page
from drainer.phases import Announce, Phase, Tally
from drainer.status import DrainStatus
from tests.sockets.site import becomes
from tests.sockets.watching import FAR, NEAR, STREAM, WALL, Watched, Watcher, watching
from tests.unit.fakes import now
from tests.unit.statuses import make_status


async def test_the_page_has_the_state_of_now_in_it_and_its_policy_with_it() -> None:
    async with watching() as there:
        there.agent.connections = 7
        status, headers, html = await there.site.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert status == 200
        assert headers["content-type"] == "text/html; charset=utf-8"
        assert headers["content-security-policy"].startswith("default-src 'none'; style-src 'sha256-")
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert (headers["cache-control"], headers["connection"]) == ("no-store", "close")
        state = json.loads(re.findall(r'id="state">(.*?)</script>', html)[0])
        assert (state["connections"]["total"], state["now"]) == (7, WALL)
        assert there.agent.refreshed == 1


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("path", ["/", "/stream"])
async def test_it_can_only_be_read(method: str, path: str) -> None:
    async with watching() as there:
        assert (await there.site.ask(path, method))[0] == 405


async def test_without_the_page_there_is_none() -> None:
    async with watching() as there:
        assert (await there.site.ask("/page.js"))[0] == 404
        assert (await there.site.ask("/favicon.ico"))[0] == 404


async def test_the_stream_begins_at_once_and_goes_on_each_second() -> None:
    async with watching() as there:
        there.agent.connections = 3
        watcher = await there.watch()
        assert "text/event-stream" in watcher.head
        assert "no-store" in watcher.head
        began = now()
        assert (await watcher.event())["connections"]["total"] == 3
        assert now() - began < 0.5
        there.agent.connections = 4
        assert (await watcher.event())["connections"]["total"] == 4
        event = await watcher.event()
        assert now() - began >= BEAT
        assert event["recent"]["connections"][-1] == 4


async def test_a_change_of_phase_is_told_at_once_and_a_drain_twice_a_second() -> None:
    async with watching() as there:
        watcher = await there.watch()
        await watcher.event()
        drain = DrainStatus(now() + 25, Tally(now(), now(), at_start=9, arrived=0, left=0, remaining=9))
        there.agent.changes = {"phase": Phase.SETTLING, "drain": drain}
        there.page.announced(Announce(Phase.SETTLING, now()), there.agent.status())
        began = now()
        event = await watcher.event()
        assert now() - began < 0.3
        assert (event["phase"], event["timeline"]["steps"][0]["phase"]) == ("settling", "settling")
        assert event["course"]["remaining"] == [9]
        # The beat that was under way may be one of rest.
        await watcher.event()
        began = now()
        for _ in range(2):
            await watcher.event()
        assert now() - began < 2 * BEAT


async def test_a_watched_census_is_kept_fresh_and_an_unwatched_one_is_nobodys_business() -> None:
    async with watching() as there:
        await asyncio.sleep(1.2 * BEAT)
        assert there.agent.refreshed == 0
        watcher = await there.watch()
        await watcher.event()
        await becomes(lambda: there.agent.refreshed == 1)
        await watcher.event()
        await becomes(lambda: there.agent.refreshed == 2)


async def test_a_census_that_fails_or_hangs_keeps_no_event_back() -> None:
    async with watching() as there:
        there.agent.failure = OSError("the kernel says no")
        watcher = await there.watch()
        for _ in range(2):
            assert (await watcher.event())["phase"] == "serving"
        there.agent.failure, there.agent.hangs = None, True
        asked = there.agent.refreshed
        for _ in range(3):
            assert (await watcher.event())["phase"] == "serving"
        assert there.agent.refreshed <= asked + 1


async def test_observers_of_the_page_are_told_nothing_they_would_have_to_show() -> None:
    page = Page()
    page.sighted(make_status())
    page.limited(make_status())
    page.noted("a note")
    page.warned("a warning")
    # It has never begun, so there is nothing to end.
    page.leave()


# -------------------------------------------------------------------------------------------------- places


async def test_more_than_four_are_told_what_to_do_instead() -> None:
    async with watching() as there:
        watchers = [await there.watch() for _ in range(PLACES)]
        refused = await there.watch()
        assert refused.status == 503
        assert "Retry-After: 10" in refused.head
        assert "All 4 places are taken" in await refused.body()
        watchers[1].close()
        await becomes(lambda: len(there.page._readers) == PLACES - 1)
        assert (await there.watch()).status == 200


async def test_who_comes_through_a_port_forward_takes_the_place_of_one_from_afar_and_of_nobody_near(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with watching() as there:
        peers = iter([FAR, NEAR, "::ffff:198.51.100.8", "::1", FAR, NEAR, "::ffff:127.0.0.1", NEAR])
        admit = there.page._admit
        monkeypatch.setattr(there.page, "_admit", lambda _: admit(next(peers)))
        far, near, later, six = [await there.watch() for _ in range(4)]
        assert (await there.watch()).status == 503
        for _ in range(2):
            assert (await there.watch()).status == 200
        assert (await there.watch()).status == 503
        for put_out in (far, later):
            # What had been sent before is there, and then no more.
            assert all([name == "message" async for name, _ in events(put_out)])
        for stays in (near, six):
            await stays.event()


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
async def test_another_sites_script_gets_no_stream_and_takes_no_place(site: str) -> None:
    async with watching() as there:
        refused = await there.watch(f"Sec-Fetch-Site: {site}")
        assert refused.status == 403
        assert "for the agent's own page" in await refused.body()
        for _ in range(PLACES):
            assert (await there.watch("Sec-Fetch-Site: same-origin")).status == 200


# -------------------------------------------------------------------------------------------------- the end


async def test_when_the_agent_goes_every_stream_gets_the_last_state_and_ends() -> None:
    async with watching() as there:
        watchers = [await there.watch() for _ in range(PLACES)]
        for watcher in watchers:
            await watcher.event()
        there.agent.connections = 99
        there.page.leave()
        for watcher in watchers:
            *_, last, end = [event async for event in events(watcher)]
            assert json.loads(last[1])["connections"]["total"] == 99
            assert end == ("end", "")
        assert (await there.watch()).status == 503


async def events(watcher: Watcher) -> AsyncIterator[tuple[str, str]]:
    try:
        while True:
            yield await watcher.raw()
    except EOFError:
        return


async def test_a_census_that_is_being_taken_for_a_watcher_is_not_waited_for_at_the_end() -> None:
    async with watching() as there:
        there.agent.hangs = True
        watcher = await there.watch()
        await watcher.event()
        refreshing = there.page._refreshing
        assert refreshing is not None
        there.page.leave()
        await asyncio.wait({refreshing}, timeout=20)
        assert refreshing.cancelled()


async def test_who_has_gone_before_the_answer_leaves_no_place_taken() -> None:
    async with watching() as there:
        for _ in range(3 * PLACES):
            _, writer = await there.site.connect()
            writer.write(STREAM)
            writer.transport.abort()
        assert (await there.watch()).status == 200
        await becomes(lambda: len(there.page._readers) == 1)
        assert there.site.errors == []


async def test_a_connection_that_is_lost_before_the_handler_begins_gets_nothing() -> None:
    page = Page()
    page.begin(Watched())
    [_, stream] = page.routes
    request = make_mocked_request("GET", "/stream")
    request.protocol.transport = None
    assert request.transport is None
    response = await stream.handler(request, NEAR)
    assert not response.prepared
    assert page._readers == []
    page.leave()
