"""The API of a cluster: the official client, with manifests as they are written in YAML."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import urllib3
from kubernetes import client, config, dynamic, stream
from kubernetes.client.exceptions import ApiException
from kubernetes.dynamic.exceptions import ResourceNotFoundError

Manifest = dict[str, Any]

RUN = "drainer-e2e-run"
"""Label of the few objects of a run that its namespace does not hold."""

SYSTEM = "kube-system"
"""The one namespace of others where an object of a run may be: who may read of the API server's certificate."""

CONNECT_SECONDS, READ_SECONDS = 5.0, 90.0
STREAMS = 200
"""Connections at a time: each log that is followed is one."""
STRATEGIC = "application/strategic-merge-patch+json"


class Cluster:
    """What the tests do to a cluster. Every refusal is an ApiException with `status` and `body`."""

    def __init__(self, settings: client.Configuration) -> None:
        settings.connection_pool_maxsize = STREAMS
        self._settings = settings
        self._cache = tempfile.NamedTemporaryFile(prefix="e2e-", suffix=".json")  # noqa: SIM115 - as long as this lives
        Path(self._cache.name).unlink()
        api = client.ApiClient(settings)
        self._dynamic = dynamic.DynamicClient(api, cache_file=self._cache.name)
        self._core = client.CoreV1Api(api)

    @classmethod
    def of_kubeconfig(cls, path: str) -> Cluster:
        """The cluster of the current context."""
        settings = client.Configuration()
        config.load_kube_config(config_file=path, client_configuration=settings)
        return cls(settings)

    def as_bearer(self, token: str) -> Cluster:
        """The same cluster, for whoever has this token."""
        settings = client.Configuration()
        settings.host, settings.ssl_ca_cert = self._settings.host, self._settings.ssl_ca_cert
        settings.verify_ssl = self._settings.verify_ssl
        settings.tls_server_name = self._settings.tls_server_name
        settings.api_key = {"authorization": f"Bearer {token}"}
        return Cluster(settings)

    @property
    def version(self) -> tuple[int, int]:
        """(1, 36)"""
        version = self._dynamic.version["kubernetes"]
        return int(version["major"]), int(str(version["minor"]).rstrip("+"))

    @property
    def version_name(self) -> str:
        return str(self._dynamic.version["kubernetes"]["gitVersion"])

    def has(self, api_version: str, kind: str) -> bool:
        try:
            self._dynamic.resources.get(api_version=api_version, kind=kind)
        except ResourceNotFoundError:
            return False
        return True

    def path(self, manifest: Mapping[str, Any], *, name: bool = True) -> str:
        """Where an object is, or where its kind is."""
        resource = self._dynamic.resources.get(api_version=manifest["apiVersion"], kind=manifest["kind"])
        metadata = manifest["metadata"]
        namespace = metadata.get("namespace") if resource.namespaced else None
        return str(resource.path(name=metadata["name"] if name else None, namespace=namespace))

    def placed(self, manifest: Manifest, namespace: str) -> Manifest:
        """A manifest in the namespace of a run, or with the run's label where it is in no namespace of the run's."""
        resource = self._dynamic.resources.get(api_version=manifest["apiVersion"], kind=manifest["kind"])
        metadata = dict(manifest["metadata"])
        if resource.namespaced and metadata.get("namespace") != SYSTEM:
            metadata["namespace"] = namespace
        else:
            metadata["labels"] = {**metadata.get("labels", {}), RUN: namespace}
        return {**manifest, "metadata": metadata}

    def create(self, manifest: Manifest) -> Manifest:
        created: Manifest = self.call("POST", self.path(manifest, name=False), manifest)
        return created

    def patch(self, manifest: Manifest, change: Any, content_type: str = STRATEGIC) -> Manifest:
        patched: Manifest = self.call("PATCH", self.path(manifest), change, content_type=content_type)
        return patched

    def delete(self, manifest: Manifest, grace: int | None = None, propagation: str = "Background") -> None:
        """`grace` as --grace-period; gone already is as good."""
        query = {"propagationPolicy": propagation} | ({} if grace is None else {"gracePeriodSeconds": grace})
        try:
            self.call("DELETE", self.path(manifest), query=query)
        except ApiException as error:
            if error.status != 404:
                raise

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: Mapping[str, Any] | None = None,
        content_type: str = "application/json",
    ) -> Any:
        """One request; the JSON of its answer."""
        return json.loads(self._request(method, path, body, query, content_type, READ_SECONDS).data or b"null")

    def text(self, path: str) -> str:
        return str(self._request("GET", path, None, None, "application/json", READ_SECONDS).data.decode())

    def warnings(self, manifest: Manifest, *, dry_run: bool) -> list[str]:
        """What the API server says beside a yes to a creation: the texts that kubectl prints as `Warning:`."""
        query = {"dryRun": "All"} if dry_run else {}
        path = self.path(manifest, name=False)
        answer = self._request("POST", path, manifest, query, "application/json", READ_SECONDS)
        # RFC 9111: code, agent, and the text in quotes
        return [str(line).split(" ", 2)[2].strip('"') for line in answer.headers.getlist("Warning")]

    def lines(self, path: str, query: Mapping[str, Any]) -> Iterator[str]:
        """A stream, line by line, until the server ends it."""
        answer = self._request("GET", path, None, query, "application/json", None)
        pending = b""
        try:
            for piece in answer.stream(amt=None):
                *whole, pending = (pending + piece).split(b"\n")
                yield from (line.decode(errors="replace") for line in whole)
        finally:
            answer.close()
        if pending:
            yield pending.decode(errors="replace")

    def execute(self, namespace: str, pod: str, container: str, command: list[str]) -> str:
        """As `kubectl exec`; what the command wrote."""
        # Of its own: the library exchanges the transport of the client that it is given.
        with client.ApiClient(self._settings) as api:
            channels = stream.stream(
                client.CoreV1Api(api).connect_get_namespaced_pod_exec,
                pod,
                namespace,
                container=container,
                command=command,
                stdout=True,
                stderr=True,
                stdin=False,
                tty=False,
                _preload_content=False,
            )
            try:
                channels.run_forever(timeout=READ_SECONDS)
                return str(channels.read_all())
            finally:
                # close() would leave the socket open: the server has closed first.
                channels.sock.shutdown()

    def _request(
        self,
        method: str,
        path: str,
        body: Any,
        query: Mapping[str, Any] | None,
        content_type: str,
        read_seconds: float | None,
    ) -> urllib3.HTTPResponse:
        response: urllib3.HTTPResponse = self._dynamic.request(
            method,
            path,
            body=body,
            query_params=list((query or {}).items()),
            header_params={},
            content_type=content_type,
            serialize=False,
            _request_timeout=(CONNECT_SECONDS, read_seconds),
        )
        return response
