"""Bytes of /proc -> values, and values -> frames and filters."""

from __future__ import annotations

import struct

import pytest

from drainer.closers.descriptors import Inodes
from drainer.closers.loops import READS, UNTOLD, WRITES, chunks, parse_call, parse_interests
from drainer.closers.tap import parse
from drainer.closers.tap_filter import handshake_filter
from drainer.closers.websocket import close_frame
from drainer.handshake import ANY, accept_of, given_by, wanted_by
from tests.unit.closers.packets import INCOMING, LOCAL, OTHER_HOST, OUTGOING, PEER, Packet, delivered

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
@pytest.mark.parametrize(
    ("kind", "payload", "kept"),
    [
        (OUTGOING, HEAD, HEAD),
        (OUTGOING, HEAD + 4096 * b"x", None),
        (OUTGOING, b"HTTP/1.1 200 OK\r\n" + 100 * b"x", None),
        (OUTGOING, b"HTTP/1.0 101 OK\r\n" + 100 * b"x", None),
        (INCOMING, b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\n"),
    ],
)
def test_heads_come_through_whatever_options_the_headers_have(
    version: int, options: int, kind: int, payload: bytes, kept: bytes | None
) -> None:
    packet = Packet(
        version=version, kind=kind, tcp_options=options, ip_options=options if version == 4 else 0, payload=payload
    )
    ends, is_request, said = parse(delivered(handshake_filter([80, 8080]), packet))
    size = 4 if version == 4 else 16
    assert ends == (8080, LOCAL[:size], PEER[:size], 50000)
    assert is_request == (kind == INCOMING)
    assert payload.startswith(said)
    assert said != payload if kept is None else said == kept


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize(
    "change",
    [
        {"kind": INCOMING},
        {"kind": INCOMING, "payload": b"GET\t/"},
        {"kind": INCOMING, "payload": b"GET"},
        {"kind": INCOMING, "payload": b"GET / HTTP/1.1\r\n", "port": 8081},
        {"kind": OTHER_HOST},
        {"payload": b"GET / HTTP/1.1\r\n"},
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
    assert not delivered(handshake_filter([80, 8080]), packet)


@pytest.mark.parametrize("fragment", [0x2000, 0x0001, 0x1FFF])
def test_the_filter_drops_fragments(fragment: int) -> None:
    assert not delivered(handshake_filter([8080]), Packet(payload=HEAD, fragment=fragment))
    assert delivered(handshake_filter([8080]), Packet(payload=HEAD, fragment=0x4000))  # do not fragment


def test_the_most_ports_that_the_settings_allow_all_work() -> None:
    ports = range(1, 1001, 4)
    program = handshake_filter(ports)
    assert len(program) // 8 < 4096
    for port in range(1, 1002):
        assert bool(delivered(program, Packet(port=port, payload=HEAD))) == (port in ports)


def test_the_kind_of_packet_is_the_first_thing_to_be_looked_at() -> None:
    assert struct.unpack_from("=HBBI", handshake_filter([1])) == (0x20, 0, 0, 0xFFFFF004)
    assert OUTGOING == 4


REQUEST = (
    b"GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
ANSWER = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)
ACCEPT = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


def test_the_example_of_rfc_6455() -> None:
    assert accept_of(b"dGhlIHNhbXBsZSBub25jZQ==") == ACCEPT
    assert wanted_by(REQUEST) == wanted_by(REQUEST.replace(b"Sec-WebSocket-Key: ", b"SEC-WEBSOCKET-KEY:")) == ACCEPT
    assert given_by(ANSWER) == given_by(ANSWER.replace(b": websocket", b":\tWebSocket ") + b"\x81\0") == ACCEPT


@pytest.mark.parametrize("end", [b"Sec-WebSocket-Key", b"ub25jZQ==", b"Sec-WebSocket-Version"])
def test_a_request_that_was_cut_wants_any_answer_if_its_key_is_missing(end: bytes) -> None:
    assert wanted_by(REQUEST[: REQUEST.index(end)]) == (ACCEPT if end.endswith(b"Version") else ANY)


@pytest.mark.parametrize(
    "request_head",
    [
        REQUEST.replace(b"Upgrade: websocket", b"Upgrade: h2c"),
        REQUEST.replace(b"-Key:", b"-Lock:"),
        REQUEST[: REQUEST.index(b"websocket\r")],
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" + REQUEST[REQUEST.index(b"Upgrade") :],
    ],
)
def test_other_requests_want_no_upgrade(request_head: bytes) -> None:
    assert wanted_by(request_head) is None


@pytest.mark.parametrize(
    "answer",
    [
        ANSWER.replace(b" 101 ", b" 200 "),
        ANSWER.replace(b"websocket\r", b"h2c\r"),
        ANSWER.replace(b"-Accept:", b"-Except:"),
        ANSWER.replace(b"s3pP", b"?3pP"),
        ANSWER[:-2],
        b"HTTP/1.1 101 \r\n\r\n" + ANSWER,
    ],
)
def test_other_answers_and_half_an_answer_are_no_upgrade(answer: bytes) -> None:
    assert given_by(answer) is None
