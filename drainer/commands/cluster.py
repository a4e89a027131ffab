"""The API server of one context, read by the official client."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from drainer.commands.answers import NoAnswerError, read
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
PAGE = 500
"""Objects of a list that are asked for at a time, as kubectl does."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """The API server of one context."""

    api: client.ApiClient
    namespace: str
    """Where nothing else is said."""

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
            if not (kubeconfig or context) and _is_inside(inside, settings):
                namespace = _mounted(account)
            else:
                config.load_kube_config(kubeconfig, context, client_configuration=settings, persist_config=False)
                namespace = _namespace(kubeconfig, context)
            settings.retries = 0
            return cls(client.ApiClient(settings), namespace)
        except (ConfigException, YAMLError, OSError, TypeError, KeyError, ValueError, AttributeError) as error:
            said = " ".join(str(error).split())
            raise ClusterError(f"no cluster to ask: {kubeconfig or 'the kubeconfig'} cannot be used ({said})") from None

    def get(self, path: str, most: int | None = None, within: float = TIMEOUT[1]) -> Any:
        """The JSON at a path, of `most` bytes and `within` seconds. Raises NoAnswerError."""
        headers = {"Accept": "application/json"}
        request = self.api.param_serialize("GET", path, header_params=headers, auth_settings=["BearerToken"])
        try:
            response = self.api.call_api(*request, _request_timeout=(TIMEOUT[0], within))
            body = response.read() if most is None else read(response.response, most, within)
            if not 200 <= response.status <= 299:  # noqa: PLR2004 - the range of success
                raise NoAnswerError(_reason(response.status, response.reason, body), response.status)
            return json.loads(body)
        except (ApiException, HTTPError) as error:
            # urllib3 wraps what happened into a sentence about retries.
            happened = getattr(error, "reason", error)
            raise NoAnswerError(f"no answer: {' '.join(str(happened).split())}") from None
        except (ValueError, RecursionError):
            raise NoAnswerError("the answer is not JSON") from None

    def pods(self, namespace: str | None, selector: str) -> Iterator[Mapping[str, Any]]:
        """Of a namespace, or of all; page by page. Raises NoAnswerError."""
        where = f"/api/v1/namespaces/{namespace}/pods" if namespace else "/api/v1/pods"
        query = {"limit": str(PAGE)} | ({"labelSelector": selector} if selector else {})
        while True:
            page = self.get(f"{where}?{urlencode(query)}")
            yield from items(page)
            more = page.get("metadata", {}).get("continue") if isinstance(page, dict) else None
            if not more:
                return
            query["continue"] = str(more)


def items(answer: Any) -> Sequence[Mapping[str, Any]]:
    """The objects of a List; none if it is not one."""
    found = answer.get("items") if isinstance(answer, dict) else None
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def status_path(namespace: str, pod: str, port: int) -> str:
    """Where the API server's proxy shows an agent's /status."""
    return f"/api/v1/namespaces/{quote(namespace)}/pods/{quote(pod)}:{port}/proxy/status"


def _is_inside(loader: InClusterConfigLoader, settings: client.Configuration) -> bool:
    """Whether this runs in a pod that has an account; then `settings` are for its cluster."""
    try:
        loader.load_and_set(settings)
    except ConfigException:
        return False
    return True


def _mounted(account: Path) -> str:
    try:
        return (account / "namespace").read_text(encoding="utf-8").strip()
    except OSError:
        return "default"


def _namespace(kubeconfig: str | None, context: str | None) -> str:
    contexts, active = config.list_kube_config_contexts(kubeconfig)
    chosen = next((one for one in contexts if one["name"] == context), active)
    return str(chosen["context"].get("namespace") or "default")


def _reason(status: int | None, reason: str | None, body: Any) -> str:
    """`403 Forbidden: services is forbidden: ...`: the message is in a Status object."""
    try:
        message = json.loads(body)["message"]
    except (ValueError, TypeError, KeyError):
        message = ""
    said = f"{status or ''} {reason or ''}".strip()
    return f"{said}: {message}" if message else said
