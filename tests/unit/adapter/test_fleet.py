"""Pods that come and go, and how long what they said counts."""

from __future__ import annotations

from typing import Any

from drainer.adapter.fleet import FRESH, Fleet
from drainer.adapter.pods import Pod, pod_of
from drainer.adapter.readings import Reading
from drainer.adapter.selectors import parse
from tests.adapter.objects import pod


def made(name: str, **changes: Any) -> Pod:
    found = pod_of(pod(name, **changes))
    assert found is not None
    return found


def said(at: float) -> Reading:
    return read(1, taken_at=at)


def read(connections: int, **changes: Any) -> Reading:
    """What an agent at rest has said."""
    usual = {"limit": None, "taken_at": 0.0, "is_serving": True, "keeps_cost": False}
    return Reading(connections, connections, **usual | changes)


def test_a_reading_counts_while_it_is_fresh() -> None:
    fleet, one = Fleet(), made("ws-0")
    fleet.put(one)
    fleet.read(one, said(100.0))

    assert fleet.reading(one, 100.0 + FRESH) == said(100.0)
    assert fleet.reading(one, 100.1 + FRESH) is None
    assert fleet.last(one) == said(100.0)
    assert fleet.reading(made("ws-1"), 100.0) is None


def test_it_is_known_once_the_pods_were_listed() -> None:
    fleet = Fleet()
    assert not fleet.is_known
    fleet.replace([])
    assert fleet.is_known


def test_pods_are_selected_by_namespace_and_labels_and_have_an_order() -> None:
    fleet = Fleet()
    fleet.replace([made("b"), made("a"), made("c", labels={"app": "feed"}), made("d", namespace="other")])

    assert [one.name for one in fleet.selected("chat", parse("app=ws"))] == ["a", "b"]
    assert [one.name for one in fleet.selected("nowhere", parse(""))] == []
    assert fleet.named("other", "d") == made("d", namespace="other")
    assert fleet.named("other", "a") is None
    assert len(fleet) == 4


def test_a_pod_of_the_same_name_begins_without_a_reading() -> None:
    fleet, old, new = Fleet(), made("ws-0"), made("ws-0", uid="another")
    fleet.put(old)
    fleet.read(old, said(0.0))
    fleet.put(new)

    assert fleet.reading(new, 0.0) is None
    assert fleet.reading(old, 0.0) is None
    assert [*fleet] == [new]


def test_an_answer_that_comes_after_its_pod_has_gone_is_nothing() -> None:
    fleet, old, new = Fleet(), made("ws-0"), made("ws-0", uid="another")
    fleet.read(old, said(0.0))
    assert fleet.reading(old, 0.0) is None
    fleet.put(new)
    fleet.read(old, said(0.0))
    assert fleet.reading(new, 0.0) is None


def test_what_changes_in_a_pod_keeps_its_reading() -> None:
    fleet, one = Fleet(), made("ws-0")
    fleet.put(one)
    fleet.read(one, said(0.0))
    fleet.put(made("ws-0", deleted=True))

    assert fleet.reading(one, 0.0) == said(0.0)


def test_what_is_gone_is_forgotten() -> None:
    fleet, one, other = Fleet(), made("ws-0"), made("ws-1")
    for found in (one, other):
        fleet.put(found)
        fleet.read(found, said(0.0))
    fleet.remove("chat", "ws-0")
    fleet.remove("chat", "ws-0")
    fleet.remove("nowhere", "ws-0")
    assert [*fleet] == [other]
    fleet.replace([one])
    assert fleet.reading(one, 0.0) is None
    assert fleet.reading(other, 0.0) is None
    fleet.remove("chat", "ws-0")
    assert len(fleet) == 0
