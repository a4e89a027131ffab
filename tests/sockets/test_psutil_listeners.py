"""Without cookies, a listening socket of psutil's is known by its address, and by when it was away."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

import pytest

from drainer.model import Identity, TcpState
from drainer.sockets.psutil_table import PsutilTable
from tests.process.harness import Reserved
from tests.sockets.loopback import Loopback, ids, port_of


@pytest.fixture
def port() -> Iterator[int]:
    """A port that can be listened on again and again."""
    reserved = Reserved()
    yield reserved.port
    reserved.close()


def listening(table: PsutilTable) -> set[Identity]:
    return {identity for (_, state), ids in table.dump().groups.items() if state == TcpState.LISTEN for identity in ids}


def test_a_listener_that_stays_keeps_its_identity(port: int) -> None:
    table = PsutilTable([port])
    with socket.create_server(("127.0.0.1", port)):
        first = listening(table)
        assert len(first) == 1
        assert listening(table) == listening(table) == first


def test_a_listener_that_was_away_for_one_dump_is_another_each_time(port: int) -> None:
    table = PsutilTable([port])
    seen: list[Identity] = []
    for _ in range(3):
        with socket.create_server(("127.0.0.1", port)):
            seen += listening(table)
            assert listening(table) == {seen[-1]}
        assert listening(table) == set()
    assert len(set(seen)) == len(seen) == 3


def test_one_that_goes_does_not_rename_the_one_that_stays(port: int) -> None:
    table = PsutilTable([port])
    with socket.create_server(("127.0.0.1", port)):
        [stays] = listening(table)
        with socket.create_server(("127.0.0.2", port)):
            [comes] = listening(table) - {stays}
        assert listening(table) == {stays}
        with socket.create_server(("127.0.0.2", port)):
            [again] = listening(table) - {stays}
            assert again != comes


def test_bytes_on_the_way_are_not_visible_so_nothing_flushes(net: Loopback) -> None:
    """A client that does not read keeps what the app has closed in FIN_WAIT1, without any filter."""
    listener = net.listen()
    _, app = net.pair(listener)
    app.setblocking(False)  # noqa: FBT003
    with contextlib.suppress(BlockingIOError):
        while True:
            app.send(bytes(65536))
    app.close()

    dump = PsutilTable([port_of(listener)]).dump()

    assert len(ids(dump, listener, TcpState.FIN_WAIT1)) == 1
    assert dump.flushing == set()
