"""What strangers and broken clients do to the HTTP server, on a real loopback port."""

from __future__ import annotations

import asyncio
import errno

import pytest

from drainer.gate import Gate
from drainer.held import Answer
from drainer.run import raise_descriptor_limit
from tests.sockets.site import OUTCOME, becomes, serving
from tests.unit.fakes import now
from tests.unit.logs import caught_log


@pytest.mark.parametrize(
    ("request_bytes", "statuses"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", {400}),
        (b"hello there\r\n\r\n", {400}),
        (b"GET /drain HTTP/9.9\r\n\r\n", {400}),
        (b"GET /livez HTTP/1.1\r\nHost: x\r\nbad header\r\n\r\n", {400}),
        (b"GET /livez HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 100_000 + b"\r\n\r\n", {0, 400, 431}),
        (b"GET /" + b"y" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", {0, 400, 414}),
        (b"POST /drain HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", {400}),
    ],
    ids=["TLS", "words", "HTTP/9.9", "no colon", "huge header", "huge path", "length -1"],
)
async def test_garbage_is_answered_without_a_line_in_the_log(request_bytes: bytes, statuses: set[int]) -> None:
    with caught_log() as pipe:
        handler = pipe.set_up("debug", "json")
        async with serving() as site:
            status, _, _ = await site.send(request_bytes)
            assert status in statuses
            assert await site.ask("/livez") == (200, "alive\n")
            assert site.agent.calls == []
        assert pipe.read(handler) == ""


@pytest.mark.parametrize("half", [b"", b"GET /drain HT", b"GET /drain HTTP/1.1\r\nHost: x\r\n"])
async def test_a_request_that_never_ends_is_cut_off(half: bytes) -> None:
    async with serving(patience=0.3) as site:
        began = now()
        assert (await site.send(half))[0] == 0
        assert now() - began >= 0.29
        assert site.agent.calls == []


async def test_a_held_caller_and_a_slow_body_are_not_cut_off() -> None:
    async with serving(patience=0.2) as site:
        reader, writer = await site.connect()
        writer.write(b"POST /drain HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nslow")
        await becomes(lambda: bool(site.agent.calls))
        assert (await site.send(b""))[0] == 0  # a silent one that came later has been cut off
        site.agent.outcome.set_result(Answer(OUTCOME, effect=True))
        assert (await asyncio.wait_for(reader.read(), 20)).startswith(b"HTTP/1.1 200")


async def test_a_scraper_that_reads_slowly_holds_nobody_up_and_gets_everything() -> None:
    async with serving(body=b"." * 20_000_000) as site:
        reader, writer = await site.connect()
        writer.write(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"200 OK" in head
        assert await site.ask("/livez") == (200, "alive\n")
        assert len(await asyncio.wait_for(reader.read(), 20)) == 20_000_000


async def test_a_view_that_raises_is_a_500_and_the_next_request_works() -> None:
    async with serving() as site:
        failure = site.agent.failure = OSError(errno.ENOSPC, "disk full")
        assert (await site.ask("/status"))[0] == 500
        assert (await site.ask("/metrics"))[0] == 500
        site.agent.failure = None
        assert (await site.ask("/status"))[0] == 200
        assert site.errors == [("/status", failure), ("/metrics", failure)]


async def test_a_new_connection_takes_the_place_of_the_oldest_silent_one() -> None:
    async with serving(limit=3) as site:
        readers = [await site.connect() for _ in range(3)]
        assert await site.ask("/livez") == (200, "alive\n")
        assert await asyncio.wait_for(readers[0][0].read(), 20) == b""
        assert not readers[1][0].at_eof()


async def test_held_callers_are_never_put_out_to_make_room() -> None:
    async with serving(limit=2) as site:
        calls = [asyncio.create_task(site.ask("/drain")) for _ in range(2)]
        await becomes(lambda: len(site.agent.calls) == 2)
        assert (await site.ask("/livez"))[0] == 0
        site.agent.outcome.set_result(Answer(OUTCOME, effect=True))
        assert [status for status, _ in await asyncio.gather(*calls)] == [200, 200]
        assert await site.ask("/livez") == (200, "alive\n")


async def test_two_thousand_silent_sockets_do_not_hurt_a_drain() -> None:
    if raise_descriptor_limit() < 4400:
        pytest.skip("needs 4,400 descriptors (ulimit -n)")
    async with serving() as site:
        hook = asyncio.create_task(site.ask("/drain"))
        await becomes(lambda: bool(site.agent.calls))
        for _ in range(2048):
            await site.connect()
        assert await site.ask("/readyz") == (200, "ready\n")
        site.agent.outcome.set_result(Answer(OUTCOME, effect=True))
        assert (await hook)[0] == 200


@pytest.mark.looptime
async def test_a_connection_has_ten_seconds_for_its_request() -> None:
    closed: list[float] = []

    class Silent(asyncio.Transport):
        def abort(self) -> None:
            closed.append(now())

        def is_closing(self) -> bool:
            return False

    gate = Gate(10)
    silent, spoken, gone = Silent(), Silent(), Silent()
    for transport in (silent, spoken, gone):
        gate.opened(transport)
    await asyncio.sleep(9)
    gate.asked(spoken)
    gate.closed(gone)
    await asyncio.sleep(100)
    assert closed == [10.0]
