"""The report of `drainer doctor`: for people, and as JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from drainer.commands.doctor.findings import Finding, Severity, written
from drainer.commands.terminal import Colour, painted, printable

_COLOURS = {Severity.ERROR: Colour.RED, Severity.WARNING: Colour.YELLOW, Severity.NOTE: Colour.CYAN}


@dataclass(frozen=True, slots=True)
class Examined:
    """One object with what was found in it."""

    kind: str
    namespace: str
    name: str
    file: str | None
    """None for an object of a cluster."""
    line: int | None
    findings: Sequence[tuple[Finding, int | None]]
    """Each with its line in the file."""

    @property
    def title(self) -> str:
        """`Deployment chat/web`."""
        name = self.name or "(no name)"
        return f"{self.kind} {self.namespace}/{name}" if self.namespace else f"{self.kind} {name}"


def counts(examined: Iterable[Examined]) -> dict[Severity, int]:
    """How many findings of each severity there are."""
    found = [finding.severity for one in examined for finding, _ in one.findings]
    return {severity: found.count(severity) for severity in Severity}


def as_text(examined: Sequence[Examined], *, colour: bool) -> str:
    """Findings by object, and one line that sums up."""
    lines: list[str] = []
    for one in examined:
        if one.findings:
            lines += [*_object(one, colour=colour), ""]
    return "\n".join([*lines, _summary(examined)]) + "\n"


def _object(one: Examined, *, colour: bool) -> Iterator[str]:
    title = printable(one.title)
    yield painted(title, Colour.BOLD) if colour else title
    for finding, line in one.findings:
        place = f"{one.file}:{line}: " if one.file is not None else ""
        severity = str(finding.severity)
        word = painted(severity, _COLOURS[finding.severity]) if colour else severity
        field = f"{written(finding.path)}: " if finding.path else ""
        yield f"  {place}{word} {finding.key}: {printable(f'{field}{finding.says}. Fix: {finding.fix}.')}"


def _summary(examined: Sequence[Examined]) -> str:
    what = _number(len(examined), "object") + " with pods"
    found = [_number(number, severity) for severity, number in counts(examined).items() if number]
    if not examined:
        return "nothing to check: no object with pods"
    if not found:
        return f"nothing to fix in {what}: {', '.join(printable(one.title) for one in examined)}"
    return f"{', '.join(found)} in {what}"


def _number(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def as_json(examined: Sequence[Examined]) -> str:
    """The same for programs: fields are only ever added."""
    report: dict[str, Any] = {
        "objects": [
            {
                "kind": one.kind,
                "namespace": one.namespace,
                "name": one.name,
                "file": one.file,
                "line": one.line,
                "findings": [
                    {
                        "key": finding.key,
                        "severity": finding.severity,
                        "path": written(finding.path),
                        "line": line,
                        "says": finding.says,
                        "fix": finding.fix,
                    }
                    for finding, line in one.findings
                ],
            }
            for one in examined
        ],
        "counts": counts(examined),
    }
    return json.dumps(report, indent=2) + "\n"
