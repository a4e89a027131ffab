"""What pods are worth: who has most to lose comes first, and rarely twice."""

from __future__ import annotations

from typing import Any

import pytest

from drainer.adapter.fleet import Fleet
from drainer.adapter.pods import Pod
from drainer.adapter.worths import Worths
from tests.unit.adapter.test_fleet import made, read


class Case:
    """Pods and what they say."""

    def __init__(self) -> None:
        self.fleet = Fleet()
        self.worths = Worths(self.fleet, lambda: 0.5)

    def put(self, name: str, connections: int | None, cost: int = 0, **changes: Any) -> Pod:
        """A pod that says so many; `changes` of it, or of its reading."""
        of_reading = {key: changes.pop(key) for key in ("is_serving", "keeps_cost", "taken_at") if key in changes}
        pod = made(name, **({"cost": str(cost)} if cost else {}), **changes)
        self.fleet.put(pod)
        if connections is not None:
            self.fleet.read(pod, read(connections, **of_reading))
        return pod

    def due(self, now: float) -> dict[str, int]:
        return {pod.name: cost for pod, cost in self.worths.due(list(self.fleet), now)}


def test_who_has_most_to_lose_comes_first() -> None:
    case = Case()
    for name, connections in (("a", 3), ("b", 0), ("c", 500), ("d", 40)):
        case.put(name, connections)

    assert list(case.due(0).items()) == [("c", 256), ("d", 32), ("a", 2)]


@pytest.mark.parametrize(
    "changes",
    [
        {"is_serving": False},
        {"keeps_cost": True},
        {"ready": False},
        {"deleted": True},
        {"phase": "Succeeded"},
        {"controller": "StatefulSet"},
        {"cost": 1, "manager": "drainer"},
        {"cost": 1, "manager": "kubectl"},
    ],
)
def test_nothing_is_written_where_it_is_no_adapters_business(changes: dict[str, Any]) -> None:
    case = Case()
    case.put("a", 500, **changes)

    assert case.due(0) == {}


def test_a_pod_that_has_fallen_silent_counts_as_it_was_and_one_that_has_never_spoken_not_at_all() -> None:
    case = Case()
    case.put("a", 500, taken_at=-10_000.0)
    case.put("b", None)

    assert case.due(0) == {"a": 256}


def test_two_writes_are_a_minute_apart_whoever_wrote() -> None:
    case = Case()
    case.put("a", 500)
    assert case.due(0) == {"a": 256}
    # It, or another replica, has written.
    case.put("a", 500, 256)
    assert case.due(10) == {}
    case.put("a", 2000, 256)
    assert case.due(20) == {}
    # Seen at 10, and 60 + 30 * 0.5 s from then on.
    assert case.due(84.9) == {}
    assert case.due(85) == {"a": 1024}
    # Nothing came of it: it is still due.
    assert case.due(86) == {"a": 1024}


def test_a_cost_that_is_right_within_its_band_stays() -> None:
    case = Case()
    case.put("a", 130, 64)
    case.put("b", 144, 64)
    case.put("c", 0, 64)

    assert case.due(0) == {"b": 128, "c": 0}


def test_of_pods_that_are_gone_nothing_is_kept() -> None:
    case = Case()
    pod = case.put("a", 500)
    case.due(0)
    case.put("a", 2000, 256)
    assert case.due(10) == {}
    case.worths.keep({pod.uid})
    assert case.due(20) == {}
    case.worths.keep(set())
    assert case.due(20) == {"a": 1024}
