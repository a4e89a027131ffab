"""Who asks, as the API server in front says: a client certificate proves that it is the API server, headers say who.

The rules are those of every aggregated API server (apiserver/pkg/authentication/request/headerrequest): a certificate
of the CA for request headers and with an allowed name; no certificate is nobody, and a wrong one is a mistake.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Protocol
from urllib.parse import unquote

from drainer.adapter.failures import AnswerError

AUTHENTICATED = "system:authenticated"
ANONYMOUS = "system:anonymous"


class Headers(Protocol):
    """Of a request: a name may be there more than once, in any case."""

    def getall(self, key: str, default: list[str], /) -> list[str]: ...
    def keys(self) -> Any: ...


@dataclass(frozen=True, slots=True)
class User:
    """Whoever asks the API server."""

    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def as_subject(self) -> Mapping[str, Any]:
        """As a part of a SubjectAccessReview's spec."""
        given = {
            "user": self.name,
            "groups": [*self.groups],
            "uid": self.uid,
            "extra": {key: [*values] for key, values in self.extra},
        }
        return {key: value for key, value in given.items() if value}


@dataclass(frozen=True, slots=True)
class FrontProxy:
    """What the ConfigMap extension-apiserver-authentication says of the API server in front."""

    authority: str
    """PEM: of its client certificate."""
    allowed: frozenset[str]
    """Common names; none means any."""
    user_headers: tuple[str, ...]
    group_headers: tuple[str, ...]
    uid_headers: tuple[str, ...]
    extra_prefixes: tuple[str, ...]

    def user(self, certificate: Mapping[str, Any] | None, headers: Headers) -> User:
        """Of a request over a connection with a verified client certificate (as ssl's getpeercert), or without one.

        Raises AnswerError.
        """
        if not certificate:
            # No need to ask whether this may be: nobody gets metrics past the API server.
            raise AnswerError(HTTPStatus.FORBIDDEN, f"{ANONYMOUS} may not ask here: ask the API server")
        name = _common_name(certificate)
        if self.allowed and name not in self.allowed:
            raise AnswerError(HTTPStatus.UNAUTHORIZED, f"the client certificate of {name!r} is not the API server's")
        user = next(iter(_all(headers, self.user_headers)), "")
        if not user:
            raise AnswerError(HTTPStatus.FORBIDDEN, f"{ANONYMOUS} may not ask here: no header says who asks")
        groups = tuple(_all(headers, self.group_headers))
        if user != ANONYMOUS and AUTHENTICATED not in groups:
            groups = (*groups, AUTHENTICATED)
        return User(user, groups, next(iter(_all(headers, self.uid_headers)), ""), self._extra(headers))

    def _extra(self, headers: Headers) -> tuple[tuple[str, tuple[str, ...]], ...]:
        found: dict[str, tuple[str, ...]] = {}
        for name in sorted({str(name).lower() for name in headers.keys()}):  # noqa: SIM118 - a multidict's
            for prefix in self.extra_prefixes:
                if name.startswith(prefix.lower()):
                    # Keys are sent escaped: a header's name cannot have all characters.
                    key = unquote(name[len(prefix) :]).lower()
                    found[key] = found.get(key, ()) + tuple(headers.getall(name, []))
        return tuple(found.items())


def front_proxy(config_map: Any) -> FrontProxy:
    """Raises ValueError if it does not say what is needed: the API server has no aggregation layer then."""
    data = config_map.get("data") if isinstance(config_map, Mapping) else None
    given = data if isinstance(data, Mapping) else {}
    authority = given.get("requestheader-client-ca-file")
    if not isinstance(authority, str) or not authority.strip():
        raise ValueError("no requestheader-client-ca-file in it: the API server runs without an aggregation layer")
    users = _names(given, "requestheader-username-headers")
    if not users:
        raise ValueError("no requestheader-username-headers in it")
    return FrontProxy(
        authority=authority,
        allowed=frozenset(_names(given, "requestheader-allowed-names")),
        user_headers=users,
        group_headers=_names(given, "requestheader-group-headers"),
        # Since Kubernetes 1.32.
        uid_headers=_names(given, "requestheader-uid-headers"),
        extra_prefixes=_names(given, "requestheader-extra-headers-prefix"),
    )


def _names(data: Mapping[str, Any], key: str) -> tuple[str, ...]:
    """A JSON list of texts, in a text. Raises ValueError: to take a list of allowed names for empty would allow all."""
    text = data.get(key)
    if text is None:
        return ()
    try:
        names = json.loads(text)
    except (TypeError, ValueError):
        names = None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError(f"{key} is no JSON list of texts")
    return tuple(names)


def _all(headers: Headers, names: Sequence[str]) -> list[str]:
    return [value for name in names for value in headers.getall(name, []) if value]


def _common_name(certificate: Mapping[str, Any]) -> str:
    names = [str(value) for part in certificate.get("subject", ()) for name, value in part if name == "commonName"]
    return names[-1] if names else ""
