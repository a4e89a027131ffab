"""What EndpointSlices say of the other pods of a pod's Services, as plain JSON values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from drainer.cap import View
from drainer.lenient import mapping, mappings

SERVICE_NAME = "kubernetes.io/service-name"
"""Label of a slice: whose it is."""


def items(page: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The slices of one answer."""
    return mappings(page.get("items"))


def more(page: Mapping[str, Any]) -> str:
    """How to ask for what an answer left out; empty where it is complete."""
    return str(mapping(page.get("metadata")).get("continue") or "")


def services_of(slices: Iterable[Mapping[str, Any]], uid: str) -> set[str]:
    """The Services that have this pod as an endpoint."""
    return {_service(one) for one in slices if any(_uid(endpoint) == uid for endpoint in _endpoints(one))}


def view(slices: Iterable[Mapping[str, Any]], uid: str, services: Iterable[str]) -> View:
    """Who takes connections beside this pod in these Services; nothing is known without a Service that is there.

    An endpoint takes unless its `ready` is false: it is for pods that are not ready, and for those that terminate
    (staging/src/k8s.io/endpointslice/utils.go). A pod that is full by the label is no endpoint at all.
    """
    takers: dict[str, set[object]] = {}
    for one in slices:
        service = _service(one)
        if service in services:
            takers.setdefault(service, set()).update(
                _uid(endpoint)
                for endpoint in _endpoints(one)
                if mapping(endpoint.get("conditions")).get("ready") is not False
            )
    if not takers:
        return View(None)
    everybody = sorted({str(pod) for pods in takers.values() for pod in pods} | {uid})
    return View(min(len(pods - {uid}) for pods in takers.values()), _turn(everybody, uid))


def _turn(pods: list[str], uid: str) -> float:
    """All pods agree on it: by their uids, and the last one clearly after the others."""
    rank, last = pods.index(uid), len(pods) - 1
    return 1.0 if rank == last else 0.5 * rank / last


def _service(one: Mapping[str, Any]) -> str:
    return str(mapping(mapping(one.get("metadata")).get("labels")).get(SERVICE_NAME) or "")


def _endpoints(one: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return mappings(one.get("endpoints"))


def _uid(endpoint: Mapping[str, Any]) -> object:
    return mapping(endpoint.get("targetRef")).get("uid")
