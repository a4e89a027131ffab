"""Real time: one unit for all lengths, and waits that say what they saw."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

UNIT = float(os.environ.get("DRAINER_TEST_UNIT", "1"))
"""All lengths of time in these tests are multiples of it: a slow machine stretches them all."""

PATIENCE = 15 * UNIT
"""For what must happen, however slow the machine is."""


def setting(units: float) -> str:
    """A length of time as a setting of the agent."""
    return f"{units * UNIT:.3f}s"


def until(look: Callable[[], T], accept: Callable[[T], bool], within: float = PATIENCE) -> T:
    """Look again and again; returns the first that is accepted, or fails with what it saw last."""
    give_up_at = time.monotonic() + within
    while True:
        seen = look()
        if accept(seen):
            return seen
        assert time.monotonic() < give_up_at, f"waited {within:g} s in vain; saw {seen!r}"
        time.sleep(0.01)
