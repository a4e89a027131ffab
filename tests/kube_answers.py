"""What the Kubernetes API was asked, and its answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web


@dataclass(frozen=True, slots=True)
class Request:
    """What somebody asked."""

    at: float
    operation: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


def seen_as(request: web.Request, pod: dict[str, Any]) -> dict[str, Any]:
    """The whole pod, or its metadata alone."""
    if "as=PartialObjectMetadata" in request.headers.get("Accept", ""):
        return {"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": pod["metadata"]}
    return pod


def failure(code: int, message: str, retry_after: str = "") -> web.Response:
    status = {"kind": "Status", "status": "Failure", "code": code, "message": message}
    return web.json_response(status, status=code, headers={"Retry-After": retry_after} if retry_after else {})


SLICES = "/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices"
SERVICE_NAME = "kubernetes.io/service-name"


def page_of(slices: list[dict[str, Any]], query: Mapping[str, str]) -> dict[str, Any]:
    """EndpointSlices by `limit` and `continue`, and by a `labelSelector` of the form `SERVICE_NAME in (a,b)`."""
    selector = query.get("labelSelector")
    if selector is not None:
        key, _, names = selector.partition(" in ")
        assert key == SERVICE_NAME
        wanted = names.strip("()").split(",")
        slices = [one for one in slices if one["metadata"]["labels"][SERVICE_NAME] in wanted]
    begin, count = int(query.get("continue", "0")), int(query["limit"])
    following = str(begin + count) if begin + count < len(slices) else ""
    return {"metadata": {"continue": following}, "items": slices[begin : begin + count]}


def patched(pod: dict[str, Any], body: Mapping[str, Any], manager: str) -> dict[str, Any]:
    """The pod after a strategic merge patch of its status; who has set an annotation is kept."""
    metadata = pod["metadata"]
    metadata["labels"] |= body["metadata"].get("labels", {})
    annotations = body["metadata"].get("annotations", {})
    metadata["annotations"] = metadata.get("annotations", {}) | annotations
    if annotations:
        fields: dict[str, Any] = {"f:metadata": {"f:annotations": {f"f:{key}": {} for key in annotations}}}
        metadata["managedFields"] = [*metadata.get("managedFields", []), {"manager": manager, "fieldsV1": fields}]
    for one in body.get("status", {}).get("conditions", []):
        before = [known for known in pod["status"]["conditions"] if known["type"] == one["type"]]
        others = [known for known in pod["status"]["conditions"] if known["type"] != one["type"]]
        pod["status"]["conditions"] = [*others, (before[0] if before else {}) | one]
    return pod
