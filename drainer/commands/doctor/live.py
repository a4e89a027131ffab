"""A running pod: the pod, its owners, the objects around it, and its agent's /status."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from drainer.commands.answers import NoAnswerError
from drainer.commands.cluster import Cluster, items, status_path
from drainer.commands.doctor.case import Surroundings, as_case, as_pod
from drainer.commands.doctor.checks.running import Running, Unread
from drainer.commands.doctor.examine import examine
from drainer.commands.doctor.kubelet import container_status, is_over
from drainer.commands.doctor.report import Examined
from drainer.commands.pods import identity
from drainer.errors import ClusterError

OWNERS = {"ReplicaSet": "replicasets"}
"""Owners that have owners of their own: kind -> resource in apps/v1."""


def examine_live(cluster: Cluster, namespace: str, name: str) -> Examined:
    """One pod of a cluster. Raises ClusterError where the pod itself cannot be read."""
    try:
        data = cluster.get(f"/api/v1/namespaces/{namespace}/pods/{name}")
    except NoAnswerError as error:
        raise ClusterError(f"pod {namespace}/{name} cannot be read ({error})") from None
    if not isinstance(data, dict):
        raise ClusterError(f"pod {namespace}/{name} cannot be read (the answer is not an object)")
    unread: list[Unread] = []

    def read(what: str, path: str) -> Any:
        try:
            return cluster.get(path)
        except NoAnswerError as error:
            unread.append(Unread(what, str(error), error.is_forbidden))
            return None

    around = Surroundings(
        services=items(read("Services", f"/api/v1/namespaces/{namespace}/services")),
        scalers=items(
            read("HorizontalPodAutoscalers", f"/apis/autoscaling/v2/namespaces/{namespace}/horizontalpodautoscalers")
        ),
        owners=tuple(_owners(read, namespace, data)),
    )
    running = _running(cluster, namespace, name, data, around)
    identified = identity("Pod", data)
    findings = examine(*identified, data, around, replace(running, unread=(*unread, *running.unread)))
    return Examined(*identified, file=None, line=None, findings=[(finding, None) for finding in findings])


Read = Callable[[str, str], Any]


def _owners(read: Read, namespace: str, data: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(kind, name) of the pod's controller, and of that one's: a Deployment is found through its ReplicaSet."""
    owner = _controller(data)
    if owner is None:
        return
    yield owner
    kind, name = owner
    if kind in OWNERS:
        above = _controller(read(f"{kind} {name}", f"/apis/apps/v1/namespaces/{namespace}/{OWNERS[kind]}/{name}"))
        if above is not None:
            yield above


def _controller(data: Any) -> tuple[str, str] | None:
    metadata = data.get("metadata") if isinstance(data, dict) else None
    owners = metadata.get("ownerReferences") if isinstance(metadata, dict) else None
    for owner in owners if isinstance(owners, list) else ():
        if isinstance(owner, dict) and owner.get("controller") is True:
            return str(owner.get("kind")), str(owner.get("name"))
    return None


def _running(cluster: Cluster, namespace: str, name: str, data: Mapping[str, Any], around: Surroundings) -> Running:
    """What the agent says itself, through the API server's proxy, and what the kubelet says of its container."""
    pod = as_pod("Pod", namespace, name, data)
    if not pod.agents:
        return Running()
    over = is_over(data)
    found = Running() if over else Running(container=container_status(data, pod.agents[0].name))
    try:
        answer = cluster.get(status_path(namespace, name, as_case(pod, around).port))
    except NoAnswerError as error:
        if error.is_forbidden:
            return replace(found, unread=(Unread("the agent's /status", str(error), is_forbidden=True),))
        return found if over else replace(found, silence=str(error))
    return replace(found, status=answer if isinstance(answer, dict) else None)
