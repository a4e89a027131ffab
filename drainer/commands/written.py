"""Plain values as YAML text that means the same to every reader, of YAML 1.1 (kubectl) and of 1.2."""

from __future__ import annotations

import json
import re
import textwrap
from dataclasses import dataclass
from typing import Any

BOM = "\ufeff"
"""The byte order mark, which some editors write before UTF-8."""
_PLAIN = re.compile(r"[A-Za-z/][\w./@-]*(:[\w./@-]+)*|\d+(ms|[smh]|[KMG]i)", re.ASCII)
_IN_SINGLE_QUOTES = re.compile(r"[ !\"#-&(-~]+")
_WIDTH = 100
_FOLDABLE = re.compile(r"\S+( \S+)+", re.ASCII)
"""Words with one blank between them: they come out the same when they are read again."""
_WORDS = frozenset({"true", "false", "yes", "no", "on", "off", "y", "n", "null"})
"""What is a boolean or nothing to some reader, in any case."""


@dataclass(frozen=True, slots=True)
class Style:
    """How a document is indented, in columns."""

    step: int = 2
    """From a mapping to the mapping in it."""
    offset: int = 2
    """From a mapping to the dashes of a list in it."""


def flow(value: Any, quote: str = "") -> str:
    """On one line; `quote`: with which one text is to be quoted if it can be."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{flow(key)}: {flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(flow, value)) + "]"
    if isinstance(value, str) and quote == "'" and "'" not in value and value.isprintable():
        return f"'{value}'"
    if isinstance(value, str) and quote != '"' and _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    if isinstance(value, str) and quote != '"' and '"' in value and _IN_SINGLE_QUOTES.fullmatch(value):
        return f"'{value}'"
    return quoted(value)


def quoted(value: Any, **how: Any) -> str:
    """As JSON, as people read it: a surrogate alone, which no file may have, stays an escape."""
    return json.dumps(value, ensure_ascii=False, **how).encode(errors="backslashreplace").decode()


def pair(key: str, value: Any, column: int, style: Style) -> list[str]:
    """Lines of a key and its value, the key at this column."""
    head = f"{' ' * column}{flow(key)}:"
    if isinstance(value, dict) and value:
        return [head, *mapping(value, column + style.step, style)]
    if isinstance(value, list) and any(isinstance(entry, (dict, list)) for entry in value):
        return [head, *(line for entry in value for line in item(entry, column + style.offset, style))]
    if isinstance(value, str) and len(value) > _WIDTH and _FOLDABLE.fullmatch(value):
        lines = textwrap.wrap(value, _WIDTH, break_long_words=False, break_on_hyphens=False)
        return [f"{head} >-", *(" " * (column + style.step) + line for line in lines)]
    return [f"{head} {flow(value)}"]


def mapping(value: dict[str, Any], column: int, style: Style) -> list[str]:
    """Lines of a mapping that is not empty."""
    return [line for key, entry in value.items() for line in pair(key, entry, column, style)]


def item(value: Any, column: int, style: Style) -> list[str]:
    """Lines of an item of a list, its dash at this column."""
    if isinstance(value, dict) and value:
        first, *others = mapping(value, column + 2, style)
        return [f"{' ' * column}- {first.lstrip()}", *others]
    return [f"{' ' * column}- {flow(value)}"]
