"""Deletion costs for a fleet: over HTTP to the API server, with agents that answer, and others who write too."""

from __future__ import annotations

import base64
import time

import pytest

from drainer.adapter.certificates import CERTIFICATES
from drainer.keys import DELETION_COST
from tests.adapter.agents import HANG, Agents
from tests.adapter.cluster import HPAS, SCALE, SECRET, FakeCluster
from tests.adapter.harness import Pki, running
from tests.adapter.objects import autoscaler, pod
from tests.adapter.test_metrics import WHERE, pods
from tests.process.waiting import UNIT, until

HPA = f"{HPAS}/ws"
COSTS = "--deletion-cost"
CALM = ("AbleToScale", "ReadyForNewScale")
WITHIN = 30 * UNIT
"""Seconds: an adapter looks every five."""


@pytest.fixture
def cluster(cluster: FakeCluster) -> FakeCluster:
    """With a Deployment, and an HPA of it that waits to scale down."""
    cluster.put("/apis/apps", {"preferredVersion": {"groupVersion": "apps/v1"}})
    cluster.put("/apis/apps/v1", {"resources": [{"name": "deployments", "kind": "Deployment"}]})
    cluster.put(SCALE, {"status": {"selector": "app=ws"}})
    cluster.put(HPA, autoscaler())
    return cluster


def path(name: str) -> str:
    return f"/api/v1/namespaces/chat/pods/{name}"


def costs(cluster: FakeCluster, count: int) -> list[str | None]:
    return [
        cluster.objects[path(f"ws-{number}")]["metadata"].get("annotations", {}).get(DELETION_COST)
        for number in range(count)
    ]


def test_while_an_hpa_waits_its_pods_are_told_apart(cluster: FakeCluster, fleet: Agents, pki: Pki) -> None:
    cluster.put(HPA, autoscaler(condition=CALM))
    pods(cluster, fleet, 40, 0, 500, HANG, 9)
    fleet.draining.add(WHERE[4])
    with running(cluster, pki, COSTS) as adapter:
        adapter.await_ready()
        assert adapter.metric("drainer_adapter_scale_downs_waiting") == 0
        cluster.put(HPA, autoscaler())
        until(lambda: costs(cluster, 3), lambda found: found == ["32", None, "256"], WITHIN)
        assert adapter.metric("drainer_adapter_scale_downs_waiting") == 1
        assert adapter.metric('drainer_adapter_deletion_costs_total{result="ok"}') == 2
        adapter.await_log("the HPA chat/ws waits to scale down: the emptiest pods of the Deployment chat/ws go first")
        cluster.remove(HPA)
        adapter.await_log("the HPA chat/ws does not wait any more; deletion costs written here: 2")
        # Who does not answer and who drains are left as they are, and nobody is written twice.
        assert costs(cluster, 5) == ["32", None, "256", None, None]
        assert sorted(cluster.written) == [("ws-0", "32"), ("ws-2", "256")]


def test_two_replicas_write_once(cluster: FakeCluster, fleet: Agents, pki: Pki) -> None:
    pods(cluster, fleet, *range(100, 108))
    with running(cluster, pki, COSTS) as one, running(cluster, pki, COSTS) as other:
        until(lambda: costs(cluster, 8), lambda found: found == ["64"] * 8, WITHIN)
        time.sleep(6 * UNIT)  # Both look once more.
        done = sum(adapter.metric('drainer_adapter_deletion_costs_total{result="ok"}') for adapter in (one, other))
    assert done == 8


def test_a_cost_that_somebody_sets_at_the_same_moment_stays(cluster: FakeCluster, fleet: Agents, pki: Pki) -> None:
    pods(cluster, fleet, 40)

    def faster(_: str) -> None:
        cluster.before_write = lambda _: None
        cluster.put_pod(pod("ws-0", fleet.port, address=WHERE[0], cost="-5", manager="kubectl-annotate"))

    with running(cluster, pki, COSTS) as adapter:
        adapter.await_ready()
        cluster.before_write = faster
        until(lambda: adapter.metric('drainer_adapter_deletion_costs_total{result="conflict"}'), bool, WITHIN)
        time.sleep(6 * UNIT)  # It looks once more, and sees whose cost it is.
    assert costs(cluster, 1) == ["-5"]
    assert cluster.written == [("ws-0", "32")]


def test_an_agent_that_keeps_its_cost_is_left_alone(cluster: FakeCluster, fleet: Agents, pki: Pki) -> None:
    pods(cluster, fleet, 40, 500)
    fleet.keeps_cost.add(WHERE[1])
    with running(cluster, pki, COSTS) as adapter:
        adapter.await_ready()
        until(lambda: costs(cluster, 2), lambda found: found[0] == "32", WITHIN)
    assert cluster.written == [("ws-0", "32")]


def test_without_the_right_to_see_hpas_metrics_are_served_all_the_same(
    cluster: FakeCluster, fleet: Agents, pki: Pki
) -> None:
    pods(cluster, fleet, 40)
    cluster.bad_days["/apis/autoscaling"] = 403
    with running(cluster, pki, COSTS) as adapter:
        adapter.await_ready()
        adapter.await_log("/apis/autoscaling/v2/horizontalpodautoscalers cannot be watched: forbidden")
        assert adapter.values() == {"ws-0": "40"}
    assert cluster.written == []


def test_without_metrics_it_does_nothing_else(cluster: FakeCluster, fleet: Agents, pki: Pki) -> None:
    pods(cluster, fleet, 40)
    with running(cluster, pki, COSTS, "--metrics=none") as adapter:
        adapter.await_ready()
        until(lambda: costs(cluster, 1), lambda found: found == ["32"], WITHIN)
        trusted = base64.b64decode(cluster.objects[SECRET]["data"][CERTIFICATES]).decode()
        assert adapter.ask("/apis/custom.metrics.k8s.io/v1beta2", trusted=trusted).status == 404
    assert not [where for _, where in cluster.asked if "apiservices" in where]
