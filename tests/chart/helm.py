"""What Helm makes of the chart: the real Helm, as a library."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest

NEEDED = "needs helm-python-sdk (Linux on x86-64), which the group chart in pyproject.toml brings"
helm: Any = pytest.importorskip("helm_python", reason=NEEDED)
yaml: Any = pytest.importorskip("yaml", reason="needs PyYAML, which the group chart in pyproject.toml brings")

CHART = Path(__file__).parents[2] / "chart"
NEWEST = "1.37"
VERSIONS = ("1.29", "1.30", "1.31", "1.32", "1.33", "1.34", "1.35", "1.36", "1.37")
"""Of Kubernetes, that the chart is for."""
NAMESPACE = "tools"
RELEASE = "drainer"


@cache
def _load(path: Path) -> Any:
    return helm.Chart.load(path)


@cache
def _render(chart: Path, values: str, options: str) -> str:
    # The public render() offers neither the version of Kubernetes nor its APIs.
    return str(helm._native.call_string("helm_render", _load(chart)._raw(), values, options))


def texts(
    values: Mapping[str, Any],
    kubernetes: str = NEWEST,
    *,
    chart: Path = CHART,
    api_versions: Sequence[str] = (),
    namespace: str = NAMESPACE,
) -> dict[str, str]:
    """File -> what it renders to, for files that render to something. Raises helm.HelmError."""
    options = {
        "name": RELEASE,
        "namespace": namespace,
        "kube_version": f"v{kubernetes}" if kubernetes.count(".") > 1 else f"v{kubernetes}.0",
        "api_versions": list(api_versions),
    }
    rendered = _render(chart, json.dumps(values), json.dumps(options))
    return {name.partition("/")[2]: text for name, text in sorted(json.loads(rendered).items()) if text.strip()}


def objects(values: Mapping[str, Any], kubernetes: str = NEWEST, **options: Any) -> list[dict[str, Any]]:
    """All objects, without NOTES.txt."""
    return [
        found
        for name, text in texts(values, kubernetes, **options).items()
        if name.endswith(".yaml")
        for found in yaml.load_all(text, Loader=yaml.CSafeLoader)
        if found
    ]


def one(rendered: Sequence[Mapping[str, Any]], kind: str, suffix: str = "") -> Any:
    """The object of a kind whose name ends so."""
    found = [item for item in rendered if item["kind"] == kind and item["metadata"]["name"].endswith(suffix)]
    assert len(found) == 1, f"{len(found)} of kind {kind} that end with {suffix!r}"
    return found[0]


def include(template: str, arguments: str, values: Mapping[str, Any], folder: Path) -> Any:
    """What `include TEMPLATE ARGUMENTS` gives in a chart that has this one as dependency, made in `folder`."""
    parent = folder / "parent"
    (parent / "templates").mkdir(parents=True, exist_ok=True)
    (parent / "charts").mkdir(exist_ok=True)
    link = parent / "charts" / "drainer"
    if not link.exists():
        link.symlink_to(CHART)
    (parent / "Chart.yaml").write_text(
        "apiVersion: v2\nname: parent\nversion: 1.0.0\ndependencies: [{name: drainer, version: '*'}]\n"
    )
    (parent / "templates" / "it.yaml").write_text(
        f"it:\n  {{{{- include {json.dumps(template)} {arguments} | nindent 2 }}}}\n"
    )
    _load.cache_clear()
    _render.cache_clear()
    rendered = texts(values, chart=parent)
    return yaml.safe_load(rendered["templates/it.yaml"])["it"]
