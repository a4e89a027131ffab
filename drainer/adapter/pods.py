"""Pods that carry the sidecar: what of an API object matters here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from drainer.sidecar import NAME


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
    metadata, spec, status = (_mapping(_mapping(item).get(part)) for part in ("metadata", "spec", "status"))
    port = next(_ports(spec), None)
    namespace, name, uid = (metadata.get(part) for part in ("namespace", "name", "uid"))
    if port is None or not (isinstance(namespace, str) and isinstance(name, str) and isinstance(uid, str)):
        return None
    labels = _mapping(metadata.get("labels"))
    return Pod(
        namespace=namespace,
        name=name,
        uid=uid,
        labels={key: value for key, value in labels.items() if isinstance(value, str)},
        address=str(status.get("podIP") or ""),
        port=port,
        phase=str(status.get("phase") or ""),
        ready=any(
            _mapping(condition).get("type") == "Ready" and _mapping(condition).get("status") == "True"
            for condition in _items(status.get("conditions"))
        ),
        deleted=bool(metadata.get("deletionTimestamp")),
    )


def _ports(spec: Mapping[str, Any]) -> Iterator[int]:
    """The ports that are named as the agent's: every way of adding the sidecar names it so."""
    for containers in ("initContainers", "containers"):
        for container in _items(spec.get(containers)):
            for port in _items(_mapping(container).get("ports")):
                number = _mapping(port).get("containerPort")
                if _mapping(port).get("name") == NAME and isinstance(number, int):
                    yield number


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
