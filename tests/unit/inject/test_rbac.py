"""The Role of exactly what is switched on, and the policy that holds a token to its own pod.

That the chart renders the same is tested in tests/chart/test_same_as_inject.py.
"""

from __future__ import annotations

from typing import Any

import pytest

from drainer.commands.asked import Options
from drainer.commands.patch import inject
from drainer.commands.rbac import Rights, needs, rendered, rights_of
from tests.unit.inject.manifests import IMAGE, deployment
from tests.unit.inject.test_golden import NEEDED, VERSIONS

ALL = Rights(label=True, condition=True, events=True, cost=True, others=True)
QUIET = {"events": "false", "condition": "false"}


@pytest.mark.parametrize(
    ("settings", "rights"),
    [
        ({}, Rights(condition=True, events=True)),
        ({"events": "false"}, Rights(condition=True)),
        ({"events": "false", "condition": "false"}, Rights()),
        ({"events": "false", "condition": "false", "readiness_gate": "true"}, Rights(condition=True)),
        ({"events": "false", "condition": "false", "serving_label": "true"}, Rights(label=True)),
        ({"events": "", "condition": "true", "serving_label": "true"}, Rights(label=True, condition=True, events=True)),
        ({**QUIET, "deletion_cost": "true"}, Rights(cost=True)),
        ({**QUIET, "max_connections": "10"}, Rights()),
        ({**QUIET, "max_connections": "10", "full": "readiness"}, Rights(others=True)),
        ({**QUIET, "max_rate": "10", "full": "label", "serving_label": "true"}, Rights(label=True, others=True)),
        ({**QUIET, "max_rate": "10", "serving_label": "true"}, Rights(label=True, others=True)),
        ({**QUIET, "max_rate": "10", "serving_label": "true", "full": "metric"}, Rights(label=True)),
        ({**QUIET, "max_rate": "10", "serving_label": "true", "never_last": "false"}, Rights(label=True)),
        ({**QUIET, "max_rate": "off", "serving_label": "true"}, Rights(label=True)),
        ({"events": "false", "condition": "false", "usage": "processes"}, Rights()),
        ({"events": "false", "condition": "false", "usage": "metrics"}, Rights(metrics=True)),
        ({"events": "false", "condition": "false", "usage": "auto"}, Rights(metrics=True)),
    ],
)
def test_the_settings_say_what_is_written(settings: dict[str, str], rights: Rights) -> None:
    assert rights_of(settings) == rights


def injected(settings: dict[str, str], **spec: Any) -> dict[str, Any]:
    return inject(deployment(**spec), Options(image=IMAGE, settings=settings)).manifest


def test_what_a_service_account_needs_is_what_all_its_pods_need() -> None:
    quiet = {"kubernetes": "on", "events": "false", "condition": "false"}
    elsewhere = injected({"kubernetes": "auto"})
    del elsewhere["metadata"]["namespace"]
    manifest = {
        "kind": "List",
        "items": [
            injected({}, serviceAccountName="without"),
            injected({"kubernetes": "off"}),
            injected(quiet, serviceAccountName="chat"),
            injected({**quiet, "serving_label": "true"}, serviceAccountName="chat"),
            injected({"kubernetes": "on"}),
            elsewhere,
            {"apiVersion": "v1", "kind": "Service"},
        ],
    }
    assert needs(manifest, "fallback") == {
        ("shop", "chat"): Rights(label=True),
        ("shop", "default"): Rights(condition=True, events=True),
        ("fallback", "default"): Rights(condition=True, events=True),
    }
    assert ("", "default") in needs(manifest)


def test_a_role_allows_just_that() -> None:
    role, binding, policy, policy_binding = rendered("shop", "chat.bot", ALL)
    assert {rule["resources"][0]: rule["verbs"] for rule in role["rules"]} == {
        "pods": ["get", "watch"],
        "pods/status": ["patch"],
        "events": ["create"],
        "endpointslices": ["list"],
    }
    assert {rule["resources"][0] for rule in role["rules"] if rule["apiGroups"] != [""]} == {"endpointslices"}
    assert binding["roleRef"]["name"] == role["metadata"]["name"] == "drainer-chat.bot"
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "chat.bot", "namespace": "shop"}]
    assert policy_binding["spec"] == {"policyName": policy["metadata"]["name"], "validationActions": ["Deny"]}
    assert policy["metadata"]["name"] == "drainer-own-pod.shop.chat.bot"
    assert "'system:serviceaccount:shop:chat.bot'" in policy["spec"]["matchConditions"][0]["expression"]


def test_an_agent_that_only_reads_needs_no_policy() -> None:
    role, binding = rendered("shop", "chat", Rights())
    assert [rule["resources"] for rule in role["rules"]] == [["pods"]]
    assert binding["kind"] == "RoleBinding"


def test_who_reads_metrics_may_read_no_more_and_needs_no_policy() -> None:
    role, _ = rendered("shop", "chat", Rights(metrics=True))
    assert role["rules"][1:] == [{"apiGroups": ["metrics.k8s.io"], "resources": ["pods"], "verbs": ["get"]}]
    assert str(Rights(metrics=True)) == "get, watch pods; get pods.metrics.k8s.io"


def test_the_policy_looks_only_at_what_the_role_allows() -> None:
    def of(rights: Rights) -> tuple[list[list[str]], str]:
        spec = rendered("shop", "chat", rights)[2]["spec"]
        resources = [rule["resources"] for rule in spec["matchConstraints"]["resourceRules"]]
        return resources, " ".join(one["message"] for one in spec["validations"])

    resources, messages = of(Rights(events=True))
    assert resources == [["events"]]
    assert "status" not in messages
    resources, messages = of(Rights(label=True))
    assert resources == [["pods/status"]]
    assert "Event" not in messages
    assert "conditions may not be changed" in messages
    assert "labels may not be changed" in of(Rights(condition=True))[1]
    assert "annotation" not in of(Rights(label=True, condition=True, others=True))[1]
    resources, messages = of(Rights(cost=True))
    assert resources == [["pods/status"]]
    assert "of the annotations only controller.kubernetes.io/pod-deletion-cost may be changed" in messages


@pytest.mark.parametrize("version", VERSIONS[1:])
def test_all_of_it_is_valid_by_the_schema_of_each_version(version: str) -> None:
    validator = pytest.importorskip("kubernetes_validate", reason=NEEDED)
    for data in rendered("shop", "chat", ALL):
        validator.validate(data, version, strict=True)
