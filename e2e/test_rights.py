"""The rights that the API asks for are the app's too: what its token may do, and what it may not."""

from __future__ import annotations

from typing import Any

import pytest
from kubernetes.client.exceptions import ApiException

from drainer.keys import DELETION_COST, SERVING
from drainer.sidecar import NAME
from e2e.cluster import STRATEGIC, Cluster
from e2e.manifests import Template, rights
from e2e.pod import Pod
from e2e.scene import Scene
from e2e.waiting import until

Attempt = tuple[str, str, Any]
"""Method, path and body."""


def token(scene: Scene, account: str, pod: Pod | None) -> str:
    """As the kubelet asks for the one that it mounts; without a pod one that belongs to none."""
    bound = {"boundObjectRef": {"apiVersion": "v1", "kind": "Pod", "name": pod.name, "uid": pod.uid}} if pod else {}
    made = scene.cluster.call(
        "POST",
        f"/api/v1/namespaces/{scene.stage.namespace}/serviceaccounts/{account}/token",
        {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 600, **bound}},
    )
    return str(made["status"]["token"])


def refusal(who: Cluster, attempt: Attempt, *, dry_run: bool = False) -> int | None:
    """The status of a refusal; None if it was allowed."""
    method, path, body = attempt
    content = {"PATCH": STRATEGIC}.get(method, "application/json")
    try:
        who.call(method, path, body, query={"dryRun": "All"} if dry_run else {}, content_type=content)
    except ApiException as error:
        return int(error.status)
    return None


def event(pod: Pod, namespace: str, reason: str = "Drained") -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"generateName": "e2e-", "namespace": namespace},
        "involvedObject": {"apiVersion": "v1", "kind": "Pod", "namespace": namespace, "name": pod.name, "uid": pod.uid},
        "reason": reason,
        "message": "an attempt",
        "type": "Normal",
        "source": {"component": NAME},
        "reportingComponent": NAME,
        "reportingInstance": pod.name,
    }


def account_of(scene: Scene, source: str) -> str:
    """A service account of this scene, with rights by `drainer inject --rbac` or by the chart."""
    account = scene.name
    if source == "inject":
        for manifest in rights(scene.stage.namespace, account):
            scene.create(manifest)
    else:
        scene.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": account}})
        switches = {"servingLabel": True, "deletionCost": True, "neverLast": True}
        scene.release({"rbac": {"create": True, "serviceAccounts": [account], **switches}})
    return account


@pytest.mark.parametrize("source", ["inject", "chart"])
def test_the_token_may_patch_the_keys_of_its_own_pod_and_nothing_else(scene: Scene, source: str) -> None:
    account, namespace = account_of(scene, source), scene.stage.namespace
    pod = scene.pod(Template(api=True, account=account, settings={"serving_label": "true"}))
    own = f"/api/v1/namespaces/{namespace}/pods/{pod.name}"
    other = f"/api/v1/namespaces/{namespace}/pods/{scene.stage.clients.name}"
    events = f"/api/v1/namespaces/{namespace}/events"

    def status(path: str, **change: Any) -> Attempt:
        return ("PATCH", f"{path}/status", change)

    def condition(kind: str) -> dict[str, Any]:
        return {"conditions": [{"type": kind, "status": "False", "reason": "Attempt"}]}

    allowed: dict[str, Attempt] = {
        "its label": status(own, metadata={"labels": {SERVING: "false"}}),
        "its condition": status(own, status=condition(SERVING)),
        "its deletion cost": status(own, metadata={"annotations": {DELETION_COST: "64"}}),
        "an Event about itself": ("POST", events, event(pod, namespace)),
        "looking at itself": ("GET", own, None),
        "the EndpointSlices": ("GET", f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices", None),
    }
    forbidden: dict[str, Attempt] = {
        "its label with another value": status(own, metadata={"labels": {SERVING: "maybe"}}),
        "another label": status(own, metadata={"labels": {"app": "other"}}),
        "an annotation": status(own, metadata={"annotations": {"example.com/attempt": "true"}}),
        "another pod's deletion cost": status(other, metadata={"annotations": {DELETION_COST: "64"}}),
        "another condition": status(own, status=condition("Ready")),
        "the phase": status(own, status={"phase": "Failed"}),
        "its image": ("PATCH", own, {"spec": {"containers": [{"name": "app", "image": "other"}]}}),
        "its end": ("DELETE", own, None),
        "another pod's label": status(other, metadata={"labels": {SERVING: "false"}}),
        "another pod's condition": status(other, status=condition(SERVING)),
        "an Event about another pod": ("POST", events, event(scene.stage.clients, namespace)),
        "an Event of another reason": ("POST", events, event(pod, namespace, "Killing")),
        "the secrets": ("GET", f"/api/v1/namespaces/{namespace}/secrets", None),
    }
    bearer = scene.cluster.as_bearer(token(scene, account, pod))
    until(
        "rights and policy are in force",
        lambda: (
            refusal(bearer, allowed["its label"], dry_run=True) is None
            and refusal(bearer, forbidden["another label"], dry_run=True)
        ),
    )
    refused = {name: refusal(bearer, attempt) for name, attempt in (allowed | forbidden).items()}
    stray = scene.cluster.as_bearer(token(scene, account, None))
    refused["its label, by a token of no pod"] = refusal(stray, allowed["its label"])
    scene.saw |= {"allowed": [name for name, status in refused.items() if status is None]}
    assert [name for name, status in refused.items() if status is None] == list(allowed)
    assert {status for status in refused.values() if status} <= {403, 422}
    until("the label has been changed", lambda: pod.label(SERVING) == "false")


@pytest.mark.parametrize("source", ["inject", "chart"])
def test_the_agent_needs_no_other_rights(scene: Scene, source: str) -> None:
    account = account_of(scene, source)
    pod = scene.pod(Template(api=True, account=account, settings={"serving_label": "true"}))
    group = scene.clients(pod, 2)
    pod.delete()
    until("the label says so", lambda: pod.label(SERVING) == "false")
    asked = {name: int(value) for name, value in pod.samples("drainer_kubernetes_requests_total").items() if value}
    group.leave()
    until("the Event of the end is there", lambda: "Drained" in pod.events(NAME))
    scene.saw |= {"requests": asked, "Events": list(pod.events(NAME)), "condition": pod.conditions(SERVING)}
    assert asked
    assert all('result="ok"' in name for name in asked), asked
