"""What `drainer status --watch` shows: a table that changes in its place on a terminal, elsewhere what changes."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Sequence
from typing import NoReturn, Protocol, TextIO

from drainer.commands.status.asking import ask
from drainer.commands.status.rows import GONE, Answer, Row, changes, rows_of
from drainer.commands.status.table import Look, lines
from drainer.commands.status.targets import Find
from drainer.commands.terminal import has_colours
from drainer.errors import ClusterError

NOBODY = "no pod here has the sidecar"


def look_of(stream: TextIO, *, namespaces: bool) -> Look:
    """What can be shown there."""
    unicode = "utf" in (stream.encoding or "").lower()
    columns = shutil.get_terminal_size().columns if stream.isatty() else None
    return Look(colours=has_colours(stream, os.environ), unicode=unicode, columns=columns, namespaces=namespaces)


def show(text: Sequence[str]) -> None:
    """Lines, on standard output."""
    sys.stdout.write("".join(f"{line}\n" for line in text))
    sys.stdout.flush()


def watch(whom: Find, interval: float, *, as_json: bool, namespaces: bool) -> NoReturn:
    """Until KeyboardInterrupt. Raises ClusterError if nobody could be asked even once."""
    view: _View = _Objects() if as_json else _Screen(namespaces) if sys.stdout.isatty() else _Lines(namespaces)
    answers: list[Answer] | None = None
    while True:
        began = time.monotonic()
        try:
            answers = ask(whom())
        except ClusterError as error:
            # Who watches a rollout does not want to begin anew for an API server that is away for a moment.
            if answers is None:
                raise
            sys.stderr.write(f"drainer: {error}\n")
        view.show(answers)
        time.sleep(max(0.0, began + interval - time.monotonic()))


class _View(Protocol):
    def show(self, answers: Sequence[Answer]) -> None: ...


class _Objects:
    """What has changed, a JSON object in each line."""

    def __init__(self) -> None:
        self._before: list[Row] = []

    def show(self, answers: Sequence[Answer]) -> None:
        rows, by_key = rows_of(answers), {(answer.namespace, answer.name): answer for answer in answers}
        changed = [by_key.get(row.key) or Answer(*row.key, None, GONE) for row in changes(self._before, rows)]
        show([json.dumps(answer.as_json()) for answer in changed])
        self._before = rows


class _Lines:
    """What has changed, a row in each line."""

    def __init__(self, namespaces: bool) -> None:  # noqa: FBT001 - said by the name of the flag
        self._namespaces = namespaces
        self._before: list[Row] | None = None

    def show(self, answers: Sequence[Answer]) -> None:
        rows = rows_of(answers)
        changed = changes(self._before or [], rows)
        if changed:
            show(lines(changed, look_of(sys.stdout, namespaces=self._namespaces), heads=not self._before))
        self._before = rows


class _Screen:
    """A table in the place of the one before."""

    def __init__(self, namespaces: bool) -> None:  # noqa: FBT001 - as above
        self._namespaces = namespaces
        self._height = 0

    def show(self, answers: Sequence[Answer]) -> None:
        room = shutil.get_terminal_size().lines - 1
        drawn = lines(rows_of(answers), look_of(sys.stdout, namespaces=self._namespaces)) if answers else [NOBODY]
        if len(drawn) > room:
            drawn = [*drawn[: room - 1], f"... and {len(drawn) - room + 1} more"]
        back = f"\x1b[{self._height}F\x1b[J" if self._height else ""
        show([back + drawn[0], *drawn[1:]])
        self._height = len(drawn)
