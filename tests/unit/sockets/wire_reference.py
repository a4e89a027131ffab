"""sock_diag messages struct by struct, the plain and slow way: what wire.py's columns are compared with."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

GETSOCK, BY_FAMILY = 18, 20
ERROR, DONE = 2, 3
TCP_INFO, MARK = 2, 15

HEADER = struct.Struct("=IHHII")
SOCKET = struct.Struct("=BBBB HH 16s16s I Q IIIII".replace(" ", ""))
"""struct inet_diag_msg: family, state, timer, retrans; both ports (network order); both addresses; interface;
cookie; expires, rqueue, wqueue, uid, inode."""
LAST_DATA_SENT, LAST_DATA_RECEIVED = 44, 52


@dataclass(frozen=True)
class Row:
    """One socket, as a test writes it."""

    port: int = 8080
    state: int = 1
    cookie: int = 1
    unsent: int = 0
    sent_ms: int | None = None
    """None: a row without tcp_info."""
    received_ms: int = 0
    info_size: int = 240
    filler: bytes = b""
    """The payload of an attribute of another kind, before tcp_info."""
    kind: int = GETSOCK

    @property
    def quiet(self) -> float:
        assert self.sent_ms is not None
        return min(self.sent_ms, self.received_ms) / 1000


def attribute(kind: int, payload: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(payload), kind) + payload + bytes(-len(payload) % 4)


def encode(row: Row) -> bytes:
    addresses = (b"\x7f\0\0\1".ljust(16, b"\0"), b"\xc0\0\2\7".ljust(16, b"\0"))
    port = int.from_bytes(struct.pack(">H", row.port), "little" if struct.pack("=H", 1)[0] else "big")
    body = SOCKET.pack(2, row.state, 0, 0, port, 0, *addresses, 0, row.cookie, 0, 0, row.unsent, 0, 0)
    if row.filler:
        body += attribute(MARK, row.filler)
    if row.sent_ms is not None:
        info = bytearray(row.info_size)
        struct.pack_into("=I", info, LAST_DATA_SENT, row.sent_ms)
        struct.pack_into("=I", info, LAST_DATA_RECEIVED, row.received_ms)
        body += attribute(TCP_INFO, bytes(info))
    return message(row.kind, body)


def message(kind: int, body: bytes) -> bytes:
    return HEADER.pack(HEADER.size + len(body), kind, 0, 1, 0) + body


def datagram(rows: Iterable[Row]) -> memoryview:
    return memoryview(b"".join(map(encode, rows)))


def decode(data: bytes) -> list[Row]:
    """Every row, one message after the other, one field after the other."""
    rows, at = [], 0
    while at < len(data):
        length, kind, *_ = HEADER.unpack_from(data, at)
        if kind in (GETSOCK, BY_FAMILY):
            rows.append(_decode_row(data[at : at + length], kind))
        at += length
    return rows


def _decode_row(data: bytes, kind: int) -> Row:
    fields = SOCKET.unpack_from(data, HEADER.size)
    at, sent, received = HEADER.size + SOCKET.size, None, 0
    while at < len(data):
        length, name = struct.unpack_from("=HH", data, at)
        if name == TCP_INFO:
            sent = struct.unpack_from("=I", data, at + 4 + LAST_DATA_SENT)[0]
            received = struct.unpack_from("=I", data, at + 4 + LAST_DATA_RECEIVED)[0]
        at += length + -length % 4
    return Row(
        port=struct.unpack_from(">H", data, HEADER.size + 4)[0],
        state=fields[1],
        cookie=fields[9],
        unsent=fields[12],
        sent_ms=sent,
        received_ms=received,
        kind=kind,
    )


CAPTURES: Mapping[str, Any] = json.loads((Path(__file__).parents[1] / "data" / "captures.json").read_text())
"""Made by tests/unit/data/capture.py."""


def captured(name: str) -> list[memoryview]:
    """The datagrams of one capture."""
    return [memoryview(bytes.fromhex(text)) for text in CAPTURES[name]["datagrams"]]
