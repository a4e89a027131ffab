"""Waits: for a condition, with a deadline, and with what was seen last where it did not come."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

PATIENCE = 60.0
"""Seconds for what must happen, however slow the cluster is."""


def until(what: str, look: Callable[[], T], within: float = PATIENCE) -> T:
    """Look again and again; returns the first that is true, or fails and says what was seen last."""
    give_up_at = time.monotonic() + within
    while True:
        seen = look()
        if seen:
            return seen
        assert time.monotonic() < give_up_at, f"waited {within:g} s in vain until {what}; saw {seen!r}"
        time.sleep(0.05)


def stays(what: str, look: Callable[[], object], seconds: float) -> None:
    """Look again and again for so long; fails at the first that is false."""
    over_at = time.monotonic() + seconds
    while time.monotonic() < over_at:
        seen = look()
        assert seen, f"it did not stay so for {seconds:g} s that {what}; saw {seen!r}"
        time.sleep(0.05)
