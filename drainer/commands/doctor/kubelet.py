"""What the kubelet says of a container in the status of its pod."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drainer.commands.doctor.shapes import Node, Shape, cleaned

ENDED = frozenset({"Succeeded", "Failed"})
"""Phases of pods that have nobody left to ask."""
_STATE = {
    "waiting": {"reason": str, "message": str},
    "running": {},
    "terminated": {"exitCode": int, "reason": str},
}
_CONTAINER = {"name": str, "restartCount": int, "state": _STATE, "lastState": _STATE}
_STATUS: Shape = {"phase": str, "initContainerStatuses": [_CONTAINER], "containerStatuses": [_CONTAINER]}


def pod_status(pod: Mapping[str, Any]) -> Node:
    """The status of a pod of a cluster, as far as it is of the types that Kubernetes has."""
    return Node(cleaned(pod.get("status"), _STATUS, (), []))


def is_over(pod: Mapping[str, Any]) -> bool:
    """Whether it has ended or is being deleted."""
    metadata = Node(cleaned(pod.get("metadata"), {"deletionTimestamp": str}, (), []))
    return bool(metadata["deletionTimestamp"]) or pod_status(pod)["phase"].text in ENDED


def container_status(pod: Mapping[str, Any], name: str) -> Node:
    """What it says of one container: `restartCount`, `state` and `lastState`; an empty one if it says nothing yet."""
    status = pod_status(pod)
    for key in ("initContainerStatuses", "containerStatuses"):
        for one in status[key]:
            if one["name"].text == name:
                return one
    return Node(None)


def ended_with(terminated: Node) -> str:
    """`exit code 137 (OOMKilled)`, of a `terminated` state."""
    reason = terminated["reason"].text
    return f"exit code {terminated['exitCode'].number}{f' ({reason})' if reason not in ('', 'Error') else ''}"
