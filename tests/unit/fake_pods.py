"""Who knows the pod, as a test says it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from drainer.deletion import Deletion, Sighting
from tests.unit.fakes import now

ASKED, NONE, FORCED = Sighting(Deletion.ASKED), Sighting(Deletion.NONE), Sighting(Deletion.FORCED)
UNKNOWN = Sighting(Deletion.UNKNOWN)


def requested(grace: float | None = None) -> Sighting:
    return Sighting(Deletion.REQUESTED, grace)


class FakePodWatch:
    """A `deletion.PodWatch`: says ASKED at once, as the Protocol wants it, and then what the test says."""

    def __init__(self, *, at_once: Sighting | None = None) -> None:
        """`at_once`: the answer that comes right after."""
        self.requests: Mapping[str, Mapping[str, int]] | None = {"get": {"ok": 1}}
        self.keeps_cost = False
        self.wanted: list[tuple[float, bool]] = []
        """When somebody began to want to know, and when nobody did any more."""
        self._at_once = at_once
        self._on_sighting: Callable[[Sighting], None] | None = None

    def follow(self, on_sighting: Callable[[Sighting], None] | None) -> None:
        if (on_sighting is None) is (self._on_sighting is None):
            return
        self._on_sighting = on_sighting
        self.wanted.append((now(), on_sighting is not None))
        if on_sighting is not None:
            on_sighting(ASKED)
            if self._at_once is not None:
                on_sighting(self._at_once)

    def say(self, sighting: Sighting) -> None:
        assert self._on_sighting is not None, "nobody wants to know"
        self._on_sighting(sighting)
