"""What of an API object matters, and what is no pod with an agent."""

from __future__ import annotations

from typing import Any

import pytest

from drainer.adapter.pods import Pod, pod_of
from drainer.sidecar import Sidecar, container
from tests.adapter.objects import pod


def test_a_pod_with_the_sidecar() -> None:
    item = pod("ws-0", 9900, address="10.0.0.7", labels={"app": "ws"}, deleted=True, ready=False)

    assert pod_of(item) == Pod(
        namespace="chat",
        name="ws-0",
        uid="uid-chat-ws-0",
        labels={"app": "ws"},
        address="10.0.0.7",
        port=9900,
        phase="Running",
        ready=False,
        deleted=True,
        cost=0,
        version="",
    )


def test_every_way_of_adding_the_sidecar_names_its_port() -> None:
    item = pod("ws-0")
    for native in (True, False):
        sidecar = container(
            Sidecar(image="x", app_ports="8080", grace_period=30, settings={"port": "9811"}, native=native)
        )
        where = "initContainers" if native else "containers"
        found = pod_of({**item, "spec": {where: [sidecar]}})
        assert found is not None
        assert found.port == 9811


@pytest.mark.parametrize(
    ("changes", "is_asked", "is_replica"),
    [
        ({}, True, True),
        ({"ready": False}, True, False),
        ({"deleted": True}, True, False),
        ({"phase": "Pending"}, False, False),
        ({"phase": "Failed", "ready": False}, False, False),
        ({"address": ""}, False, True),
    ],
)
def test_who_is_asked_and_who_counts(changes: dict[str, Any], *, is_asked: bool, is_replica: bool) -> None:
    found = pod_of(pod("ws-0", **changes))

    assert found is not None
    assert (found.is_asked, found.is_replica) == (is_asked, is_replica)


@pytest.mark.parametrize(
    "item",
    [
        None,
        [],
        {},
        {"metadata": {"namespace": "chat", "name": "ws-0", "uid": "u"}, "spec": {"containers": [{"name": "app"}]}},
        {**pod("ws-0"), "metadata": {"name": "ws-0"}},
        {**pod("ws-0"), "spec": {"containers": "many", "initContainers": [7, {"ports": [3, {"name": "drainer"}]}]}},
    ],
)
def test_what_is_no_pod_with_an_agent(item: Any) -> None:
    assert pod_of(item) is None


def test_odd_parts_are_left_out() -> None:
    item = pod("ws-0")
    item["metadata"]["labels"] = {"app": "ws", "odd": 7}
    item["status"] = {"conditions": [None, {"type": "Ready"}]}
    found = pod_of(item)

    assert found is not None
    assert (found.labels, found.address, found.phase, found.ready) == ({"app": "ws"}, "", "", False)


@pytest.mark.parametrize(
    ("changes", "cost"),
    [
        ({}, 0),
        ({"cost": "64"}, 64),
        ({"cost": "64", "manager": "drainer"}, None),
        ({"cost": "64", "manager": "kubectl-annotate"}, None),
        ({"cost": "-5"}, None),
        ({"controller": "StatefulSet"}, None),
        ({"controller": "CloneSet"}, 0),
        ({"controller": ""}, None),
    ],
)
def test_which_deletion_cost_is_an_adapters_to_change(changes: dict[str, Any], cost: int | None) -> None:
    found = pod_of(pod("ws-0", **changes))

    assert found is not None
    assert found.cost == cost
