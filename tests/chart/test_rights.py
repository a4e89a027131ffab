"""What a pod's token may do, evaluated: the policy that comes with the Role."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from drainer.keys import DELETION_COST, SERVING
from tests.chart import helm
from tests.chart.admission import Policy

USER = f"system:serviceaccount:{helm.NAMESPACE}:chat"
POD = {
    "metadata": {
        "name": "chat-1",
        "namespace": helm.NAMESPACE,
        "uid": "u1",
        "resourceVersion": "7",
        "labels": {"app": "chat", SERVING: "true"},
        "annotations": {"a": "b"},
        "ownerReferences": [{"kind": "ReplicaSet", "name": "chat", "uid": "r1"}],
    },
    "spec": {"containers": [{"name": "app", "image": "x"}]},
    "status": {
        "phase": "Running",
        "podIP": "10.88.0.7",
        "qosClass": "Burstable",
        "conditions": [{"type": "Ready", "status": "True"}, {"type": SERVING, "status": "True"}],
        "containerStatuses": [{"name": "app", "ready": True}],
    },
}
EVENT = {
    "metadata": {"generateName": "chat-1.", "namespace": helm.NAMESPACE},
    "involvedObject": {"kind": "Pod", "name": "chat-1", "namespace": helm.NAMESPACE, "uid": "u1"},
    "reason": "DrainStarted",
    "source": {"component": "drainer"},
    "reportingComponent": "drainer",
    "reportingInstance": "chat-1",
}


def rights(**switches: bool) -> list[dict[str, Any]]:
    values = {"create": True, "serviceAccounts": ["chat", "other"], "servingLabel": True, **switches}
    return helm.objects({"rbac": values})


def refusals(
    now: dict[str, Any],
    *,
    user: str = USER,
    pod: tuple[str, str] | None = ("chat-1", "u1"),
    operation: str = "UPDATE",
    **switches: bool,
) -> list[str]:
    is_event = "involvedObject" in now
    extra = (
        {
            "authentication.kubernetes.io/pod-name": [pod[0]],
            "authentication.kubernetes.io/pod-uid": [pod[1]],
        }
        if pod
        else {}
    )
    request = {
        "namespace": helm.NAMESPACE,
        "operation": "CREATE" if is_event and operation == "UPDATE" else operation,
        "resource": {"group": "", "version": "v1", "resource": "events" if is_event else "pods"},
        "userInfo": {"username": user, **({"extra": extra} if extra else {})},
    }
    before = None if is_event else POD
    return Policy(rights(**switches), "ValidatingAdmissionPolicy").messages(now, before, **request)


def changed(**parts: dict[str, Any]) -> dict[str, Any]:
    """The pod with parts of its metadata, spec or status replaced."""
    result: dict[str, Any] = copy.deepcopy(POD)
    for part, fields in parts.items():
        result[part] |= fields
    return result


def conditions(*types: str, status: str = "False") -> dict[str, Any]:
    others = [condition for condition in POD["status"]["conditions"] if condition["type"] not in types]  # type: ignore[index]
    return changed(status={"conditions": [*others, *({"type": name, "status": status} for name in types)]})


@pytest.mark.parametrize(
    "now",
    [
        changed(),
        conditions(SERVING),
        changed(metadata={"labels": {"app": "chat", SERVING: "false"}}),
        changed(metadata={"resourceVersion": "8", "managedFields": [{}]}),
    ],
    ids=["nothing", "our condition", "our label", "what the API server writes"],
)
def test_what_the_agent_does_is_allowed(now: dict[str, Any]) -> None:
    assert refusals(now) == []


@pytest.mark.parametrize(
    ("now", "sentence"),
    [
        (changed(metadata={"labels": {"app": "other", SERVING: "true"}}), "of the labels only"),
        (changed(metadata={"labels": {"app": "chat", SERVING: "true", "new": "x"}}), "of the labels only"),
        (changed(metadata={"labels": {SERVING: "true"}}), "of the labels only"),
        (changed(metadata={"labels": {"app": "chat"}}), "of the labels only"),
        (changed(metadata={"labels": {"app": "chat", SERVING: "maybe"}}), "may be true or false"),
        (changed(metadata={"annotations": {"a": "c"}}), "of the metadata only"),
        (changed(metadata={"annotations": {}}), "of the metadata only"),
        (changed(metadata={"finalizers": ["example.com/x"]}), "of the metadata only"),
        (changed(metadata={"ownerReferences": []}), "of the metadata only"),
        (changed(metadata={"generateName": "x"}), "of the metadata only"),
        (changed(spec={"activeDeadlineSeconds": 1}), "the spec"),
        (changed(status={"phase": "Failed"}), "of the status only"),
        (changed(status={"message": "x"}), "of the status only"),
        (changed(status={"podIP": "10.88.0.8"}), "of the status only"),
        (changed(status={"containerStatuses": []}), "of the status only"),
        (changed(status={"aFieldOfTomorrow": 1}), "of the status only"),
        (conditions("Ready"), "of the conditions only"),
        (conditions("example.com/other"), "of the conditions only"),
        (changed(status={"conditions": [{"type": SERVING, "status": "True"}]}), "of the conditions only"),
    ],
)
def test_everything_else_is_refused(now: dict[str, Any], sentence: str) -> None:
    (said,) = refusals(now)

    assert sentence in said


def test_a_field_that_is_taken_away_is_refused() -> None:
    now = changed()
    del now["status"]["qosClass"]

    assert refusals(now) == ["drainer: of the status only the conditions may be changed"]


def test_another_pod_is_refused() -> None:
    assert refusals(changed(), pod=("chat-2", "u2")) == ["drainer: a pod may change the status of itself alone"]


def test_another_pod_of_the_same_name_is_refused() -> None:
    assert refusals(changed(), pod=("chat-1", "u0")) == ["drainer: a pod may change the status of itself alone"]


def test_a_token_of_no_pod_is_refused() -> None:
    said = refusals(changed(), pod=None)

    assert said[0] == "drainer: only the token that is mounted into a pod may do this"


@pytest.mark.parametrize("user", ["system:node:node1", f"system:serviceaccount:{helm.NAMESPACE}:stranger", "admin"])
def test_nobody_else_is_touched(user: str) -> None:
    assert refusals(changed(status={"phase": "Failed"}), user=user, pod=None) == []


def test_events_about_the_own_pod_are_allowed() -> None:
    assert refusals(EVENT) == []


@pytest.mark.parametrize(
    "part",
    [
        {"involvedObject": {"kind": "Pod", "name": "chat-2", "namespace": helm.NAMESPACE, "uid": "u2"}},
        {"involvedObject": {"kind": "Pod", "name": "chat-1", "namespace": helm.NAMESPACE}},
        {"involvedObject": {"kind": "Node", "name": "chat-1", "namespace": helm.NAMESPACE, "uid": "u1"}},
        {"source": {"component": "kubelet"}},
        {"source": {"component": "drainer", "host": "node1"}},
        {"reportingComponent": "kubelet"},
        {"reason": "Killing"},
    ],
)
def test_other_events_are_refused(part: dict[str, Any]) -> None:
    assert len(refusals(EVENT | part)) == 1


def test_an_event_is_not_changed_afterwards() -> None:
    assert len(refusals(EVENT, operation="PATCH")) == 1


def test_what_is_switched_off_is_refused() -> None:
    label = changed(metadata={"labels": {"app": "chat", SERVING: "false"}})

    assert refusals(label, servingLabel=False) == ["drainer: labels may not be changed"]
    assert refusals(conditions(SERVING), condition=False) == ["drainer: conditions may not be changed"]
    assert refusals(conditions(SERVING), condition=False, readinessGate=True) == []


@pytest.mark.parametrize(
    ("annotations", "sentences"),
    [
        ({"a": "b", DELETION_COST: "64"}, []),
        ({"a": "b"}, []),
        ({"a": "c", DELETION_COST: "64"}, ["drainer: of the annotations only " + DELETION_COST + " may be changed"]),
        ({DELETION_COST: "64"}, ["drainer: of the annotations only " + DELETION_COST + " may be changed"]),
        ({"a": "b", "new": "x"}, ["drainer: of the annotations only " + DELETION_COST + " may be changed"]),
    ],
)
def test_with_the_deletion_cost_that_one_annotation_may_be_set(
    annotations: dict[str, str], sentences: list[str]
) -> None:
    assert refusals(changed(metadata={"annotations": annotations}), deletionCost=True) == sentences


def test_without_it_no_annotation_may_be_set() -> None:
    (said,) = refusals(changed(metadata={"annotations": {"a": "b", DELETION_COST: "64"}}))

    assert said == f"drainer: of the metadata only the label {SERVING} may be changed"


@pytest.mark.parametrize(
    ("switches", "rules"),
    [
        ({"servingLabel": False, "condition": False, "events": False}, [["pods"]]),
        ({"servingLabel": False, "condition": False}, [["pods"], ["events"]]),
        ({"events": False}, [["pods"], ["pods/status"]]),
        ({"servingLabel": False, "condition": False, "events": False, "podMetrics": True}, [["pods"], ["pods"]]),
        (
            {"servingLabel": False, "condition": False, "readinessGate": True, "events": False},
            [["pods"], ["pods/status"]],
        ),
        (
            {"servingLabel": False, "condition": False, "deletionCost": True, "events": False},
            [["pods"], ["pods/status"]],
        ),
        (
            {"servingLabel": False, "condition": False, "events": False, "neverLast": True},
            [["pods"], ["endpointslices"]],
        ),
    ],
)
def test_the_role_is_exactly_what_is_switched_on(switches: dict[str, bool], rules: list[list[str]]) -> None:
    rendered = rights(**switches)
    role = helm.one(rendered, "Role")
    policies = [item for item in rendered if item["kind"] == "ValidatingAdmissionPolicy"]

    assert [rule["resources"] for rule in role["rules"]] == rules
    expected = {
        ("", "pods"): ["get", "watch"],
        ("", "pods/status"): ["patch"],
        ("", "events"): ["create"],
        ("discovery.k8s.io", "endpointslices"): ["list"],
        ("metrics.k8s.io", "pods"): ["get"],
    }
    for rule in role["rules"]:
        assert rule["verbs"] == expected[rule["apiGroups"][0], rule["resources"][0]]
    held = [rule["resources"] for policy in policies for rule in policy["spec"]["matchConstraints"]["resourceRules"]]
    # Reading is held by no policy.
    assert held == [rule for rule in rules[1:] if rule not in (["endpointslices"], ["pods"])]


def test_the_policy_is_enforced() -> None:
    rendered = rights()

    assert helm.one(rendered, "ValidatingAdmissionPolicyBinding")["spec"]["validationActions"] == ["Deny"]
    assert helm.one(rendered, "ValidatingAdmissionPolicy")["spec"]["failurePolicy"] == "Fail"
