"""Who may drain: the kubelet, and not just any pod of the cluster."""

from __future__ import annotations

import json

from drainer.callers import LEARNED_AFTER
from e2e.manifests import Template
from e2e.pod import AGENT_PORT
from e2e.scene import Scene
from e2e.waiting import until

AS_THE_KUBELET = {"User-Agent": "kube-lifecycle/1.36"}
"""Anybody can say so."""


def calls(trust: str) -> str:
    return f'drainer_callers_total{{trust="{trust}"}}'


def test_a_strangers_drain_has_no_effect_and_the_kubelets_has(scene: Scene) -> None:
    pod = scene.pod(Template())
    group = scene.clients(pod, 1)
    address = f"http://{pod.addresses[0]}:{AGENT_PORT}"
    held = scene.stage.traffic.request(f"{address}/drain", headers=AS_THE_KUBELET, seconds=5)
    assert held["failed"].startswith("TimeoutError"), held
    assert pod.metric(calls("stranger")) == 1
    assert (pod.status()["phase"], pod.is_ready) == ("serving", True)
    group.leave()
    until("the client has left", lambda: group.open == 0)
    answered = scene.stage.traffic.request(f"{address}/drain", headers=AS_THE_KUBELET)
    assert json.loads(answered["text"])["effect"] is False
    assert pod.status()["phase"] == "serving"

    group = scene.clients(pod, 1)
    pod.delete()
    until("the kubelet's hook is held", lambda: pod.status()["callers"]["held"] == 1)
    trusts = {trust: pod.metric(calls(trust)) for trust in ("trusted", "learned", "stranger")}
    group.leave()
    scene.saw |= {"the stranger was held": answered["seconds"], "calls by trust": trusts}
    assert trusts["stranger"] == 2
    assert trusts["trusted"] + trusts["learned"] == 1
    assert pod.phase("done")["outcome"] == "drained"


def test_an_address_that_probes_as_the_kubelet_does_is_learned(scene: Scene) -> None:
    pod = scene.pod(Template())
    address = f"http://{pod.addresses[0]}:{AGENT_PORT}"
    for _ in range(LEARNED_AFTER):
        assert scene.stage.traffic.request(f"{address}/readyz")["status"] == 200
    drained = scene.stage.traffic.request(f"{address}/drain")
    scene.saw |= {"trust": "learned", "drain": json.loads(drained["text"])["seconds"]}
    assert pod.metric(calls("learned")) == 1
    assert json.loads(drained["text"])["effect"] is True
    until("the pod is unready", lambda: not pod.is_ready)
    pod.call_agent("POST", "/resume")
    until("the pod is ready again", lambda: pod.is_ready)
