"""Figures as tables, for a terminal or as Markdown, with what they were measured on."""

from __future__ import annotations

import datetime as dt
import math
import os
import platform
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

MISSED, NOISY = "MISSED", "too noisy to say"


@dataclass(frozen=True, slots=True)
class Table:
    """What one part has measured."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()


@dataclass(slots=True)
class Figures:
    """Rows of figure, measured, target, and whether it is met."""

    rows: list[Sequence[str]] = field(default_factory=list)

    noisy: bool = False
    """Whether the machine was too busy to judge the rows that are added."""

    def add(self, figure: str, value: float, unit: str, most: float | None = None, least: float | None = None) -> None:
        """One figure with its target: at most, at least, or none."""
        target = verdict = ""
        if most is not None:
            target, verdict = f"at most {most:g}{unit}", "yes" if value <= most else MISSED
        elif least is not None:
            target, verdict = f"at least {least:g}{unit}", "yes" if value >= least else MISSED
        if target and self.noisy:
            verdict = NOISY
        self.rows.append((figure, f"{value:.3g}{unit}", target, verdict))

    def missing(self, figure: str, why: str) -> None:
        """A figure that cannot be had on this machine."""
        self.rows.append((figure, f"missing: {why}", "", ""))

    def table(self, title: str, *notes: str) -> Table:
        """All of them."""
        return Table(title, ("figure", "measured", "target", "met"), self.rows, notes)


def milliseconds(seconds: float) -> str:
    """Three digits are more than such a figure is worth."""
    return f"{1000 * seconds:,.3g}" if seconds < 1 else f"{1000 * seconds:,.0f}"


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of all values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def paired_ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median of the ratios within each round: what slows the machine for a while slows both."""
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))


def machine() -> str:
    """Date, processor, kernel and interpreter: times do not travel without them."""
    models = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        if line.startswith("model name")
    ]
    today = dt.datetime.now(dt.UTC).date()
    processor = models[0] if models else platform.machine()
    return (
        f"{today}, {processor}, {os.cpu_count()} cores, Linux {platform.release()} {platform.machine()}, "
        f"Python {platform.python_version()}"
    )


def render(table: Table, *, markdown: bool) -> str:
    """The table as text with aligned columns."""
    lines = [tuple(table.header), *map(tuple, table.rows)]
    if markdown:
        lines = [tuple(cell.replace("|", "\\|") for cell in line) for line in lines]
    widths = [max(len(line[column]) for line in lines) for column in range(len(table.header))]
    padded = [[cell.ljust(width) for cell, width in zip(line, widths, strict=True)] for line in lines]
    if markdown:
        body = ["| " + " | ".join(cells) + " |" for cells in padded]
        body.insert(1, "| " + " | ".join("-" * width for width in widths) + " |")
        notes = [f"\n{note}" for note in table.notes]
        return "\n".join([f"**{table.title}**\n", *body, *notes])
    body = ["  " + "  ".join(cells).rstrip() for cells in padded]
    body.insert(1, "  " + "  ".join("-" * width for width in widths))
    return "\n".join([table.title, *body, *(f"  {note}" for note in table.notes)])
