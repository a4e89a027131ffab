"""What the doctor has to say: severities, what a check found, and the finding that people read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

Path = tuple[str | int, ...]
"""The way to a field from its object: keys of mappings and indices of lists."""

_PLAIN = re.compile(r"[\w-]+", re.ASCII)


class Severity(StrEnum):
    """How much a finding matters; the worst comes first."""

    ERROR = "error"
    """The drain will break: connections are cut, or the pod does not start."""
    WARNING = "warning"
    """It works, but not for everybody or not always."""
    NOTE = "note"
    """Worth knowing; nothing fails for it."""


@dataclass(frozen=True, slots=True)
class Found:
    """What one check has found at one place."""

    path: Path
    says: str
    """What is wrong, with the values that were seen; no secrets."""
    fix: str
    """What to set to what."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What is said to people: a check's key and severity, and what it found."""

    key: str
    severity: Severity
    path: Path
    says: str
    fix: str


def written(path: Path) -> str:
    """As people write it: `spec.containers[0].env`, `metadata.labels["drainer.dev/serving"]`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif _PLAIN.fullmatch(part):
            text += f".{part}" if text else part
        else:
            text += f'["{part}"]'
    return text
