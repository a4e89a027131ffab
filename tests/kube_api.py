"""The Kubernetes API as far as one pod needs it, over TLS on loopback, in a thread of its own: and all its bad days.

What it does with a patch, a watch and a uid is what the real one does (apiserver, registry/core/pod).
"""

from __future__ import annotations

import asyncio
import copy
import json
import ssl
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trustme
from aiohttp import web

from tests.kube_answers import SLICES, Request, failure, page_of, patched, seen_as
from tests.serving import PATIENCE, serving

NAMESPACE, NAME, UID = "chat", "ws-0", "7d1f6a52-0000-4000-8000-000000000001"
TOKEN = "a-token"
METRICS = f"/apis/metrics.k8s.io/v1beta1/namespaces/{NAMESPACE}/pods"

HANG, DROP, GARBAGE, HUGE = "hang", "drop", "garbage", "huge"
"""Bad days beside an HTTP status: no answer, the connection dies, no JSON, without end."""


@dataclass
class KubeApi:
    """One pod, and who asks for it. All methods may be called from any thread."""

    folder: Path
    """A service account as the kubelet mounts it."""
    port: int = 0
    tokens: set[str] = field(default_factory=lambda: {TOKEN})
    bad_days: dict[str, int | str] = field(default_factory=dict)
    """Operation -> HTTP status, or one of the words above."""
    retry_after: str = ""
    excuse: str | None = None
    """The body of a bad day's status, in the place of a Status."""
    stream: bytes = b""
    """What a watch says before everything else."""
    requests: list[Request] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    slices: list[dict[str, Any]] = field(default_factory=list)
    """EndpointSlices of the namespace."""
    pod_metrics: dict[str, Any] | None = None
    """What metrics.k8s.io has of the pod; None: nothing yet, which is 404."""
    watchers: int = 0
    """Watches that are open now."""
    _pod: dict[str, Any] | None = None
    _history: list[tuple[int, str, dict[str, Any]]] = field(default_factory=list)
    _version: int = 100
    _compacted: int = 0
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _broken: int = 0

    def in_pod(self) -> dict[str, str]:
        """What the kubelet and the downward API tell the agent."""
        return {
            "POD_NAME": NAME,
            "POD_NAMESPACE": NAMESPACE,
            "POD_UID": UID,
            "KUBERNETES_SERVICE_HOST": "127.0.0.1",
            "KUBERNETES_SERVICE_PORT": str(self.port),
            "DRAINER_SERVICE_ACCOUNT": str(self.folder),
        }

    # What happens in the cluster.

    def create(self, uid: str = UID, grace: int = 30, **metadata: Any) -> None:
        """A pod of that name is there."""
        self._set(
            "ADDED",
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": NAME, "namespace": NAMESPACE, "uid": uid, "labels": {"app": "ws"}, **metadata},
                "spec": {"terminationGracePeriodSeconds": grace, "containers": [{"name": "app"}]},
                "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
            },
        )

    def change(self, **metadata: Any) -> None:
        """Somebody changes its metadata."""
        with self._changed:
            pod = copy.deepcopy(self.pod)
            pod["metadata"] |= metadata
        self._set("MODIFIED", pod)

    def delete(self, grace: int = 30) -> None:
        """`kubectl delete`, once more with a shorter grace."""
        self.change(deletionTimestamp="2026-01-01T00:00:00Z", deletionGracePeriodSeconds=grace)

    def remove(self) -> None:
        """The object is gone: --force, or its containers have ended."""
        pod = self.pod
        self._set("DELETED", pod)
        with self._changed:
            self._pod = None

    def compact(self) -> None:
        """What a watch could go on from is forgotten: 410."""
        with self._changed:
            self._compacted = self._version + 1
            self._changed.notify_all()

    def break_watches(self) -> None:
        """All open streams die in the middle of a line."""
        with self._changed:
            self._broken += 1
            self._changed.notify_all()

    @property
    def pod(self) -> dict[str, Any]:
        assert self._pod is not None, "the pod is gone"
        return self._pod

    def label(self, name: str) -> Any:
        return self.pod["metadata"]["labels"].get(name)

    def condition(self, kind: str) -> dict[str, Any] | None:
        found = [one for one in self.pod["status"]["conditions"] if one["type"] == kind]
        return found[0] if found else None

    def asked(self, *operations: str) -> list[Request]:
        return [request for request in self.requests if request.operation in operations]

    def _set(self, kind: str, pod: dict[str, Any]) -> None:
        with self._changed:
            self._version += 1
            pod["metadata"]["resourceVersion"] = str(self._version)
            self._pod = pod
            self._history.append((self._version, kind, copy.deepcopy(pod)))
            self._changed.notify_all()

    # What it answers.

    def routes(self) -> list[web.RouteDef]:
        pods = "/api/v1/namespaces/{namespace}/pods"
        return [
            web.get(pods + "/{name}", self._handler("get", self._get)),
            web.get(pods, self._handler("watch", self._watch)),
            web.patch(pods + "/{name}/status", self._handler("patch", self._patch)),
            web.post("/api/v1/namespaces/{namespace}/events", self._handler("event", self._event)),
            web.get(SLICES, self._handler("list", self._list)),
            web.get(f"{METRICS}/{NAME}", self._handler("metrics", self._metrics)),
        ]

    def _handler(self, operation: str, answer: Callable[[web.Request, Any], Any]) -> Callable[[web.Request], Any]:
        async def handle(request: web.Request) -> web.StreamResponse:
            assert request.transport is not None
            body = await request.json() if request.can_read_body else None
            self.requests.append(
                Request(time.monotonic(), operation, request.path, dict(request.query), dict(request.headers), body)
            )
            bad_day = self.bad_days.get(operation)
            if bad_day == HANG:
                await asyncio.sleep(PATIENCE)
            if bad_day == DROP:
                request.transport.abort()
            if bad_day == HUGE:
                return await self._without_end(request)
            if bad_day == GARBAGE:
                return web.Response(text="<html>a captive portal</html>\n")
            if isinstance(bad_day, int):
                if self.excuse is not None:
                    return web.Response(status=bad_day, text=self.excuse)
                return failure(bad_day, "a bad day", self.retry_after)
            if request.headers.get("Authorization") not in {f"Bearer {token}" for token in self.tokens}:
                return failure(401, "Unauthorized")
            response: web.StreamResponse = await answer(request, body)
            return response

        return handle

    async def _without_end(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(200):
            await response.write(b"x" * 65536)
        return response

    async def _get(self, request: web.Request, _: Any) -> web.StreamResponse:
        if self._pod is None or request.match_info["name"] != NAME or request.match_info["namespace"] != NAMESPACE:
            return failure(404, "pods not found")
        return web.json_response(seen_as(request, self._pod))

    async def _patch(self, request: web.Request, body: Any) -> web.StreamResponse:
        if self._pod is None:
            return failure(404, "pods not found")
        if request.headers["Content-Type"] != "application/strategic-merge-patch+json":
            return failure(415, "another patch")
        if body["metadata"].get("uid", self._pod["metadata"]["uid"]) != self._pod["metadata"]["uid"]:
            return failure(422, "metadata.uid: field is immutable")
        manager = request.headers["User-Agent"].partition("/")[0]
        self._set("MODIFIED", patched(copy.deepcopy(self._pod), body, manager))
        return web.json_response(seen_as(request, self.pod))

    async def _event(self, _: web.Request, body: Any) -> web.StreamResponse:
        self.events.append(body)
        return web.json_response(body, status=201)

    async def _list(self, request: web.Request, _: Any) -> web.StreamResponse:
        return web.json_response(page_of(self.slices, request.query))

    async def _metrics(self, _: web.Request, _body: Any) -> web.StreamResponse:
        return failure(404, "podmetrics not found") if self.pod_metrics is None else web.json_response(self.pod_metrics)

    async def _watch(self, request: web.Request, _: Any) -> web.StreamResponse:
        assert request.query["fieldSelector"] == f"metadata.name={NAME}"
        since, broken = int(request.query["resourceVersion"]), self._broken
        response = web.StreamResponse()
        await response.prepare(request)
        self.watchers += 1
        try:
            await response.write(self.stream)
            if since < self._compacted:
                error = {"type": "ERROR", "object": {"kind": "Status", "code": 410, "message": "too old"}}
                await response.write(json.dumps(error).encode() + b"\n")
                return response
            while since >= self._compacted:
                for version, kind, pod in [*self._history]:
                    if version > since:
                        since = version
                        event = {"type": kind, "object": seen_as(request, pod)}
                        await response.write(json.dumps(event).encode() + b"\n")
                if self._broken > broken:
                    await response.write(b'{"type": "MODIFIED", "obj')
                    assert request.transport is not None
                    request.transport.abort()
                    return response
                await asyncio.get_running_loop().run_in_executor(None, self._wait)
            return response
        finally:
            self.watchers -= 1

    def _wait(self) -> None:
        with self._changed:
            self._changed.wait(0.02)


def service_account(folder: Path) -> ssl.SSLContext:
    """Put into `folder` what the kubelet mounts; the side of the API server that it trusts."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
    authority.cert_pem.write_to_path(folder / "ca.crt")
    (folder / "token").write_text(TOKEN)
    (folder / "namespace").write_text(NAMESPACE)
    return context


@contextmanager
def kube_api() -> Iterator[KubeApi]:
    """An API server that listens, with a service account in a folder; both end with the block."""
    with tempfile.TemporaryDirectory() as folder:
        api = KubeApi(Path(folder))
        with serving("kube-apiserver", api.routes(), service_account(api.folder)) as api.port:
            yield api
