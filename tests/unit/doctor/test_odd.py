"""Whatever a mapping holds, the doctor says what is wrong with it and does not break."""

from __future__ import annotations

import copy
from datetime import date
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drainer.commands.doctor.case import Surroundings
from drainer.commands.doctor.checks.running import Running
from drainer.commands.doctor.examine import examine
from drainer.commands.doctor.findings import Finding, written
from drainer.commands.doctor.report import Examined, as_json, as_text
from drainer.commands.doctor.shapes import POD, SCALER, SERVICE, WORKLOAD
from drainer.commands.pods import KINDS
from tests.unit.doctor.pods import World, app, made, put, scaler, service, with_label

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(st.characters(), max_size=8),
    st.sampled_from(
        ["8080", "30s", "$(X)", "drainer", "/drain", "true", "notify", "websocket,reset", "1-2-3", "\ud800"]
    ),
)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(SCALARS, inner, max_size=3)),
    max_leaves=6,
)


def keys_of(shape: Any) -> set[str]:
    """All names of fields in a shape."""
    if isinstance(shape, dict):
        return {key for key in shape if key != "*"} | {name for inner in shape.values() for name in keys_of(inner)}
    return keys_of(shape[0]) if isinstance(shape, list) else set()


FIELDS = st.sampled_from(sorted(keys_of(WORKLOAD) | keys_of(SERVICE) | keys_of(SCALER)))


def walk(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """The way to everything in a value."""
    found = [path]
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        found += walk(item, (*path, key))
    return found


def rich() -> World:
    """With as much in it as the checks look at."""
    return made(
        with_label,
        service([{"port": 80, "targetPort": "drainer"}], {"drainer.dev/serving": "true"}, type="NodePort"),
        scaler(metrics=[{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization"}}}]),
        app("livenessProbe", {"httpGet": {"path": "/", "port": 8080}}),
        put("spec securityContext", {"runAsUser": 1000}),
    )


RICH = rich()
PATHS = walk(RICH.object)[1:]


def readable(findings: tuple[Finding, ...]) -> None:
    """As both kinds of report."""
    report = [Examined("Pod", "", "x", "f", 1, [(finding, 1) for finding in findings])]
    as_text(report, colour=True).encode()
    as_json(report).encode()


@given(st.sampled_from(PATHS), ANYTHING)
@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_value_in_any_place_is_examined(path: tuple[str | int, ...], value: Any) -> None:
    data = copy.deepcopy(RICH.object)
    target: Any = data
    for step in path[:-1]:
        target = target[step]
    target[path[-1]] = value

    readable(examine("Deployment", "chat", "web", data, Surroundings(RICH.services, RICH.scalers)))


@given(
    st.sampled_from([*KINDS, "X"]),
    st.dictionaries(FIELDS, st.dictionaries(FIELDS, ANYTHING, max_size=4) | ANYTHING, max_size=4),
    st.lists(st.dictionaries(FIELDS, ANYTHING, max_size=3), max_size=2),
    st.none() | ANYTHING,
)
@settings(max_examples=200, deadline=None)
def test_any_mapping_is_examined(kind: str, data: Any, around: Any, status: Any) -> None:
    readable(examine(kind, "", "x", data, Surroundings(around, around), Running(status)))


def test_an_index_in_a_message_is_the_one_of_the_source() -> None:
    world = made()
    world.template["spec"]["containers"].insert(0, None)
    world.template["spec"]["containers"].insert(1, "app")
    world.template["spec"]["containers"][2]["lifecycle"] = []

    found = {written(finding.path): finding.says for finding in world.findings()}

    assert "spec.template.spec.containers[0]" not in found
    assert found["spec.template.spec.containers[1]"] == "is a string (app), and the API server takes only a mapping"
    assert found["spec.template.spec.containers[2].lifecycle"] == "is a list, and the API server takes only a mapping"
    assert "has no preStop" in found["spec.template.spec.containers[2]"]


def test_a_value_that_may_be_a_secret_is_not_shown() -> None:
    world = made()
    world.sidecar["env"].append({"name": "DRAINER_TOKEN", "value": 12345678})

    (finding,) = (one for one in world.findings() if one.key == "malformed")

    assert finding.says == "is a number, and the API server takes only a string"
    assert finding.fix == "put quotes around the value of spec.template.spec.initContainers[0].env[6].value"


def test_a_long_value_is_not_shown_either() -> None:
    for value, said in (("x" * 64, "a string"), (10**5000, "a number"), (1.5, "a number"), ({}, "a mapping")):
        (finding,) = (one for one in made(put("spec shareProcessNamespace", value)).findings())

        assert finding.says == f"is {said}, and the API server takes only true or false"


def test_what_yaml_makes_of_a_date_is_named() -> None:
    (finding,) = made(put("spec hostNetwork", date(2026, 1, 1))).findings()

    assert finding.says == "is a date, and the API server takes only true or false"


def test_pods_and_templates_know_the_same_fields() -> None:
    assert keys_of(POD) <= keys_of(WORKLOAD)
