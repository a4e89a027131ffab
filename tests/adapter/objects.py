"""Objects as an API server has them, as far as the adapter reads them."""

from __future__ import annotations

from typing import Any

from drainer.keys import DELETION_COST

NAMESPACE, SERVICE = "tools", "drainer-adapter"
WAITS = ("AbleToScale", "ScaleDownStabilized")
"""Type and reason of the condition of an HPA that waits to scale down."""


def pod(name: str, port: int = 9808, *, namespace: str = "chat", **changes: Any) -> dict[str, Any]:
    """A running pod of a ReplicaSet with the sidecar.

    `changes`: of uid, labels, address, phase, ready, deleted, controller (a kind), cost and its manager.
    """
    metadata = {
        "name": name,
        "namespace": namespace,
        "uid": changes.get("uid", f"uid-{namespace}-{name}"),
        "labels": changes.get("labels", {"app": "ws"}),
        "ownerReferences": [{"kind": changes.get("controller", "ReplicaSet"), "controller": True}],
        **({"deletionTimestamp": "2026-01-01T00:00:00Z"} if changes.get("deleted") else {}),
    }
    if "cost" in changes:
        metadata["annotations"] = {DELETION_COST: changes["cost"]}
        metadata["managedFields"] = managed(changes.get("manager", "drainer-adapter"))
    ready = "True" if changes.get("ready", True) else "False"
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": {
            "initContainers": [{"name": "drainer", "ports": [{"name": "drainer", "containerPort": port}]}],
            "containers": [{"name": "app", "ports": [{"name": "ws", "containerPort": 8080}]}],
        },
        "status": {
            "phase": changes.get("phase", "Running"),
            "podIP": changes.get("address", "127.0.0.1"),
            "conditions": [{"type": "Ready", "status": ready}],
        },
    }


def managed(manager: str) -> list[dict[str, Any]]:
    """Who has written a pod's deletion cost."""
    return [{"manager": manager, "fieldsV1": {"f:metadata": {"f:annotations": {f"f:{DELETION_COST}": {}}}}}]


def autoscaler(name: str = "ws", condition: tuple[str, str] = WAITS, **changes: Any) -> dict[str, Any]:
    """An HPA; `changes`: of its target, or its behavior."""
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "ws", **changes.get("target", {})}
    conditions = [{"type": condition[0], "reason": condition[1], "status": "True"}]
    return {
        "metadata": {"name": name, "namespace": "chat"},
        "spec": {"scaleTargetRef": target, "behavior": changes.get("behavior")},
        "status": {"conditions": conditions},
    }


def apiservice(path: str, namespace: str = NAMESPACE, name: str = SERVICE) -> dict[str, Any]:
    """One that points to a Service."""
    return {"metadata": {"name": path.rpartition("/")[2]}, "spec": {"service": {"namespace": namespace, "name": name}}}
