"""Answers over HTTP, of those who are not to be trusted with our time or memory."""

from __future__ import annotations

import http
import time
from typing import Protocol


class NoAnswerError(Exception):
    """There is no answer that could be used: `args[0]` is why, in a few words."""

    def __init__(self, why: str, status: int | None = None) -> None:
        super().__init__(why)
        self.is_forbidden = status in (http.HTTPStatus.UNAUTHORIZED, http.HTTPStatus.FORBIDDEN)


class Body(Protocol):
    """What is read piece by piece: of urllib3, or of the standard library."""

    def read1(self, amt: int, /) -> bytes: ...


def read(body: Body, most: int, within: float) -> bytes:
    """All of a body. Raises NoAnswerError if it is longer than `most` bytes, or takes longer than `within` seconds."""
    until, data = time.monotonic() + within, bytearray()
    while piece := body.read1(65536):
        data += piece
        if len(data) > most:
            raise NoAnswerError(f"an answer of more than {most} bytes")
        if time.monotonic() > until:
            raise NoAnswerError(f"no whole answer within {within:g} s")
    return bytes(data)
