"""Whether an app encrypts by itself: it is sent the beginning of a TLS handshake."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import time
from collections.abc import Sequence
from enum import Enum, auto

_TIMEOUT = 1.5
"""Seconds for all of it. Some servers that do not understand say nothing until their own timeout."""
_LOOPBACK = {"0.0.0.0": ("127.0.0.1",), "::": ("::1", "127.0.0.1")}  # noqa: S104 - not bound: a listener's address
_HANDSHAKE, _ALERT = b"\x16", b"\x15"


def _extension(kind: int, body: bytes) -> bytes:
    return struct.pack(">HH", kind, len(body)) + body


def client_hello(random: bytes) -> bytes:
    """The shortest ClientHello that servers of TLS 1.2 and 1.3 answer (RFC 8446, section 4.1.2); `random`: 32 bytes.

    Without a key share a server of TLS 1.3 answers with HelloRetryRequest or an alert: records too.
    """
    suites = struct.pack(">6H", 0x1301, 0x1302, 0xC02B, 0xC02F, 0x009C, 0x002F)
    extensions = (
        # supported_groups with x25519 and secp256r1
        _extension(10, struct.pack(">3H", 4, 0x001D, 0x0017))
        # signature_algorithms: ecdsa_secp256r1_sha256, rsa_pss_rsae_sha256, rsa_pkcs1_sha256
        + _extension(13, struct.pack(">4H", 6, 0x0403, 0x0804, 0x0401))
        # supported_versions: TLS 1.3 and 1.2
        + _extension(43, struct.pack(">B2H", 4, 0x0304, 0x0303))
        # key_share, empty
        + _extension(51, struct.pack(">H", 0))
    )
    body = b"\x03\x03" + random + b"\0" + struct.pack(">H", len(suites)) + suites + b"\x01\0"
    body += struct.pack(">H", len(extensions)) + extensions
    handshake = b"\x01" + len(body).to_bytes(3, "big") + body
    return _HANDSHAKE + b"\x03\x01" + struct.pack(">H", len(handshake)) + handshake


class Answer(Enum):
    """What came back."""

    TLS = auto()
    """A TLS record."""
    PLAIN = auto()
    """Something else, or the end."""
    SILENCE = auto()
    """Nothing in time. Some servers wait for the rest of a request; some are just busy."""


def say_hello(address: str, port: int) -> Answer:
    """What the listener at `address` (a wildcard: on loopback) says to a TLS hello, within 1.5 s.

    Raises OSError if nobody can be reached there.
    """
    give_up_at = time.monotonic() + _TIMEOUT
    with _connect(_LOOPBACK.get(address, (address,)), port) as app:
        app.settimeout(max(0.01, give_up_at - time.monotonic()))
        try:
            app.sendall(client_hello(os.urandom(32)))
            return Answer.TLS if app.recv(1) in (_HANDSHAKE, _ALERT) else Answer.PLAIN
        except TimeoutError:
            return Answer.SILENCE
        except OSError:
            return Answer.PLAIN


def _connect(addresses: Sequence[str], port: int) -> socket.socket:
    for address in addresses[:-1]:
        with contextlib.suppress(OSError):
            return socket.create_connection((address, port), _TIMEOUT)
    return socket.create_connection((addresses[-1], port), _TIMEOUT)
