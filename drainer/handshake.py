"""The opening handshake of a WebSocket, as far as it is proof (RFC 6455, sections 4.1 and 4.2.2).

An answer fits one request only: it repeats, hashed, what the client chose at random. A file cannot hold it beforehand.
"""

from __future__ import annotations

import base64
import hashlib
import re

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_UPGRADE = re.compile(rb"\r\nupgrade:[ \t]*websocket[ \t]*\r\n", re.IGNORECASE)
_KEY = re.compile(rb"\r\nsec-websocket-key:[ \t]*([^\s]+)[ \t]*\r\n", re.IGNORECASE)
_ACCEPT = re.compile(rb"\r\nsec-websocket-accept:[ \t]*([A-Za-z0-9+/]{27}=)[ \t]*\r\n", re.IGNORECASE)
ANY = b""
"""Fits each answer."""


def accept_of(key: bytes) -> bytes:
    """What a server makes of a client's key."""
    return base64.b64encode(hashlib.sha1(key + _GUID, usedforsecurity=False).digest())


def wanted_by(request: bytes) -> bytes | None:
    """What the answer's `Sec-WebSocket-Accept` must be. None if this is no request to become a WebSocket.

    ANY if the request was cut before its key, by long cookies for example: then it counts that the next answer on this
    connection is an upgrade.
    """
    lines, end, _ = request.partition(b"\r\n\r\n")
    head = lines + end[:2]
    if not _UPGRADE.search(head):
        return None
    key = _KEY.search(head)
    if key is not None:
        return accept_of(key[1])
    return None if end else ANY


def given_by(answer: bytes) -> bytes | None:
    """`Sec-WebSocket-Accept`, if this holds the whole head of an upgrade to WebSocket."""
    lines, end, _ = answer.partition(b"\r\n\r\n")
    head = lines + end[:2]
    if not (end and head.startswith(b"HTTP/1.1 101 ") and _UPGRADE.search(head)):
        return None
    accept = _ACCEPT.search(head)
    return accept[1] if accept else None
