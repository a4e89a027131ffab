"""The adapter's right to write at pods: one annotation, and a policy that holds it to that, evaluated."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from drainer.adapter import autoscalers
from drainer.keys import DELETION_COST
from tests.chart import helm
from tests.chart.admission import Policy
from tests.chart.test_adapter import COSTS, rendered
from tests.chart.test_rights import POD, changed

USER = f"system:serviceaccount:{helm.NAMESPACE}:drainer-adapter"


def refusals(now: dict[str, Any], user: str = USER) -> list[str]:
    request = {
        "namespace": "chat",
        "operation": "UPDATE",
        "resource": {"group": "", "version": "v1", "resource": "pods"},
        "userInfo": {"username": user},
    }
    return Policy(rendered(**COSTS), "ValidatingAdmissionPolicy").messages(now, POD, **request)


def test_without_it_there_is_no_right_to_write_and_nothing_to_hold_it_to() -> None:
    plain = rendered()
    rules = [rule for item in plain if item["kind"] in ("Role", "ClusterRole") for rule in item["rules"]]

    assert not [rule for rule in rules if rule["resources"] == ["pods/status"]]
    assert not [item for item in plain if "Policy" in item["kind"]]


def test_its_rights_are_what_it_asks_for() -> None:
    objects = rendered(**COSTS, customMetrics={"enabled": False})
    (role,) = [item for item in objects if item["kind"] == "ClusterRole"]
    rights = {(rule["apiGroups"][0], name): rule["verbs"] for rule in role["rules"] for name in rule["resources"]}
    group, plural = autoscalers.PATH.split("/")[2], autoscalers.PATH.rpartition("/")[2]

    assert rights == {
        ("", "pods"): ["get", "list", "watch"],
        ("", "pods/status"): ["patch"],
        (group, plural): ["get", "list", "watch"],
        ("apps", "deployments/scale"): ["get"],
        ("apps", "replicasets/scale"): ["get"],
        ("", "replicationcontrollers/scale"): ["get"],
        ("argoproj.io", "rollouts/scale"): ["get"],
    }
    # No rule without names where there are none to name: that would be all of them.
    assert not [rule for rule in role["rules"] if "apiservices" in rule["resources"]]


@pytest.mark.parametrize(
    "now",
    [
        changed(),
        changed(
            metadata={"annotations": {"a": "b", DELETION_COST: "64"}, "resourceVersion": "8", "managedFields": [1]}
        ),
    ],
)
def test_what_it_does_is_allowed(now: dict[str, Any]) -> None:
    assert refusals(now) == []


def test_a_first_annotation_is_allowed_too() -> None:
    before: dict[str, Any] = copy.deepcopy(POD)
    del before["metadata"]["annotations"]
    now = changed(metadata={"annotations": {DELETION_COST: "64"}})
    request = {"namespace": "chat", "operation": "UPDATE", "userInfo": {"username": USER}}
    request["resource"] = {"group": "", "version": "v1", "resource": "pods"}

    assert Policy(rendered(**COSTS), "ValidatingAdmissionPolicy").messages(now, before, **request) == []


@pytest.mark.parametrize(
    ("now", "sentence"),
    [
        (changed(metadata={"annotations": {"a": "c"}}), "of the annotations only"),
        (changed(metadata={"annotations": {}}), "of the annotations only"),
        (changed(metadata={"annotations": {"a": "b", "new": "x"}}), "of the annotations only"),
        (changed(metadata={"labels": {"app": "other"}}), "of the metadata"),
        (changed(metadata={"finalizers": ["example.com/x"]}), "of the metadata"),
        (changed(metadata={"ownerReferences": []}), "of the metadata"),
        (changed(spec={"activeDeadlineSeconds": 1}), "spec and status"),
        (changed(status={"podIP": "10.88.0.8"}), "spec and status"),
        (changed(status={"conditions": []}), "spec and status"),
        (changed(status={"aFieldOfTomorrow": 1}), "spec and status"),
    ],
)
def test_everything_else_is_refused(now: dict[str, Any], sentence: str) -> None:
    (said,) = refusals(now)

    assert sentence in said
    assert refusals(now, "system:node:node1") == []


def test_without_policies_in_the_cluster_it_is_not_installed() -> None:
    with pytest.raises(helm.helm.HelmError, match=r"needs Kubernetes 1\.30 or newer"):
        helm.objects({"adapter": {"enabled": True, **COSTS}}, "1.29")
