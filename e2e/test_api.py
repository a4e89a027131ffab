"""What the agent learns from the API, and what it tells there."""

from __future__ import annotations

import time
from typing import Any

import pytest

from drainer.keys import SERVING
from drainer.sidecar import NAME
from e2e.manifests import SILENT, App, Template
from e2e.pod import Pod
from e2e.scene import Scene
from e2e.waiting import stays, until

NOW = 3.0
"""Seconds within which "at once" has happened on a busy node."""


def drain_of(pod: Pod) -> dict[str, Any]:
    """The agent's running drain."""
    return until("the drain is running", lambda: pod.status()["drain"] or {})


def test_delete_with_a_grace_period_is_heeded(scene: Scene) -> None:
    pod = scene.pod(Template(grace=60, api=True))
    group = scene.clients(pod, 3)
    pod.delete(grace=10)
    done, sigterm = pod.phase("done"), pod.tells("sigterm")
    scene.saw |= {"outcome": done["outcome"], "drain": done["seconds"], "closes": group.shown()}
    assert (done["outcome"], done["remaining"]) == ("deadline", 3)
    assert 6.5 <= done["seconds"] <= 7.5  # 10 s less the reserve
    assert 0 <= sigterm["at"] - done["at"] < NOW
    # The app had its reserve, and said goodbye.
    assert (pod.ended("app")["exitCode"], dict(group.codes)) == (0, {1001: 3})


def test_a_deleted_pod_serves_on_through_the_settle_time(scene: Scene) -> None:
    """Its endpoint is unready already; going unready at once would only take the last resort of kube-proxy away."""
    pod = scene.pod(Template(api=True, settings={"settle": "6s"}))
    scene.service()
    group = scene.clients(pod, 1)
    deleted_at = time.time()
    pod.delete()
    serving_on = {"ready": False, "serving": True, "terminating": True}
    until("the endpoint is terminating, and serves", lambda: scene.endpoints()[pod.name] == serving_on)
    until("the endpoint serves no more", lambda: not scene.endpoints()[pod.name]["serving"])
    scene.saw["serving for"] = time.time() - deleted_at
    assert scene.saw["serving for"] >= 6
    assert group.open == 1
    group.leave()


def test_a_second_shorter_delete_is_followed(scene: Scene) -> None:
    pod = scene.pod(Template(grace=90, api=True))
    group = scene.clients(pod, 3)
    pod.delete()
    pod.phase("draining")
    assert drain_of(pod)["deadline_in_seconds"] > 60
    pod.delete(grace=12)
    until("the deadline is near", lambda: drain_of(pod)["deadline_in_seconds"] < 12)
    done = pod.phase("done")
    scene.saw |= {"outcome": done["outcome"], "drain": done["seconds"], "closes": group.shown()}
    assert done["outcome"] == "deadline"
    assert done["seconds"] < 20
    assert pod.ended("app")["exitCode"] == 0


def test_a_force_delete_ends_the_drain_quickly(scene: Scene) -> None:
    pod = scene.pod(Template(grace=90, api=True))
    group = scene.clients(pod, 3)
    pod.delete()
    pod.phase("draining")
    pod.delete(grace=0)
    until("the pod is gone from the API", lambda: pod.is_gone)
    gone_at = pod.gone_at
    # Nobody can ask the pod any more; its clients can tell.
    until("the app has said goodbye", lambda: dict(group.codes) == {1001: 3}, within=30)
    seconds = max(one["closed_at"] for one in group.connections) - gone_at
    scene.saw |= {"closes": group.shown(), "after": seconds}
    assert seconds < 15


def test_events_the_condition_and_the_termination_message_tell_of_a_drain(scene: Scene) -> None:
    pod = scene.pod(Template(api=True))
    group = scene.clients(pod, 2)
    pod.delete()
    pod.phase("draining")
    until("the Event of the beginning is there", lambda: "DrainStarted" in pod.events(NAME))
    group.leave()
    message = pod.ended(NAME).get("message", "")
    until("the Event of the end is there", lambda: "Drained" in pod.events(NAME))
    events, conditions = pod.events(NAME), pod.conditions(SERVING)
    scene.saw |= {"Events": events, "condition": conditions, "termination message": message}
    assert set(events) == {"DrainStarted", "Drained"}
    assert ("False", "DrainStarted") in conditions
    assert conditions[-1] == ("False", "Drained")
    assert message.strip() == f"Drained: {events['Drained']}"


def test_a_deadline_is_told_with_who_was_left(scene: Scene) -> None:
    pod = scene.pod(Template(grace=10, api=True))
    scene.clients(pod, 4)
    pod.delete()
    message = pod.ended(NAME).get("message", "")
    until("the Event of the deadline is there", lambda: "DrainDeadline" in pod.events(NAME))
    events, conditions = pod.events(NAME), pod.conditions(SERVING)
    scene.saw |= {"Events": events, "condition": conditions, "termination message": message}
    assert set(events) == {"DrainStarted", "DrainDeadline"}
    assert conditions[-1] == ("False", "DrainDeadline")
    assert "with 4 connections left" in events["DrainDeadline"]
    assert message.strip() == f"DrainDeadline: {events['DrainDeadline']}"


def test_the_service_label_leaves_the_endpointslice_and_returns(scene: Scene) -> None:
    pod = scene.pod(Template(apps=[App(liveness=True)], grace=60, api=True, settings=LABEL))
    scene.service({SERVING: "true"})
    until("the endpoint is there", lambda: set(scene.endpoints()) == {pod.name})
    group = scene.clients(pod, 1)
    pod.hang()
    until("the endpoint has left", lambda: not scene.endpoints())
    # Pods and EndpointSlices are two watches: one may be behind the other.
    until("the label says so", lambda: pod.label(SERVING) == "false")
    assert not pod.is_terminating
    group.leave()
    until("the endpoint is back", lambda: set(scene.endpoints()) == {pod.name})
    until("the pod serves again", lambda: pod.status()["phase"] == "serving")
    until("the Event of the return is there", lambda: "DrainResumed" in pod.events(NAME))
    until("the condition says so", lambda: pod.conditions(SERVING)[-1] == ("True", "DrainResumed"))
    scene.saw |= {"label": pod.labels(SERVING), "condition": pod.conditions(SERVING), "Events": list(pod.events(NAME))}
    assert pod.labels(SERVING) == ["true", "false", "true"]


LABEL = {"serving_label": "true"}


def test_a_pod_whose_time_is_up_leaves_its_service_by_the_label(scene: Scene) -> None:
    """The kubelet ends it, nobody deletes it."""
    pod = scene.pod(
        Template(
            grace=60,
            api=True,
            settings=LABEL,
            spec={"activeDeadlineSeconds": 15, "restartPolicy": "Never"},
        )
    )
    scene.service({SERVING: "true"})
    group = scene.clients(pod, 2)
    pod.phase("draining")
    until("the endpoint has left", lambda: not scene.endpoints())
    stays("the clients are connected", lambda: group.open == 2, 3)
    scene.saw |= {"Ready": pod.conditions("Ready"), "label": pod.label(SERVING), "deleted": pod.is_terminating}
    assert (pod.label(SERVING), pod.is_terminating) == ("false", False)
    group.leave()
    assert pod.ended("app")["exitCode"] == 0
    assert pod.phase("done")["outcome"] == "drained"


FILL_THE_DISK = "open('/scratch/full', 'wb').write(bytes(4 << 20))"


def test_a_pod_that_the_kubelet_evicts_leaves_its_service_by_the_label(scene: Scene) -> None:
    """The hook has one second here, and readiness is not looked at any more: only the label takes the pod out."""
    template = Template(api=True, settings=LABEL).pod(scene.stage.images)
    template["spec"]["volumes"].append({"name": "scratch", "emptyDir": {"sizeLimit": "1Mi"}})
    template["spec"]["containers"][0]["volumeMounts"].append({"name": "scratch", "mountPath": "/scratch"})
    pod = scene.ready(scene.start(template))
    scene.service({SERVING: "true"})
    group = scene.clients(pod, 2)
    pod.execute("app", FILL_THE_DISK)
    until("the label says so", lambda: pod.label(SERVING) == "false", within=150)
    failed = pod.now["status"]["phase"] == "Failed"
    until("the endpoint has left", lambda: not scene.endpoints())
    until("the kubelet says why", lambda: "Evicted" in pod.events("kubelet"))
    until("the app has said goodbye", lambda: dict(group.codes) == {1001: 2})
    scene.saw |= {"Ready": pod.conditions("Ready"), "label": pod.labels(SERVING), "Events": list(pod.events(NAME))}
    assert not failed
    assert not pod.is_terminating


def test_at_rest_nothing_is_asked_and_a_drain_takes_at_most_eight_calls(scene: Scene) -> None:
    pod = scene.pod(Template(api=True, settings=LABEL))
    until("the first look is done", lambda: calls(pod))
    at_rest = calls(pod)
    stays("nothing is asked", lambda: calls(pod) == at_rest, 5)
    pod.call_agent("GET", "/drain")
    until("the label says so", lambda: pod.label(SERVING) == "false")
    pod.phase("done")
    until("the Event of the end is there", lambda: "Drained" in pod.events(NAME))
    drained = calls(pod)
    (resident,) = pod.samples("process_resident_memory_bytes").values()
    scene.saw |= {
        "calls at the start": at_rest,
        "for a drain": drained - at_rest,
        "resident": f"{resident / (1 << 20):.1f} MiB",
    }
    assert 0 < drained - at_rest <= 8


def calls(pod: Pod) -> int:
    """Requests to the API so far."""
    return int(sum(pod.samples("drainer_kubernetes_requests_total").values()))


def test_the_readiness_gate_opens_with_the_agent_and_closes_with_a_drain(scene: Scene) -> None:
    pod = scene.pod(Template(api=True, settings={"readiness_gate": "true"}))
    assert pod.condition(SERVING)["status"] == "True"
    group = scene.clients(pod, 1)
    pod.call_agent("GET", "/drain")
    until("the pod is unready", lambda: not pod.is_ready)
    until("the gate is closed", lambda: pod.condition(SERVING)["status"] == "False")
    pod.call_agent("POST", "/resume")
    until("the pod is ready again", lambda: pod.is_ready)
    scene.saw |= {"condition": pod.conditions(SERVING), "clients": group.open}
    assert group.open == 1


@pytest.mark.parametrize("trouble", ["silent", "refused"])
def test_an_api_server_out_of_reach_never_delays_a_drain(scene: Scene, trouble: str) -> None:
    host, port = {
        "silent": (scene.stage.clients.addresses[0], SILENT),
        "refused": (scene.stage.clients.addresses[0], 9),
    }[trouble]
    template = Template(api=True).pod(scene.stage.images)
    template["spec"]["initContainers"][0]["env"] += [
        {"name": "KUBERNETES_SERVICE_HOST", "value": host},
        {"name": "KUBERNETES_SERVICE_PORT", "value": str(port)},
    ]
    pod = scene.ready(scene.start(template))
    group = scene.clients(pod, 5)
    pod.delete()
    draining = pod.phase("draining")
    group.leave()
    done, sigterm = pod.phase("done"), pod.tells("sigterm")
    scene.saw |= {"outcome": done["outcome"], "drain": done["seconds"], "SIGTERM": sigterm["at"] - done["at"]}
    assert (done["outcome"], dict(group.codes)) == ("drained", {1000: 5})
    assert done["at"] - draining["at"] < NOW
    assert 0 <= sigterm["at"] - done["at"] < NOW
    assert not pod.events(NAME)


def test_a_stranger_counts_as_soon_as_the_pod_is_seen_to_be_deleted(scene: Scene) -> None:
    # The kubelet itself is a stranger where a token is set that it does not send.
    template = Template(api=True).pod(scene.stage.images)
    template["spec"]["initContainers"][0]["env"].append({"name": "DRAINER_TOKEN", "value": "nobody-sends-it"})
    pod = scene.ready(scene.start(template))
    group = scene.clients(pod, 2)
    pod.delete()
    draining = pod.phase("draining")
    stays("the clients are connected", lambda: group.open == 2, 2)
    group.leave()
    done = pod.phase("done")
    scene.saw |= {"outcome": done["outcome"], "closes": group.shown()}
    assert (done["outcome"], dict(group.codes)) == ("drained", {1000: 2})
    assert draining["at"] <= done["at"]
