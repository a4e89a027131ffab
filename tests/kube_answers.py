"""What the Kubernetes API was asked, and its answers."""

from __future__ import annotations

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
