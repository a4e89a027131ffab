"""A check: one way in which a drain breaks, and how to find it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from drainer.commands.doctor.findings import Found, Severity

T = TypeVar("T")
"""What the check looks at: a Pod, a Case, or what Running agents say."""


@dataclass(frozen=True, slots=True)
class Check(Generic[T]):
    """One row of the table in docs/doctor.md."""

    key: str
    """Stable; `--ignore` takes it."""
    severity: Severity
    what: str
    why: str
    """What comes of it, with the source of the fact."""
    fix: str
    find: Callable[[T], Iterable[Found]]
    """Yields nothing where all is well."""
