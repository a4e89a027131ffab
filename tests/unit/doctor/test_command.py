"""`drainer doctor -f`: files in, report and exit code out."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from drainer.cli import Exit, main
from tests.unit.doctor.pods import World, env, made, no_agent, put, scaler, service

Said = pytest.CaptureFixture[str]


def manifest(world: World, **outer: Any) -> str:
    """As people write it."""
    stream = io.StringIO()
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.dump({"apiVersion": "apps/v1", "kind": world.kind, **world.object, **outer}, stream)
    return stream.getvalue()


@pytest.fixture
def write(tmp_path: Path) -> Any:
    def write(text: str, name: str = "web.yaml") -> str:
        path = tmp_path / name
        path.write_text(text)
        return str(path)

    return write


def doctor(*arguments: str) -> Exit:
    return main(["doctor", *arguments], [])


def test_a_good_manifest_is_said_to_be_one(capsys: Said, write: Any) -> None:
    assert doctor("-f", write(manifest(made()))) is Exit.OK
    assert capsys.readouterr().out == "nothing to fix in 1 object with pods: Deployment chat/web\n"


def test_an_error_has_its_own_exit_code(capsys: Said, write: Any) -> None:
    assert doctor("-f", write(manifest(made(no_agent)))) is Exit.FINDINGS
    assert "error no-sidecar" in capsys.readouterr().out


def test_a_warning_fails_only_where_it_is_asked_for(write: Any) -> None:
    path = write(manifest(made(put("spec terminationGracePeriodSeconds", 31))))

    assert doctor("-f", path) is Exit.OK
    assert doctor("-f", path, "--strict") is Exit.FINDINGS
    assert doctor("-f", path, "--strict", "--ignore", "grace-unused") is Exit.OK


def test_a_note_never_fails(capsys: Said, write: Any) -> None:
    path = write(manifest(made(env("DRAINER_APP_PORTS", "8081"))))

    assert doctor("-f", path, "--strict") is Exit.OK
    assert "note app-port-undeclared" in capsys.readouterr().out


def test_an_ignored_check_that_is_none_is_a_mistake(capsys: Said, write: Any) -> None:
    assert doctor("-f", write(manifest(made())), "--ignore", "no-sidcar") is Exit.USAGE
    assert "--ignore='no-sidcar' is no check; the nearest is no-sidecar" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["-f", "x", "--live", "a/b"], ["--live"], ["-f", "x", "--output", "xml"]])
def test_flags_that_cannot_be_are_refused(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        doctor(*arguments)

    assert refused.value.code == Exit.USAGE


@pytest.mark.parametrize("flag", ["--context", "--kubeconfig"])
def test_flags_of_a_cluster_are_refused_for_files(capsys: Said, flag: str) -> None:
    assert doctor("-f", "-", flag, "x") is Exit.USAGE
    assert f"{flag}='x' cannot be used with -f; allowed: with --live" in capsys.readouterr().err


def test_what_is_no_manifest_is_said_with_its_place(capsys: Said, write: Any) -> None:
    path = write("a: [")

    assert doctor("-f", path) is Exit.FAILURE
    assert capsys.readouterr().err.startswith(f"drainer: {path}:")


def test_standard_input_is_a_dash(capsys: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.TextIOWrapper(io.BytesIO(manifest(made(no_agent)).encode()))
    monkeypatch.setattr(sys, "stdin", stream)

    assert doctor("-f", "-") is Exit.FINDINGS
    assert "  -:1" in capsys.readouterr().out


def test_files_of_one_call_are_seen_together(capsys: Said, write: Any, tmp_path: Path) -> None:
    world = made(service([{"port": 9808}], type="NodePort"), scaler(targetCPUUtilizationPercentage=50))
    del world.template["spec"]["containers"][0]["resources"]
    write(manifest(world), "a.yaml")
    write(json.dumps({"apiVersion": "v1", "kind": "Service", **world.services[0]}), "b.json")
    write(json.dumps({"apiVersion": "v2", "kind": "HorizontalPodAutoscaler", **world.scalers[0]}), "c.json")
    write("no manifest", "d.txt")

    assert doctor("-f", str(tmp_path)) is Exit.FINDINGS
    said = capsys.readouterr().out
    assert "port-exposed" in said
    assert "hpa-without-requests" in said
    assert doctor("-f", str(tmp_path / "a.yaml")) is Exit.OK


def test_a_service_of_another_namespace_is_another_matter(capsys: Said, write: Any) -> None:
    world = made(service([{"port": 9808}], type="NodePort"))
    world.services[0]["metadata"]["namespace"] = "other"
    both = manifest(world) + "---\n" + json.dumps({"kind": "Service", "apiVersion": "v1", **world.services[0]})

    assert doctor("-f", write(both)) is Exit.OK
    assert "port-exposed" not in capsys.readouterr().out


LINES = """\
# a comment
apiVersion: v1
kind: ConfigMap
metadata: {name: other}
---
# another one
apiVersion: v1
kind: Pod
metadata: {name: web}
spec:
  terminationGracePeriodSeconds: 30
  initContainers:
    - name: drainer
      restartPolicy: Always
      env:
        - name: DRAINER_APP_PORTS
          value: "8080"

        - name: DRAINER_SETTLE
          value: soon
  containers:
    - name: app
      lifecycle: {preStop: {httpGet: {path: /drain,
                                      port: drainer}}}
"""


def test_lines_are_those_of_the_file(capsys: Said, write: Any) -> None:
    path = write(LINES)

    assert doctor("-f", path, "--output", "json") is Exit.FINDINGS
    (examined,) = json.loads(capsys.readouterr().out)["objects"]
    lines = {finding["key"]: finding["line"] for finding in examined["findings"]}
    assert (examined["file"], examined["line"]) == (path, 7)
    assert lines["setting-unusable"] == 20
    assert lines["hook-port-name"] == 24
    # What is not there is said where it would have to be.
    assert lines["no-closer"] == 15
    assert lines["no-readiness-probe"] == 13


def test_lines_in_lists_and_in_json_with_tabs(capsys: Said, write: Any) -> None:
    pod = made(put("spec terminationGracePeriodSeconds", 5)).template
    items = [{"kind": "ConfigMap"}, {"kind": "Pod", "apiVersion": "v1", **pod}]
    path = write(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}, indent="\t"), "web.json")

    assert doctor("-f", path, "--output", "json") is Exit.FINDINGS
    (examined,) = json.loads(capsys.readouterr().out)["objects"]
    line = next(finding["line"] for finding in examined["findings"] if finding["key"] == "grace-too-short")
    assert '"terminationGracePeriodSeconds": 5' in Path(path).read_text().splitlines()[line - 1]


@pytest.mark.timeout(30)
def test_a_long_list_takes_no_longer_than_its_objects_one_by_one(capsys: Said, write: Any) -> None:
    items = "".join(
        f"- kind: Pod\n  metadata: {{name: p{number}}}\n  spec: {{containers: []}}\n" for number in range(800)
    )

    assert doctor("-f", write(f"kind: List\nitems:\n{items}"), "--output", "json") is Exit.FINDINGS
    objects = json.loads(capsys.readouterr().out)["objects"]
    assert [examined["line"] for examined in objects] == list(range(3, 2403, 3))


@pytest.mark.parametrize(
    "text",
    [
        "kind: Job\napiVersion: batch/v1\nspec: {template: {spec: {containers: [{name: x}]}}}",
        "kind: Rollout\napiVersion: argoproj.io/v1alpha1\nspec: {workloadRef: {kind: Deployment, name: web}}",
        "kind: Deployment\napiVersion: example.com/v1",
        "# nothing",
    ],
)
def test_objects_without_pods_that_serve_are_passed_over(capsys: Said, write: Any, text: str) -> None:
    assert doctor("-f", write(text)) is Exit.OK
    assert capsys.readouterr().out == "nothing to check: no object with pods\n"


@pytest.mark.parametrize("spec", ["{}", "{template: {}}", "{template: {spec: {containers: [{image: x}]}}}", "[]", "7"])
def test_a_workload_without_a_pod_is_malformed_and_not_passed_over(capsys: Said, write: Any, spec: str) -> None:
    assert doctor("-f", write(f"apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: x}}\nspec: {spec}")) is (
        Exit.FINDINGS
    )
    assert "error " in capsys.readouterr().out


def test_colour_is_for_terminals(capsys: Said, write: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(manifest(made(no_agent)))
    monkeypatch.delenv("NO_COLOR", raising=False)
    doctor("-f", path)
    assert "\033" not in capsys.readouterr().out

    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    doctor("-f", path)
    assert "\033[31merror" in capsys.readouterr().out

    monkeypatch.setenv("NO_COLOR", "1")
    doctor("-f", path)
    assert "\033" not in capsys.readouterr().out


def test_a_pod_that_must_be_named_otherwise_is_refused(capsys: Said) -> None:
    for name in ("web-0", "chat/", "chat/Web", "a/b/c", "../x/y"):
        assert doctor("--live", name) is Exit.USAGE
        assert f"--live='{name}' cannot be used; allowed: NAMESPACE/POD" in capsys.readouterr().err
