"""The project's chart, rendered by the real Helm, and held to the namespace of the run."""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from e2e.cluster import Manifest

CHART = Path(__file__).parent.parent / "chart"


class Chart:
    """A chart in a folder: this project's, or one that depends on it."""

    def __init__(self, folder: Path = CHART) -> None:
        """Raises ModuleNotFoundError where there is no Helm."""
        helm: Any = importlib.import_module("helm_python")
        # The public way takes no version of Kubernetes.
        self._render = helm._native.call_string
        self._helm = helm
        self._chart = helm.Chart.load(folder)

    @classmethod
    def or_skip(cls, folder: Path = CHART) -> Chart:
        try:
            return cls(folder)
        except ModuleNotFoundError:
            pytest.skip("needs helm-python-sdk (Linux on x86-64): the chart is rendered by the real Helm")

    def refusal(self, kubeconfig: str, namespace: str, values: Mapping[str, Any]) -> str:
        """Why Helm would not install it, after a look at the cluster; empty if it would. Nothing is installed."""
        config = self._helm.Config(kubeconfig_path=kubeconfig, namespace=namespace)
        try:
            config.install(self._chart, "refused", dict(values), namespace=namespace, dry_run="server")
        except self._helm.HelmError as error:
            return str(error)
        return ""

    def render(self, release: str, namespace: str, version: str, values: Mapping[str, Any]) -> list[Manifest]:
        """All objects, those of `helm test` too; `version` of Kubernetes like v1.36.2."""
        options = {"name": release, "namespace": namespace, "kube_version": version, "api_versions": []}
        files = json.loads(self._render("helm_render", self._chart._raw(), json.dumps(values), json.dumps(options)))
        return [
            _held_to(namespace, found)
            for name, text in sorted(files.items())
            if name.endswith(".yaml")
            for found in yaml.safe_load_all(text)
            if found
        ]


def is_test(manifest: Manifest) -> bool:
    """Whether only `helm test` makes it."""
    return "helm.sh/hook" in manifest["metadata"].get("annotations", {})


def _held_to(namespace: str, manifest: Manifest) -> Manifest:
    """What holds for a whole cluster is held to the run's namespace."""
    if manifest["kind"].endswith("AdmissionPolicyBinding"):
        names = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
        manifest["spec"]["matchResources"] = {"namespaceSelector": names}
    return manifest


def parent(folder: Path, template: str) -> Path:
    """A chart made in `folder`: somebody's own, with one template, that has this project's as a dependency."""
    (folder / "templates").mkdir(parents=True)
    (folder / "charts").mkdir()
    (folder / "charts" / "drainer").symlink_to(CHART)
    (folder / "Chart.yaml").write_text(
        "apiVersion: v2\nname: chat\nversion: 1.0.0\ndependencies: [{name: drainer, version: '*'}]\n"
    )
    (folder / "templates" / "pod.yaml").write_text(template)
    return folder
