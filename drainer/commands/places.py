"""Where each value of a YAML document stands in its text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.events import (
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)


@dataclass(slots=True)
class Place:
    """A scalar or an alias: its text from `start` up to, not including, `end`, without blanks and comments around."""

    start: int
    end: int
    text: str = ""
    """A scalar's value as text, for a key to be known by."""


@dataclass(slots=True)
class MappingPlace(Place):
    """A mapping; `pairs` in the order of the text, the key `<<` included."""

    pairs: dict[str, tuple[Place, Place]] = field(default_factory=dict)
    is_flow: bool = False


@dataclass(slots=True)
class SequencePlace(Place):
    """A sequence."""

    items: list[Place] = field(default_factory=list)
    is_flow: bool = False


def places(text: str) -> Place | None:
    """The tree of places of one valid document; None if it says nothing."""
    events = (event for event in YAML(typ="safe", pure=True).parse(text) if isinstance(event, _STRUCTURE))
    first = next(events, None)
    return None if first is None else _place(first, events, text)


_STRUCTURE = (NodeEvent, MappingEndEvent, SequenceEndEvent)


def _place(event: Any, events: Iterator[Any], text: str) -> Place:
    if isinstance(event, MappingStartEvent):
        return _mapping(event, events, text)
    if isinstance(event, SequenceStartEvent):
        return _sequence(event, events, text)
    start, end = event.start_mark.index, event.end_mark.index
    value = str(getattr(event, "value", ""))
    # A block of text is said to end where the next line begins; the empty lines before that may belong to it (`|+`).
    keeps_lines = getattr(event, "style", None) in ("|", ">") and value.endswith("\n\n")
    return Place(start, end - 1 if keeps_lines else start + len(text[start:end].rstrip()), value)


def _mapping(event: Any, events: Iterator[Any], text: str) -> MappingPlace:
    found = MappingPlace(event.start_mark.index, event.end_mark.index, is_flow=bool(event.flow_style))
    while not isinstance(following := next(events), MappingEndEvent):
        key = _place(following, events, text)
        value = _place(next(events), events, text)
        if value.start == value.end:
            # Nothing is said to be where the next token begins.
            value.start = value.end = text.index(":", key.end) + 1
        found.pairs[key.text] = (key, value)
        # A block has no end of its own: its marks tell where the next token begins.
        found.end = max(key.end, value.end)
    if found.is_flow:
        found.end = following.end_mark.index
    return found


def _sequence(event: Any, events: Iterator[Any], text: str) -> SequencePlace:
    found = SequencePlace(event.start_mark.index, event.end_mark.index, is_flow=bool(event.flow_style))
    while not isinstance(following := next(events), SequenceEndEvent):
        item = _place(following, events, text)
        found.items.append(item)
        found.end = item.end
    if found.is_flow:
        found.end = following.end_mark.index
    return found
