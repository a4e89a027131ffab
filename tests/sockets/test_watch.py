"""The kernel's word of closes, with real TCP on loopback."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from contextlib import closing

import pytest

from drainer.errors import SocketTableError
from drainer.sockets.netlink import NetlinkTable, Watch
from tests.process.waiting import until
from tests.sockets.loopback import Loopback, cookie_of, no_descriptors_left, port_of, states

HOSTS = pytest.mark.parametrize("host", ["127.0.0.1", "::1", "::"])


@pytest.fixture
def listener(net: Loopback) -> socket.socket:
    return net.listen()


@pytest.fixture
def watch(listener: socket.socket) -> Iterator[Watch]:
    with closing(Watch([port_of(listener)])) as watching:
        yield watching


def heard(watch: Watch, number: int) -> list[tuple[int, int]]:
    """What the kernel has said, when there are this many messages."""
    said: list[tuple[int, int]] = []

    def listen() -> list[tuple[int, int]]:
        said.extend(watch.read())
        return said

    return until(listen, lambda said: len(said) >= number)


def host_of(listener: socket.socket) -> str:
    """From where a client calls: IPv4 on a dual-stack listener."""
    address = str(listener.getsockname()[0])
    return "127.0.0.1" if address == "::" else address


@HOSTS
def test_a_connection_that_the_app_closes_first_is_told_with_its_client_still_open(net: Loopback, host: str) -> None:
    listener = net.listen(host)
    _, app = net.pair(listener, host_of(listener))
    cookie = cookie_of(app)
    with closing(Watch([port_of(listener)])) as watch:
        app.close()
        assert heard(watch, 1) == [(port_of(listener), cookie)]


@HOSTS
def test_a_connection_that_the_client_closes_first_is_told_when_the_app_closes_too(net: Loopback, host: str) -> None:
    listener = net.listen(host)
    client, app = net.pair(listener, host_of(listener))
    cookie = cookie_of(app)
    with closing(Watch([port_of(listener)])) as watch:
        client.close()
        table = NetlinkTable([port_of(listener)])
        until(lambda: states(table.dump()), lambda seen: any(state.name == "CLOSE_WAIT" for _, state in seen))
        assert watch.read() == []
        app.close()
        assert heard(watch, 1) == [(port_of(listener), cookie)]


def test_a_reset_is_told_too(net: Loopback, listener: socket.socket, watch: Watch) -> None:
    client, app = net.pair(listener)
    cookie = cookie_of(app)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    client.close()
    until(lambda: app.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), lambda code: code == errno.ECONNRESET)
    app.close()
    assert heard(watch, 1) == [(port_of(listener), cookie)]


def test_the_kernel_keeps_other_ports_out(net: Loopback, listener: socket.socket) -> None:
    # The neighbours of the lowest and the highest port, and one that lies between the ranges.
    others = [net.listen() for _ in range(20)]
    ports = sorted(port_of(other) for other in others)
    watched = {ports[3], ports[4], ports[10]}
    gone = {}
    with closing(Watch(sorted(watched))) as watch:
        for other in [*others, listener]:
            client, app = net.pair(other)
            gone[port_of(other)] = cookie_of(app)
            app.close()
            client.close()
        assert set(heard(watch, 3)) == {(port, gone[port]) for port in watched}
        assert watch.read() == []


def test_without_a_close_there_is_nothing_to_read(net: Loopback, listener: socket.socket, watch: Watch) -> None:
    net.pair(listener)
    assert watch.read() == []


def test_a_turn_takes_a_bounded_number_and_leaves_the_rest(
    net: Loopback, listener: socket.socket, watch: Watch
) -> None:
    clients, apps = net.pairs(listener, 5)
    for sock in (*apps, *clients):
        sock.close()
    table = NetlinkTable([port_of(listener)])
    until(lambda: states(table.dump()), lambda seen: len(seen) == 1)
    first = until(lambda: watch.read(at_most=3), bool)
    assert len(first) <= 3
    assert len(first) + len(heard(watch, 5 - len(first))) == 5


def test_a_flood_raises_enobufs_and_afterwards_the_kernel_is_heard_again(
    net: Loopback, listener: socket.socket, watch: Watch
) -> None:
    watch._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    for _ in range(100):
        client, app = net.pair(listener)
        app.close()
        client.close()

    def read() -> list[tuple[int, int]] | int | None:
        try:
            return watch.read()
        except SocketTableError as error:
            return error.errno

    assert until(read, lambda said: not isinstance(said, list)) == errno.ENOBUFS
    until(read, lambda said: said == [])
    _, app = net.pair(listener)
    cookie = cookie_of(app)
    app.close()
    assert heard(watch, 1) == [(port_of(listener), cookie)]


def test_a_filter_that_the_kernel_does_not_take_is_an_error_that_leaves_no_descriptor() -> None:
    with socket.socket() as probe:
        lowest_free = probe.fileno()
    with pytest.raises(SocketTableError) as raised:
        Watch(range(1, 4000, 2))  # more instructions than BPF_MAXINSNS
    assert raised.value.errno == errno.EINVAL
    with socket.socket() as probe:
        assert probe.fileno() == lowest_free


def test_the_most_ports_that_the_settings_allow_fit_into_the_filter() -> None:
    Watch(range(1, 512, 2)).close()


def test_a_lack_of_descriptors_is_told_with_its_errno() -> None:
    with no_descriptors_left(), pytest.raises(SocketTableError) as raised:
        Watch([8080])
    assert raised.value.errno == errno.EMFILE
