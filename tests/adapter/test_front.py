"""Who is let in, with certificates that openssl has made: as the aggregation layer of Kubernetes has it."""

from __future__ import annotations

import ssl

import pytest

from tests.adapter.agents import Agents
from tests.adapter.cluster import CONFIG_MAP, CUSTOM, REVIEWS, FakeCluster
from tests.adapter.harness import GROUP, HPA, POD_METRICS, Pki, Running, config_map
from tests.adapter.objects import pod
from tests.process.waiting import until

ASKED = f"{POD_METRICS}/connections"
V2 = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


def test_without_a_client_certificate_nobody_is_let_in(adapter: Running, cluster: FakeCluster) -> None:
    for path in (ASKED, "/apis", "/openapi/v2"):
        answer = adapter.ask(path, certificate=None)
        assert (answer.status, answer.body["reason"]) == (403, "Forbidden")
    assert cluster.reviews == []


def test_a_certificate_with_another_name_is_a_mistake(adapter: Running, cluster: FakeCluster) -> None:
    answer = adapter.ask(ASKED, certificate="wrong-name")

    assert (answer.status, answer.body["reason"]) == (401, "Unauthorized")
    assert "'somebody'" in answer.body["message"]
    assert cluster.reviews == []


@pytest.mark.parametrize("certificate", ["wrong-ca", "server"])
def test_a_certificate_of_another_authority_or_for_servers_fails_in_the_handshake(
    adapter: Running, certificate: str
) -> None:
    with pytest.raises((ssl.SSLError, ConnectionError)):
        adapter.ask(ASKED, certificate=certificate)
    assert adapter.ask(ASKED).status == 200


def test_the_right_certificate_is_let_in_and_the_api_server_is_asked_for_the_user(
    adapter: Running, cluster: FakeCluster
) -> None:
    headers = [("X-Remote-User", "ann"), ("X-Remote-Group", "dev"), ("X-Remote-Group", "ops")]
    headers += [("X-Remote-Extra-Scopes", "read")]
    assert adapter.ask(ASKED, headers=headers).status == 200

    assert cluster.reviews == [
        {
            "user": "ann",
            "groups": ["dev", "ops", "system:authenticated"],
            "extra": {"scopes": ["read"]},
            "resourceAttributes": {
                "namespace": "chat",
                "verb": "get",
                "group": "custom.metrics.k8s.io",
                "version": "v1beta2",
                "resource": "pods",
                "subresource": "connections",
                "name": "*",
            },
        }
    ]


def test_who_may_not_is_told_so(adapter: Running, cluster: FakeCluster) -> None:
    cluster.may = lambda spec: spec["user"] == HPA["X-Remote-User"]

    assert adapter.ask(ASKED).status == 200
    answer = adapter.ask(ASKED, headers={"X-Remote-User": "eve"})
    assert (answer.status, answer.body["code"]) == (403, 403)
    assert 'User "eve" cannot get' in answer.body["message"]


def test_where_the_api_server_cannot_be_asked_nobody_is_let_in(adapter: Running, cluster: FakeCluster) -> None:
    for bad in (500, 403, b"<html>", b"[]"):
        cluster.bad_days = {REVIEWS: bad}
        answer = adapter.ask(ASKED)
        assert (answer.status, answer.body["reason"]) == (500, "InternalError")
    cluster.bad_days = {}
    assert adapter.ask(ASKED).status == 200


def test_a_new_authority_of_the_api_server_is_believed_and_the_old_one_is_not(
    adapter: Running, cluster: FakeCluster, pki: Pki
) -> None:
    with adapter.connection("right") as kept:
        assert adapter.ask_over(kept, ASKED).status == 200
        cluster.put(CONFIG_MAP, config_map(pki, "other-ca"))

        def status() -> int:
            try:
                return adapter.ask(ASKED, certificate="wrong-ca").status
            except OSError:
                return 0

        until(status, lambda seen: seen == 200)
        with pytest.raises((ssl.SSLError, ConnectionError)):
            adapter.ask(ASKED, certificate="right")
        # Who was let in by the old one has to come again.
        assert isinstance(kept.sock, ssl.SSLSocket)
        kept.sock.settimeout(10)
        assert kept.sock.read(1) == b""


@pytest.mark.parametrize("changes", [{"requestheader-client-ca-file": ""}, {"requestheader-allowed-names": "odd"}])
def test_a_config_map_that_cannot_be_used_opens_nothing(
    adapter: Running, cluster: FakeCluster, pki: Pki, changes: dict[str, str]
) -> None:
    cluster.put(CONFIG_MAP, config_map(pki, **changes))
    adapter.await_log("extension-apiserver-authentication cannot be used")

    assert adapter.ask(ASKED).status == 200
    assert adapter.ask(ASKED, certificate="wrong-name").status == 401
    cluster.put(CONFIG_MAP, config_map(pki))
    cluster.put(CONFIG_MAP, config_map(pki, **{"requestheader-allowed-names": '["somebody"]'}))
    until(lambda: adapter.ask(ASKED, certificate="wrong-name").status, lambda seen: seen == 200)
    assert adapter.ask(ASKED).status == 401
    assert sum("client certificate is known" in line for line in adapter.log()) == 2


def test_an_authority_that_is_no_certificate_changes_nothing(adapter: Running, cluster: FakeCluster, pki: Pki) -> None:
    cluster.put(CONFIG_MAP, config_map(pki, **{"requestheader-client-ca-file": "no certificate"}))
    adapter.await_log("cannot be used")

    assert adapter.ask(ASKED).status == 200


def test_one_connection_serves_many_questions(adapter: Running, cluster: FakeCluster, fleet: Agents) -> None:
    with adapter.connection() as kept:
        for _ in range(30):
            assert adapter.ask_over(kept, ASKED).status == 200


@pytest.mark.parametrize(
    ("method", "path", "code", "reason"),
    [
        ("GET", "/nowhere", 404, "NotFound"),
        ("GET", f"{GROUP}/namespaces/chat/pods/%2A/requests", 404, "NotFound"),
        ("GET", f"{ASKED}?labelSelector=app%20in%20ws", 400, "BadRequest"),
        ("POST", ASKED, 405, "MethodNotAllowed"),
        ("DELETE", "/apis", 405, "MethodNotAllowed"),
    ],
)
def test_what_cannot_be_answered_is_a_status(adapter: Running, method: str, path: str, code: int, reason: str) -> None:
    answer = adapter.ask(path, method=method, body=b"{}" if method == "POST" else None)

    assert (answer.status, answer.body["kind"], answer.body["reason"]) == (code, "Status", reason)
    assert answer.headers["Content-Type"] == "application/json"


def test_discovery_and_openapi_as_the_aggregator_asks_for_them(adapter: Running) -> None:
    masters = {"X-Remote-User": "system:kube-aggregator", "X-Remote-Group": "system:masters"}
    found = adapter.ask("/apis", headers={**masters, "Accept": f"{V2},application/json"})
    assert (found.status, found.headers["Content-Type"]) == (200, V2)
    assert found.body["kind"] == "APIGroupDiscoveryList"
    unchanged = adapter.ask("/apis", headers={**masters, "Accept": V2, "If-None-Match": found.headers["ETag"]})
    assert (unchanged.status, unchanged.body) == (304, None)
    assert adapter.ask("/apis").body["kind"] == "APIGroupList"
    assert adapter.ask(GROUP).body["kind"] == "APIResourceList"
    assert adapter.ask("/openapi/v2").body["swagger"] == "2.0"
    (document,) = adapter.ask("/openapi/v3").body["paths"].values()
    assert adapter.ask(document["serverRelativeURL"]).body["openapi"] == "3.0.0"


def test_the_apiservice_trusts_what_is_shown(adapter: Running, cluster: FakeCluster, fleet: Agents) -> None:
    cluster.put_pod(pod("ws-0", fleet.port))
    spec = cluster.objects[CUSTOM]["spec"]

    assert spec["insecureSkipTLSVerify"] is False
    assert adapter.trusted.startswith("-----BEGIN CERTIFICATE-----")
    with pytest.raises(ssl.SSLCertVerificationError):
        adapter.ask(ASKED, trusted=adapter.pki.text("other-ca.crt"))
