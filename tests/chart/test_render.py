"""What the chart renders: for every set of values in values/ and every version of Kubernetes, valid and as it was.

golden/NAME@VERSION is what values/NAME.yaml render to from that version on, until the next file of that name. Write
them anew with `REGENERATE=1 make test PYTEST_ARGS=tests/chart/test_render.py`, and read the difference.
"""

from __future__ import annotations

import difflib
import os
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.chart import helm
from tests.chart.helm import yaml

kubernetes_validate: Any = pytest.importorskip(
    "kubernetes_validate", reason="needs kubernetes-validate, which the group chart in pyproject.toml brings"
)
HERE = Path(__file__).parent
GOLDEN = HERE / "golden"
VALUES = sorted(path.stem for path in (HERE / "values").glob("*.yaml"))
CUSTOM = {"PodMonitor", "PrometheusRule", "ScaledObject", "Certificate", "Issuer"}
"""Kinds of others, which have no schema here."""


@cache
def values(name: str) -> Any:
    return yaml.safe_load((HERE / "values" / f"{name}.yaml").read_text())


def rendered(name: str, version: str) -> str:
    """All files in one text, or the error."""
    try:
        texts = helm.texts(values(name), version)
    except helm.helm.HelmError as error:
        return f"Error: {error}\n".replace(f"v{version}.0", "VERSION")
    return "".join(f"# ---- {file}\n{text.strip()}\n" for file, text in texts.items())


def changes(name: str) -> dict[str, str]:
    """Version -> text, for the versions that change something."""
    texts = {version: rendered(name, version) for version in helm.VERSIONS}
    first = helm.VERSIONS[0]
    return {first: texts[first]} | {
        later: texts[later] for earlier, later in pairwise(helm.VERSIONS) if texts[later] != texts[earlier]
    }


@pytest.mark.parametrize("name", VALUES)
def test_it_renders_as_it_did(name: str) -> None:
    expected = {f"{name}@{version}": text for version, text in changes(name).items()}
    if os.environ.get("REGENERATE"):
        for path in GOLDEN.glob(f"{name}@*"):
            path.unlink()
        for file, text in expected.items():
            (GOLDEN / file).write_text(text)

    assert sorted(path.name for path in GOLDEN.glob(f"{name}@*")) == sorted(expected)
    for file, text in expected.items():
        golden = (GOLDEN / file).read_text()
        difference = difflib.unified_diff(golden.splitlines(), text.splitlines(), "golden", "rendered", lineterm="")
        assert "\n".join(difference) == ""


@pytest.mark.parametrize("version", helm.VERSIONS)
@pytest.mark.parametrize("name", VALUES)
def test_every_object_is_valid(name: str, version: str) -> None:
    if rendered(name, version).startswith("Error: "):
        # What a version lacks is said in a sentence that names it; anything else is a mistake of the chart.
        with pytest.raises(helm.helm.HelmError, match=f"and this is v{version}.0"):
            helm.objects(values(name), version)
        return
    for item in helm.objects(values(name), version):
        if item["kind"] not in CUSTOM:
            # Raises for a kind that the version does not have.
            assert kubernetes_validate.validate(item, version, strict=True) == version


@pytest.mark.parametrize("name", VALUES)
def test_every_object_has_the_usual_labels_and_a_namespace_where_it_can(name: str) -> None:
    cluster_wide = ("AdmissionPolicy", "AdmissionPolicyBinding", "APIService", "ClusterRole", "ClusterRoleBinding")
    for item in helm.objects(values(name)):
        labels = item["metadata"]["labels"]
        assert {
            "helm.sh/chart",
            "app.kubernetes.io/name",
            "app.kubernetes.io/instance",
            "app.kubernetes.io/managed-by",
        } <= set(labels)
        # The Role that says who may read of the API server's client certificate is in kube-system.
        of_kube_system = (
            item["kind"] == "RoleBinding" and item["roleRef"]["name"] == "extension-apiserver-authentication-reader"
        )
        namespace = "kube-system" if of_kube_system else helm.NAMESPACE
        assert item["metadata"].get("namespace") == (None if item["kind"].endswith(cluster_wide) else namespace)


def test_two_renderings_are_the_same() -> None:
    first = {name: rendered(name, helm.NEWEST) for name in VALUES}
    helm._render.cache_clear()
    helm._load.cache_clear()

    assert {name: rendered(name, helm.NEWEST) for name in VALUES} == first


def test_with_the_default_values_there_is_nothing() -> None:
    assert helm.objects({}) == []


@pytest.mark.parametrize(("version", "works"), [("1.35", False), ("1.36", True), ("1.37", True)])
def test_injection_needs_the_policy_in_v1(version: str, *, works: bool) -> None:
    if works:
        assert helm.objects({"injection": {"enabled": True}}, version)
        return
    with pytest.raises(helm.helm.HelmError, match=r"drainer inject -f FILE.*named templates.*Kustomize component"):
        helm.objects({"injection": {"enabled": True}}, version)


@pytest.mark.parametrize("name", ["warnings", "rbac"])
def test_policies_for_older_versions_are_written_in_their_language(name: str) -> None:
    # Comprehensions with two variables came with Kubernetes 1.32, lists.range and flatten with 1.34.
    text = rendered(name, helm.NEWEST)

    assert [word for word in ("transformList", "transformMap", "lists.", "flatten", "cel.bind") if word in text] == []


def test_the_suffixes_of_vendors_do_not_make_a_version_older() -> None:
    texts = helm.texts({"injection": {"enabled": True}}, "1.36.1-gke.1234000")

    assert "templates/injection/policy.yaml" in texts


def test_no_object_has_a_variable_twice() -> None:
    for name in VALUES:
        for item in helm.objects(values(name)):
            for container in pod_spec(item).get("initContainers", []) + pod_spec(item).get("containers", []):
                names = [row["name"] for row in container.get("env", [])]
                assert len(names) == len(set(names))


def pod_spec(item: dict[str, Any]) -> dict[str, Any]:
    spec = item.get("spec", {})
    found: dict[str, Any] = spec.get("template", {}).get("spec", spec)
    return found
