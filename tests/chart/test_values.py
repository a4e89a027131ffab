"""values.schema.json, values.yaml and the tables of settings: they say the same, and mistakes are named."""

from __future__ import annotations

import json
from typing import Any

import pytest

from drainer import __version__, sidecar
from drainer.keys import PREFIX, annotation
from drainer.settings import BY_NAME
from tests.chart import helm
from tests.chart.cel import Variables
from tests.chart.helm import yaml
from tests.chart.test_warnings import pod, warnings

EXAMPLES: dict[str, tuple[list[Any], list[Any]]] = {
    "port": ([9900, "9900"], [0, 65536, "http", 1.5]),
    "app_reserve": (["5s", "500ms", 5, 0, "1.5m"], ["5x", "-1s", -1, "s", True]),
    "timeout": (["off", False, "30s", 30], [True, 0, "on", "0s"]),
    "settle": (["5s", 0.5], ["soon"]),
    "readiness": (["auto", "now", "after", "never"], ["later", True]),
    "max_remaining": ([0, 1000000, "5"], [-1, 1000001, 1.5, "many"]),
    "flush": (["2s"], ["2 s"]),
    "close": (["", "websocket,reset", "notify websocket", "reset"], ["reset,notify", "tcp", "notify,notify"]),
    "close_code": ([1001, 1012, 4000, 4999, "1012"], [1000, 3999, 5000, "x"]),
    "close_reason": (["back soon", "é" * 61], ["x" * 124, 5]),
    "patience": (["0s"], ["-"]),
    "straggler_time": (["auto", "5s"], ["off", 0]),
    "escalate_after": (["2s"], [0, "0"]),
    "close_rate": (["off", False, 0.5, "10.5"], [True, 0, "0.0001", "fast"]),
    "notify_url": (["http://127.0.0.1:9809/drain?a=b"], ["https://x/", "http://a b/", "http://u@h/"]),
    "notify_mode": (["batch", "announce"], ["push"]),
    "notify_remote": ([True, False, "true"], ["yes", 1]),
    "websocket_ports": (["", 8080, "8080,9000-9010"], ["http", 70000]),
    "websocket_unproven": ([True, "false"], ["on"]),
    "ignore_peers": (["10.0.0.0/8,fd00::/8", "192.0.2.7"], ["localnet", 10]),
    "idle_after": (["off", "30m"], ["0"]),
    "min_age": ([0, "1s"], ["old"]),
    "interval": (["1s", 0.5], [0]),
    "max_connections": (["off", False, 1, 1000000, "1000"], [True, 0, "0", 1000001, "many"]),
    "resume_below": (["auto", 1, "900"], ["off", 0, "0", 1.5]),
    "max_rate": (["off", False, 50, "0.5"], [True, 0, "fast"]),
    "full": (["auto", "label", "readiness", "metric"], ["yes", True]),
    "never_last": ([False], ["off"]),
    "health": (["off", False, "handshake", "ping", "echo"], [True, "on", "pong"]),
    "health_port": ([8080, "8080"], [0, "http"]),
    "health_path": (["/", "/ws?a=b"], ["ws", "/a b", "/a#b", 5]),
    "health_host": (["", "chat.example", "chat.example:8443", "[fd00::1]:80"], ["a b", "chat.example:http", "a/b"]),
    "health_origin": (["", "https://chat.example"], ["https://a b", "é"]),
    "health_subprotocols": (["", "v2.chat, v1.chat"], ["a/b", "é"]),
    "health_headers": (
        ["", "Authorization: Bearer abc", "A: b\nX-C: d\n"],
        ["no field", "A: é", "Host: x", "A: b\nupgrade: x"],
    ),
    "health_tls": ([True, "false"], ["on"]),
    "health_interval": (["5s"], [0]),
    "health_latency": (["800ms", 0.5], ["0s"]),
    "health_misses": ([1, "3"], [0, "off"]),
    "health_max_connections": (["off", False, 5000], [True, 0, "many"]),
    "health_max_memory": (["off", False, "512Mi", "1.5Gi", 1048576], [True, 0, "512MiB", "1k"]),
    "health_max_cpu": (["off", False, "500m", 1.5, "2"], [True, 0, "two", "0m"]),
    "health_max_descriptors": (["off", 60000], [0]),
    "usage": (["off", False, "auto", "processes", "metrics"], [True, "on"]),
    "usage_interval": (["15s"], [0]),
    "callers": (["known", "all"], ["some"]),
    "trusted_sources": (["10.0.0.0/8"], ["x"]),
    "token": (["s3cret with blanks"], [" s3cret", "é", 5]),
    "kubernetes": (["auto", "on", "off", True, False], ["yes"]),
    "restart_timeout": (["30s"], [0]),
    "serving_label": ([True], ["on"]),
    "readiness_gate": ([True], ["on"]),
    "condition": ([False], ["off"]),
    "events": ([False], ["off"]),
    "deletion_cost": ([True], ["on"]),
    "page": ([True, "false"], ["on"]),
    "log_level": (["debug"], ["trace"]),
    "log_format": (["text"], ["xml"]),
}
ACCEPTED = [(name, value) for name, (good, _) in EXAMPLES.items() for value in good]
REFUSED = [(name, value) for name, (_, bad) in EXAMPLES.items() for value in bad]


def flag(name: str) -> str:
    return name.replace("_", "-")


def parameters(settings: dict[str, Any]) -> dict[str, str]:
    """What the policy is given for settings in the values."""
    rendered = helm.objects({"warnings": {"enabled": True}, "sidecar": {"settings": settings}})
    variables = helm.one(rendered, "ValidatingAdmissionPolicy")["spec"]["variables"]
    data: dict[str, str] = Variables(variables).evaluate("variables.parameters")
    return data


def table(name: str) -> list[dict[str, Any]]:
    """One of the chart's own tables, as YAML."""
    text = (helm.CHART / "templates" / "_settings.tpl").read_text()
    body = text.partition(f'{{{{- define "drainer.{name}" -}}}}\n')[2].partition("{{- end }}")[0]
    rows: list[dict[str, Any]] = yaml.safe_load(body)
    return rows


def test_the_chart_has_the_settings_that_can_be_chosen_in_their_order() -> None:
    schema = json.loads((helm.CHART / "values.schema.json").read_text())
    flags = [flag(name) for name in sidecar.CHOOSABLE]

    assert [row["flag"] for row in table("settings")] == flags
    assert list(schema["properties"]["sidecar"]["properties"]["settings"]["properties"]) == flags
    assert list(EXAMPLES) == list(sidecar.CHOOSABLE)


def test_the_prefix_is_named_once() -> None:
    named = [
        path.name
        for path in sorted((helm.CHART / "templates").rglob("*"))
        if path.is_file() and PREFIX in path.read_text()
    ]

    assert named == ["_helpers.tpl"]


def test_the_versions_are_one() -> None:
    chart = yaml.safe_load((helm.CHART / "Chart.yaml").read_text())

    assert chart["appVersion"] == __version__
    assert f"{sidecar.IMAGE}:{__version__}" in chart["annotations"]["artifacthub.io/images"]


@pytest.mark.parametrize(("name", "value"), ACCEPTED, ids=repr)
def test_what_the_schema_takes_the_agent_takes(name: str, value: Any) -> None:
    given = parameters({flag(name): value})

    BY_NAME[name].kind.parse(given.get(flag(name), ""))


@pytest.mark.parametrize(("name", "value"), REFUSED, ids=repr)
def test_a_mistake_is_named_with_its_place(name: str, value: Any) -> None:
    with pytest.raises(helm.helm.HelmError) as caught:
        parameters({flag(name): value})

    assert f"at '/sidecar/settings/{flag(name)}'" in str(caught.value)


TEXTS = [(name, value) for name, value in ACCEPTED + REFUSED if isinstance(value, str) and value]


@pytest.mark.parametrize(("name", "value"), TEXTS, ids=repr)
def test_what_the_policy_takes_as_an_annotation_is_what_the_agent_takes(name: str, value: str) -> None:
    said = "".join(
        warnings(pod(annotations={annotation("notify_url"): "http://127.0.0.1:1/", annotation(name): value}))
    )
    takes = True
    try:
        # The agent takes blanks off the ends of its variables.
        BY_NAME[name].kind.parse(value.strip())
    except ValueError:
        takes = False

    assert ("cannot be used" not in said) == takes


@pytest.mark.parametrize(
    ("values", "place"),
    [
        ({"bogus": 1}, "additional properties 'bogus' not allowed"),
        ({"sidecar": {"settings": {"settel": "5s"}}}, "additional properties 'settel' not allowed"),
        ({"sidecar": {"gracePeriod": "60s"}}, "at '/sidecar/gracePeriod'"),
        ({"sidecar": {"gracePeriod": -1}}, "at '/sidecar/gracePeriod'"),
        ({"injection": {"enabled": "yes"}}, "at '/injection/enabled'"),
        ({"injection": {"namespaceSelector": {"labels": {}}}}, "additional properties 'labels' not allowed"),
        ({"image": {"digest": "latest"}}, "at '/image/digest'"),
        ({"image": {"pullPolicy": "Sometimes"}}, "at '/image/pullPolicy'"),
        ({"rbac": {"serviceAccounts": "default"}}, "at '/rbac/serviceAccounts'"),
        ({"rbac": {"serviceAccounts": ["Default'"]}}, "at '/rbac/serviceAccounts/0'"),
        ({"networkPolicy": {"otherPorts": "ajar"}}, "at '/networkPolicy/otherPorts'"),
        ({"podMonitor": {"interval": "often"}}, "at '/podMonitor/interval'"),
        ({"demo": {"port": 0}}, "at '/demo/port'"),
        ({"injection": {"enabled": True}, "sidecar": {"appPorts": 99999}}, "at '/sidecar/appPorts'"),
        (
            {"injection": {"enabled": True}, "sidecar": {"appPorts": "80,99999"}},
            "99999 is no port and no range of ports",
        ),
        ({"injection": {"enabled": True}, "sidecar": {"appPorts": "8080-80"}}, '"8080-80" cannot be used'),
        ({"injection": {"enabled": True}, "sidecar": {"appPorts": "0"}}, '"0" cannot be used: 0 is no port'),
        ({"dashboard": {"label": "bad label!"}}, "at '/dashboard/label'"),
        ({"dashboard": {"labelValue": "x y"}}, "at '/dashboard/labelValue'"),
        ({"dashboard": {"namespace": "Bad NS"}}, "at '/dashboard/namespace'"),
        ({"scaling": {"target": {"kind": "DaemonSet"}}}, "at '/scaling/target/kind'"),
        ({"scaling": {"target": {"apiVersion": "x"}}}, "at '/scaling/target/apiVersion'"),
    ],
)
def test_other_mistakes_are_named_too(values: dict[str, Any], place: str) -> None:
    with pytest.raises(helm.helm.HelmError) as caught:
        helm.texts(values)

    assert place in str(caught.value)


def test_rights_for_nobody_are_a_mistake() -> None:
    with pytest.raises(
        helm.helm.HelmError, match=r"rbac\.serviceAccounts is empty; allowed: names of the pods' service acc"
    ):
        helm.texts({"rbac": {"create": True}})


def test_a_parent_chart_may_hand_down_globals() -> None:
    assert helm.objects({"global": {"imageRegistry": "registry.example"}}) == []


def test_every_value_is_in_the_schema_and_has_a_comment() -> None:
    text = (helm.CHART / "values.yaml").read_text()
    schema = json.loads((helm.CHART / "values.schema.json").read_text())
    described = [line.split()[2] for line in text.splitlines() if line.lstrip().startswith("## @param ")]

    for path in described:
        place, value = schema, yaml.safe_load(text)
        for key in path.split("."):
            place, value = place["properties"][key], value[key]
    assert described == [path for path in leaves(yaml.safe_load(text)) if path in described]
    assert {path.partition(".")[0] for path in leaves(yaml.safe_load(text))} == {
        path.partition(".")[0] for path in described
    }


def leaves(values: dict[str, Any], before: str = "") -> list[str]:
    """Paths of all values, those of mappings too, from top to bottom."""
    found = []
    for key, value in values.items():
        found.append(before + key)
        if isinstance(value, dict):
            found += leaves(value, f"{before}{key}.")
    return found
