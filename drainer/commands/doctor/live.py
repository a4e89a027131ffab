"""A running pod, by the official client: the pod, its owners, the objects around it, and its agent's /status."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drainer.commands.doctor.case import Surroundings, as_case, as_pod
from drainer.commands.doctor.checks.running import Running
from drainer.commands.doctor.examine import examine
from drainer.commands.doctor.report import Examined
from drainer.commands.pods import identity
from drainer.errors import ClusterError, MissingExtraError
from drainer.settings import BY_NAME

try:
    from kubernetes import client, config
    from kubernetes.client.exceptions import ApiException
    from kubernetes.config.config_exception import ConfigException
    from kubernetes.config.incluster_config import InClusterConfigLoader
    from urllib3.exceptions import HTTPError
    from yaml import YAMLError
except ImportError:
    raise MissingExtraError("commands", "kubernetes") from None

ACCOUNT = Path(BY_NAME["service_account"].default or "")
"""Where the kubelet mounts a pod's account."""
TIMEOUT = (5.0, 10.0)
"""Seconds to connect, and to answer."""
OWNERS = {"ReplicaSet": "replicasets"}
"""Owners that have owners of their own: kind -> resource in apps/v1."""


class _RefusedError(Exception):
    """The API server said no, or nothing: `args[0]` is why, in a few words."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """The API server of one context."""

    api: client.ApiClient

    @classmethod
    def of(cls, kubeconfig: str | None, context: str | None, account: Path = ACCOUNT) -> Cluster:
        """By a kubeconfig, by the account of the pod this runs in, or by $KUBECONFIG or ~/.kube/config.

        Raises ClusterError.
        """
        settings = client.Configuration()
        inside = InClusterConfigLoader(
            token_filename=str(account / "token"), cert_filename=str(account / "ca.crt"), environ=os.environ
        )
        try:
            if kubeconfig or context or not _is_inside(inside, settings):
                config.load_kube_config(kubeconfig, context, client_configuration=settings, persist_config=False)
            settings.retries = 0
            return cls(client.ApiClient(settings))
        except (ConfigException, YAMLError, OSError, TypeError, KeyError, ValueError, AttributeError) as error:
            said = " ".join(str(error).split())
            raise ClusterError(f"no cluster to ask: {kubeconfig or 'the kubeconfig'} cannot be used ({said})") from None

    def get(self, path: str) -> Any:
        """The JSON at a path. Raises _RefusedError."""
        headers = {"Accept": "application/json"}
        request = self.api.param_serialize("GET", path, header_params=headers, auth_settings=["BearerToken"])
        try:
            response = self.api.call_api(*request, _request_timeout=TIMEOUT)
            body = response.read()
            if not 200 <= response.status <= 299:  # noqa: PLR2004 - the range of success
                raise _RefusedError(_reason(response.status, response.reason, body))
            return json.loads(body)
        except (ApiException, HTTPError) as error:
            # urllib3 wraps what happened into a sentence about retries.
            happened = getattr(error, "reason", error)
            raise _RefusedError(f"no answer: {' '.join(str(happened).split())}") from None
        except ValueError:
            raise _RefusedError("the answer is not JSON") from None


def _is_inside(loader: InClusterConfigLoader, settings: client.Configuration) -> bool:
    """Whether this runs in a pod that has an account; then `settings` are for its cluster."""
    try:
        loader.load_and_set(settings)
    except ConfigException:
        return False
    return True


def _reason(status: int | None, reason: str | None, body: Any) -> str:
    """`403 Forbidden: services is forbidden: ...`: the message is in a Status object."""
    try:
        message = json.loads(body)["message"]
    except (ValueError, TypeError, KeyError):
        message = ""
    said = f"{status or ''} {reason or ''}".strip()
    return f"{said}: {message}" if message else said


def examine_live(cluster: Cluster, namespace: str, name: str) -> Examined:
    """One pod of a cluster. Raises ClusterError where the pod itself cannot be read."""
    try:
        data = cluster.get(f"/api/v1/namespaces/{namespace}/pods/{name}")
    except _RefusedError as error:
        raise ClusterError(f"pod {namespace}/{name} cannot be read ({error})") from None
    if not isinstance(data, dict):
        raise ClusterError(f"pod {namespace}/{name} cannot be read (the answer is not an object)")
    unread: list[str] = []

    def read(what: str, path: str) -> Any:
        try:
            return cluster.get(path)
        except _RefusedError as error:
            unread.append(f"{what} cannot be read ({error})")
            return None

    around = Surroundings(
        services=_items(read("Services", f"/api/v1/namespaces/{namespace}/services")),
        scalers=_items(
            read("HorizontalPodAutoscalers", f"/apis/autoscaling/v2/namespaces/{namespace}/horizontalpodautoscalers")
        ),
        owners=tuple(_owners(read, namespace, data)),
    )
    status = _status(read, namespace, name, data, around)
    identified = identity("Pod", data)
    findings = examine(*identified, data, around, Running(status, tuple(unread)))
    return Examined(*identified, file=None, line=None, findings=[(finding, None) for finding in findings])


Read = Callable[[str, str], Any]


def _items(answer: Any) -> Sequence[Mapping[str, Any]]:
    items = answer.get("items") if isinstance(answer, dict) else None
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


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


def _status(
    read: Read, namespace: str, name: str, data: Mapping[str, Any], around: Surroundings
) -> Mapping[str, Any] | None:
    """What the agent says itself, through the API server's proxy."""
    pod = as_pod("Pod", namespace, name, data)
    if not pod.agents:
        return None
    port = as_case(pod, around).port
    answer = read("the agent's /status", f"/api/v1/namespaces/{namespace}/pods/{name}:{port}/proxy/status")
    return answer if isinstance(answer, dict) else None
