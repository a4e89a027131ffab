"""Whose an APIService is, and what is changed in one that is ours."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from drainer.adapter.questions import CUSTOM
from drainer.adapter.services import Claim, Owner, Service, absent, claim, decoded, encoded

US = Service("tools", "drainer-adapter")
BUNDLE = "-----BEGIN CERTIFICATE-----\n"


def found(service: Any, bundle: str | None = None) -> dict[str, Any]:
    spec = {"service": service, **({} if bundle is None else {"caBundle": bundle})}
    return {"metadata": {"resourceVersion": "7", "uid": "u"}, "spec": spec}


def test_one_that_points_here_is_told_what_to_trust() -> None:
    seen = claim(CUSTOM, found({"namespace": "tools", "name": "drainer-adapter"}), US, BUNDLE)

    assert seen.owner is Owner.OURS
    assert seen.patch == {
        "metadata": {"resourceVersion": "7", "uid": "u"},
        "spec": {"caBundle": base64.b64encode(BUNDLE.encode()).decode(), "insecureSkipTLSVerify": False},
    }


@pytest.mark.parametrize("bundle", ["", "odd!", "/w=="])
def test_whatever_else_is_trusted_is_replaced(bundle: str) -> None:
    assert claim(CUSTOM, found({"namespace": "tools", "name": "drainer-adapter"}, bundle), US, BUNDLE).patch


def test_nothing_is_changed_in_one_that_is_right_or_that_others_see_to() -> None:
    right = found({"namespace": "tools", "name": "drainer-adapter"}, base64.b64encode(BUNDLE.encode()).decode())

    for bundle in (BUNDLE, None):
        assert claim(CUSTOM, right, US, bundle) == Claim(
            Owner.OURS, "the APIService v1beta2.custom.metrics.k8s.io points to this server"
        )


@pytest.mark.parametrize(
    ("service", "there"),
    [
        ({"namespace": "monitoring", "name": "prometheus-adapter"}, "the Service monitoring/prometheus-adapter"),
        ({"namespace": "other", "name": "drainer-adapter"}, "the Service other/drainer-adapter"),
        (None, "the API server itself"),
    ],
)
def test_one_of_others_is_left_as_it_is_and_it_is_said_whose_it_is(service: Any, there: str) -> None:
    seen = claim(CUSTOM, found(service), US, BUNDLE)

    assert (seen.owner, seen.patch) == (Owner.OTHERS, None)
    assert f"v1beta2.custom.metrics.k8s.io points to {there} and not to tools/drainer-adapter" in seen.said


def test_none_at_all() -> None:
    seen = absent(CUSTOM, US)

    assert (seen.owner, seen.patch) == (Owner.ABSENT, None)
    assert "there is no APIService v1beta2.custom.metrics.k8s.io" in seen.said


def test_names_of_the_certificate() -> None:
    assert US.dns_names[:2] == ("drainer-adapter.tools.svc", "drainer-adapter.tools.svc.cluster.local")


def test_a_secret_there_and_back() -> None:
    assert decoded({"data": encoded({"a": "é"})}) == {"a": "é"}
    assert decoded({}) == {}
    for odd in ("odd!", "/w=="):
        with pytest.raises(ValueError, match=r"."):
            decoded({"data": {"a": odd}})
