"""What one connection may cost before and after its request: bytes, time and a place, on a real loopback port."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import tracemalloc
from contextlib import ExitStack

import psutil
import pytest

from drainer.gate import MAX_REQUEST, Gate
from drainer.held import Answer
from tests.sockets.site import OUTCOME, Site, becomes, serving
from tests.unit.fakes import now

LOOPBACK = "127.0.0.1"
HOOK = b"GET /drain HTTP/1.1\r\nHost: x\r\n\r\n"
LARGE = b"." * 20_000_000
"""More than the kernel takes off the agent's hands for a client that does not read."""


def half_sent(size: int) -> bytes:
    """Headers of so many bytes, each of which aiohttp would take, without the empty line that ends them."""
    head = b"GET /livez HTTP/1.1\r\nHost: x\r\n"
    fields = b"".join(b"X-%03d: %s\r\n" % (number, b"y" * 3990) for number in range(100))
    assert len(head + fields) > size
    return (head + fields)[:size]


def port_of_writer(writer: asyncio.StreamWriter) -> int:
    return int(writer.get_extra_info("sockname")[1])


def served(site: Site) -> set[int]:
    """The clients' ports of the connections that the server has not ended."""
    return {
        row.raddr.port
        for row in psutil.net_connections("tcp4")
        if row.raddr and (row.laddr, row.status) == ((LOOPBACK, site.port), psutil.CONN_ESTABLISHED)
    }


class DeafClient:
    """Asks for the metrics and reads the first byte of the answer, no more."""

    def __init__(self, site: Site, stack: ExitStack) -> None:
        self._address = (LOOPBACK, site.port)
        self._socket = stack.enter_context(socket.socket())
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self._socket.setblocking(False)  # noqa: FBT003 - socket's
        self._loop = asyncio.get_running_loop()

    async def connect(self) -> int:
        """Returns its port."""
        await self._loop.sock_connect(self._socket, self._address)
        return int(self._socket.getsockname()[1])

    async def ask(self) -> None:
        """Returns when the answer has begun."""
        await self._loop.sock_sendall(self._socket, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        assert await asyncio.wait_for(self._loop.sock_recv(self._socket, 1), 20) == b"H"

    async def read(self) -> int:
        """How many bytes still come."""
        total = 0
        while piece := await asyncio.wait_for(self._loop.sock_recv(self._socket, 1 << 20), 20):
            total += len(piece)
        return total


# ------------------------------------------------------------------------------------------------- bytes


async def test_headers_of_more_than_sixteen_kilobytes_are_cut_off_before_they_end() -> None:
    async with serving(patience=60) as site:
        assert (await site.send(half_sent(MAX_REQUEST + 1)))[0] == 0
        assert await site.ask("/livez") == (200, "alive\n")


async def test_headers_of_sixteen_kilobytes_that_end_are_a_request() -> None:
    async with serving() as site:
        assert (await site.send(half_sent(MAX_REQUEST - 4) + b"\r\n\r\n"))[0] == 200


async def test_what_is_cut_off_has_cost_no_memory() -> None:
    flood, number = half_sent(300_000), 40

    async def send(client: socket.socket, port: int) -> None:
        loop = asyncio.get_running_loop()
        await loop.sock_connect(client, (LOOPBACK, port))
        try:
            for at in range(0, len(flood), 10_000):
                await loop.sock_sendall(client, flood[at : at + 10_000])
            await loop.sock_recv(client, 1)
        except (ConnectionResetError, BrokenPipeError):
            return

    async with serving(host=LOOPBACK, patience=60) as site:
        await site.ask("/livez")
        with ExitStack() as stack:
            clients = [stack.enter_context(socket.socket()) for _ in range(number)]
            for client in clients:
                client.setblocking(False)  # noqa: FBT003 - socket's
            tracemalloc.start()
            try:
                async with asyncio.timeout(20):
                    await asyncio.gather(*(send(client, site.port) for client in clients))
                _, peak = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
    assert peak < number * 4 * MAX_REQUEST, f"{peak} bytes for {number} connections"


@pytest.mark.parametrize(("received", "is_held"), [(MAX_REQUEST, True), (MAX_REQUEST + 1, False)])
async def test_what_is_sent_behind_a_held_call_is_bounded_too(*, received: int, is_held: bool) -> None:
    async with serving(host=LOOPBACK) as site:
        reader, writer = await site.connect()
        writer.write(HOOK)
        await becomes(lambda: bool(site.agent.calls))
        pipelined = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n" * 1000
        writer.write(pipelined[: received - len(HOOK)])
        if not is_held:
            await becomes(lambda: site.agent.hung_up == 1)
            # No byte of an answer: the end of it, or a reset where some of what was sent had not been read.
            with contextlib.suppress(ConnectionResetError):
                assert await asyncio.wait_for(reader.read(), 20) == b""
            return
        for _ in range(3):
            assert await site.ask("/livez") == (200, "alive\n")
        assert site.agent.hung_up == 0
        site.agent.outcome.set_result(Answer(OUTCOME, effect=True))
        assert (await asyncio.wait_for(reader.readuntil(b"\r\n"), 20)) == b"HTTP/1.1 200 OK\r\n"


async def test_who_expects_a_100_gets_no_byte_before_the_answer() -> None:
    async with serving() as site:
        reader, writer = await site.connect()
        writer.write(b"POST /drain HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        await becomes(lambda: bool(site.agent.calls))
        early = asyncio.create_task(reader.read())
        for _ in range(3):
            assert (await site.ask("/livez"))[0] == 200
        assert not early.done()
        site.agent.outcome.set_result(Answer(OUTCOME, effect=True))
        assert (await asyncio.wait_for(early, 20)).startswith(b"HTTP/1.1 200 OK\r\n")


# ---------------------------------------------------------------------------------------- time and places


async def test_who_never_reads_the_answer_is_let_go_after_a_while() -> None:
    async with serving(host=LOOPBACK, patience=0.5, body=LARGE) as site:
        with ExitStack() as stack:
            began = now()
            client = DeafClient(site, stack)
            port = await client.connect()
            await client.ask()
            assert port in served(site)
            await becomes(lambda: port not in served(site))
            assert now() - began >= 0.49
            assert await client.read() < len(LARGE)


async def test_who_never_reads_the_answer_makes_room_for_the_next() -> None:
    async with serving(host=LOOPBACK, limit=1, patience=60, body=LARGE) as site:
        with ExitStack() as stack:
            client = DeafClient(site, stack)
            await client.connect()
            await client.ask()
            assert await site.ask("/livez") == (200, "alive\n")
            assert await client.read() < len(LARGE)


async def test_room_is_made_by_who_keeps_us_waiting_longest_and_never_by_a_held_caller() -> None:
    async with serving(host=LOOPBACK, limit=4, patience=60, body=LARGE) as site:
        with ExitStack() as stack:
            _, early = await site.connect()
            await becomes(lambda: port_of_writer(early) in served(site))
            held_reader, held = await site.connect()
            held.write(HOOK)
            await becomes(lambda: bool(site.agent.calls))
            client = DeafClient(site, stack)
            deaf = await client.connect()
            await client.ask()
            _, late = await site.connect()
            caller, waiting = port_of_writer(held), [port_of_writer(early), deaf, port_of_writer(late)]
            await becomes(lambda: served(site) == {caller, *waiting})
            for _ in range(5):
                _, newcomer = await site.connect()
                waiting = [*waiting[1:], port_of_writer(newcomer)]
                expected = {caller, *waiting}
                await becomes(lambda expected=expected: served(site) == expected)  # type: ignore[misc] # of this turn
            site.agent.outcome.set_result(Answer(OUTCOME, effect=True))
            assert (await asyncio.wait_for(held_reader.read(), 20)).startswith(b"HTTP/1.1 200 OK\r\n")


async def test_an_answer_counts_as_waiting_from_its_own_moment_on() -> None:
    """A call that came first, was held, and is answered last, is the last to make room."""
    async with serving(host=LOOPBACK, limit=2, patience=60, body=LARGE) as site:
        with ExitStack() as stack:
            client = DeafClient(site, stack)
            deaf = await client.connect()
            await becomes(lambda: deaf in served(site))
            _, silent = await site.connect()
            await becomes(lambda: len(served(site)) == 2)
            await client.ask()
            _, newcomer = await site.connect()
            await becomes(lambda: served(site) == {deaf, port_of_writer(newcomer)})
            assert not silent.is_closing()  # it was the server that ended it
            _, another = await site.connect()
            await becomes(lambda: served(site) == {port_of_writer(newcomer), port_of_writer(another)})


async def test_an_answer_for_who_has_hung_up_waits_for_nobody() -> None:
    """aiohttp has no transport any more where the connection went before its answer."""
    gate = Gate(1)
    gate.asked(None)
    gate.answered(None)
    assert gate._waiting == {}
