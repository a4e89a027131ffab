"""Rows as people read them: aligned, cut to the terminal, with a bar where something is awaited."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from drainer.commands.status.rows import Row
from drainer.commands.terminal import Colour, painted
from drainer.phases import RUNNING, Phase, Result

_HEADS = ("NAMESPACE", "POD", "PHASE", "CONNS", "LEFT", "OUTCOME")
_NUMBERS = ("CONNS", "LEFT")
_GAP = "  "
_CELLS = 20
"""Of a bar."""


@dataclass(frozen=True, slots=True)
class Look:
    """What the terminal can show."""

    colours: bool = False
    unicode: bool = False
    columns: int | None = None
    """None: lines are as long as they are."""
    namespaces: bool = False
    """Whether there is a column for them."""


def lines(rows: Sequence[Row], look: Look, *, heads: bool = True) -> list[str]:
    """The table, a line each; without `heads` only the rows, as wide as they need to be."""
    shown = _HEADS if look.namespaces else _HEADS[1:]
    cells = [_cells(row, look)[-len(shown) :] for row in rows]
    widths = [max(map(len, column)) for column in zip(shown, *cells, strict=True)]
    titled = [_line(shown, widths, shown, look, Colour.BOLD)] if heads else []
    return titled + [_line(line, widths, shown, look, _colour(row)) for line, row in zip(cells, rows, strict=True)]


def _cells(row: Row, look: Look) -> tuple[str, ...]:
    phase = f"{row.phase} ({row.note})" if row.note else str(row.phase or "-")
    left = "-" if row.deadline_in is None else f"{max(0.0, row.deadline_in):.0f}s"
    return (row.namespace, row.pod, phase, _dash(row.connections), left, _story(row, look))


def _dash(value: int | None) -> str:
    return "-" if value is None else str(value)


def _story(row: Row, look: Look) -> str:
    if row.phase not in RUNNING:
        return row.story or "-"
    if not row.of:
        return "nobody to wait for"
    return f"{bar(row.gone, row.of, look)} {row.gone} of {row.of} gone"


def bar(done: int, of: int, look: Look) -> str:
    """`#######-------------`."""
    full, empty = ("━", "╌") if look.unicode else ("#", "-")
    filled = _CELLS * done // of
    return full * filled + empty * (_CELLS - filled)


def _colour(row: Row) -> Colour | None:
    if row.phase is None or (row.phase is Phase.DONE and row.outcome is Result.DEADLINE):
        return Colour.RED
    if row.phase in RUNNING or row.note:
        return Colour.YELLOW
    return Colour.GREEN if row.phase is Phase.DONE else None


def _line(cells: Iterable[str], widths: Sequence[int], heads: Sequence[str], look: Look, colour: Colour | None) -> str:
    padded = [
        cell.rjust(width) if head in _NUMBERS else cell.ljust(width)
        for cell, width, head in zip(cells, widths, heads, strict=True)
    ]
    text = _GAP.join(padded).rstrip()
    if look.columns is not None and len(text) > look.columns:
        text = text[: look.columns - 1] + ("…" if look.unicode else "~")
    return painted(text, colour) if colour and look.colours else text
