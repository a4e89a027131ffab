"""The Kustomize component, built by the real Kustomize."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from drainer import __version__, sidecar
from drainer.keys import INJECT, INJECTED
from tests.chart import kubectl

HOOK = {"preStop": {"httpGet": {"path": "/drain", "port": 9808}}}


def workload(kind: str = "Deployment", *, asks: bool = True, **spec: Any) -> dict[str, Any]:
    labels = {INJECT: "true"} if asks else {}
    pod = {"containers": [{"name": "app", "image": "x"}, {"name": "proxy", "image": "y"}], **spec}
    if kind == "Pod":
        return {"apiVersion": "v1", "kind": kind, "metadata": {"name": "chat", "labels": labels}, "spec": pod}
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": "chat", "labels": labels},
        "spec": {
            "selector": {"matchLabels": {"app": "chat"}},
            "template": {"metadata": {"labels": {"app": "chat"}}, "spec": pod},
        },
    }


def pod_of(built: dict[str, Any]) -> Any:
    return built if built["kind"] == "Pod" else built["spec"]["template"]


def test_the_patches_are_up_to_date() -> None:
    script = Path(__file__).parents[2] / "docs" / "components.py"
    result = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True, check=False)

    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Pod"])
def test_it_adds_sidecar_mark_and_the_hook_of_the_first_container(kind: str, tmp_path: Path) -> None:
    pod = pod_of(kubectl.build([workload(kind)], tmp_path)[0])

    assert [one["name"] for one in pod["spec"]["initContainers"]] == [sidecar.NAME]
    assert [one.get("lifecycle") for one in pod["spec"]["containers"]] == [HOOK, None]
    assert pod["metadata"]["annotations"] == {INJECTED: __version__}


def test_it_leaves_everything_else_alone(tmp_path: Path) -> None:
    plain = workload(asks=False)

    assert kubectl.build([plain], tmp_path) == [plain]


def test_the_sidecar_starts_before_other_init_containers(tmp_path: Path) -> None:
    migrate = {"name": "migrate", "image": "m"}
    pod = pod_of(kubectl.build([workload(initContainers=[migrate])], tmp_path)[0])

    assert [one["name"] for one in pod["spec"]["initContainers"]] == [sidecar.NAME, "migrate"]


def test_a_hook_that_is_there_is_never_overwritten(tmp_path: Path) -> None:
    own = {"preStop": {"exec": {"command": ["nginx", "-s", "quit"]}}}
    given = workload(containers=[{"name": "app", "image": "x", "lifecycle": own}])

    with pytest.raises(kubectl.BuildError, match="testing value /spec/template/spec/containers/0/lifecycle failed"):
        kubectl.build([given], tmp_path)
    pod = pod_of(kubectl.build([given], tmp_path, "sidecar")[0])
    assert pod["spec"]["containers"][0]["lifecycle"] == own


def test_the_second_component_tells_the_agent_which_pod_it_is_in(tmp_path: Path) -> None:
    pod = pod_of(kubectl.build([workload()], tmp_path, ".", "api")[0])
    (container,) = pod["spec"]["initContainers"]
    given = {row["name"]: row["valueFrom"]["fieldRef"]["fieldPath"] for row in container["env"]}

    assert [given[name] for name in ("POD_NAME", "POD_NAMESPACE", "POD_UID")] == [
        "metadata.name",
        "metadata.namespace",
        "metadata.uid",
    ]
