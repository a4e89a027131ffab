"""APIServices: whose they are, and what is to be changed in one that is ours."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from drainer.adapter.questions import Api
from drainer.lenient import mapping

PATH = "/apis/apiregistration.k8s.io/v1/apiservices"


class Owner(StrEnum):
    """Whose an APIService is. A cluster has one for each group and version."""

    OURS = "ours"
    ABSENT = "absent"
    """Nobody's: there is none."""
    OTHERS = "others"
    """Another server's: it is left as it is, every HPA that uses it depends on it."""
    UNKNOWN = "unknown"
    """The API server could not be asked yet."""


@dataclass(frozen=True, slots=True)
class Service:
    """The Service in front of this server."""

    namespace: str
    name: str

    @property
    def dns_names(self) -> tuple[str, ...]:
        """What the API server checks a certificate for, the first of them."""
        host = f"{self.name}.{self.namespace}"
        return f"{host}.svc", f"{host}.svc.cluster.local", host, self.name


@dataclass(frozen=True, slots=True)
class Claim:
    """One APIService as it is now."""

    owner: Owner
    said: str
    """A sentence for people."""
    patch: Mapping[str, Any] | None = None
    """A merge patch that puts it right, with the version it was seen at; None if it is right, or not ours."""


def absent(api: Api, service: Service) -> Claim:
    """There is none."""
    return Claim(
        Owner.ABSENT,
        f"there is no APIService {api.service_name}: nobody asks this server for {api.group}; one that points to the "
        f"Service {service.namespace}/{service.name} is needed",
    )


def claim(api: Api, found: Mapping[str, Any], service: Service, bundle: str | None) -> Claim:
    """Of an APIService that was found; `bundle` is the PEM to be trusted, None where somebody else sees to it."""
    metadata, spec = (mapping(found.get(part)) for part in ("metadata", "spec"))
    points_to = mapping(spec.get("service"))
    if (points_to.get("namespace"), points_to.get("name")) != (service.namespace, service.name):
        there = (
            f"the Service {points_to.get('namespace')}/{points_to.get('name')}"
            if points_to
            else "the API server itself"
        )
        return Claim(
            Owner.OTHERS,
            f"the APIService {api.service_name} points to {there} and not to {service.namespace}/{service.name}: "
            "it is left as it is, and this server is not asked; a cluster has one server for "
            f"{api.group_version}, so either switch this one off or remove the other",
        )
    said = f"the APIService {api.service_name} points to this server"
    if bundle is None or _text(spec.get("caBundle")) == bundle:
        return Claim(Owner.OURS, said)
    return Claim(
        Owner.OURS,
        said,
        {
            "metadata": {"resourceVersion": metadata.get("resourceVersion"), "uid": metadata.get("uid")},
            "spec": {"caBundle": base64.b64encode(bundle.encode()).decode(), "insecureSkipTLSVerify": False},
        },
    )


def decoded(secret: Mapping[str, Any]) -> dict[str, str]:
    """The data of a Secret. Raises ValueError."""
    return {
        str(key): base64.b64decode(str(value), validate=True).decode()
        for key, value in mapping(secret.get("data")).items()
    }


def encoded(data: Mapping[str, str]) -> dict[str, str]:
    """As a Secret has it."""
    return {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}


def _text(value: Any) -> str:
    try:
        return base64.b64decode(str(value or ""), validate=True).decode()
    except (binascii.Error, ValueError):
        return ""
