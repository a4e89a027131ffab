"""Whether an app encrypts by itself: it is sent the beginning of a TLS handshake."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import threading
import time
from collections.abc import Iterable, Sequence
from enum import Enum, auto

_TIMEOUT = 1.5
"""Seconds for all of it. Half of them are the hello's: who does not understand it may say nothing."""
_MOMENT = 0.05
"""Seconds for an answer to the hello after one to the request, which came later."""
_RESET_ON_CLOSE = struct.pack("=ii", 1, 0)
"""struct linger. A listener that accepts nothing would otherwise keep the connection in its queue, to be counted."""
_REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
_LOOPBACK = {"0.0.0.0": ("127.0.0.1",), "::": ("::1", "127.0.0.1")}  # noqa: S104 - not bound: a listener's address
_HANDSHAKE, _ALERT = b"\x16", b"\x15"


_SUITES = (
    *(0x1301, 0x1302, 0x1303),
    *(0xC02B, 0xC02C, 0xC02F, 0xC030, 0xCCA8, 0xCCA9, 0xC013, 0xC014),
    *(0x009E, 0x009C, 0x009D, 0x002F, 0x0035),
)
"""Of TLS 1.3; with ECDHE; with DHE and RSA. Who could use none of them might hang up without a word."""
_SIGNATURES = (0x0403, 0x0503, 0x0603, 0x0807, 0x0808, 0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601, 0x0203, 0x0201)
"""ECDSA, EdDSA, RSA-PSS and RSA with SHA-2, then with SHA-1 (RFC 8446, section 4.2.3)."""


def _numbers(size: int, *numbers: int) -> bytes:
    """A vector of 16-bit numbers, its length in `size` bytes before it."""
    return (2 * len(numbers)).to_bytes(size, "big") + struct.pack(f">{len(numbers)}H", *numbers)


def _extension(kind: int, body: bytes) -> bytes:
    return struct.pack(">HH", kind, len(body)) + body


def client_hello(random: bytes) -> bytes:
    """A ClientHello that servers of TLS 1.2 and 1.3 answer (RFC 8446, section 4.1.2); `random`: 32 bytes.

    Without a key share a server of TLS 1.3 answers with HelloRetryRequest or an alert: records too.
    """
    extensions = (
        # supported_groups with x25519, secp256r1, secp384r1, secp521r1 and x448.
        _extension(10, _numbers(2, 0x001D, 0x0017, 0x0018, 0x0019, 0x001E))
        # Points uncompressed (ec_point_formats).
        + _extension(11, b"\x01\0")
        + _extension(13, _numbers(2, *_SIGNATURES))
        # TLS 1.3 and 1.2 (supported_versions).
        + _extension(43, _numbers(1, 0x0304, 0x0303))
        # No key share.
        + _extension(51, _numbers(2))
    )
    body = b"\x03\x03" + random + b"\0" + _numbers(2, *_SUITES) + b"\x01\0"
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
    """Nothing in time, to a request neither: it is busy, or no HTTP server at all."""


def say_hello(address: str, port: int) -> Answer:
    """What the listener at `address` (a wildcard: on loopback) is, within 1.5 s.

    Raises OSError if nobody can be reached there.
    """
    addresses, give_up_at = _LOOPBACK.get(address, (address,)), time.monotonic() + _TIMEOUT
    with _connect(addresses, port, give_up_at) as app:
        said = _ask(app, client_hello(os.urandom(32)), give_up_at - _TIMEOUT / 2)
        if said is None:
            # Tornado, for one, waits for the end of what might become a request: here is one.
            with _connect(addresses, port, give_up_at) as other:
                answer = _ask(other, _REQUEST, give_up_at - _MOMENT)
            # nginx and Go answer a request where they encrypt too: busy until now, they come to the hello first.
            said = _ask(app, b"", time.monotonic() + _MOMENT)
            if said is None:
                return Answer.PLAIN if (answer or b"").startswith(b"HTTP/") else Answer.SILENCE
    return Answer.TLS if said[:1] in (_HANDSHAKE, _ALERT) else Answer.PLAIN


def say_hello_to_all(targets: Iterable[tuple[str, int]]) -> dict[tuple[str, int], Answer]:
    """The same for several (address, port), all at once. Who cannot be reached is not in the answer."""
    answers: dict[tuple[str, int], Answer] = {}

    def ask(target: tuple[str, int]) -> None:
        with contextlib.suppress(OSError):  # It has gone in the meantime.
            answers[target] = say_hello(*target)

    threads = [threading.Thread(target=ask, args=(target,), daemon=True) for target in targets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def _ask(app: socket.socket, words: bytes, give_up_at: float) -> bytes | None:
    """How the answer begins, nothing at its end, None if there is none in time."""
    app.settimeout(_until(give_up_at))
    try:
        app.sendall(words)
        return app.recv(5)
    except TimeoutError:
        # Whoever has answered has accepted it, and gets a common end.
        app.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        return None
    except OSError:
        return b""


def _connect(addresses: Sequence[str], port: int, give_up_at: float) -> socket.socket:
    for address in addresses[:-1]:
        with contextlib.suppress(OSError):
            return socket.create_connection((address, port), _until(give_up_at))
    return socket.create_connection((addresses[-1], port), _until(give_up_at))


def _until(moment: float) -> float:
    """Seconds, never 0: that would mean to try once, without an answer from anybody."""
    return max(0.01, moment - time.monotonic())
