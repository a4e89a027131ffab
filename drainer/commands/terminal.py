"""What is written to terminals: colours where they are wanted, and nothing from outside that could command one."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TextIO


class Colour(StrEnum):
    """Parameters of SGR (ECMA-48)."""

    BOLD = "1"
    RED = "31"
    GREEN = "32"
    YELLOW = "33"
    CYAN = "36"


def has_colours(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Whether it is a terminal, and nobody has asked for none (no-color.org)."""
    return stream.isatty() and not environ.get("NO_COLOR")


def painted(text: str, colour: Colour) -> str:
    """In this colour, and plain again behind it."""
    return f"\x1b[{colour}m{text}\x1b[m"


def printable(text: str) -> str:
    """What others say cannot command the terminal."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
