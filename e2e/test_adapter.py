"""Autoscaling by connections: the adapter serves the metrics API, and an HPA follows it."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes.client.exceptions import ApiException

from drainer.adapter.pods import MANAGER
from drainer.keys import DELETION_COST
from drainer.kube.bodies import is_own_cost
from e2e.chart import Chart
from e2e.cluster import Manifest
from e2e.conftest import TEST_SECONDS
from e2e.manifests import Template
from e2e.scene import Scene
from e2e.test_rights import Attempt, refusal, token
from e2e.waiting import stays, until

APISERVICE: Manifest = {
    "apiVersion": "apiregistration.k8s.io/v1",
    "kind": "APIService",
    "metadata": {"name": "v1beta2.custom.metrics.k8s.io"},
}
OTHERS: Manifest = {
    "apiVersion": "apiregistration.k8s.io/v1",
    "kind": "APIService",
    "metadata": {"name": "v1beta1.external.metrics.k8s.io"},
    "spec": {
        "group": "external.metrics.k8s.io",
        "version": "v1beta1",
        "groupPriorityMinimum": 100,
        "versionPriority": 100,
        "insecureSkipTLSVerify": True,
        "service": {"namespace": "others", "name": "metrics"},
    },
}
MERGE = "application/merge-patch+json"
WINDOW = 60
"""Seconds."""
TARGET = 5
"""Connections of a pod that the HPA wants."""


@pytest.fixture
def turn() -> Iterator[None]:
    """A cluster has one server of custom.metrics.k8s.io: of the tests that run together one has it at a time."""
    with Path(os.environ["KUBECONFIG"]).open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def autoscaler(name: str, target: int = TARGET, window: int = 0) -> Manifest:
    """As quick as an HPA can be: most of a test is waiting. `window`: for how many seconds fewer pods must do."""
    metric = {"metric": {"name": "connections"}, "target": {"type": "AverageValue", "averageValue": str(target)}}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": name},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
            "minReplicas": 1,
            "maxReplicas": 4,
            "metrics": [{"type": "Pods", "pods": metric}],
            "behavior": {"scaleDown": {"stabilizationWindowSeconds": window}},
        },
    }


def is_there(scene: Scene, manifest: Manifest) -> bool:
    """Whether somebody serves the API in this cluster already."""
    try:
        scene.cluster.call("GET", scene.cluster.path(manifest))
    except ApiException as error:
        if error.status != 404:
            raise
        return False
    return True


def conditions(scene: Scene, manifest: Manifest) -> dict[str, str]:
    found = scene.cluster.call("GET", scene.cluster.path(manifest))
    return {one["type"]: one["status"] for one in found.get("status", {}).get("conditions", [])}


def connections(scene: Scene) -> dict[str, str]:
    """Pod -> value, as `kubectl get --raw` has it."""
    path = f"/apis/custom.metrics.k8s.io/v1beta2/namespaces/{scene.stage.namespace}/pods/*/connections"
    answer: Any = scene.cluster.call("GET", path, query={"labelSelector": f"app={scene.name}"})
    return {item["describedObject"]["name"]: item["value"] for item in answer["items"]}


def test_the_chart_does_not_take_over_an_apiservice_of_somebody_else(scene: Scene) -> None:
    chart = Chart.or_skip()
    if not is_there(scene, OTHERS):
        scene.create(OTHERS)
    values = {"adapter": {"enabled": True, "customMetrics": {"enabled": False}, "externalMetrics": {"enabled": True}}}
    said = chart.refusal(os.environ["KUBECONFIG"], scene.stage.namespace, values)

    assert "the APIService v1beta1.external.metrics.k8s.io is there already and points to the Service" in said
    assert "Switch adapter.externalMetrics.enabled off" in said


def serve(scene: Scene, **values: Any) -> str:
    """The adapter, in force; skips where it cannot be. Returns its service account."""
    if not scene.stage.images.commands:
        pytest.skip("needs COMMANDS_IMAGE, the image with the commands: the adapter runs in it")
    if is_there(scene, APISERVICE):
        pytest.skip("another server of custom.metrics.k8s.io is in this cluster already, and it is left alone")
    image = scene.stage.images.values(scene.stage.images.commands)["image"]
    image.pop("pullPolicy")
    made = scene.release({"adapter": {"enabled": True, "image": image, **values}})
    until("the APIService is Available", lambda: conditions(scene, APISERVICE).get("Available") == "True")
    return next(str(one["metadata"]["name"]) for one in made if one["kind"] == "ServiceAccount")


@pytest.mark.timeout(2 * TEST_SECONDS)
@pytest.mark.usefixtures("turn")
def test_an_hpa_follows_connections_up_and_down_with_nothing_else_installed(scene: Scene) -> None:
    serve(scene)
    workload = scene.workload("Deployment", Template(), 1)
    (pod,) = scene.ready_pods()
    until("a pod without clients has 0 connections", lambda: connections(scene) == {pod.name: "0"})
    group = scene.clients(pod, 3 * TARGET - 2)
    until("its clients are seen", lambda: connections(scene) == {pod.name: str(3 * TARGET - 2)})

    scene.create(autoscaler(scene.name))
    began = time.monotonic()
    until("there are three replicas", lambda: len(scene.ready_pods()) == 3)
    scene.saw |= {"up to 3 replicas": time.monotonic() - began}
    until("all are seen", lambda: sorted(connections(scene).values()) == ["0", "0", str(3 * TARGET - 2)])
    stays("it keeps them", lambda: len(scene.ready_pods()) == 3, 10)
    group.leave()
    began = time.monotonic()
    until(
        "there is one replica", lambda: scene.cluster.call("GET", scene.cluster.path(workload))["spec"]["replicas"] == 1
    )
    scene.saw |= {"down to 1 replica": time.monotonic() - began}
    until("the others are gone, and with them their metrics", lambda: len(connections(scene)) == 1)


@pytest.mark.timeout(2 * TEST_SECONDS)
@pytest.mark.usefixtures("turn")
def test_while_an_hpa_waits_to_scale_down_the_adapter_has_the_emptiest_pod_go_first(scene: Scene) -> None:
    account = serve(scene, deletionCost={"enabled": True})
    scene.workload("Deployment", Template(), 4)
    pods = scene.ready_pods()
    counts = dict(zip(pods, (20, 40, 2, 9), strict=True))
    for pod, count in counts.items():
        scene.clients(pod, count)
    total = sum(counts.values())
    until("all clients are seen", lambda: sum(map(int, connections(scene).values())) == total)

    hpa = scene.create(autoscaler(scene.name, total // 4, WINDOW))
    until("the HPA knows its metric", lambda: conditions(scene, hpa).get("ScalingActive") == "True")
    stays("nothing is written while it does not wait", lambda: not any(pod.costs for pod in pods), 20)
    scene.cluster.patch(hpa, {"spec": autoscaler(scene.name, total // 3 + 2, WINDOW)["spec"]}, MERGE)
    began = time.monotonic()
    until("all have their cost", lambda: all(pod.costs for pod in pods), WINDOW)
    scene.saw |= {"costs after": time.monotonic() - began, "costs": {counts[pod]: pod.costs for pod in pods}}
    assert [pod.costs for pod in pods] == [["16"], ["32"], ["2"], ["8"]]
    assert all(is_own_cost(pod.now, MANAGER) for pod in pods)
    assert not any(pod.is_terminating for pod in pods)
    until("one of them goes", lambda: any(pod.is_terminating for pod in pods), 2 * WINDOW)
    scene.saw |= {"down after": time.monotonic() - began}
    assert [counts[pod] for pod in pods if pod.is_terminating] == [2]
    (other,) = [pod for pod in pods if counts[pod] == 40]
    adapters = scene.cluster.as_bearer(token(scene, account, None))
    path = f"/api/v1/namespaces/{scene.stage.namespace}/pods/{other.name}"
    attempts: dict[str, Attempt] = {
        "the cost": ("PATCH", f"{path}/status", {"metadata": {"annotations": {DELETION_COST: "64"}}}),
        "another annotation": ("PATCH", f"{path}/status", {"metadata": {"annotations": {"example.com/a": "b"}}}),
        "a label": ("PATCH", f"{path}/status", {"metadata": {"labels": {"app": "other"}}}),
        "the phase": ("PATCH", f"{path}/status", {"status": {"phase": "Failed"}}),
        "the image": ("PATCH", path, {"spec": {"containers": [{"name": "app", "image": "other"}]}}),
        "the end": ("DELETE", path, None),
    }
    refused = {name: refusal(adapters, attempt, dry_run=True) for name, attempt in attempts.items()}
    assert [name for name, status in refused.items() if status is None] == ["the cost"]
