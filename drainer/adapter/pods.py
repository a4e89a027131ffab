"""Pods that carry the sidecar: what of an API object matters here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from drainer.deletion_cost import DEAF
from drainer.kube import bodies
from drainer.lenient import mapping, mappings
from drainer.sidecar import NAME

MANAGER = "drainer-adapter"
"""Who writes what the adapter does at pods, as managedFields have it; agents are others."""


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod with an agent."""

    namespace: str
    name: str
    uid: str
    labels: Mapping[str, str]
    address: str
    """Empty until the kubelet has said it."""
    port: int
    """The agent's."""
    phase: str
    ready: bool
    deleted: bool
    """Whether it has a deletionTimestamp: an HPA leaves it out, whatever it says."""
    cost: int | None
    """The deletion cost that stands, 0 where none does; None where it is not for an adapter to say: somebody else has
    set it, or whoever deletes the pod does not look at it."""
    version: str
    """The resourceVersion: a write that names it is refused when anything has changed since."""

    @property
    def is_asked(self) -> bool:
        """Whether there is somebody to ask. Not only ready pods: a full one may say so by its readiness."""
        return bool(self.address) and self.phase == "Running"

    @property
    def is_replica(self) -> bool:
        """Whether an autoscaler's sum has to have it: it takes connections, and it is not about to go."""
        return self.phase == "Running" and self.ready and not self.deleted


def pod_of(item: Any) -> Pod | None:
    """The pod of a watch event; None if it has no sidecar, or is no pod at all."""
    metadata, spec, status = (mapping(mapping(item).get(part)) for part in ("metadata", "spec", "status"))
    port = next(_ports(spec), None)
    namespace, name, uid = (metadata.get(part) for part in ("namespace", "name", "uid"))
    if port is None or not (isinstance(namespace, str) and isinstance(name, str) and isinstance(uid, str)):
        return None
    labels = mapping(metadata.get("labels"))
    return Pod(
        namespace=namespace,
        name=name,
        uid=uid,
        labels={key: value for key, value in labels.items() if isinstance(value, str)},
        address=str(status.get("podIP") or ""),
        port=port,
        phase=str(status.get("phase") or ""),
        ready=any(
            condition.get("type") == "Ready" and condition.get("status") == "True"
            for condition in mappings(status.get("conditions"))
        ),
        deleted=bool(metadata.get("deletionTimestamp")),
        cost=_cost(item),
        version=bodies.version(item),
    )


def _cost(item: Mapping[str, Any]) -> int | None:
    kind, found = bodies.controller(item), bodies.cost(item)
    if not kind or kind in DEAF:
        return None
    if found is None:
        return 0
    return int(found) if bodies.is_own_cost(item, MANAGER) else None


def _ports(spec: Mapping[str, Any]) -> Iterator[int]:
    """The ports that are named as the agent's: every way of adding the sidecar names it so."""
    for containers in ("initContainers", "containers"):
        for container in mappings(spec.get(containers)):
            for port in mappings(container.get("ports")):
                number = port.get("containerPort")
                if port.get("name") == NAME and isinstance(number, int):
                    yield number
