"""Sentences about one thing or several."""

from __future__ import annotations

from collections.abc import Sequence

SHOWN = 3
"""Of a list that is long."""


def listed(noun: str, things: Sequence[object]) -> str:
    """`port 80`; `ports 1, 2, 3 and 4 more`."""
    more = f" and {len(things) - SHOWN} more" if len(things) > SHOWN else ""
    return f"{plural(noun, things)} {', '.join(map(str, things[:SHOWN]))}{more}"


def plural(noun: str, things: Sequence[object]) -> str:
    """The noun for so many of them."""
    return noun if len(things) == 1 else f"{noun}s"


def do(verb: str, things: Sequence[object]) -> str:
    """The verb for so many of them: one needs, several need."""
    return f"{verb}s" if len(things) == 1 else verb
