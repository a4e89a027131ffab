"""Streams of manifests, YAML and JSON, read so that they can be written again as they were.

A document that is not changed is its own text; one that is changed keeps all its text but that of the change
(`splice`). YAML is read as 1.2.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from drainer.commands.written import BOM, quoted
from drainer.errors import ManifestError, MissingExtraError

try:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    from drainer.commands.splice import splice
except ImportError:
    raise MissingExtraError("commands", "ruamel.yaml") from None

STDIN = "-"
_SUFFIXES = (".yaml", ".yml", ".json")
_MARKER = re.compile(rf"^{BOM}?---(?=\s|\Z)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Document:
    """One document of a stream."""

    origin: str
    """The file it is from; `-` is standard input."""
    line: int
    """Where it begins there, from 1."""
    text: str
    """All of it, its `---` and its comments included. The texts of a stream, put together, are the stream."""
    data: Any
    """What it says as dict, list, str, int, ...; None if it says nothing (comments only)."""
    is_json: bool


def read(sources: Sequence[str], stdin: IO[bytes]) -> list[Document]:
    """All documents of files, folders (their *.yaml, *.yml and *.json, not of folders in them) and `-`.

    What is named twice is read once. Raises ManifestError, also for a folder that has none.
    """
    documents: list[Document] = []
    origins = dict.fromkeys(origin for source in sources for origin in _files(source))
    for origin in origins:
        try:
            content = stdin.read() if origin == STDIN else Path(origin).read_bytes()
            text = content.decode()
        except OSError as error:
            raise ManifestError(origin, f"cannot be read ({error.strerror})") from None
        except UnicodeDecodeError as error:
            is_wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
            said = "is UTF-16; allowed: UTF-8" if is_wide else f"is not UTF-8 at byte {error.start}"
            raise ManifestError(origin, said) from None
        documents += parse(text, origin)
    return documents


def _files(source: str) -> Sequence[str]:
    folder = Path(source)
    if source == STDIN or not folder.is_dir():
        return [source]
    files = sorted(str(path) for path in folder.iterdir() if path.suffix in _SUFFIXES and path.is_file())
    if not files:
        raise ManifestError(source, f"has no files that end in {', '.join(_SUFFIXES)}")
    return files


def parse(text: str, origin: str) -> list[Document]:
    """The documents of a stream. Raises ManifestError with line and column.

    A byte order mark before the first is a document that says nothing.
    """
    mark = BOM if text.startswith(BOM) else ""
    text = text.removeprefix(BOM)
    documents = [Document(origin, 1, mark, None, is_json=False)] if mark else []
    return documents + list(_json_documents(text, origin) or _yaml_documents(text, origin))


def _json_documents(text: str, origin: str) -> list[Document]:
    """Objects one after another, as kubectl and jq write them; nothing if it is not that."""
    documents: list[Document] = []
    decoder = json.JSONDecoder()
    start = 0
    while start < len(text):
        try:
            opening = start + len(text[start:]) - len(text[start:].lstrip())
            data, end = decoder.raw_decode(text, opening)
        except ValueError:
            return []
        end += len(text[end:]) - len(text[end:].lstrip())
        documents.append(_document(origin, text, start, end, data, is_json=True))
        start = end
    return documents


def _yaml_documents(text: str, origin: str) -> Iterator[Document]:
    # `---` at the start of a line begins a document wherever it stands, also in a block of text (YAML 1.2, 9.1.2).
    starts = sorted({0, *(match.start() for match in _MARKER.finditer(text))})
    for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
        try:
            data = load(text[start:end])
        except YAMLError as error:
            raise _located(error, origin, text[:start].count("\n"), text[start:end]) from None
        yield _document(origin, text, start, end, data, is_json=False)


def load(text: str) -> Any:
    """What one YAML document says. Raises YAMLError."""
    return YAML(typ="safe", pure=True).load(text)


def rewritten(document: Document, data: dict[str, Any]) -> str:
    """The document's text, changed so that it says `data`.

    Raises ManifestError where the text is written so that it cannot be changed in place.
    """
    if data == document.data:
        return document.text
    if document.is_json:
        return _json_text(document.text, data)
    text = splice(document.text, document.data, data)
    try:
        says = load(text)
    except YAMLError:
        says = None
    if says != data:
        why = (
            "because of line ends that are a carriage return alone; write them as LF or CR LF"
            if re.search(r"\r(?!\n)", document.text)
            else "because of anchors and aliases in the pod; write them out"
        )
        raise ManifestError(document.origin, f"cannot be changed in place, {why}", line=document.line)
    return text


def _json_text(text: str, data: dict[str, Any]) -> str:
    """Indented as `text` is, with the blanks around it."""
    indented = re.search(r"[{\[]\r?\n([ \t]+)", text)
    body = text.strip()
    separators = None if indented or re.search(r'": ', body) else (",", ":")
    return text.replace(body, quoted(data, indent=indented[1] if indented else None, separators=separators))


def _document(origin: str, text: str, start: int, end: int, data: Any, *, is_json: bool) -> Document:
    line = text[:start].count("\n") + 1
    if data is not None and not isinstance(data, dict):
        raise ManifestError(origin, "is not a mapping, as every Kubernetes object is", line=line)
    return Document(origin, line, text[start:end], data, is_json)


def _located(error: YAMLError, origin: str, lines_before: int, text: str) -> ManifestError:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    problem = getattr(error, "problem", None) or str(error)
    if problem.startswith("but "):
        problem = f"{getattr(error, 'context', '')}, {problem}"
    # Of a duplicate key ruamel shows the values, which may be secrets.
    said = " ".join(str(problem).split()).partition(" with value ")[0]
    if "{{" in text:
        said += "; it looks like a template, which has to be rendered first (helm template)"
    if mark is None:
        return ManifestError(origin, f"is not YAML: {said}", line=lines_before + 1)
    return ManifestError(origin, f"is not YAML: {said}", line=lines_before + mark.line + 1, column=mark.column + 1)
