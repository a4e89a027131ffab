"""Frames of RFC 6455 as a client writes and reads them. Bytes <-> values."""

from __future__ import annotations

import struct
from typing import NamedTuple

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
_FINAL, _MASKED = 0x80, 0x80
_SHORT, _LONG = 126, 127
"""In the place of a length: it follows in two, or in eight bytes."""
MAX_CONTROL = 125
"""Bytes in a control frame, and in a frame of ours."""


class Head(NamedTuple):
    """What is read of a frame before its payload."""

    is_final: bool
    opcode: int
    length: int


def frame(opcode: int, payload: bytes, mask: bytes) -> bytes:
    """A frame of a client: final, and masked with four bytes (section 5.3). At most MAX_CONTROL bytes."""
    masked = bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))
    return bytes((_FINAL | opcode, _MASKED | len(payload))) + mask + masked


def more(first: bytes) -> int:
    """How many bytes of the head follow its first two."""
    length = first[1] & ~_MASKED
    return 2 if length == _SHORT else 8 if length == _LONG else 0


def head(first: bytes, rest: bytes) -> Head:
    """The first two bytes of a frame, and as many as `more` asks for. Raises ValueError for what no server sends."""
    opcode, length = first[0] & 0x0F, first[1] & ~_MASKED
    if first[0] & 0x70:
        raise ValueError("a frame with reserved bits: no extension was agreed on")
    if first[1] & _MASKED:
        raise ValueError("a masked frame from a server")
    if opcode not in (CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG):
        raise ValueError(f"a frame of the unknown type {opcode}")
    if opcode >= CLOSE and (length > MAX_CONTROL or not first[0] & _FINAL):
        raise ValueError("a control frame that is too long, or in pieces")
    return Head(bool(first[0] & _FINAL), opcode, int.from_bytes(rest, "big") if rest else length)


def close_code(payload: bytes) -> int:
    """What a Close frame says; 1005 if it says nothing (section 7.1.5)."""
    return int(struct.unpack_from(">H", payload)[0]) if len(payload) >= 2 else 1005  # noqa: PLR2004 - a code's size
