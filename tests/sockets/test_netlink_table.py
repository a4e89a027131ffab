"""sock_diag against real TCP on loopback: what is counted, and what is not."""

from __future__ import annotations

import errno
import socket
import struct
import threading
import time

import pytest

from drainer.counter import CENSUS_STATES, join
from drainer.errors import RefusedError, SocketTableError, WireError
from drainer.model import Dump, Source, TcpState
from drainer.run import raise_descriptor_limit
from drainer.sockets import wire
from drainer.sockets.bytecode import dump_filter
from drainer.sockets.netlink import NetlinkTable, replies
from tests.sockets.loopback import (
    Loopback,
    cookie_of,
    cookies_of,
    deafen,
    dump_until,
    ids,
    no_descriptors_left,
    port_of,
    states,
)

ESTABLISHED, CLOSE_WAIT, LISTEN = TcpState.ESTABLISHED, TcpState.CLOSE_WAIT, TcpState.LISTEN
FIN_WAIT1, LAST_ACK = TcpState.FIN_WAIT1, TcpState.LAST_ACK

FAMILIES = pytest.mark.parametrize(
    ("host", "client_host"),
    [("127.0.0.1", "127.0.0.1"), ("::1", "::1"), ("::", "127.0.0.1"), ("::", "::1")],
    ids=["IPv4", "IPv6", "IPv4 on a dual-stack listener", "IPv6 on a dual-stack listener"],
)


def dump_of(*listeners: socket.socket) -> Dump:
    return NetlinkTable([port_of(listener) for listener in listeners]).dump()


@FAMILIES
def test_the_app_s_ends_are_counted_by_their_cookies_and_the_clients_are_not(
    net: Loopback, host: str, client_host: str
) -> None:
    listener = net.listen(host)
    apps = [net.pair(listener, client_host)[1] for _ in range(3)]
    dump = dump_of(listener)
    assert ids(dump, listener, ESTABLISHED) == cookies_of(apps)
    assert ids(dump, listener, LISTEN) == {cookie_of(listener)}
    assert sum(states(dump).values()) == 4
    assert dump.source is Source.SOCK_DIAG
    assert not dump.confirmed


def test_both_families_come_in_one_dump(net: Loopback) -> None:
    listener = net.listen("::")
    apps = [net.pair(listener, host)[1] for host in ("127.0.0.1", "::1", "127.0.0.1")]
    assert ids(dump_of(listener), listener, ESTABLISHED) == cookies_of(apps)


def test_a_connection_counts_before_the_app_accepts_it(net: Loopback) -> None:
    listener = net.listen()
    net.connect(listener)
    assert len(ids(dump_of(listener), listener, ESTABLISHED)) == 1


@FAMILIES
def test_a_client_that_has_finished_leaves_the_app_in_close_wait(net: Loopback, host: str, client_host: str) -> None:
    listener = net.listen(host)
    client, app = net.pair(listener, client_host)
    client.close()
    dump = dump_until(lambda: dump_of(listener), lambda dump: not ids(dump, listener, ESTABLISHED))
    assert ids(dump, listener, CLOSE_WAIT) == {cookie_of(app)}


def test_time_wait_is_no_connection(net: Loopback) -> None:
    listener = net.listen()
    client, app = net.pair(listener)
    app.close()
    client.close()
    everything = NetlinkTable([port_of(listener)], states=list(TcpState))
    dump_until(everything.dump, lambda dump: (port_of(listener), TcpState.TIME_WAIT) in dump.groups)
    assert states(dump_of(listener)) == {(port_of(listener), LISTEN): 1}


@pytest.mark.parametrize("state", [FIN_WAIT1, LAST_ACK])
@pytest.mark.parametrize(("unsent", "flushes"), [(b"", False), (b"last words", True)])
def test_closed_with_bytes_on_the_way_is_flushing_and_a_fin_alone_is_not(
    net: Loopback, state: TcpState, unsent: bytes, *, flushes: bool
) -> None:
    listener = net.listen()
    client, app = net.pair(listener)
    cookie = cookie_of(app)
    if state is LAST_ACK:
        client.shutdown(socket.SHUT_WR)
        dump_until(lambda: dump_of(listener), lambda dump: bool(ids(dump, listener, CLOSE_WAIT)))
    deafen(client)
    app.sendall(unsent)
    app.close()
    dump = dump_until(lambda: dump_of(listener), lambda dump: bool(ids(dump, listener, state)))
    assert ids(dump, listener, state) == {cookie}
    assert dump.flushing == ({cookie} if flushes else set())
    assert not ids(dump, listener, ESTABLISHED)


def test_live_connections_with_bytes_on_the_way_are_not_flushing(net: Loopback) -> None:
    listener = net.listen()
    client, app = net.pair(listener)
    deafen(client)
    app.sendall(b"to a live client")
    assert dump_of(listener).flushing == set()


def test_two_hundred_ports_go_into_one_filter(net: Loopback) -> None:
    listeners = [net.listen() for _ in range(200)]
    apps = {port_of(listener): net.pair(listener)[1] for listener in listeners}
    other = net.listen()
    net.pair(other)
    dump = dump_of(*listeners)
    found = {port: found for (port, state), found in dump.groups.items() if state == ESTABLISHED}
    assert found == {port: {cookie_of(app)} for port, app in apps.items()}
    assert {port for port, _ in dump.groups} == set(apps)


def test_a_port_that_nobody_uses_is_empty(net: Loopback) -> None:
    listener = net.listen()
    port = port_of(listener)
    listener.close()
    assert states(NetlinkTable([port]).dump()) == {}


def test_ignored_peers_are_left_out_and_tallied_for_who_asks(net: Loopback) -> None:
    listener = net.listen("0.0.0.0")
    _, kept = net.pair(listener, "127.0.0.1")
    for source in ("127.0.0.2", "127.0.0.3", "127.0.0.2"):
        net.pair(listener, "127.0.0.1", source)
    table = NetlinkTable([port_of(listener)], ["127.0.0.2/31", "2001:db8::/32"])
    dump = table.dump()
    assert ids(dump, listener, ESTABLISHED) == {cookie_of(kept)}
    assert ids(dump, listener, LISTEN) == {cookie_of(listener)}
    assert dump.ignored is None
    assert table.dump(tally_ignored=True).ignored == {port_of(listener): 3}


def test_ignored_ipv4_peers_are_ignored_on_a_dual_stack_listener_too(net: Loopback) -> None:
    listener = net.listen("::")
    _, kept = net.pair(listener, "::1")
    net.pair(listener, "127.0.0.1")
    for cidr in ("127.0.0.0/8", "::ffff:127.0.0.0/104"):
        dump = NetlinkTable([port_of(listener)], [cidr]).dump(tally_ignored=True)
        assert ids(dump, listener, ESTABLISHED) == {cookie_of(kept)}
        assert dump.ignored == {port_of(listener): 1}


def test_ignoring_everybody_still_shows_that_the_app_listens(net: Loopback) -> None:
    listeners = [net.listen("127.0.0.1"), net.listen("::1")]
    for listener in listeners:
        net.pair(listener)
    table = NetlinkTable([port_of(listener) for listener in listeners], ["0.0.0.0/0", "::/0"])
    dump = table.dump(tally_ignored=True)
    assert states(dump) == {(port_of(listener), LISTEN): 1 for listener in listeners}
    assert dump.ignored == {port_of(listener): 1 for listener in listeners}


def test_without_ignored_peers_the_tally_is_empty_and_costs_nothing(net: Loopback) -> None:
    assert dump_of(net.listen()).ignored == {}


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_connection_without_data_for_long_is_idle_and_a_byte_wakes_it(net: Loopback, host: str) -> None:
    listener = net.listen(host)
    busy, app = net.pair(listener)
    _, quiet = net.pair(listener)
    idle_after = 0.5

    def take() -> Dump:
        busy.sendall(b".")
        app.recv(100)
        return NetlinkTable([port_of(listener)], idle_after=idle_after).dump()

    began = time.monotonic()
    dump = dump_until(take, lambda dump: bool(dump.idle))
    assert time.monotonic() - began > 0.3
    assert dump.idle == {cookie_of(quiet)}
    assert ids(dump, listener, ESTABLISHED) == cookies_of([app, quiet])
    quiet.sendall(b".")
    assert take().idle == set()


@pytest.mark.parametrize("idle_after", [None, 3600.0])
def test_thousands_of_connections_in_two_states_are_counted_to_the_last_one(
    net: Loopback, idle_after: float | None
) -> None:
    if raise_descriptor_limit() < 6200:
        pytest.skip("needs 6,200 descriptors (ulimit -n)")
    listener = net.listen("::")
    clients, apps = net.pairs(listener, 3000)
    for client in clients[::3]:
        client.close()
    table = NetlinkTable([port_of(listener)], idle_after=idle_after)
    dump = dump_until(table.dump, lambda dump: len(ids(dump, listener, CLOSE_WAIT)) == 1000)
    assert ids(dump, listener, CLOSE_WAIT) == cookies_of(apps[::3])
    assert ids(dump, listener, ESTABLISHED) == cookies_of(apps) - cookies_of(apps[::3])


def test_no_connection_is_missed_or_counted_twice_while_others_come_and_go(net: Loopback) -> None:
    listener = net.listen()
    _, apps = net.pairs(listener, 300)
    stop = threading.Event()

    def churn() -> None:
        while not stop.is_set():
            with socket.create_connection(listener.getsockname()), listener.accept()[0]:
                pass

    churning = threading.Thread(target=churn)
    churning.start()
    try:
        table = NetlinkTable([port_of(listener)])
        for _ in range(10):
            seen = ids(join(table.dump(), table.dump()), listener, ESTABLISHED)
            assert cookies_of(apps) <= seen
    finally:
        stop.set()
        churning.join()
    live = dump_until(table.dump, lambda dump: len(ids(dump, listener, ESTABLISHED)) == 300)
    assert ids(live, listener, ESTABLISHED) == cookies_of(apps)


def test_a_dump_tells_its_moment_and_its_price(net: Loopback) -> None:
    moments = iter([17.25])
    dump = NetlinkTable([port_of(net.listen())], clock=lambda: next(moments)).dump()
    assert dump.taken_at == 17.25
    assert 0 < dump.cost < 1


# ------------------------------------------------------------------------------------------------ errors


def answered(request: bytes) -> SocketTableError:
    """What a dump with this request raises."""
    table = NetlinkTable([1])
    table._request = request
    with pytest.raises(SocketTableError) as raised:
        table.dump()
    return raised.value


def test_an_error_of_the_kernel_is_raised_with_its_errno() -> None:
    error = answered(wire.dump_request(2, b"\xff" * 8))
    assert error.errno == errno.EINVAL
    assert not isinstance(error, RefusedError)
    assert "EINVAL" in str(error)


def test_a_request_that_cannot_be_sent_is_raised_with_its_errno() -> None:
    assert answered(bytes(1 << 24)).errno == errno.EMSGSIZE


def test_a_kernel_that_does_not_know_the_protocol_is_a_refusal() -> None:
    # SOCK_DIAG_BY_FAMILY for a protocol without a handler: what a kernel without tcp_diag answers.
    body = struct.pack("=BBBB48xII", socket.AF_INET, 254, 0, 0, 2, 0)
    error = answered(struct.pack("=IHHII", 16 + len(body), 20, 0x301, 1, 0) + body)
    assert error.errno == errno.ENOENT
    assert isinstance(error, RefusedError)


def test_a_lack_of_descriptors_is_no_refusal(net: Loopback) -> None:
    table = NetlinkTable([port_of(net.listen())])
    with no_descriptors_left(), pytest.raises(SocketTableError) as raised:
        table.dump()
    assert raised.value.errno == errno.EMFILE
    assert not isinstance(raised.value, RefusedError)
    assert table.dump().groups


def test_a_datagram_that_does_not_fit_is_an_error_and_not_a_wrong_count(net: Loopback) -> None:
    listener = net.listen()
    request = wire.dump_request(sum(1 << state for state in CENSUS_STATES), dump_filter([port_of(listener)]))
    with pytest.raises(WireError, match="room for 64"):
        list(replies(request, memoryview(bytearray(64))))


def test_no_descriptor_is_left_behind_by_a_dump_that_was_given_up(net: Loopback) -> None:
    listener = net.listen()
    request = wire.dump_request(1 << LISTEN, dump_filter([port_of(listener)]))
    with socket.socket() as probe:
        lowest_free = probe.fileno()
    for _ in range(3):
        given = iter(replies(request, memoryview(bytearray(wire.BUFFER_SIZE))))
        next(given)
        del given

    with socket.socket() as probe:
        assert probe.fileno() == lowest_free
