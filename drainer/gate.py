"""Stands between the network and aiohttp: what a stranger can cost is bounded here, before a request is parsed."""

from __future__ import annotations

import asyncio

PATIENCE = 10.0
"""Seconds to send a complete request, and again to take the answer; aiohttp alone would wait for ever."""
MAX_REQUEST = 16384
"""Bytes that a connection may send: no request here has a body worth reading, and there is one for each connection."""


class Gate:
    """Bounds the connections in number, in time and in bytes.

    When there are `limit` connections, a new one takes the place of the oldest that waits for its other end (to send a
    request, or to take the answer), and is turned away if none does: a caller that is held for an outcome stays.
    """

    def __init__(self, limit: int, patience: float = PATIENCE, most: float = MAX_REQUEST) -> None:
        """`most`: bytes that a connection may send."""
        self._limit = limit
        self._patience = patience
        self.most = most
        self._waiting: dict[asyncio.Transport, asyncio.TimerHandle] = {}
        self._open = 0

    def guard(self, inner: asyncio.Protocol) -> asyncio.Protocol:
        """A protocol that is `inner`, watched."""
        return _Guarded(self, inner)

    def opened(self, transport: asyncio.Transport) -> None:
        """A connection is there."""
        self._open += 1
        if self._open > self._limit:
            oldest = next(iter(self._waiting), transport)
            self.asked(oldest)
            oldest.abort()
        if not transport.is_closing():
            self.answered(transport)

    def asked(self, transport: asyncio.Transport | None) -> None:
        """A connection has sent a complete request: now we are the ones to be waited for."""
        timer = self._waiting.pop(transport, None) if transport is not None else None
        if timer is not None:
            timer.cancel()

    def answered(self, transport: asyncio.Transport | None) -> None:
        """It is the other end's turn."""
        if transport is not None:
            self.asked(transport)
            self._waiting[transport] = asyncio.get_running_loop().call_later(self._patience, transport.abort)

    def closed(self, transport: asyncio.Transport | None) -> None:
        """A connection is gone."""
        self.asked(transport)
        self._open -= 1


class _Guarded(asyncio.Protocol):
    """Passes everything on to the protocol inside."""

    def __init__(self, gate: Gate, inner: asyncio.Protocol) -> None:
        self._gate = gate
        self._inner = inner
        self._transport: asyncio.Transport | None = None
        self._received = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - TCP's is; for the type checker
        self._transport = transport
        self._inner.connection_made(transport)
        self._gate.opened(transport)

    def data_received(self, data: bytes) -> None:
        self._received += len(data)
        if self._received <= self._gate.most:
            self._inner.data_received(data)
        else:
            assert self._transport is not None  # noqa: S101 - connection_made comes first; for the type checker
            self._transport.abort()

    def eof_received(self) -> bool | None:
        return self._inner.eof_received()

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._gate.closed(self._transport)
        self._inner.connection_lost(exc)
