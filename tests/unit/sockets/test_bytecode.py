from __future__ import annotations

import struct
from collections.abc import Collection
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drainer.addresses import parse_network
from drainer.kinds import MAX_PORTS
from drainer.sockets.bytecode import dump_filter, notification_filter, port_ranges
from tests.unit.sockets.kernel_filters import Socket, bpf_complaint, complaint, run, run_bpf
from tests.unit.sockets.wire_reference import Row, captured, encode

LISTENER = {4: "0.0.0.0", 6: "::"}


def mapped_in(peer: IPv4Address | IPv6Address, cidr: str) -> bool:
    """The plain meaning of `ignore_peers`, for the address that the kernel has of the peer."""
    network = parse_network(cidr)
    if peer.version == network.version:
        return peer in network
    four = peer.ipv4_mapped if isinstance(peer, IPv6Address) else None
    return four is not None and four in network


def wanted(socket: Socket, ports: Collection[int], ignored: Collection[str], *, only_ignored: bool) -> bool:
    if socket.local_port not in ports:
        return False
    is_ignored = socket.peer_port != 0 and any(mapped_in(socket.peer, cidr) for cidr in ignored)
    return is_ignored if only_ignored and ignored else not is_ignored


def accepted(code: bytes, local_port: int, peer: str, peer_port: int = 40_000) -> bool:
    return run(code, Socket.of(local_port, peer, peer_port))


PORT = st.one_of(st.integers(1, 65535), st.integers(8078, 8084), st.sampled_from([1, 2, 65534, 65535]))
PORTS = st.sets(PORT, min_size=1, max_size=12)
# Few distinct bits, so that addresses and networks meet.
FOUR = st.integers(0, 7).map(lambda low: IPv4Address(0x0A000000 | (low & 1) << 16 | low >> 1))
SIX = st.integers(0, 7).map(lambda low: IPv6Address(0xFD00 << 112 | (low & 1) << 64 | low >> 1))
MAPPED = FOUR.map(lambda four: IPv6Address(f"::ffff:{four}"))
PEER = st.one_of(FOUR, SIX, MAPPED, st.ip_addresses())


@st.composite
def cidrs(draw: st.DrawFn) -> str:
    address = draw(PEER)
    prefix = draw(st.one_of(st.integers(0, address.max_prefixlen), st.just(address.max_prefixlen)))
    return str(ip_network((address, prefix), strict=False))


@st.composite
def sockets(draw: st.DrawFn, ports: Collection[int]) -> Socket:
    near = st.sampled_from(sorted(ports)).flatmap(lambda port: st.integers(max(0, port - 1), min(65535, port + 1)))
    local_port = draw(st.one_of(near, PORT))
    if draw(st.booleans()):
        return Socket(local_port, draw(PEER), draw(st.integers(1, 65535)))
    return Socket.of(local_port, LISTENER[draw(st.sampled_from([4, 6]))], 0)


# ------------------------------------------------------------------------------------------- the dump's filter


@given(data=st.data(), ports=PORTS, ignored=st.lists(cidrs(), max_size=5), only_ignored=st.booleans())
def test_the_kernel_reports_exactly_the_sockets_on_the_ports_without_ignored_peers(
    data: st.DataObject, ports: set[int], ignored: list[str], *, only_ignored: bool
) -> None:
    code = dump_filter(ports, ignored, only_ignored=only_ignored)
    assert complaint(code) == ""
    for socket in data.draw(st.lists(sockets(ports), min_size=1, max_size=12)):
        assert run(code, socket) is wanted(socket, ports, ignored, only_ignored=only_ignored), socket


@given(PORTS, st.lists(cidrs(), min_size=1, max_size=5), PEER)
def test_a_connection_is_in_one_of_the_two_dumps_and_never_in_both(
    ports: set[int], ignored: list[str], peer: IPv4Address | IPv6Address
) -> None:
    kept, tally = dump_filter(ports, ignored), dump_filter(ports, ignored, only_ignored=True)
    for port in ports:
        assert run(kept, Socket(port, peer, 1)) is not run(tally, Socket(port, peer, 1))


@pytest.mark.parametrize("step", [1, 2])
@pytest.mark.parametrize("number", [200, MAX_PORTS])
def test_as_many_ports_as_the_settings_allow_fit_into_one_filter(number: int, step: int) -> None:
    ports = range(1000, 1000 + number * step, step)
    code = dump_filter(ports, ["10.0.0.0/8", "fd00::/8"])
    assert complaint(code) == ""
    reported = {port for port in range(990, 1520) if accepted(code, port, "192.0.2.1")}
    assert reported == set(ports)


@pytest.mark.parametrize("family", [4, 6])
def test_listening_sockets_pass_whatever_peers_are_ignored_and_are_no_ignored_peers(family: int) -> None:
    everyone = ["0.0.0.0/0", "::/0"]
    assert accepted(dump_filter([8080], everyone), 8080, LISTENER[family], 0)
    assert not accepted(dump_filter([8080], everyone, only_ignored=True), 8080, LISTENER[family], 0)
    assert not accepted(dump_filter([8080], everyone), 8081, LISTENER[family], 0)


@pytest.mark.parametrize("cidr", ["10.0.0.0/8", "::ffff:10.0.0.0/104"])
def test_an_ipv4_network_means_its_clients_on_ipv4_and_on_dual_stack_sockets_however_it_is_written(cidr: str) -> None:
    code = dump_filter([8080], [cidr])
    assert complaint(code) == ""
    assert not accepted(code, 8080, "10.1.2.3")
    assert not accepted(code, 8080, "::ffff:10.1.2.3")
    assert accepted(code, 8080, "11.1.2.3")
    assert accepted(code, 8080, "::ffff:11.1.2.3")
    assert accepted(code, 8080, "::10.1.2.3")


def test_the_whole_of_ipv4_written_as_mapped_is_not_the_whole_of_ipv6() -> None:
    code = dump_filter([8080], ["::ffff:0:0/96"])
    assert not accepted(code, 8080, "192.0.2.1")
    assert not accepted(code, 8080, "::ffff:192.0.2.1")
    assert accepted(code, 8080, "2001:db8::1")


OP = struct.Struct("=BBH").pack
GREATER = OP(2, 8, 8) + OP(0, 0, 80)


@pytest.mark.parametrize(
    "program",
    [
        OP(1, 4, 400),
        OP(1, 4, 0) + GREATER,
        OP(1, 4, 6) + GREATER,
        OP(1, 4, 8) + GREATER,
        OP(99, 4, 4),
        OP(2, 8, 8),
        OP(2, 12, 8) + OP(0, 0, 80),
        OP(8, 16, 16) + struct.pack("=BBxxi", 3, 0, -1) + bytes(4),
        OP(8, 16, 16) + struct.pack("=BBxxi", 2, 33, -1) + bytes(4),
        OP(8, 28, 28) + struct.pack("=BBxxi", 10, 8, -1) + bytes(4),
        OP(8, 4, 4) + bytes(4),
        dump_filter([80])[:-4],
        dump_filter([80])[:-2],
    ],
)
def test_the_audit_that_these_tests_rely_on_refuses_what_the_kernel_refuses(program: bytes) -> None:
    assert complaint(program)
    assert not complaint(GREATER)


# ------------------------------------------------------------------------------- the notifications' filter


@given(st.data(), PORTS)
def test_only_notifications_for_the_ports_are_delivered(data: st.DataObject, ports: set[int]) -> None:
    program = notification_filter(ports)
    assert bpf_complaint(program) == ""
    for socket in data.draw(st.lists(sockets(ports), min_size=1, max_size=12)):
        message = encode(Row(port=socket.local_port))
        assert run_bpf(program, message) is (socket.local_port in ports)


def test_a_captured_notification_is_delivered_for_its_port_alone() -> None:
    message = bytes(captured("destroyed")[0])
    port = int.from_bytes(message[20:22], "big")
    assert run_bpf(notification_filter([port]), message)
    assert not run_bpf(notification_filter([port - 1, port + 1]), message)
    assert not run_bpf(notification_filter([port]), message[:21])


def test_as_many_ports_as_the_settings_allow_fit_into_the_notifications_filter() -> None:
    ports = range(1, 2 * MAX_PORTS, 2)
    program = notification_filter(ports)
    assert bpf_complaint(program) == ""
    assert {port for port in range(600) if run_bpf(program, encode(Row(port=port)))} == set(ports)


# ------------------------------------------------------------------------------------------------- the parts


@given(st.lists(PORT))
def test_ranges_are_ascending_apart_and_hold_exactly_the_ports(ports: list[int]) -> None:
    ranges = port_ranges(ports)
    assert [port for lowest, highest in ranges for port in range(lowest, highest + 1)] == sorted(set(ports))
    assert all(before[1] + 1 < after[0] for before, after in pairwise(ranges))


def test_the_plain_meaning_of_the_test_knows_mapped_peers() -> None:
    assert mapped_in(ip_address("::ffff:10.0.0.1"), "10.0.0.0/8")
    assert mapped_in(ip_address("::ffff:10.0.0.1"), "::/0")
    assert not mapped_in(ip_address("10.0.0.1"), "::/0")


@pytest.mark.parametrize("family", [4, 6])
def test_an_address_with_a_port_means_one_peer_and_not_its_neighbours(family: int) -> None:
    address, other = (("127.0.0.1", "127.0.0.2"), ("::1", "::2"))[family == 6]
    code = dump_filter([8080], [f"[{address}]:4711"])
    tally = dump_filter([8080], [f"[{address}]:4711"], only_ignored=True)
    for peer, port, is_ignored in ((address, 4711, True), (address, 4712, False), (other, 4711, False)):
        assert run(code, Socket.of(8080, peer, port)) is not is_ignored
        assert run(tally, Socket.of(8080, peer, port)) is is_ignored


def test_peers_with_and_without_a_port_stand_side_by_side() -> None:
    code = dump_filter([8080], ["10.0.0.0/8", "[::1]:4711", "127.87.83.1/32"])
    for peer, port, passes in (
        ("10.1.2.3", 1, False), ("::1", 4711, False), ("::1", 1, True), ("127.87.83.1", 1, False),
        ("127.0.0.1", 1, True),
    ):  # fmt: skip
        assert run(code, Socket.of(8080, peer, port)) is passes
