"""Who asks: only what the API server says, and only if it is the API server."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import pytest
from multidict import CIMultiDict

from drainer.adapter.failures import AnswerError
from drainer.adapter.identity import FrontProxy, User, front_proxy

DATA = {
    "requestheader-client-ca-file": "-----BEGIN CERTIFICATE-----",
    "requestheader-allowed-names": '["front-proxy-client", "aggregator"]',
    "requestheader-username-headers": '["X-Remote-User", "X-User"]',
    "requestheader-group-headers": '["X-Remote-Group"]',
    "requestheader-extra-headers-prefix": '["X-Remote-Extra-"]',
}


def certificate(*names: str) -> dict[str, Any]:
    """As ssl shows it."""
    return {"subject": ((("organizationName", "x"),), *((("commonName", name),) for name in names))}


def proxy(**changes: str | None) -> FrontProxy:
    data = DATA | {f"requestheader-{key.replace('_', '-')}": value for key, value in changes.items()}
    return front_proxy({"data": {key: value for key, value in data.items() if value is not None}})


def headers(*pairs: tuple[str, str]) -> CIMultiDict[str]:
    return CIMultiDict(pairs)


def test_a_user_with_all_that_can_be_said() -> None:
    found = proxy(uid_headers='["X-Remote-Uid"]').user(
        certificate("front-proxy-client"),
        headers(
            ("x-remote-user", "ann"),
            ("X-Remote-Group", "dev"),
            ("X-Remote-Group", "ops"),
            ("X-Remote-Uid", "u1"),
            ("X-Remote-Extra-Scopes", "a"),
            ("X-Remote-Extra-Scopes", "b"),
            ("X-Remote-Extra-Acme.com%2FRole", "c"),
            ("X-Other", "d"),
        ),
    )

    assert found == User(
        "ann", ("dev", "ops", "system:authenticated"), "u1", (("acme.com/role", ("c",)), ("scopes", ("a", "b")))
    )
    assert found.as_subject() == {
        "user": "ann",
        "groups": ["dev", "ops", "system:authenticated"],
        "uid": "u1",
        "extra": {"acme.com/role": ["c"], "scopes": ["a", "b"]},
    }


def test_groups_that_are_there_are_not_added_and_nobody_is_not_authenticated() -> None:
    known = certificate("aggregator")

    user = proxy().user(known, headers(("X-User", "bob"), ("X-Remote-Group", "system:authenticated")))
    assert user == User("bob", ("system:authenticated",))
    assert proxy().user(known, headers(("X-Remote-User", "system:anonymous"))) == User("system:anonymous")


def test_without_allowed_names_every_certificate_of_the_authority_will_do() -> None:
    for given in ("[]", None):
        assert proxy(allowed_names=given).user(certificate(), headers(("X-Remote-User", "ann"))).name == "ann"


@pytest.mark.parametrize(
    ("shown", "given", "code", "part"),
    [
        (None, [("X-Remote-User", "ann")], HTTPStatus.FORBIDDEN, "system:anonymous may not ask here"),
        ({}, [("X-Remote-User", "ann")], HTTPStatus.FORBIDDEN, "system:anonymous may not ask here"),
        (
            certificate("somebody"),
            [("X-Remote-User", "ann")],
            HTTPStatus.UNAUTHORIZED,
            "'somebody' is not the API server's",
        ),
        (certificate(), [("X-Remote-User", "ann")], HTTPStatus.UNAUTHORIZED, "'' is not the API server's"),
        (certificate("front-proxy-client"), [], HTTPStatus.FORBIDDEN, "no header says who asks"),
        (certificate("front-proxy-client"), [("X-Remote-User", "")], HTTPStatus.FORBIDDEN, "no header says who asks"),
        (
            certificate("front-proxy-client", "somebody"),
            [("X-Remote-User", "ann")],
            HTTPStatus.UNAUTHORIZED,
            "'somebody'",
        ),
    ],
)
def test_who_is_not_let_in(shown: Any, given: list[tuple[str, str]], code: HTTPStatus, part: str) -> None:
    with pytest.raises(AnswerError) as caught:
        proxy().user(shown, headers(*given))

    assert caught.value.code == code
    assert part in caught.value.message


@pytest.mark.parametrize(
    ("config_map", "part"),
    [
        (None, "no requestheader-client-ca-file"),
        ({"data": None}, "no requestheader-client-ca-file"),
        ({"data": {**DATA, "requestheader-client-ca-file": " "}}, "without an aggregation layer"),
        ({"data": {**DATA, "requestheader-username-headers": "[]"}}, "no requestheader-username-headers"),
        ({"data": {**DATA, "requestheader-allowed-names": "front-proxy-client"}}, "is no JSON list of texts"),
        ({"data": {**DATA, "requestheader-allowed-names": '["a", 7]'}}, "is no JSON list of texts"),
        ({"data": {**DATA, "requestheader-allowed-names": 7}}, "is no JSON list of texts"),
        ({"data": {**DATA, "requestheader-allowed-names": "{}"}}, "is no JSON list of texts"),
    ],
)
def test_a_config_map_that_does_not_say_it(config_map: Any, part: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        front_proxy(config_map)

    assert part in str(caught.value)
