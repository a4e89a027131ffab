"""Autoscaling by connections: the adapter serves the metrics API, and an HPA follows it."""

from __future__ import annotations

import os
import time
from typing import Any

import pytest
from kubernetes.client.exceptions import ApiException

from e2e.chart import Chart
from e2e.cluster import Manifest
from e2e.manifests import Template
from e2e.scene import Scene
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
TARGET = 5
"""Connections of a pod that the HPA wants."""


def autoscaler(name: str) -> Manifest:
    """As quick as an HPA can be: most of a test is waiting."""
    metric = {"metric": {"name": "connections"}, "target": {"type": "AverageValue", "averageValue": str(TARGET)}}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": name},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
            "minReplicas": 1,
            "maxReplicas": 4,
            "metrics": [{"type": "Pods", "pods": metric}],
            "behavior": {"scaleDown": {"stabilizationWindowSeconds": 0}},
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


def test_an_hpa_follows_connections_up_and_down_with_nothing_else_installed(scene: Scene) -> None:
    if not scene.stage.images.commands:
        pytest.skip("needs COMMANDS_IMAGE, the image with the commands: the adapter runs in it")
    if is_there(scene, APISERVICE):
        pytest.skip("another server of custom.metrics.k8s.io is in this cluster already, and it is left alone")
    image = scene.stage.images.values(scene.stage.images.commands)["image"]
    image.pop("pullPolicy")
    scene.release({"adapter": {"enabled": True, "image": image}})
    until("the APIService is Available", lambda: conditions(scene, APISERVICE).get("Available") == "True")

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
