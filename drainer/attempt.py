"""What came of one try to end one connection."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """The one word for it: the same in outcome, metric and log."""

    SENT = "sent"
    """The closer has done its part: the app was told, the frame is written, the socket is shut or destroyed."""
    GONE = "gone"
    """The connection had ended before."""
    UNACCEPTED = "unaccepted"
    """Skipped for now: the app has not accepted it yet, so nobody has a descriptor of it."""
    BUSY = "busy"
    """Skipped for now: the app may be in the middle of a message."""
    NOT_WEBSOCKET = "not_websocket"
    """Skipped: its upgrade was not seen, and its port is not in `websocket_ports`."""
    TLS = "tls"
    """Skipped: the app encrypts by itself, a frame written beside it would break the stream."""
    UNPROVEN = "unproven"
    """Skipped: nothing shows whether this runtime is between two messages, and `websocket_unproven` is off."""
    UNREACHABLE = "unreachable"
    """Skipped: no process that can be seen holds its descriptor."""
    REFUSED = "refused"
    """The kernel said no; `detail` is the errno's name."""
    FAILED = "failed"
    """The app said no, or nothing; `detail` is the HTTP status or a word."""


TRANSIENT = frozenset({Verdict.UNACCEPTED, Verdict.BUSY})
"""Worth trying again by the same closer in a moment."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """A verdict, with what the kernel or the app said where they said something."""

    verdict: Verdict
    detail: str = ""
    """The name of an errno, an HTTP status, a word of a small set: never text from outside."""
