"""Where the pod is in an object, and why it has none."""

from __future__ import annotations

from typing import Any

import pytest

from drainer.commands.pods import KINDS, NoPod, Workload, find, identity, objects

CONTAINERS: dict[str, Any] = {"containers": [{"name": "app"}]}


def of_kind(kind: str, version: str = "apps/v1", **spec: Any) -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": "x"}, "spec": spec}


def test_the_template_of_each_kind_is_found() -> None:
    for kind in KINDS:
        version = {"Pod": "v1", "Rollout": "argoproj.io/v1alpha1"}.get(kind, "apps/v1")
        data = of_kind(kind, version, **(CONTAINERS if kind == "Pod" else {"template": {"spec": CONTAINERS}}))
        found = find(kind, data)
        assert isinstance(found, Workload)
        assert (found.kind, found.name, found.spec) == (kind, "x", CONTAINERS)
        assert found.pod is (data if kind == "Pod" else data["spec"]["template"])
    assert KINDS == ("Pod", "Deployment", "StatefulSet", "ReplicaSet", "DaemonSet", "Rollout")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (of_kind("Service", "v1"), NoPod.OTHER_KIND),
        ({}, NoPod.OTHER_KIND),
        (of_kind("Deployment", "example.org/v1", template={"spec": CONTAINERS}), NoPod.OTHER_KIND),
        (of_kind("Rollout", "apps/v1", template={"spec": CONTAINERS}), NoPod.OTHER_KIND),
        (of_kind("Pod", "example.org/v1", **CONTAINERS), NoPod.OTHER_KIND),
        (of_kind("Job", "batch/v1", template={"spec": CONTAINERS}), NoPod.RUNS_TO_COMPLETION),
        (of_kind("CronJob", "batch/v1"), NoPod.RUNS_TO_COMPLETION),
        (of_kind("Rollout", "argoproj.io/v1alpha1", workloadRef={"name": "x"}), NoPod.WORKLOAD_REF),
        (of_kind("Pod", "v1"), NoPod.MALFORMED),
        (of_kind("Pod", "v1", containers=[]), NoPod.MALFORMED),
        (of_kind("Pod", "v1", containers={"name": "app"}), NoPod.MALFORMED),
        (of_kind("Pod", "v1", containers=[{"image": "x"}]), NoPod.MALFORMED),
        (of_kind("Pod", "v1", containers=["app"]), NoPod.MALFORMED),
        (of_kind("Pod", "v1", **CONTAINERS, initContainers=["app"]), NoPod.MALFORMED),
        (of_kind("Pod", "v1", containers=[{"name": "app", "lifecycle": "x"}]), NoPod.MALFORMED),
        (of_kind("Pod", "v1", containers=[{"name": "app", "lifecycle": {"preStop": "x"}}]), NoPod.MALFORMED),
        (of_kind("Pod", "v1", **CONTAINERS, os="windows"), NoPod.MALFORMED),
        (of_kind("Pod", "v1", **CONTAINERS) | {"metadata": "x"}, NoPod.MALFORMED),
        (of_kind("Pod", "v1", **CONTAINERS) | {"metadata": {"labels": []}}, NoPod.MALFORMED),
        (of_kind("Deployment"), NoPod.MALFORMED),
        (of_kind("Deployment", template="x"), NoPod.MALFORMED),
        ({"apiVersion": "apps/v1", "kind": "Deployment"}, NoPod.MALFORMED),
        ({"apiVersion": "v1", "kind": "Pod", "spec": "x"}, NoPod.MALFORMED),
    ],
)
def test_why_there_is_none(data: dict[str, Any], reason: NoPod) -> None:
    assert find(data.get("kind", ""), data) is reason


def test_items_of_lists_come_one_by_one_with_the_kind_that_they_have() -> None:
    first, second, third = of_kind("Pod", "v1"), {"metadata": {"name": "y"}}, of_kind("Service", "v1")
    data = {
        "kind": "List",
        "items": [first, {"kind": "DeploymentList", "items": [second]}, "odd", {"kind": "List", "items": [third]}],
    }
    assert list(objects(data)) == [("Pod", first), ("Deployment", second), ("Service", third)]
    # What only ends like a list is an object.
    assert list(objects({"kind": "AllowList", "spec": {}})) == [("AllowList", {"kind": "AllowList", "spec": {}})]
    assert list(objects(None)) == []
    assert isinstance(find("Deployment", {"spec": {"template": {"spec": CONTAINERS}}}), Workload)


def test_an_object_is_called_as_people_call_it() -> None:
    assert identity("Pod", {"metadata": {"name": "x", "namespace": "y"}}) == ("Pod", "y", "x")
    assert identity("Pod", {"metadata": {"generateName": "x-"}}) == ("Pod", "", "x-*")
    assert identity("Pod", {"metadata": None}) == ("Pod", "", "")


def test_labels_and_annotations_may_be_missing() -> None:
    found = find("Pod", of_kind("Pod", "v1", **CONTAINERS))
    assert isinstance(found, Workload)
    assert (found.labels, found.annotations) == ({}, {})
