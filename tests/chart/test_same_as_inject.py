"""The chart's policies do what `drainer inject` does, to whole pods: beside the piece by piece of test_same."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from drainer import __version__, sidecar
from drainer.commands import asked, patch, rbac
from drainer.errors import ConfigError
from drainer.keys import CONTAINER, FORMER, INJECT, annotation
from tests.chart import helm
from tests.chart.admission import Policy
from tests.chart.test_same import EVERYTHING

APP = {"name": "app", "image": "x", "ports": [{"containerPort": 8080, "protocol": "TCP"}]}
OWN = {"preStop": {"exec": {"command": ["nginx", "-s", "quit"]}}}
START = {"postStart": {"exec": {"command": ["warm-up"]}}}
SPECS: dict[str, dict[str, Any]] = {
    "plain": {"containers": [APP]},
    "several": {"containers": [APP, {"name": "proxy", "lifecycle": OWN}, {"name": "log", "lifecycle": START}]},
    "init": {"containers": [APP], "initContainers": [{"name": "migrate"}]},
    "two ports": {"containers": [APP, {"name": "metrics", "ports": [{"containerPort": 9090, "protocol": "TCP"}]}]},
    "no port": {"containers": [{"name": "app"}]},
    "port taken": {"containers": [APP], "initContainers": [{"name": "m", "ports": [{"containerPort": 9808}]}]},
    "host": {"containers": [APP], "hostNetwork": True},
    "windows": {"containers": [APP], "os": {"name": "windows"}},
    "windows by selector": {"containers": [APP], "nodeSelector": {"kubernetes.io/os": "windows"}},
    "long grace": {"containers": [APP], "terminationGracePeriodSeconds": 300},
    "no grace": {"containers": [APP], "terminationGracePeriodSeconds": 0},
    "gate": {"containers": [APP], "readinessGates": [{"conditionType": "example.com/x"}]},
    "name taken": {"containers": [APP, {"name": "drainer", "image": "y"}]},
    "mesh": {"containers": [APP, {"name": "istio-proxy"}]},
}
ANNOTATIONS: dict[str, dict[str, str]] = {
    "none": {},
    "some": {annotation("grace_period"): "2m", annotation("close"): "websocket,reset", annotation("settle"): " 3s "},
    "ports": {annotation("app_ports"): "8080,9000-9010", CONTAINER: "app, log"},
    "api": {annotation("kubernetes"): "on", annotation("serving_label"): "true", annotation("readiness_gate"): "true"},
    "another port": {annotation("port"): "9900", annotation("token"): "s3cret"},
    "a port of the app": {annotation("port"): "8080"},
    "resources": {annotation("requests"): "memory=64Mi", annotation("limits"): "cpu=1.5, memory=1Gi ,"},
    "other resources": {annotation("requests"): "cpu=0,ephemeral-storage=10Mi", annotation("limits"): "memory=0"},
    "no resources": {annotation("requests"): "cpu=0,memory=0", annotation("limits"): ""},
    "everything": {annotation(name): value for name, value in EVERYTHING.items()},
}
MISTAKES = {
    "settle": "5x",
    "grace_period": "1.5",
    "app_ports": "http",
    "close": "notify",
    "readiness_gate": "true",
    "serving_label": "true",
    "notify_url": "http://notifier.example/drain",
    "websocket_ports": "9000",
    "full": "label",
    "requests": "memory=97Mi",
    "limits": "cpu=9m",
}
CONTRADICTIONS = [
    {"max_connections": "10", "resume_below": "10"},
    {"max_connections": "10", "resume_below": "11"},
    {"full": "label", "kubernetes": "on"},
    {"full": "readiness", "readiness": "never"},
]


def pod(spec: dict[str, Any], annotations: dict[str, str]) -> dict[str, Any]:
    metadata = {"name": "chat", "labels": {INJECT: "true"}, "annotations": dict(annotations)}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": copy.deepcopy(spec)}


def by_policy(given: dict[str, Any]) -> dict[str, Any]:
    return Policy(helm.objects({"injection": {"enabled": True}}), "MutatingAdmissionPolicy").mutated(given)


def by_inject(given: dict[str, Any]) -> Any:
    return patch.inject(given, asked.Options(image=f"{sidecar.IMAGE}:{__version__}")).manifest


def normal(result: dict[str, Any]) -> dict[str, Any]:
    """Without what only `--uninject` needs, and with the number that Kubernetes would fill in."""
    metadata = result["metadata"]
    annotations = {key: value for key, value in metadata.get("annotations", {}).items() if key != FORMER}
    spec = {"terminationGracePeriodSeconds": 30, **result["spec"]}
    return {**result, "metadata": {**metadata, "annotations": annotations}, "spec": spec}


@pytest.mark.parametrize("annotations", ANNOTATIONS.values(), ids=ANNOTATIONS.keys())
@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS.keys())
def test_a_pod_becomes_the_same(spec: dict[str, Any], annotations: dict[str, str]) -> None:
    given = pod(spec, annotations)

    assert normal(by_policy(given)) == normal(by_inject(given))


@pytest.mark.parametrize("name", MISTAKES)
def test_what_inject_refuses_the_policy_leaves_alone(name: str) -> None:
    given = pod(SPECS["plain"], {annotation(name): MISTAKES[name]})

    assert by_policy(given) == given
    with pytest.raises(ConfigError):
        by_inject(given)


@pytest.mark.parametrize("settings", CONTRADICTIONS, ids=str)
def test_what_cannot_both_be_meant_neither_of_them_puts_in(settings: dict[str, str]) -> None:
    given = pod(SPECS["plain"], {annotation(name): value for name, value in settings.items()})

    assert by_policy(given) == given
    with pytest.raises(ConfigError):
        by_inject(given)


@pytest.mark.parametrize("group", ["requests", "limits"])
@pytest.mark.parametrize(
    "text",
    ["cpu", "cpu=", "gpu=1", "cpu=1,cpu=2", "memory=64", "cpu=0,5", "cpu=-1", "memory=1m", ",", "cpu=1 x", "cpu=1=2"],
)
def test_resources_that_are_none_neither_of_them_puts_in(group: str, text: str) -> None:
    given = pod(SPECS["plain"], {annotation(group): text})

    assert by_policy(given) == given
    with pytest.raises(ConfigError):
        by_inject(given)


SWITCHES = ("label", "condition", "events", "cost", "others")


@pytest.mark.parametrize("on", [(), ("label",), ("condition", "events"), ("events",), ("cost",), ("others",), SWITCHES])
def test_the_rights_are_held_by_the_same_policy(on: tuple[str, ...]) -> None:
    values = {
        "create": True,
        "serviceAccounts": ["chat"],
        "servingLabel": "label" in on,
        "condition": "condition" in on,
        "events": "events" in on,
        "deletionCost": "cost" in on,
        "neverLast": "others" in on,
    }

    ours = [item for item in helm.objects({"rbac": values}) if item["kind"] in ("Role", "ValidatingAdmissionPolicy")]
    theirs = [
        item
        for item in rbac.rendered(helm.NAMESPACE, "chat", rbac.Rights(**dict.fromkeys(on, True)))
        if item["kind"] in ("Role", "ValidatingAdmissionPolicy")
    ]

    assert [said(item) for item in sorted(ours, key=kind)] == [said(item) for item in sorted(theirs, key=kind)]


def kind(item: dict[str, Any]) -> str:
    return str(item["kind"])


def said(item: Any) -> Any:
    """What an object says, its name and labels and the blanks in expressions aside."""
    if isinstance(item, dict):
        return {key: said(value) for key, value in item.items() if key != "metadata"}
    if isinstance(item, list):
        return [said(value) for value in item]
    return "".join(item.split()) if isinstance(item, str) else item
