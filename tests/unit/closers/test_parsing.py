"""Bytes of /proc -> values, and values -> frames and filters."""

from __future__ import annotations

import struct

import pytest

from drainer.closers.descriptors import Inodes
from drainer.closers.loops import READS, UNTOLD, WRITES, chunks, parse_call, parse_interests
from drainer.closers.tap import upgrade_filter
from drainer.closers.websocket import close_frame
from tests.unit.closers.packets import OUTGOING, Packet, delivered

EPOLL = b"""pos:\t0
flags:\t02000002
mnt_id:\t17
ino:\t1038
tfd:        4 events:       19 data:                4  pos:0 ino:47859 sdev:9
tfd:       12 events: 8000201d data: ffffffffffffffff  pos:0 ino:6a sdev:9
tfd:        7 events: 40000001 data:                7  pos:0 ino:0 sdev:9
"""


def test_the_interests_of_an_epoll() -> None:
    assert list(parse_interests(EPOLL)) == [
        (0x47859, 4, READS),
        (0x6A, 12, READS | WRITES | UNTOLD),
        (0, 7, READS | UNTOLD),
    ]


def test_chunks_are_whole_lines_and_all_of_them() -> None:
    text = b"".join(b"tfd: %8d events:       19 data: 0 pos:0 ino:%x sdev:9\n" % (n, n) for n in range(5000))
    cut = list(chunks(text))
    assert len(cut) > 3
    assert b"".join(cut) == text
    assert all(chunk.endswith(b"\n") for chunk in cut)
    assert list(chunks(b"")) == []
    assert list(chunks(b"no end")) == [b"no end"]


@pytest.mark.parametrize(
    ("line", "call"),
    [
        (b"232 0x3 0x7fa4aed4c940 0x1 0xea60 0x0 0x0 0x7fff4f7e8ad8 0x7fa4aef26ef3\n", (232, 3)),
        (b"running\n", None),
        (b"-1 0x7fff4f7e8ad8 0x7fa4aef26ef3\n", None),
    ],
)
def test_the_call_in_which_a_thread_is_blocked(line: bytes, call: tuple[int, int] | None) -> None:
    assert parse_call(line) == call


def test_inodes_are_found_with_all_their_descriptors() -> None:
    last = (1 << 32) - 1
    inodes = Inodes([(99, 5, 0), (7, (1 << 28) - 1, 15), (99, 6, 3), (last, 1, 1), (1 << 32, 2, 0)])
    assert inodes.find(99) == [(5, 0), (6, 3)]
    assert inodes.find(7) == [((1 << 28) - 1, 15)]
    assert inodes.find(last) == [(1, 1)]
    assert inodes.find(8) == []
    assert Inodes().find(1) == []


@pytest.mark.parametrize(
    ("code", "reason", "frame"),
    [
        (1012, "", b"\x88\x02\x03\xf4"),
        (1001, "away", b"\x88\x06\x03\xe9away"),
        (4000, "ü", b"\x88\x04\x0f\xa0\xc3\xbc"),
        (4999, 123 * "x", b"\x88\x7d\x13\x87" + 123 * b"x"),
    ],
)
def test_a_close_frame(code: int, reason: str, frame: bytes) -> None:
    assert close_frame(code, reason) == frame


HEAD = b"HTTP/1.1 101 Switching Protocols\r\n"


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("options", [0, 12, 40])
def test_the_filter_lets_upgrades_through_whatever_options_the_headers_have(version: int, options: int) -> None:
    packet = Packet(version=version, tcp_options=options, ip_options=options if version == 4 else 0, payload=HEAD)
    assert delivered(upgrade_filter([80, 8080]), packet)


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize(
    "change",
    [
        {"kind": 0},
        {"port": 8081},
        {"protocol": 17},
        {"payload": b"http/1.1 101 OK\r\n"},
        {"payload": b"HTTP/2 101 OK\r\n"},
        {"payload": b"HTTP"},
        {"payload": b""},
        {"ether": 0x0806},
    ],
)
def test_the_filter_drops_all_else(version: int, change: dict[str, object]) -> None:
    packet = Packet(**{"version": version, "payload": HEAD, **change})  # type: ignore[arg-type]
    assert not delivered(upgrade_filter([80, 8080]), packet)


@pytest.mark.parametrize("payload", [b"HTTP/1.1 200 OK\r\n", b"HTTP/1.0 101 OK\r\n", b"HTTP/1.1 404 Not Found\r\n"])
def test_of_other_answers_the_filter_lets_the_addresses_through(payload: bytes) -> None:
    assert delivered(upgrade_filter([80, 8080]), Packet(payload=payload))


@pytest.mark.parametrize("fragment", [0x2000, 0x0001, 0x1FFF])
def test_the_filter_drops_fragments(fragment: int) -> None:
    assert not delivered(upgrade_filter([8080]), Packet(payload=HEAD, fragment=fragment))
    assert delivered(upgrade_filter([8080]), Packet(payload=HEAD, fragment=0x4000))  # do not fragment


def test_the_most_ports_that_the_settings_allow_all_work() -> None:
    ports = range(1, 1001, 4)
    program = upgrade_filter(ports)
    assert len(program) // 8 < 4096
    for port in range(1, 1002):
        assert delivered(program, Packet(port=port, payload=HEAD)) == (port in ports)


def test_the_kind_of_packet_is_the_first_thing_to_be_looked_at() -> None:
    assert struct.unpack_from("=HBBI", upgrade_filter([1])) == (0x20, 0, 0, 0xFFFFF004)
    assert OUTGOING == 4
