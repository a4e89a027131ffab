"""Observers of a test."""

from __future__ import annotations

from drainer.cap import Room
from drainer.deletion import Deletion
from drainer.phases import Announce, Phase
from drainer.status import Status


class Listener:
    """An `agent.Observer` that remembers."""

    def __init__(self) -> None:
        self.announcements: list[Announce] = []
        self.statuses: list[Status] = []
        self.warnings: list[str] = []
        self.notes: list[str] = []
        self.sightings: list[tuple[float, Deletion]] = []
        self.limits: list[tuple[float, Room | None]] = []

    def announced(self, announce: Announce, status: Status) -> None:
        self.announcements.append(announce)
        self.statuses.append(status)

    def sighted(self, status: Status) -> None:
        self.sightings.append((status.at, status.deletion))

    def limited(self, status: Status) -> None:
        self.limits.append((status.at, status.limit.room if status.limit else None))

    def noted(self, note: str) -> None:
        self.notes.append(note)

    def warned(self, warning: str) -> None:
        self.warnings.append(warning)

    @property
    def phases(self) -> list[tuple[float, Phase]]:
        return [(announce.at, announce.phase) for announce in self.announcements]


class BrokenObserver:
    """Raises whatever it is told."""

    def announced(self, announce: Announce, status: Status) -> None:
        raise OSError("no space left on device")

    def sighted(self, status: Status) -> None:
        raise OSError("no space left on device")

    def limited(self, status: Status) -> None:
        raise OSError("no space left on device")

    def noted(self, note: str) -> None:
        raise OSError("no space left on device")

    def warned(self, warning: str) -> None:
        raise OSError("no space left on device")
