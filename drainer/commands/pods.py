"""Where the pod is in a manifest: in a Pod itself, in the template of a workload, in the items of a List.

An object is a plain mapping, as YAML and JSON give it. Nothing here changes one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from drainer.lenient import mapping

_GROUPS: Mapping[str, tuple[str, ...]] = {
    "Pod": ("",),
    "Deployment": ("apps", "extensions"),
    "StatefulSet": ("apps",),
    "ReplicaSet": ("apps", "extensions"),
    "DaemonSet": ("apps", "extensions"),
    "Rollout": ("argoproj.io",),
}
"""Kinds whose pods serve for good, and the API groups in which they mean what is meant here."""
KINDS = tuple(_GROUPS)
_FINITE = ("Job", "CronJob")


class NoPod(StrEnum):
    """Why an object has no pod that could be drained."""

    OTHER_KIND = "other-kind"
    """Its kind has no pods, or is not known."""
    RUNS_TO_COMPLETION = "runs-to-completion"
    """The pods of a Job or CronJob end by themselves."""
    WORKLOAD_REF = "workload-ref"
    """A Rollout that takes the template of another object: that one is to be changed."""
    MALFORMED = "malformed"
    """It has no containers with names where its kind has them, or what is there is not what Kubernetes takes."""


@dataclass(frozen=True, slots=True)
class Workload:
    """An object that has pods."""

    kind: str
    namespace: str
    """Empty where the manifest names none."""
    name: str
    pod: dict[str, Any]
    """The object itself if it is a Pod, otherwise its template: has `spec`, and may have `metadata`."""

    @property
    def spec(self) -> dict[str, Any]:
        """The PodSpec."""
        found: dict[str, Any] = self.pod["spec"]
        return found

    @property
    def labels(self) -> Mapping[str, Any]:
        """Of the pod."""
        return mapping(mapping(self.pod.get("metadata")).get("labels"))

    @property
    def annotations(self) -> Mapping[str, Any]:
        """Of the pod."""
        return mapping(mapping(self.pod.get("metadata")).get("annotations"))


def objects(data: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """(kind, object) for each object of a document; the items of a List one by one, in their order.

    The items of a `DeploymentList` need not say their kind.
    """
    yield from _objects(data, "")


def _objects(data: Any, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    if not isinstance(data, dict):
        return
    kind = str(data.get("kind") or kind)
    if kind.endswith("List") and isinstance(data.get("items"), list):
        for item in data["items"]:
            yield from _objects(item, kind.removesuffix("List"))
    else:
        yield kind, data


def identity(kind: str, data: Mapping[str, Any]) -> tuple[str, str, str]:
    """(kind, namespace, name) as people write them; a generated name ends with a star."""
    metadata = mapping(data.get("metadata"))
    name = metadata.get("name") or (f"{metadata['generateName']}*" if metadata.get("generateName") else "")
    return kind, str(metadata.get("namespace") or ""), str(name)


def find(kind: str, data: dict[str, Any]) -> Workload | NoPod:
    """The pod of an object as `objects` gives it, or why there is none."""
    group, _, version = str(data.get("apiVersion") or "").rpartition("/")
    if kind in _FINITE:
        return NoPod.RUNS_TO_COMPLETION
    if kind not in _GROUPS or (version and group not in _GROUPS[kind]):
        return NoPod.OTHER_KIND
    spec = data.get("spec")
    if kind == "Rollout" and "workloadRef" in mapping(spec):
        return NoPod.WORKLOAD_REF
    pod = data if kind == "Pod" else mapping(spec).get("template")
    if not isinstance(pod, dict) or not _is_sound(pod):
        return NoPod.MALFORMED
    return Workload(*identity(kind, data), pod=pod)


_POD = {"metadata": dict, "spec": dict}
_METADATA = {"labels": dict, "annotations": dict}
_SPEC = {"os": dict, "nodeSelector": dict, "readinessGates": list, "containers": list, "initContainers": list}
_CONTAINER = {"name": str, "lifecycle": dict, "ports": list, "env": list}
"""Of what is looked at or changed by anyone: the type where it is given."""


def _is_sound(pod: dict[str, Any]) -> bool:
    """Whether everything that matters is where it should be, as far as it is there."""
    if not _has_shape(pod, _POD) or not pod.get("spec"):
        return False
    spec = pod["spec"]
    if not _has_shape(pod.get("metadata") or {}, _METADATA) or not _has_shape(spec, _SPEC):
        return False
    containers = [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]
    return bool(spec.get("containers")) and all(
        _has_shape(one, _CONTAINER) and one.get("name") and _has_shape(one.get("lifecycle") or {}, {"preStop": dict})
        for one in containers
    )


def _has_shape(value: Any, shape: Mapping[str, type]) -> bool:
    return isinstance(value, dict) and all(
        value.get(key) is None or isinstance(value[key], kind) for key, kind in shape.items()
    )
