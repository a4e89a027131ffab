"""Named template, policy, component and drainer/sidecar.py put the same into a pod."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from drainer import __version__, sidecar
from drainer.keys import INJECT, annotation
from tests.chart import helm, kubectl
from tests.chart.admission import Policy

IMAGE = f"{sidecar.IMAGE}:{__version__}"
EVERYTHING = {
    "port": "9900",
    "app_reserve": "7s",
    "timeout": "2m",
    "settle": "8s",
    "readiness": "after",
    "max_remaining": "3",
    "flush": "1s",
    "close": "notify,websocket,reset",
    "close_code": "4001",
    "close_reason": 'back in a "moment"',
    "patience": "4s",
    "straggler_time": "9s",
    "escalate_after": "3s",
    "close_rate": "0.5",
    "notify_url": "http://127.0.0.1:9809/drain?a=b",
    "notify_mode": "announce",
    "notify_remote": "true",
    "websocket_ports": "8080",
    "websocket_unproven": "true",
    "ignore_peers": "10.0.0.0/8,fd00::/8",
    "idle_after": "30m",
    "min_age": "0.5",
    "interval": "500ms",
    "max_connections": "1000",
    "resume_below": "800",
    "max_rate": "50.5",
    "full": "readiness",
    "never_last": "false",
    "health": "ping",
    "health_port": "8080",
    "health_path": "/ws?key=a",
    "health_host": "chat.example:8443",
    "health_origin": "https://chat.example",
    "health_subprotocols": "v2.chat,v1.chat",
    "health_headers": "Authorization: Bearer abc\nX-A: 1",
    "health_tls": "true",
    "health_interval": "2s",
    "health_latency": "500ms",
    "health_misses": "5",
    "health_max_connections": "5000",
    "health_max_memory": "512Mi",
    "health_max_cpu": "1.5",
    "health_max_descriptors": "60000",
    "usage": "auto",
    "usage_interval": "30s",
    "callers": "all",
    "trusted_sources": "192.0.2.7",
    "token": "s3cret",
    "kubernetes": "on",
    "restart_timeout": "20s",
    "serving_label": "true",
    "readiness_gate": "true",
    "condition": "false",
    "events": "false",
    "deletion_cost": "true",
    "page": "false",
    "log_level": "debug",
    "log_format": "text",
}


@dataclass(frozen=True)
class Case:
    """What is asked for."""

    grace_period: int = 30
    settings: Mapping[str, str] = field(default_factory=dict)
    app_ports: str = "8080"
    host_network: bool = False

    @property
    def sidecar(self) -> sidecar.Sidecar:
        return sidecar.Sidecar(IMAGE, self.app_ports, self.grace_period, self.settings)

    @property
    def flags(self) -> dict[str, str]:
        return {name.replace("_", "-"): value for name, value in self.settings.items()}


CASES = {
    "nothing chosen": Case(),
    "some": Case(90, {"close": "websocket,reset", "settle": "3s"}, "8080,9000-9010"),
    "off": Case(30, {"kubernetes": "off", "close_rate": "off", "timeout": "off"}),
    "on the host": Case(60, {"port": "9900"}, host_network=True),
    "everything": Case(3600, EVERYTHING),
}
ways = pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())


@dataclass(frozen=True)
class Added:
    """What a way puts into a pod."""

    container: Mapping[str, Any]
    hook: Mapping[str, Any]
    grace_period: int


def expected(case: Case) -> Added:
    return Added(
        normal(sidecar.container(case.sidecar)),
        sidecar.pre_stop(case.sidecar, host_network=case.host_network),
        case.grace_period,
    )


def normal(container: Mapping[str, Any], annotations: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The variables as a mapping, those from annotations with what these say, and without empty ones."""
    variables = {}
    for row in container["env"]:
        path = row.get("valueFrom", {}).get("fieldRef", {}).get("fieldPath", "")
        if path.startswith("metadata.annotations["):
            text = (annotations or {}).get(path.split("'")[1], "")
            if text:
                variables[row["name"]] = {"name": row["name"], "value": text}
        else:
            variables[row["name"]] = row
    assert len({row["name"] for row in container["env"]}) == len(container["env"])
    return {**container, "env": variables}


def annotations_of(case: Case) -> dict[str, str]:
    given = {"app_ports": case.app_ports, "grace_period": f"{case.grace_period}s", **case.settings}
    return {annotation(name): value for name, value in given.items()}


def test_the_table_of_the_chart_is_the_table_of_the_agent() -> None:
    assert list(EVERYTHING) == list(sidecar.CHOOSABLE)


@ways
def test_the_named_templates(case: Case, tmp_path: Path) -> None:
    settings = (
        "(dict " + " ".join(f"{json.dumps(name)} {json.dumps(value)}" for name, value in case.flags.items()) + ")"
    )
    common = f'"context" $ "gracePeriod" {case.grace_period} "settings" {settings}'
    host = ' "hostNetwork" true' if case.host_network else ""

    (container,) = helm.include(
        "drainer.sidecar", f'(dict {common} "appPorts" {json.dumps(case.app_ports)})', {}, tmp_path
    )
    hook = helm.include("drainer.preStop", f"(dict {common}{host})", {}, tmp_path)
    grace_period = helm.include("drainer.gracePeriod", f"(dict {common})", {}, tmp_path)

    assert Added(normal(container), hook, grace_period) == expected(case)
    assert list(container["env"]) == sidecar.environment(case.sidecar)


@ways
def test_the_policy_by_annotations(case: Case) -> None:
    policy = Policy(helm.objects({"injection": {"enabled": True}}), "MutatingAdmissionPolicy")

    assert by_policy(policy, case, annotations_of(case)) == expected(case)


@ways
def test_the_policy_by_parameters(case: Case) -> None:
    values = {"appPorts": case.app_ports, "gracePeriod": case.grace_period, "settings": case.flags}
    policy = Policy(helm.objects({"injection": {"enabled": True}, "sidecar": values}), "MutatingAdmissionPolicy")

    assert by_policy(policy, case, {}) == expected(case)


def by_policy(policy: Policy, case: Case, annotations: Mapping[str, str]) -> Added:
    pod = {
        "metadata": {"labels": {INJECT: "true"}, "annotations": dict(annotations)},
        "spec": {"containers": [{"name": "app"}], **({"hostNetwork": True} if case.host_network else {})},
    }
    spec = policy.mutated(pod)["spec"]
    (container,) = spec["initContainers"]
    assert list(container["env"]) == sidecar.environment(case.sidecar)
    return Added(
        normal(container), spec["containers"][0]["lifecycle"]["preStop"], spec["terminationGracePeriodSeconds"]
    )


@pytest.mark.parametrize("name", ["nothing chosen", "some", "off"])
def test_the_component(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    annotations = annotations_of(case)
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "chat", "labels": {INJECT: "true"}, "annotations": annotations},
        "spec": {
            # What a component cannot do is the user's part: the same number, twice.
            "terminationGracePeriodSeconds": case.grace_period,
            "containers": [{"name": "app", "image": "x"}],
        },
    }
    spec = kubectl.build([pod], tmp_path)[0]["spec"]
    (container,) = spec["initContainers"]

    added = Added(
        normal(container, annotations),
        spec["containers"][0]["lifecycle"]["preStop"],
        spec["terminationGracePeriodSeconds"],
    )
    assert added == expected(case)


def test_the_component_with_every_setting_that_it_can_read(tmp_path: Path) -> None:
    settings = {name: value for name, value in EVERYTHING.items() if name not in ("port", "token")}
    case = Case(settings=settings)
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "chat", "labels": {INJECT: "true"}, "annotations": annotations_of(case)},
        "spec": {"containers": [{"name": "app", "image": "x"}]},
    }
    (container,) = kubectl.build([pod], tmp_path, ".", "api")[0]["spec"]["initContainers"]

    assert normal(container, annotations_of(case)) == expected(case).container


def test_an_ordinary_container(tmp_path: Path) -> None:
    plain = sidecar.Sidecar(IMAGE, "8080", 30, native=False)
    arguments = '(dict "context" $ "appPorts" 8080 "native" false)'

    assert helm.include("drainer.sidecar", arguments, {}, tmp_path) == [sidecar.container(plain)]


def test_resources_that_are_given_to_the_named_template(tmp_path: Path) -> None:
    resources = {"requests": {"cpu": "50m"}, "limits": {"cpu": "1", "memory": "1Gi"}}
    arguments = f'(dict "context" $ "appPorts" 8080 "resources" (fromJson {json.dumps(json.dumps(resources))}))'

    (container,) = helm.include("drainer.sidecar", arguments, {}, tmp_path)

    assert container == sidecar.container(sidecar.Sidecar(IMAGE, "8080", 30, resources=resources))
