"""Exact requests and their answers, byte by byte."""

from __future__ import annotations

import errno
import struct
from collections.abc import Callable
from contextlib import suppress
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drainer.errors import SocketTableError, WireError
from drainer.model import Connection, TcpState
from drainer.sockets import exact, wire
from tests.unit.sockets.wire_reference import ERROR, HEADER, MARK, SOCKET, TCP_INFO, attribute, captured

SEQUENCE = 7
COOKIE = 1 << 63 | 5
LONG_AGO = 5_000_000_000
"""Bytes: more than 32 bits hold."""


def reply(body: bytes, kind: int = 20, sequence: int = SEQUENCE) -> memoryview:
    return memoryview(HEADER.pack(HEADER.size + len(body), kind, 0, sequence, 0) + body)


def row(attributes: bytes = b"", state: int = 1) -> bytes:
    port = int.from_bytes(struct.pack("!H", 8080), "little" if struct.pack("=H", 1)[0] else "big")
    addresses = ip_address("192.0.2.7").packed, ip_address("127.0.0.1").packed
    return SOCKET.pack(2, state, 0, 0, port, 0, *addresses, 0, COOKIE, 11, 22, 33, 44, 55) + attributes


def info(size: int) -> bytes:
    """struct tcp_info as a kernel has it that knows only so many bytes of it."""
    whole = bytearray(248)
    struct.pack_into("=I", whole, 44, 1500)
    struct.pack_into("=Q", whole, 200, LONG_AGO)
    return attribute(TCP_INFO, bytes(whole[:size]))


# ------------------------------------------------------------------------------------------------ requests


@pytest.mark.parametrize(
    ("local", "peer", "family"), [("127.0.0.1", "192.0.2.7", 2), ("::1", "2001:db8::7", 10)], ids=["IPv4", "IPv6"]
)
@pytest.mark.parametrize(("make", "kind", "flags"), [(exact.look, 20, 1), (exact.destroy, 21, 5)])
def test_a_request_has_the_fields_of_inet_diag_req_v2(
    make: Callable[[bytes, int], bytes], kind: int, flags: int, local: str, peer: str, family: int
) -> None:
    name = exact.name(ip_address(local).packed, 8080, ip_address(peer).packed, 40001, 3, COOKIE)
    request = make(name, SEQUENCE)
    assert HEADER.unpack_from(request) == (72, kind, flags, SEQUENCE, 0)
    assert len(request) == 72
    assert struct.unpack_from("=BBB", request, 16) == (family, 6, 2)
    assert struct.unpack_from("!HH", request, 24) == (8080, 40001)
    assert request[28:44] == ip_address(local).packed.ljust(16, b"\0")
    assert request[44:60] == ip_address(peer).packed.ljust(16, b"\0")
    assert struct.unpack_from("=IQ", request, 60) == (3, COOKIE)


def test_a_name_without_a_cookie_leaves_it_open_whose_it_is() -> None:
    name = exact.name(bytes(4), 1, bytes(4), 2)
    assert exact.look(name, 1)[64:72] == b"\xff" * 8


def test_what_a_dump_has_shown_goes_back_as_it_came() -> None:
    (data,) = captured("uniform")[:1]
    (run,) = wire.parse(data)[0]
    size = len(data) // len(run)
    for index, name in enumerate(run.names):
        begin = index * size
        assert len(name) == wire.NAME_SIZE
        assert exact.look(name, 1)[24:72] == data[begin + 20 : begin + 68]
        assert exact.look(name, 1)[16] == data[begin + 16]
        assert exact.local_address(name) == "127.0.0.1"
    inodes = [struct.unpack_from("=I", data, begin + 84)[0] for begin in range(0, len(data), size)]
    assert run.inodes == inodes


@pytest.mark.parametrize("text", ["127.0.0.1", "0.0.0.0", "::", "::1", "2001:db8::7"])
def test_the_local_address_of_a_name_is_read_in_its_family(text: str) -> None:
    packed = ip_address(text).packed
    assert exact.local_address(exact.name(packed, 1, packed, 2)) == text


# ------------------------------------------------------------------------------------------------- answers


@pytest.mark.parametrize("before", [b"", attribute(MARK, b"1234"), attribute(8, b"1")])
def test_the_row_is_shown_whatever_stands_before_its_tcp_info(before: bytes) -> None:
    assert exact.shown(reply(row(before + info(248))), SEQUENCE) == Connection(
        cookie=COOKIE,
        port=8080,
        inode=55,
        state=TcpState.ESTABLISHED,
        unsent=33,
        bytes_sent=LONG_AGO,
        quiet_sent=1.5,
    )


@pytest.mark.parametrize(
    ("size", "bytes_sent", "quiet_sent"),
    [(248, LONG_AGO, 1.5), (208, LONG_AGO, 1.5), (207, -1, 1.5), (104, -1, 1.5), (48, -1, 1.5), (47, -1, 0.0)],
)
def test_what_an_old_kernel_does_not_say_is_not_made_up(size: int, bytes_sent: int, quiet_sent: float) -> None:
    shown = exact.shown(reply(row(info(size))), SEQUENCE)
    assert shown is not None
    assert (shown.bytes_sent, shown.quiet_sent) == (bytes_sent, quiet_sent)


def test_a_row_without_tcp_info_counts_as_one_that_has_just_sent() -> None:
    shown = exact.shown(reply(row(state=12)), SEQUENCE)
    assert shown is not None
    assert (shown.state, shown.bytes_sent, shown.quiet_sent) == (TcpState.NEW_SYN_RECV, -1, 0.0)


def test_no_such_socket_is_nothing_and_another_errno_raises() -> None:
    assert exact.shown(reply(struct.pack("=i", -errno.ENOENT), ERROR), SEQUENCE) is None
    with pytest.raises(SocketTableError) as raised:
        exact.shown(reply(struct.pack("=i", -errno.EINVAL), ERROR), SEQUENCE)
    assert raised.value.errno == errno.EINVAL
    assert not isinstance(raised.value, WireError)


@pytest.mark.parametrize("code", [0, errno.ENOENT, errno.EPERM])
def test_a_destroy_is_answered_by_its_errno(code: int) -> None:
    assert exact.done(reply(struct.pack("=i", -code), ERROR), SEQUENCE) == code


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (memoryview(b""), "an answer of 0 bytes"),
        (memoryview(bytes(19)), "an answer of 19 bytes"),
        (reply(row(), sequence=6), "an answer to request 6, not to 7"),
        (reply(row())[:-1], "a message of 88 bytes in 87"),
        (reply(bytes(4), kind=3), "a message of type 3"),
    ],
)
def test_what_is_no_answer_to_the_request_raises_and_says_what_it_is(answer: memoryview, complaint: str) -> None:
    for read in (exact.shown, exact.done):
        with pytest.raises(WireError, match=complaint):
            read(answer, SEQUENCE)


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [(reply(row()[:-1]), "a message of type 20"), (reply(row(state=13)), "a socket in state 13")],
)
def test_a_row_that_cannot_be_read_raises(answer: memoryview, complaint: str) -> None:
    with pytest.raises(WireError, match=complaint):
        exact.shown(answer, SEQUENCE)


def test_a_row_is_no_answer_to_a_destroy() -> None:
    with pytest.raises(WireError, match="a message of type 20"):
        exact.done(reply(row()), SEQUENCE)


def test_an_answer_cut_at_any_byte_is_a_wire_error() -> None:
    whole = reply(row(info(248)))
    for length in range(len(whole)):
        with pytest.raises(WireError):
            exact.shown(whole[:length], SEQUENCE)


@given(noise=st.binary(max_size=400), kind=st.sampled_from([ERROR, 20, 18]))
def test_noise_is_an_answer_or_an_error_of_the_socket_table(noise: bytes, kind: int) -> None:
    for read in (exact.shown, exact.done):
        with suppress(SocketTableError):
            read(reply(noise, kind), SEQUENCE)
        with suppress(SocketTableError):
            read(memoryview(noise), SEQUENCE)
