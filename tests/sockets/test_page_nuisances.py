"""What strangers can do to the page's stream, and through it to the agent: nothing that lasts."""

from __future__ import annotations

import asyncio
import json
from contextlib import ExitStack

import pytest

from drainer.held import Answer
from drainer.page.live import PLACES
from drainer.run import raise_descriptor_limit
from tests.sockets.site import OUTCOME, becomes
from tests.sockets.watching import DeafWatcher, watching
from tests.unit.fakes import now


async def test_a_thousand_streams_are_four_and_the_hook_is_answered() -> None:
    if raise_descriptor_limit() < 2300:
        pytest.skip("needs 2,300 descriptors (ulimit -n)")
    async with watching() as there:
        hook = asyncio.create_task(there.site.ask("/drain"))
        await becomes(lambda: bool(there.site.agent.calls))
        watchers = [await there.watch() for _ in range(1000)]
        statuses = [watcher.status for watcher in watchers]
        assert (statuses.count(200), statuses.count(503)) == (PLACES, 1000 - PLACES)
        assert await there.site.ask("/readyz") == (200, "ready\n")
        there.site.agent.outcome.set_result(Answer(OUTCOME, effect=True))
        assert (await hook)[0] == 200
        # And who had a place has it still.
        assert (await watchers[0].event())["phase"] == "serving"


async def test_streams_are_the_first_to_make_room_when_the_agent_has_no_place_left() -> None:
    async with watching(limit=PLACES) as there:
        watchers = [await there.watch() for _ in range(PLACES)]
        for watcher in watchers:
            await watcher.event()
        status, _ = await there.site.ask("/readyz")
        assert status == 200
        hook = asyncio.create_task(there.site.ask("/drain"))
        await becomes(lambda: bool(there.site.agent.calls))
        there.site.agent.outcome.set_result(Answer(OUTCOME, effect=True))
        assert (await hook)[0] == 200


async def test_a_stream_is_no_request_that_does_not_end() -> None:
    """The Gate cuts off who is waited for; a stream that is read outlives its patience many times."""
    async with watching(patience=1.5) as there:
        watcher = await there.watch()
        began = now()
        while now() - began < 5:
            await watcher.event()


async def test_one_that_never_reads_costs_one_event_and_loses_its_place() -> None:
    async with watching(patience=1.0) as there:
        with ExitStack() as stack:
            deaf = await DeafWatcher(there.site.port).begin()
            stack.callback(deaf.close)
            await becomes(lambda: len(there.page._readers) == 1)
            # Events that fill what the two kernels keep for it, and no more is kept than one of them.
            there.agent.changes = {"closers": {"x" * 20_000: None}}
            largest = 0
            [transport] = there.transports
            async with asyncio.timeout(30):
                while there.page._readers:
                    there.page._look()
                    largest = max(largest, transport.get_write_buffer_size())
                    await asyncio.sleep(0.05)
            assert 0 < largest < 60_000
        assert await there.site.ask("/livez") == (200, "alive\n")


async def test_a_slow_reader_gets_the_newest_when_it_comes_back_and_nobody_waits_for_it() -> None:
    async with watching() as there:
        slow, quick = await there.watch(), await there.watch()
        there.agent.changes = {"closers": {"x" * 20_000: None}}
        slow.pause()
        for number in range(300):
            there.agent.connections = number
            there.page._look()
            await asyncio.sleep(0)
        async with asyncio.timeout(10):
            while (await quick.event())["connections"]["total"] != 299:
                pass
        slow.resume()
        seen: list[int] = []
        async with asyncio.timeout(10):
            while not seen or seen[-1] != 299:
                seen.append((await slow.event())["connections"]["total"])
        assert len(seen) < 100, "it was told all that it had missed"
        assert seen == sorted(seen)


async def test_deaf_readers_do_not_delay_the_end() -> None:
    async with watching() as there:
        with ExitStack() as stack:
            for _ in range(PLACES):
                deaf = await DeafWatcher(there.site.port).begin()
                stack.callback(deaf.close)
            await becomes(lambda: len(there.page._readers) == PLACES)
            there.agent.changes = {"closers": {"x" * 200_000: None}}
            there.page._look()
            await asyncio.sleep(0.2)
            began = now()
            there.page.leave()
            await becomes(lambda: not there.page._readers)
            assert now() - began < 0.2


async def test_nothing_that_a_stranger_sends_comes_back_on_the_page() -> None:
    async with watching() as there:
        sent = "<script>alert(1)</script>"
        request = f"GET /?q={sent} HTTP/1.1\r\nHost: {sent}\r\nReferer: {sent}\r\nUser-Agent: {sent}\r\n\r\n"
        status, _, html = await there.site.send(request.encode())
        assert status in (200, 400)
        assert "alert" not in html
        watcher = await there.watch(f"Referer: {sent}", "Last-Event-ID: 7")
        assert "alert" not in json.dumps(await watcher.event())
