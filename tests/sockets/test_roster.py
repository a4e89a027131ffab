"""The roster against real TCP on loopback: each connection by its cookie."""

from __future__ import annotations

import gc
import os
import socket
import tracemalloc
from collections.abc import Sequence
from ipaddress import ip_address

import pytest

from drainer.model import Connection, TcpState
from drainer.run import raise_descriptor_limit
from drainer.sockets.netlink import NetlinkTable
from drainer.sockets.roster import Roster
from tests.process.waiting import until
from tests.sockets.loopback import (
    Loopback,
    cookie_of,
    cookies_of,
    deafen,
    dump_until,
    ids,
    port_of,
)
from tests.sockets.test_netlink_table import FAMILIES

ESTABLISHED, CLOSE_WAIT = TcpState.ESTABLISHED, TcpState.CLOSE_WAIT


def roster_of(net: Loopback, *listeners: socket.socket, ignored: Sequence[str] = ()) -> Roster:
    """Closed with the sockets."""
    roster = Roster([port_of(listener) for listener in listeners], ignored)
    net._stack.callback(roster.close)
    return roster


def inode_of(sock: socket.socket) -> int:
    return os.fstat(sock.fileno()).st_ino


def looked_up(roster: Roster, sock: socket.socket) -> Connection:
    cookie = cookie_of(sock)
    return roster.look_up([cookie])[cookie]


# ------------------------------------------------------------------------------------------------- look up


@FAMILIES
def test_a_connection_is_shown_as_it_is_now(net: Loopback, host: str, client_host: str) -> None:
    listener = net.listen(host)
    client, app = net.pair(listener, client_host)
    roster = roster_of(net, listener)
    fresh = looked_up(roster, app)
    assert (fresh.cookie, fresh.port, fresh.inode) == (cookie_of(app), port_of(listener), inode_of(app))
    assert (fresh.state, fresh.bytes_sent) == (ESTABLISHED, 0)
    app.sendall(b"hello")
    assert client.recv(5) == b"hello"
    spoken = until(lambda: looked_up(roster, app), lambda seen: seen.unsent == 0)
    assert spoken.bytes_sent == 5
    assert spoken.quiet_sent < 15
    until(lambda: looked_up(roster, app).quiet_sent, lambda seconds: seconds > spoken.quiet_sent)
    client.close()
    assert until(lambda: looked_up(roster, app).state, lambda state: state is not ESTABLISHED) is CLOSE_WAIT


def test_bytes_that_the_client_does_not_take_are_unsent(net: Loopback) -> None:
    listener = net.listen()
    _, app = net.pair(listener)
    app.settimeout(0)
    with pytest.raises(BlockingIOError):
        app.sendall(bytes(1 << 26))
    assert looked_up(roster_of(net, listener), app).unsent > 1000


def test_a_connection_has_no_inode_before_the_app_accepts_it(net: Loopback) -> None:
    listener = net.listen()
    net.connect(listener)
    roster = roster_of(net, listener)
    [cookie] = roster.cookies()
    assert roster.look_up([cookie])[cookie].inode == 0
    app, _ = listener.accept()
    with app:
        assert cookie_of(app) == cookie
        assert roster.look_up([cookie])[cookie].inode == inode_of(app)


def test_who_is_gone_is_absent_and_the_others_are_not(net: Loopback) -> None:
    listener = net.listen()
    clients, apps = net.pairs(listener, 100)
    roster = roster_of(net, listener)
    cookies = [cookie_of(app) for app in apps]
    assert list(roster.look_up(cookies)) == cookies
    for client, app in zip(clients[::2], apps[::2], strict=True):
        app.close()
        client.close()
    shown = until(lambda: roster.look_up(cookies), lambda found: len(found) == 50)
    assert set(shown) == cookies_of(apps[1::2])
    assert all(cookie == row.cookie for cookie, row in shown.items())
    assert roster.look_up([]) == {}


@pytest.mark.parametrize("state", [TcpState.FIN_WAIT1, TcpState.TIME_WAIT])
def test_what_the_app_has_closed_is_gone_though_the_kernel_still_has_it(net: Loopback, state: TcpState) -> None:
    listener = net.listen()
    client, app = net.pair(listener)
    roster = roster_of(net, listener)
    cookie = cookie_of(app)
    assert looked_up(roster, app).state is ESTABLISHED
    if state is TcpState.FIN_WAIT1:
        deafen(client)
        app.sendall(b"last words")
        app.close()
    else:
        app.close()
        client.close()
    table = NetlinkTable([port_of(listener)], states=[state])
    dump = dump_until(table.dump, lambda dump: bool(dump.groups))
    assert ids(dump, listener, state) == {cookie}
    assert roster.look_up([cookie]) == {}


def test_nobody_is_shown_but_live_connections_on_the_app_ports_without_ignored_peers(net: Loopback) -> None:
    listener, other = net.listen("0.0.0.0"), net.listen()
    client, app = net.pair(listener, "127.0.0.1")
    _, ignored = net.pair(listener, "127.0.0.1", "127.0.0.2")
    _, foreign = net.pair(other)
    roster = roster_of(net, listener, ignored=["127.0.0.2/32"])
    assert set(roster.look_up(cookies_of([app, client, ignored, foreign, listener]))) == {cookie_of(app)}
    assert roster.cookies() == {cookie_of(app)}


def test_a_connection_that_comes_later_makes_a_dump_and_no_more_than_it_may(net: Loopback) -> None:
    listener = net.listen()
    slept: list[float] = []
    roster = Roster([port_of(listener)], clock=lambda: 100.0, sleep=slept.append)
    net._stack.callback(roster.close)
    _, first = net.pair(listener)
    assert looked_up(roster, first).inode == inode_of(first)
    _, second = net.pair(listener)
    assert looked_up(roster, second).inode == inode_of(second)
    assert slept[0] == 0
    assert 0 < slept[1] <= 1
    assert len(roster.look_up(cookies_of([first, second]))) == 2
    assert len(slept) == 2
    # A dump is never longer ago than its own rest.
    later = Roster([port_of(listener)], clock=iter([100.0, 100.0, 101.0, 101.0]).__next__, sleep=slept.append)
    net._stack.callback(later.close)
    later.look_up([1])
    later.look_up([1])
    assert slept[2:] == [0, 0]


def test_a_connection_costs_less_than_a_hundred_bytes(net: Loopback) -> None:
    if raise_descriptor_limit() < 2200:
        pytest.skip("needs 2,200 descriptors (ulimit -n)")
    listener = net.listen()
    net.pairs(listener, 1000)
    roster = roster_of(net, listener)
    assert roster.look_up([1]) == {}
    tracemalloc.start()
    try:
        assert len(roster.cookies()) == 1000
        gc.collect()
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert 60_000 < held < 100_000


# ------------------------------------------------------------------------------------- listeners and names


def test_listeners_are_shown_with_their_inodes_and_addresses(net: Loopback) -> None:
    made = {address: net.listen(address) for address in ("127.0.0.1", "0.0.0.0", "::1", "::")}
    net.pair(made["0.0.0.0"], "127.0.0.1")
    found = roster_of(net, *made.values(), ignored=["0.0.0.0/0", "::/0"]).listeners()
    assert {(row.address, row.cookie, row.port, row.inode) for row in found} == {
        (address, cookie_of(sock), port_of(sock), inode_of(sock)) for address, sock in made.items()
    }


@FAMILIES
@pytest.mark.parametrize("packed", [False, True], ids=["text", "packed"])
def test_a_connection_is_identified_by_the_addresses_of_its_packets(
    net: Loopback, host: str, client_host: str, *, packed: bool
) -> None:
    listener = net.listen(host)
    client, app = net.pair(listener, client_host)
    roster = roster_of(net, listener)
    address = ip_address(client_host).packed if packed else client_host
    client_port = port_of(client)
    assert roster.identify(port_of(listener), address, address, client_port) == cookie_of(app)
    assert roster.identify(port_of(listener), address, address, client_port, socket.if_nametoindex("lo")) == (
        cookie_of(app)
    )
    # The other end has the same addresses the other way round.
    assert roster.identify(client_port, address, address, port_of(listener)) == cookie_of(client)


def test_mapped_addresses_identify_an_ipv6_socket_that_talks_ipv4(net: Loopback) -> None:
    listener = net.listen("::")
    client, app = net.pair(listener, "127.0.0.1")
    mapped = "::ffff:127.0.0.1"
    assert roster_of(net, listener).identify(port_of(listener), mapped, mapped, port_of(client)) == cookie_of(app)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_addresses_that_no_connection_has_identify_nobody_not_even_the_listener(net: Loopback, host: str) -> None:
    listener = net.listen(host)
    client, _ = net.pair(listener)
    other = net.listen(host)
    unused = port_of(other)
    roster = roster_of(net, listener)
    assert roster.identify(port_of(listener), host, host, unused) is None
    other.close()
    assert roster.identify(unused, host, host, port_of(client)) is None
