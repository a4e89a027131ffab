"""The table at the end: which promise, whether it held, and what was seen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPORT = Path("dist/e2e.md")

_SPELLED = {
    "api": "API",
    "apiservice": "APIService",
    "endpointslice": "EndpointSlice",
    "events": "Events",
    "hpa": "HPA",
    "ipv6": "IPv6",
    "kubelets": "kubelet's",
    "service": "Service",
    "sigterm": "SIGTERM",
    "statefulset": "StatefulSet",
    "strangers": "stranger's",
    "websocket": "WebSocket",
}
"""What a function's name cannot spell."""


@dataclass(frozen=True, slots=True)
class Row:
    """One test."""

    test: str
    """Its name, which is the promise."""
    outcome: str
    seconds: float
    saw: str

    @property
    def promise(self) -> str:
        return promise(self.test)


def promise(test: str) -> str:
    """A test's name as a sentence."""
    name, _, variant = test.removeprefix("test_").partition("[")
    words = " ".join(_SPELLED.get(word, word) for word in name.split("_"))
    return f"{words} ({variant.removesuffix(']')})" if variant else words


def shown(saw: Iterable[tuple[str, Any]]) -> str:
    """What a test saw, in one line."""
    return "; ".join(f"{word} {f'{value:.1f} s' if isinstance(value, float) else value}" for word, value in saw)


def markdown(title: str, rows: Sequence[Row]) -> str:
    lines = [
        f"# {title}",
        "",
        f"{summary(rows)}",
        "",
        "| promise | | seconds | what was seen |",
        "| --- | --- | --- | --- |",
        *(f"| {row.promise} | {row.outcome} | {row.seconds:.0f} | {_in_cell(row.saw)} |" for row in rows),
    ]
    return "\n".join(lines) + "\n"


def summary(rows: Sequence[Row]) -> str:
    """How many of which outcome."""
    outcomes = sorted({row.outcome for row in rows})
    return ", ".join(f"{sum(row.outcome == outcome for row in rows)} {outcome}" for outcome in outcomes)


def _in_cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
