"""What the API says of the own pod's deletion: the one thing that a preStop hook does not tell."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Pod:
    """The own pod, and where the API is that knows it."""

    name: str
    namespace: str
    uid: str
    server: tuple[str, int]
    """(host, port)."""


class Deletion(StrEnum):
    """Whether the pod is being deleted, as far as the agent knows."""

    UNKNOWN = "unknown"
    """There is no API to ask, or it has not answered."""
    ASKED = "asked"
    """The API is being asked: a matter of milliseconds, or it becomes unknown."""
    NONE = "none"
    """The pod is not being deleted: its app is restarted, or the node ends it (eviction, shutdown)."""
    REQUESTED = "requested"
    """It has a deletionTimestamp."""
    FORCED = "forced"
    """The object is gone while the containers run: somebody did not want to wait."""

    @property
    def is_certain(self) -> bool:
        """Whether the pod will go: no deletion was ever taken back."""
        return self in (Deletion.REQUESTED, Deletion.FORCED)


@dataclass(frozen=True, slots=True)
class Sighting:
    """What was seen of the pod at one moment."""

    deletion: Deletion = Deletion.UNKNOWN
    grace: float | None = None
    """deletionGracePeriodSeconds; with REQUESTED only. A second delete may make it shorter, never longer."""


class PodWatch(Protocol):
    """Who knows it."""

    @property
    def requests(self) -> Mapping[str, Mapping[str, int]] | None:
        """What was asked of the API -> what came of it -> how often; None where it is not used."""
        ...

    @property
    def keeps_cost(self) -> bool:
        """Whether the pod's deletion cost is kept from here."""
        ...

    def follow(self, on_sighting: Callable[[Sighting], None] | None) -> None:
        """Who is told from now on, first of all that the API is being asked; None: nobody wants to know."""
        ...


class NoPodWatch:
    """There is no API to ask."""

    requests = None
    keeps_cost = False

    def follow(self, on_sighting: Callable[[Sighting], None] | None) -> None:
        """See PodWatch."""
