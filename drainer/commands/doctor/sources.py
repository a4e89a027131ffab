"""Files and folders of manifests, examined: each object with pods, and the lines where findings stand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import IO, Any

from drainer.commands.doctor.case import Surroundings
from drainer.commands.doctor.examine import examine
from drainer.commands.doctor.findings import Path
from drainer.commands.doctor.report import Examined
from drainer.commands.manifests import Document, read
from drainer.commands.places import MappingPlace, Place, SequencePlace, places
from drainer.commands.pods import NoPod, find, identity, objects

_PODLESS = (NoPod.OTHER_KIND, NoPod.RUNS_TO_COMPLETION, NoPod.WORKLOAD_REF)


class _Source:
    """A document, and the lines of its fields: its places are looked for once, and only where something is found."""

    def __init__(self, document: Document) -> None:
        self.document = document

    @cached_property
    def _place(self) -> Place | None:
        text = self.document.text
        # Tabs are blanks in JSON, and cannot be in its strings; YAML knows them otherwise.
        return places(text.replace("\t", " ") if self.document.is_json else text)

    def line(self, path: Path) -> int:
        """Where a field stands, or what of its path there is."""
        place = self._place
        start = place.start if place is not None else 0
        for part in path:
            if isinstance(place, MappingPlace) and part in place.pairs:
                key, place = place.pairs[str(part)]
                start = key.start
            elif isinstance(place, SequencePlace) and isinstance(part, int) and part < len(place.items):
                place = place.items[part]
                start = place.start
            else:
                break
        return self.document.line + self.document.text.count("\n", 0, start)


@dataclass(frozen=True, slots=True)
class _Object:
    kind: str
    data: dict[str, Any]
    source: _Source
    path: Path
    """From the document to the object: an item of a List has one."""


def examine_files(sources: Sequence[str], stdin: IO[bytes]) -> list[Examined]:
    """Every object with pods of all sources, beside the Services and autoscalers of all of them.

    Raises ManifestError.
    """
    found = [one for document in read(sources, stdin) for one in _objects(document)]
    around = Surroundings(
        services=[one.data for one in found if one.kind == "Service"],
        scalers=[one.data for one in found if one.kind == "HorizontalPodAutoscaler"],
    )
    return [_examined(one, around) for one in found if find(one.kind, one.data) not in _PODLESS]


def _objects(document: Document) -> Iterator[_Object]:
    source = _Source(document)
    paths = {id(data): path for data, path in _items(document.data, ())}
    for kind, data in objects(document.data):
        yield _Object(kind, data, source, paths[id(data)])


def _items(data: Any, path: Path) -> Iterator[tuple[Any, Path]]:
    yield data, path
    items = data.get("items") if isinstance(data, dict) else None
    for index, item in enumerate(items if isinstance(items, list) else ()):
        yield from _items(item, (*path, "items", index))


def _examined(one: _Object, around: Surroundings) -> Examined:
    kind, namespace, name = identity(one.kind, one.data)
    findings = examine(kind, namespace, name, one.data, around)
    return Examined(
        kind,
        namespace,
        name,
        file=one.source.document.origin,
        line=one.source.line(one.path) if findings else one.source.document.line,
        findings=[(finding, one.source.line((*one.path, *finding.path))) for finding in findings],
    )
