"""The Kubernetes API as far as the adapter needs it, over HTTP on loopback, in a thread of its own.

It keeps objects by their path with a resourceVersion, and refuses a write that has an old one, as the real one does.
"""

from __future__ import annotations

import asyncio
import copy
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from drainer.keys import DELETION_COST
from tests.adapter.objects import NAMESPACE, SERVICE, managed
from tests.kube_answers import failure
from tests.serving import serving

TOKEN = "a-token"
SECRET = f"/api/v1/namespaces/{NAMESPACE}/secrets/{SERVICE}-tls"
CONFIG_MAP = "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication"
CUSTOM = "/apis/apiregistration.k8s.io/v1/apiservices/v1beta2.custom.metrics.k8s.io"
EXTERNAL = "/apis/apiregistration.k8s.io/v1/apiservices/v1beta1.external.metrics.k8s.io"
REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
HPAS = "/apis/autoscaling/v2/namespaces/chat/horizontalpodautoscalers"
SCALE = "/apis/apps/v1/namespaces/chat/deployments/ws/scale"


@dataclass
class FakeCluster:
    """What is in it, and what it was asked. All methods may be called from any thread."""

    port: int = 0
    objects: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Path -> object."""
    asked: list[tuple[str, str]] = field(default_factory=list)
    """Method and path."""
    queries: dict[str, dict[str, str]] = field(default_factory=dict)
    """Path -> the query that was asked last."""
    reviews: list[dict[str, Any]] = field(default_factory=list)
    written: list[tuple[str, str]] = field(default_factory=list)
    """Pod and deletion cost, of every write that was tried."""
    may: Callable[[dict[str, Any]], Any] = lambda spec: True
    """Whether what a SubjectAccessReview asks for is allowed; an int is an HTTP status instead."""
    bad_days: dict[str, int | bytes | tuple[int, bytes]] = field(default_factory=dict)
    """The beginning of a path -> HTTP status, an answer as it is, or both."""
    before_write: Callable[[str], None] = lambda path: None
    """Called before a write is looked at: others may be faster."""
    _version: int = 100
    _compacted: int = 0
    _events: list[tuple[int, str, str, dict[str, Any]]] = field(default_factory=list)
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _broken: int = 0
    _ends: bool = False

    # What happens in the cluster.

    def put(self, path: str, item: dict[str, Any]) -> dict[str, Any]:
        """Create or change an object."""
        with self._changed:
            self._version += 1
            stored = copy.deepcopy(item)
            stored.setdefault("metadata", {})["resourceVersion"] = str(self._version)
            kind = "MODIFIED" if path in self.objects else "ADDED"
            self.objects[path] = stored
            self._events.append((self._version, kind, path, copy.deepcopy(stored)))
            self._changed.notify_all()
            return stored

    def put_pod(self, item: dict[str, Any]) -> None:
        metadata = item["metadata"]
        self.put(f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}", item)

    def remove(self, path: str) -> None:
        with self._changed:
            self._version += 1
            gone = self.objects.pop(path)
            gone["metadata"]["resourceVersion"] = str(self._version)
            self._events.append((self._version, "DELETED", path, gone))
            self._changed.notify_all()

    def compact(self) -> None:
        """What a watch could go on from is forgotten."""
        with self._changed:
            self._version += 1
            self._compacted = self._version
            self._broken += 1
            self._changed.notify_all()

    def break_watches(self) -> None:
        with self._changed:
            self._broken += 1
            self._changed.notify_all()

    def kubeconfig(self, folder: Path) -> str:
        path = folder / "kubeconfig"
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "here",
            "clusters": [{"name": "here", "cluster": {"server": f"http://127.0.0.1:{self.port}"}}],
            "users": [{"name": "me", "user": {"token": TOKEN}}],
            "contexts": [{"name": "here", "context": {"cluster": "here", "user": "me", "namespace": NAMESPACE}}],
        }
        path.write_text(json.dumps(config))
        return str(path)

    # What it answers.

    async def handle(self, request: web.Request) -> web.StreamResponse:
        path = request.path
        self.asked.append((request.method, path))
        self.queries[path] = dict(request.query)
        for beginning, bad in self.bad_days.items():
            if path.startswith(beginning):
                if isinstance(bad, int):
                    return failure(bad, "a bad day")
                status, body = bad if isinstance(bad, tuple) else (200, bad)
                return web.Response(status=status, body=body)
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return failure(401, "Unauthorized")
        if path == REVIEWS:
            return self._review(await request.json())
        if request.method == "GET":
            if path.endswith(("/pods", "/configmaps", "/horizontalpodautoscalers")):
                return await (self._watch(request) if request.query.get("watch") else self._list(request))
            found = self.objects.get(path)
            return web.json_response(found) if found else failure(404, f"{path} not found")
        self.before_write(path)
        body = await request.json()
        if path.endswith("/status"):
            # Who has written is kept as the real one does, for what is written there here.
            path = path.removesuffix("/status")
            self.written.append((path.rpartition("/")[2], body["metadata"]["annotations"][DELETION_COST]))
            body["metadata"]["managedFields"] = managed(request.query["fieldManager"])
        return self._write(request.method, path, body)

    def _review(self, body: dict[str, Any]) -> web.Response:
        self.reviews.append(body["spec"])
        verdict = self.may(body["spec"])
        if isinstance(verdict, int) and not isinstance(verdict, bool):
            return failure(verdict, "a bad day")
        return web.json_response({**body, "status": {"allowed": verdict}}, status=201)

    def _write(self, method: str, path: str, body: dict[str, Any]) -> web.Response:
        if method == "POST":
            path = f"{path}/{body['metadata']['name']}"
            if path in self.objects:
                return failure(409, "already exists")
            return web.json_response(self.put(path, body), status=201)
        before = self.objects.get(path)
        if before is None:
            return failure(404, f"{path} not found")
        wanted = body["metadata"].get("resourceVersion")
        if wanted is not None and wanted != before["metadata"]["resourceVersion"]:
            return failure(409, "the object has been modified")
        return web.json_response(self.put(path, _merged(before, body) if method == "PATCH" else body))

    def _of(self, request: web.Request) -> Callable[[str, dict[str, Any]], bool]:
        """Which objects a list or a watch is about."""
        kind = request.path.rpartition("/")[2]
        wanted = request.query.get("fieldSelector", "").removeprefix("metadata.name=")
        beginning = f"{request.path}/" if "/namespaces/" in request.path else ""
        return lambda path, item: (
            path.split("/")[-2] == kind
            and path.startswith(beginning)
            and (not wanted or item["metadata"]["name"] == wanted)
        )

    async def _list(self, request: web.Request) -> web.Response:
        """Two at a time, whatever was asked for."""
        matches, begins = self._of(request), int(request.query.get("continue") or 0)
        with self._changed:
            items = [item for path, item in sorted(self.objects.items()) if matches(path, item)]
            metadata = {"resourceVersion": str(self._version)}
        size = 2 if len(items) < 100 else 500
        if begins + size < len(items):
            metadata["continue"] = str(begins + size)
        return web.json_response({"metadata": metadata, "items": items[begins : begins + size]})

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        matches, since, broken = self._of(request), int(request.query["resourceVersion"]), self._broken
        response = web.StreamResponse()
        await response.prepare(request)
        if since < self._compacted:
            error = {"type": "ERROR", "object": {"kind": "Status", "code": 410, "message": "too old"}}
            await response.write(json.dumps(error).encode() + b"\n")
            return response
        while self._broken == broken and not self._ends:
            for version, kind, path, item in [*self._events]:
                if version > since:
                    since = version
                    if matches(path, item):
                        await response.write(json.dumps({"type": kind, "object": item}).encode() + b"\n")
            bookmark = {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": str(since)}}}
            await response.write(json.dumps(bookmark).encode() + b"\n")
            await asyncio.get_running_loop().run_in_executor(None, self._wait)
        if not self._ends:
            await response.write(b'{"type": "MODIFIED", "obj')
            assert request.transport is not None
            request.transport.abort()
        return response

    def _wait(self) -> None:
        with self._changed:
            self._changed.wait(0.02)

    def end(self) -> None:
        self._ends = True


def _merged(before: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    """RFC 7396."""
    merged = dict(before)
    for key, value in patch.items():
        if isinstance(value, dict):
            merged[key] = _merged(merged.get(key) or {}, value)
        elif value is None:
            merged.pop(key, None)
        else:
            merged[key] = value
    return merged


@contextmanager
def fake_cluster() -> Iterator[FakeCluster]:
    """Serves until the end of the block."""
    cluster = FakeCluster()
    with serving("kube-apiserver", [web.route("*", "/{path:.*}", cluster.handle)]) as cluster.port:
        yield cluster
        cluster.end()
