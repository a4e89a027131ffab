"""What becomes of changed streams: printed, compared, or written back to their files."""

from __future__ import annotations

import difflib
import json
import os
import sys
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drainer.commands.reports import Entry
from drainer.commands.terminal import Colour, has_colours, painted
from drainer.commands.written import BOM, Style, mapping
from drainer.errors import ManifestError


@dataclass(frozen=True, slots=True)
class Changed:
    """One file or stream, and what becomes of it."""

    origin: str
    before: str
    after: str
    report: tuple[Entry, ...]
    manifests: tuple[Mapping[str, Any], ...] = ()
    """What `after` says."""


def show(changed: Iterable[Changed], extra: Iterable[Mapping[str, Any]] = ()) -> None:
    """Print all of them as one stream, and more objects after it."""
    stream = ""
    for one in changed:
        if stream and not stream.endswith("\n"):
            stream += "\n"
        # A byte order mark belongs to the beginning of a stream.
        after = one.after.removeprefix(BOM) if stream else one.after
        both_json = _is_json(stream) and _is_json(after)
        stream += after if not stream or both_json or after.startswith("---") else f"---\n{after}"
    for data in extra:
        if _is_json(stream):
            stream += json.dumps(data, indent=2) + "\n"
        else:
            stream += "".join(f"{line}\n" for line in ("---", *mapping({**data}, 0, Style())))
    _print(stream)


def _is_json(stream: str) -> bool:
    return stream.removeprefix(BOM).startswith("{")


def show_diff(changed: Iterable[Changed]) -> None:
    """Print what differs, in colours on a terminal unless NO_COLOR is set."""
    lines = [line for one in changed for line in _diff(one)]
    if has_colours(sys.stdout, os.environ):
        lines = [_coloured(line) for line in lines]
    _print("".join(lines))


def _diff(one: Changed) -> list[str]:
    before, after = (side.splitlines(keepends=True) for side in (one.before, one.after))
    lines = difflib.unified_diff(before, after, one.origin, one.origin)
    return [line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines]


_COLOURS = {"---": Colour.BOLD, "+++": Colour.BOLD, "@": Colour.CYAN, "+": Colour.GREEN, "-": Colour.RED}
"""How a line of a diff begins -> its colour."""


def _coloured(line: str) -> str:
    colour = next((code for start, code in _COLOURS.items() if line.startswith(start)), None)
    return painted(line.rstrip(), colour) + "\n" if colour else line


def _print(text: str) -> None:
    # As UTF-8, whatever the locale says: that is what it was read as. The names of files may be something else.
    sys.stdout.buffer.write(text.encode(errors="surrogateescape"))
    sys.stdout.buffer.flush()


def write(changed: Iterable[Changed]) -> None:
    """Replace each file that changed as a whole, and none before all are on the disk. Raises ManifestError."""
    ready: dict[Path, Path] = {}
    try:
        for one in changed:
            if one.after != one.before:
                target = Path(one.origin).resolve()
                ready[target] = _beside(target, one.after)
        for target, temporary in ready.items():
            temporary.replace(target)
    except OSError as error:
        raise ManifestError(str(error.filename), f"cannot be written ({error.strerror})") from None
    finally:
        for temporary in ready.values():
            with suppress(OSError):
                temporary.unlink()


def _beside(target: Path, text: str) -> Path:
    """A new file in the same folder, with the same rights."""
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=".drainer-")
    with os.fdopen(handle, "wb") as file:
        os.fchmod(handle, target.stat().st_mode & 0o7777)
        file.write(text.encode())
    return Path(name)
