"""Writes the patches in kustomize/ from drainer/sidecar.py. `--check` only compares.

A component is the same text for everybody, so whatever differs from pod to pod is read from the pod's own annotations
by the downward API: an absent annotation is an empty variable, which is as good as none.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from drainer import __version__, sidecar
from drainer.keys import INJECTED, annotation
from drainer.settings import BY_NAME

FOLDER = Path(__file__).parent.parent / "kustomize"
IN_THE_HOOK = ("port", "token")
"""Settings that cannot be read from an annotation: the hook says them too."""
ANY = sidecar.Sidecar(image=f"{sidecar.IMAGE}:{__version__}", app_ports="", grace_period=0)


def container() -> dict[str, Any]:
    """The sidecar, whose variables are the pod's annotations."""
    found = sidecar.container(ANY)
    names = ("app_ports", "grace_period", *(name for name in sidecar.CHOOSABLE if name not in IN_THE_HOOK))
    read = [
        {
            "name": BY_NAME[name].env,
            "valueFrom": {"fieldRef": {"fieldPath": f"metadata.annotations['{annotation(name)}']"}},
        }
        for name in names
    ]
    return found | {"env": read + [row for row in found["env"] if "valueFrom" in row]}


def identity() -> dict[str, Any]:
    """What lets the agent talk to the API: it is told which pod it is in."""
    asked = sidecar.Sidecar(image="", app_ports="", grace_period=0, settings={"kubernetes": "on"})
    usual = sidecar.environment(ANY)
    fields = [row for row in sidecar.environment(asked) if "valueFrom" in row and row not in usual]
    return {"name": sidecar.NAME, "env": fields}


def hook(pod: str) -> list[dict[str, Any]]:
    """The hook of the first ordinary container of the pod at a path; `test` ends a build that would overwrite one."""
    place = f"{pod}/spec/containers/0/lifecycle"
    return [
        {"op": "test", "path": place, "value": None},
        {"op": "add", "path": place, "value": {"preStop": sidecar.pre_stop(ANY)}},
    ]


def files() -> dict[str, Any]:
    """File -> patch. `workload.yaml` goes for every kind that has a template: a patch with a target names no kind."""
    marked = {"metadata": {"annotations": {INJECTED: __version__}}, "spec": {"initContainers": [container()]}}
    known = {"spec": {"initContainers": [identity()]}}
    patches: dict[str, Any] = {}
    pods: list[tuple[str, dict[str, Any]]] = [("sidecar", marked), ("api", known)]
    for folder, pod in pods:
        name = {"name": "any"}
        patches[f"{folder}/workload.yaml"] = {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": name,
            "spec": {"template": pod},
        }
        patches[f"{folder}/pod.yaml"] = {
            "apiVersion": "v1",
            "kind": "Pod",
            **pod,
            "metadata": {**name, **pod.get("metadata", {})},
        }
    return patches | {"hook/workload.yaml": hook("/spec/template"), "hook/pod.yaml": hook("")}


def text(patch: Mapping[str, Any] | list[Any]) -> str:
    """As it stands in the file."""
    return "# Made by docs/components.py: run `make docs`.\n" + yaml.safe_dump(patch, sort_keys=False, width=118)


def main(arguments: list[str]) -> int:
    """Write, or with `--check` say which files are stale."""
    stale = 0
    for name, patch in files().items():
        path = FOLDER / name
        if path.exists() and path.read_text(encoding="utf-8") == text(patch):
            continue
        stale += 1
        if "--check" in arguments:
            sys.stderr.write(f"kustomize/{name} is stale: run `make docs`\n")
        else:
            path.write_text(text(patch), encoding="utf-8")
    return int("--check" in arguments and stale > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
