"""Many pods and many clients: rollouts, scale-downs, evictions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from e2e.manifests import GENTLE, App, Template
from e2e.scene import Scene, url
from e2e.traffic import Group
from e2e.waiting import stays, until

GRACE = 20
RESTART = {"spec": {"template": {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": "now"}}}}}
"""What `kubectl rollout restart` patches."""


def closing(library: str = "aiohttp") -> Template:
    return Template(apps=[App(notify=True, library=library)], grace=GRACE, settings=GENTLE)


def nobody_was_cut(group: Group, clients: int) -> Mapping[str, Any]:
    """Every connection that ended was closed with 1012, and every client came back at its first try."""
    until("all clients are connected", lambda: group.open == clients)
    seen = {"closes": group.shown(), "failed connects": len(group.failed), "clients": f"{clients} connected"}
    assert set(group.codes) == {1012}, seen
    assert not group.failed, [one for one in group.connections if one["failed"]]
    return seen


@pytest.mark.parametrize(
    ("server", "client"), [("aiohttp", "aiohttp"), ("aiohttp", "websockets"), ("websockets", "aiohttp")]
)
def test_a_rollout_drops_no_websocket(scene: Scene, server: str, client: str) -> None:
    needs(scene, server, client)
    deployment = scene.workload("Deployment", closing(server), 3)
    before = scene.ready_pods()
    group = scene.stage.traffic.group(scene.service(), 60, library=client, again=True)
    scene.cluster.patch(deployment, RESTART)
    until("three new pods are ready", lambda: len({pod.uid for pod in scene.ready_pods()} - uids(before)) == 3)
    until("the old pods are gone", lambda: all(pod.is_gone for pod in before))
    scene.saw |= nobody_was_cut(group, 60)
    assert set(group.pods) <= {pod.name for pod in scene.ready_pods()}


def test_a_scale_down_under_load_cuts_nobody(scene: Scene) -> None:
    deployment = scene.workload("Deployment", closing(), 3)
    group = scene.stage.traffic.group(scene.service(), 45, again=True)
    scene.cluster.patch(deployment, {"spec": {"replicas": 1}})
    until("one pod is left", lambda: len([pod for pod in scene.pods() if not pod.is_gone]) == 1)
    scene.saw |= nobody_was_cut(group, 45)
    assert set(group.pods) == {pod.name for pod in scene.ready_pods()}


def test_a_statefulset_is_restarted_one_by_one_and_cuts_nobody(scene: Scene) -> None:
    statefulset = scene.workload("StatefulSet", closing(), 2)
    before = {pod.name: pod for pod in scene.ready_pods()}
    group = scene.stage.traffic.group(scene.service(), 20, again=True)
    scene.cluster.patch(statefulset, RESTART)
    until("the first is gone", lambda: before[f"{scene.name}-1"].is_gone)
    assert not before[f"{scene.name}-0"].is_gone
    until("both are replaced", lambda: len({pod.uid for pod in scene.ready_pods()} - uids(before.values())) == 2)
    assert {pod.name for pod in scene.ready_pods()} == set(before)
    scene.saw |= nobody_was_cut(group, 20)


def test_an_eviction_by_the_api_waits_for_the_clients(scene: Scene) -> None:
    pod = scene.pod(Template())
    group = scene.clients(pod, 5)
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": pod.manifest["metadata"]}
    scene.cluster.call("POST", f"{scene.cluster.path(pod.manifest)}/eviction", eviction)
    pod.phase("draining")
    stays("all clients are connected", lambda: group.open == 5, 3)
    group.leave()
    done = pod.phase("done")
    reason = pod.condition("DisruptionTarget").get("reason")
    scene.saw |= {"outcome": done["outcome"], "closes": group.shown(), "DisruptionTarget": reason}
    assert (done["outcome"], reason) == ("drained", "EvictionByEvictionAPI")


def test_clients_over_ipv6_hold_the_drain_too(scene: Scene) -> None:
    if not scene.stage.has_ipv6:
        pytest.skip("pods have no IPv6 address in this cluster")
    pod = scene.pod(Template())
    address = next(address for address in pod.addresses if ":" in address)
    group = scene.stage.traffic.group(url(address), 5)
    pod.delete()
    pod.phase("draining")
    stays("all clients are connected", lambda: group.open == 5, 3)
    group.leave()
    done = pod.phase("done")
    scene.saw |= {"outcome": done["outcome"], "closes": group.shown()}
    assert (done["outcome"], done["left"]) == ("drained", 5)


def needs(scene: Scene, *libraries: str) -> None:
    missing = {*libraries} - {*scene.stage.traffic.libraries}
    if missing:
        pytest.skip(f"APP_IMAGE has no {', '.join(missing)}; e2e/Dockerfile makes one that has")


def uids(pods: Any) -> set[str]:
    return {pod.uid for pod in pods}
