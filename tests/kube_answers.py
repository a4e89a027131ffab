"""The answers of the Kubernetes API."""

from __future__ import annotations

from typing import Any

from aiohttp import web


def seen_as(request: web.Request, pod: dict[str, Any]) -> dict[str, Any]:
    """The whole pod, or its metadata alone."""
    if "as=PartialObjectMetadata" in request.headers.get("Accept", ""):
        return {"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": pod["metadata"]}
    return pod


def failure(code: int, message: str, retry_after: str = "") -> web.Response:
    status = {"kind": "Status", "status": "Failure", "code": code, "message": message}
    return web.json_response(status, status=code, headers={"Retry-After": retry_after} if retry_after else {})
