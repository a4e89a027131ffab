"""What the pods of a fleet are worth, and when it is to be written at which of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from drainer import deletion_cost
from drainer.adapter.fleet import Fleet
from drainer.adapter.pods import Pod


@dataclass(frozen=True, slots=True)
class _Seen:
    cost: int
    next_at: float
    """The earliest moment of the next write."""


class Worths:
    """Looks at what stands at the pods, so that replicas of the adapter see each other's writes as their own."""

    def __init__(self, fleet: Fleet, random: Callable[[], float]) -> None:
        """`random`: of [0, 1)."""
        self._fleet = fleet
        self._random = random
        self._seen: dict[str, _Seen] = {}

    def due(self, pods: Iterable[Pod], now: float) -> list[tuple[Pod, int]]:
        """The pods whose cost is to be written now and what it is to be: who has most to lose comes first."""
        found = [(pod, wanted) for pod in pods if (wanted := self._wanted(pod, now)) is not None]
        return sorted(found, key=lambda one: one[1], reverse=True)

    def keep(self, uids: set[str]) -> None:
        """All others are gone."""
        self._seen = {uid: seen for uid, seen in self._seen.items() if uid in uids}

    def _wanted(self, pod: Pod, now: float) -> int | None:
        """None where nothing is to be written."""
        reading = self._fleet.last(pod)
        # Who is not ready goes before all others, whatever stands there.
        if pod.cost is None or not pod.is_replica or reading is None or reading.keeps_cost or not reading.is_serving:
            return None
        seen = self._seen.get(pod.uid)
        if seen is None:
            seen = _Seen(pod.cost, now)
        elif seen.cost != pod.cost:
            seen = _Seen(pod.cost, now + deletion_cost.APART + deletion_cost.SPREAD * self._random())
        self._seen[pod.uid] = seen
        wanted = deletion_cost.cost(reading.connections, pod.cost)
        return wanted if wanted != pod.cost and now >= seen.next_at else None
