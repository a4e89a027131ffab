"""What a request is about, read from its path as the API server reads it (apiserver/pkg/endpoints/request)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

_SHORTEST_RESOURCE = 4
"""Parts of a path to a resource: apis, group, version, and more."""
_NAMESPACE_PARTS = 2
_VERBS = {"GET": "get", "HEAD": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


@dataclass(frozen=True, slots=True)
class Api:
    """A group and its version."""

    group: str
    version: str

    @property
    def path(self) -> str:
        """Where it is served."""
        return f"/apis/{self.group}/{self.version}"

    @property
    def group_version(self) -> str:
        """As apiVersion says it."""
        return f"{self.group}/{self.version}"

    @property
    def service_name(self) -> str:
        """The name of its APIService: a cluster has one."""
        return f"{self.version}.{self.group}"


CUSTOM = Api("custom.metrics.k8s.io", "v1beta2")
EXTERNAL = Api("external.metrics.k8s.io", "v1beta1")


@dataclass(frozen=True, slots=True)
class Question:
    """One request: of a resource, or where `resource` is empty of a document."""

    path: str
    verb: str
    api: Api | None = None
    namespace: str = ""
    resource: str = ""
    name: str = ""
    subresource: str = ""

    def attributes(self) -> Mapping[str, Any]:
        """What is to be allowed, as a part of a SubjectAccessReview's spec."""
        if self.api is None:
            return {"nonResourceAttributes": {"path": self.path, "verb": self.verb}}
        given = {
            "namespace": self.namespace,
            "verb": self.verb,
            "group": self.api.group,
            "version": self.api.version,
            "resource": self.resource,
            "subresource": self.subresource,
            "name": self.name,
        }
        return {"resourceAttributes": {key: value for key, value in given.items() if value}}


def question(method: str, raw_path: str) -> Question:
    """Of a path as it was sent: the `*` of all pods arrives as `%2A`."""
    parts = [unquote(part) for part in raw_path.split("/") if part]
    path = unquote(raw_path)
    verb = _VERBS.get(method, method.lower())
    if len(parts) < _SHORTEST_RESOURCE or parts[0] != "apis":
        return Question(path, verb)
    _, group, version, *rest = parts
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 1:
        namespace = rest[1]
        # A namespace alone is a resource itself.
        rest = rest[_NAMESPACE_PARTS:] or rest
    # What is below a subresource is not looked at.
    resource, name, subresource = [*rest, "", ""][:3]
    if verb == "get" and not name:
        verb = "list"
    return Question(path, verb, Api(group, version), namespace, resource, name, subresource)
