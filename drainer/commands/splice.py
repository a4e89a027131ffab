"""Changes a YAML document in its text: what is not changed keeps its comments, quotes, order and indentation."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from drainer.commands.places import MappingPlace, Place, SequencePlace, places
from drainer.commands.written import Style, flow, item, pair


@dataclass(frozen=True, slots=True)
class _Edit:
    start: int
    end: int
    text: str


def splice(text: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """The text of a document that says `before`, edited so that it says `after`.

    It is for changes that add, take away or change keys and items, not for such that move them. Where the text uses
    aliases the result may say something else: whoever calls this reads it again and compares.
    """
    newline = "\r\n" if "\r\n" in text else "\n"
    whole = text if text.endswith("\n") else text + newline
    root = places(whole)
    if root is None:
        raise AssertionError("a document that says something has a place")
    editor = _Editor(whole, newline, _style(whole, root))
    result, done = "", 0
    for edit in sorted(editor.value(root, before, after), key=lambda edit: edit.start):
        result += whole[done : edit.start] + edit.text
        done = edit.end
    result += whole[done:]
    return result if text.endswith("\n") else result.removesuffix(newline)


def _style(text: str, root: Place) -> Style:
    """As the first mapping in a mapping and the first list in one are indented."""
    steps: list[int] = []
    offsets: list[int] = []
    waiting = [root]
    while waiting:
        place = waiting.pop(0)
        if isinstance(place, SequencePlace):
            waiting += place.items
        if not isinstance(place, MappingPlace) or place.is_flow:
            continue
        for key, value in place.pairs.values():
            waiting.append(value)
            if isinstance(value, MappingPlace) and not value.is_flow:
                steps.append(_column(text, next(iter(value.pairs.values()))[0].start) - _column(text, key.start))
            if isinstance(value, SequencePlace) and not value.is_flow:
                offsets.append(_column(text, _dash(text, value.items[0])) - _column(text, key.start))
    return Style(*(some[0] if some else 2 for some in (steps, offsets)))


def _column(text: str, index: int) -> int:
    return index - text.rfind("\n", 0, index) - 1


def _dash(text: str, place: Place) -> int:
    return text.rfind("-", 0, place.start)


class _Editor:
    """Finds the edits of one text."""

    def __init__(self, text: str, newline: str, style: Style) -> None:
        self._text = text
        self._newline = newline
        self._style = style

    def value(self, place: Place, before: Any, after: Any, opening: int | None = None) -> Iterator[_Edit]:
        """Edits of a value that both are of one shape. `opening`: where its key ends, if it has one."""
        if before == after:
            return
        if isinstance(place, MappingPlace) and place.is_flow:
            yield from self._flow_mapping(place, before, after)
        elif isinstance(place, MappingPlace):
            yield from self._mapping(place, before, after, opening)
        elif isinstance(place, SequencePlace) and place.is_flow:
            yield from self._flow_sequence(place, before, after)
        elif isinstance(place, SequencePlace):
            yield from self._sequence(place, before, after, place.start if opening is None else opening)
        else:
            yield _Edit(place.start, place.end, flow(after, self._text[place.start]))

    def _mapping(
        self, place: MappingPlace, before: Mapping[str, Any], after: Mapping[str, Any], opening: int | None
    ) -> Iterator[_Edit]:
        first_key, first = next(iter(place.pairs.values()))
        column = _column(self._text, first_key.start)
        # A key that is to be the first stands above the comments on the next; in an item the dash needs the old first.
        previous = first.end if opening is None else opening
        for key, value in after.items():
            written = pair(key, value, column, self._style)
            if key not in place.pairs:
                if before.get(key) != value or key not in before:
                    yield self._lines_after(previous, written)
                continue
            own_key, own = place.pairs[key]
            if _is_open(own, before[key], value):
                yield from self.value(own, before[key], value, own_key.end)
            else:
                yield self._instead(own_key.start, own.end, written)
            previous = own.end
        for key in place.pairs:
            if key in before and key not in after:
                yield self._gone(place, key)

    def _gone(self, place: MappingPlace, key: str) -> _Edit:
        own_key, own = place.pairs[key]
        keys = list(place.pairs)
        if self._text[self._line(own_key.start) : own_key.start].strip() and key != keys[-1]:
            # The first key of an item stands behind the dash, where the next has to stand now.
            return _Edit(own_key.start, place.pairs[keys[keys.index(key) + 1]][0].start, "")
        return self._instead(own_key.start, own.end, [])

    def _sequence(
        self, place: SequencePlace, before: Sequence[Any], after: Sequence[Any], opening: int
    ) -> Iterator[_Edit]:
        column = _column(self._text, _dash(self._text, place.items[0]))
        names = _names(before, after)
        old = dict(zip(names(before), zip(place.items, before, strict=True), strict=True))
        previous = opening
        for name, value in zip(names(after), after, strict=True):
            written = item(value, column, self._style)
            if name not in old:
                yield self._lines_after(previous, written)
                continue
            own, former = old.pop(name)
            if _is_open(own, former, value):
                yield from self.value(own, former, value)
            else:
                yield self._instead(_dash(self._text, own), own.end, written)
            previous = own.end
        for own, _ in old.values():
            yield self._instead(_dash(self._text, own), own.end, [])

    def _flow_value(self, place: Place, before: Any, after: Any) -> Iterator[_Edit]:
        if _is_open(place, before, after):
            yield from self.value(place, before, after)
        else:
            yield _Edit(place.start, place.end, flow(after))

    def _flow_mapping(
        self, place: MappingPlace, before: Mapping[str, Any], after: Mapping[str, Any]
    ) -> Iterator[_Edit]:
        ends = [value.end for _, value in place.pairs.values()]
        for key, value in after.items():
            if key in place.pairs:
                yield from self._flow_value(place.pairs[key][1], before[key], value)
            elif before.get(key) != value or key not in before:
                yield _Edit(ends[-1], ends[-1], f", {flow(key)}: {flow(value)}")
        for index, (key, (own_key, own)) in enumerate(place.pairs.items()):
            if key in before and key not in after:
                starts = [name.start for name, _ in place.pairs.values()]
                yield _Edit(own_key.start, starts[1], "") if index == 0 else _Edit(ends[index - 1], own.end, "")

    def _flow_sequence(self, place: SequencePlace, before: Sequence[Any], after: Sequence[Any]) -> Iterator[_Edit]:
        names = _names(before, after)
        old = dict(zip(names(before), zip(place.items, before, strict=True), strict=True))
        previous: Place | None = None
        for name, value in zip(names(after), after, strict=True):
            if name in old:
                previous, former = old.pop(name)
                yield from self._flow_value(previous, former, value)
            elif previous is None:
                yield _Edit(place.items[0].start, place.items[0].start, f"{flow(value)}, ")
            else:
                yield _Edit(previous.end, previous.end, f", {flow(value)}")
        for own, _ in old.values():
            index = place.items.index(own)
            yield (
                _Edit(own.start, place.items[1].start, "")
                if index == 0
                else _Edit(place.items[index - 1].end, own.end, "")
            )

    def _lines_after(self, index: int, lines: Sequence[str]) -> _Edit:
        """Lines below the line that has this index."""
        below = self._text.index("\n", index) + 1
        return _Edit(below, below, self._joined(lines))

    def _instead(self, start: int, end: int, lines: Sequence[str]) -> _Edit:
        """Other lines in place of those from `start` to `end`; what stands before `start` on its line stays."""
        line = self._line(start)
        before = self._text[line:start]
        kept, text = (start, self._joined(lines).lstrip(" ")) if before.strip() else (line, self._joined(lines))
        return _Edit(kept, self._text.index("\n", end) + 1, text)

    def _line(self, index: int) -> int:
        return self._text.rfind("\n", 0, index) + 1

    def _joined(self, lines: Sequence[str]) -> str:
        return "".join(line + self._newline for line in lines)


def _is_open(place: Place, before: Any, after: Any) -> bool:
    """Whether a value can be changed where it is: a mapping that keeps a key, a filled list, a scalar to a scalar."""
    if before == after:
        return True
    if isinstance(place, MappingPlace):
        return isinstance(after, dict) and not before.keys().isdisjoint(after)
    if isinstance(place, SequencePlace):
        return isinstance(after, list) and bool(before) and bool(after)
    return not isinstance(before, (dict, list)) and before is not None and not isinstance(after, (dict, list))


def _names(before: Sequence[Any], after: Sequence[Any]) -> Callable[[Sequence[Any]], list[str]]:
    """What the items of both lists are known by: their names, as Kubernetes merges lists.

    Where they have none: by their place in lists of one length, and otherwise by all that they say.
    """
    if len(before) == len(after) and not any("name" in value for value in after if isinstance(value, dict)):
        return lambda values: [str(index) for index, _ in enumerate(values)]
    return lambda values: [
        f"name {value['name']}" if isinstance(value, dict) and "name" in value else json.dumps(value, default=str)
        for value in values
    ]
