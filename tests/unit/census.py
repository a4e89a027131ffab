"""Dumps and censuses by their numbers, for tests of the core."""

from __future__ import annotations

from collections.abc import Iterable

from drainer.model import Census, Identity, PortCount, Reason, Source

APP = 8080


def census(
    taken_at: float = 0.0,
    live: int = 0,
    *,
    flushing: int = 0,
    opened: int | None = None,
    confirmed: bool = True,
    listeners: Iterable[Identity] = ("listener",),
) -> Census:
    opened = live if opened is None else opened
    count = PortCount(live, {Reason.FLUSHING: flushing}, opened, closed=opened - live)
    return Census(taken_at, confirmed, Source.SOCK_DIAG, {APP: count}, {}, frozenset(listeners))
