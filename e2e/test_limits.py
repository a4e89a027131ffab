"""A pod that is full asks for no more, and the emptiest pod goes first."""

from __future__ import annotations

from typing import Any

from drainer.keys import DELETION_COST, SERVING
from drainer.kube.bodies import is_own_cost
from drainer.sidecar import NAME
from e2e.manifests import Template
from e2e.pod import Pod
from e2e.scene import Scene
from e2e.waiting import stays, until

LIMITED = {"serving_label": "true", "max_connections": "6", "resume_below": "4"}
FIRST_COST_WITHIN = 60.0


def limit_of(pod: Pod) -> dict[str, Any]:
    limit: dict[str, Any] = pod.status()["limit"]
    return limit


def sent_to(scene: Scene, address: str) -> set[str]:
    """The pods that three newcomers of a Service come to; they leave again."""
    newcomers = scene.stage.traffic.group(address, 3)
    pods = set(newcomers.pods)
    newcomers.leave()
    until("the newcomers have left", lambda: not newcomers.open)
    return pods


def test_a_full_pod_leaves_its_service_while_its_clients_stay_and_returns_when_enough_have_left(scene: Scene) -> None:
    scene.workload("Deployment", Template(api=True, settings=LIMITED), 2)
    full, other = scene.ready_pods()
    address = scene.service({SERVING: "true"})
    until("both are in the Service", lambda: set(scene.endpoints()) == {full.name, other.name})
    group = scene.clients(full, 6)
    until("the full pod has left its Service", lambda: set(scene.endpoints()) == {other.name})
    # Pods and EndpointSlices are two watches, and kube-proxy has a third one.
    until("the label says so", lambda: full.label(SERVING) == "false")
    until("newcomers are sent to the other one", lambda: sent_to(scene, address) == {other.name})
    scene.saw["used"] = f"{limit_of(full)['utilization']:.0%}"
    assert (group.open, full.is_ready) == (6, True)
    group.leave(2)
    stays("it is out with 4, which is not below", lambda: set(scene.endpoints()) == {other.name}, 4)
    group.leave(1)
    until("it is back", lambda: set(scene.endpoints()) == {full.name, other.name})
    until("the label says so too", lambda: full.label(SERVING) == "true")
    scene.saw["labels"] = full.labels(SERVING)
    assert (full.labels(SERVING), group.open) == (["true", "false", "true"], 3)
    assert not full.events("drainer")


def test_when_every_pod_is_full_the_last_one_goes_on_taking(scene: Scene) -> None:
    scene.workload("Deployment", Template(api=True, settings=LIMITED), 2)
    pods = scene.ready_pods()
    address = scene.service({SERVING: "true"})
    until("both are in the Service", lambda: set(scene.endpoints()) == {pod.name for pod in pods})
    groups = [scene.clients(pod, 7) for pod in pods]
    until("one of them has left", lambda: len(scene.endpoints()) == 1, within=60)
    stays("somebody is in the Service", lambda: len(scene.endpoints()) == 1, 20)
    rooms = sorted(limit_of(pod)["room"] for pod in pods)
    newcomers = scene.stage.traffic.group(address, 5)
    scene.saw |= {"rooms": rooms, "newcomers": newcomers.open}
    assert rooms == ["full", "last"]
    assert [group.open for group in groups] == [7, 7]
    # The last one goes: the full one comes back.
    (last,) = [pod for pod in pods if limit_of(pod)["room"] == "last"]
    (full,) = [pod for pod in pods if pod is not last]
    last.delete()
    until("the full one is back, or a new pod is there", lambda: set(scene.endpoints()) - {last.name})
    until("nobody is out for want of others", lambda: full.name in scene.endpoints() or len(scene.ready_pods()) == 2)


def test_of_four_pods_the_one_with_the_fewest_connections_is_deleted(scene: Scene) -> None:
    deployment = scene.workload("Deployment", Template(api=True, settings={"deletion_cost": "true"}), 4)
    pods = scene.ready_pods()
    counts = dict(zip(pods, (20, 40, 2, 9), strict=True))
    for pod, count in counts.items():
        scene.clients(pod, count)
    until("every pod has its cost", lambda: all(pod.costs for pod in pods), within=FIRST_COST_WITHIN)
    scene.saw["costs"] = {counts[pod]: pod.costs for pod in pods}
    assert [pod.costs for pod in pods] == [["16"], ["32"], ["2"], ["8"]]
    # A next agent in the pod will know that they are an agent's.
    assert all(is_own_cost(pod.now) for pod in pods)
    scene.cluster.patch(deployment, {"spec": {"replicas": 3}})
    until("one of them goes", lambda: any(pod.is_terminating for pod in pods))
    assert [counts[pod] for pod in pods if pod.is_terminating] == [2]
    scene.cluster.patch(deployment, {"spec": {"replicas": 2}})
    until("another one goes", lambda: sum(pod.is_terminating or pod.is_gone for pod in pods) == 2)
    assert [counts[pod] for pod in pods if not (pod.is_terminating or pod.is_gone)] == [20, 40]


def test_a_deletion_cost_that_was_set_by_hand_stays(scene: Scene) -> None:
    template = Template(api=True, settings={"deletion_cost": "true"}, annotations={DELETION_COST: "-5"})
    scene.workload("Deployment", template, 1)
    (pod,) = scene.ready_pods()
    scene.clients(pod, 5)

    def told() -> list[Any]:
        return [line for line in pod.said(NAME) if DELETION_COST in line["message"]]

    said = until("the agent says so", told, 2 * FIRST_COST_WITHIN)
    scene.saw["log"] = said[0]["message"]
    stays("the cost is what it was", lambda: pod.costs == ["-5"], FIRST_COST_WITHIN)
