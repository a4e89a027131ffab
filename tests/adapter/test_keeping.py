"""The certificate and the APIServices: replicas agree, others' are left as they are, and nothing needs a restart."""

from __future__ import annotations

import math
import ssl
from pathlib import Path

import pytest

from tests.adapter.cluster import CUSTOM, EXTERNAL, SECRET, FakeCluster
from tests.adapter.harness import HOST, POD_METRICS, Pki, Running, running
from tests.adapter.objects import apiservice
from tests.process.waiting import until

ASKED = f"{POD_METRICS}/connections"


def test_two_replicas_agree_on_one_authority(cluster: FakeCluster, pki: Pki) -> None:
    with running(cluster, pki) as one, running(cluster, pki) as other:
        one.await_ready()
        other.await_ready()
        assert one.trusted.count("BEGIN CERTIFICATE") == 1
        assert (one.ask(ASKED).status, other.ask(ASKED).status) == (200, 200)
    assert [path for method, path in cluster.asked if method == "POST" and "secrets" in path] != []


def test_whoever_is_later_takes_what_is_there(cluster: FakeCluster, pki: Pki) -> None:
    """The chart brings an empty Secret; another replica fills it in just before."""
    cluster.put(SECRET, {"metadata": {"name": "drainer-adapter-tls"}, "type": "Opaque"})
    with running(cluster, pki) as one:
        one.await_ready()
        theirs = cluster.objects[SECRET]["data"]
    cluster.put(SECRET, {"metadata": {"name": "drainer-adapter-tls"}, "type": "Opaque"})

    def faster(path: str) -> None:
        cluster.before_write = lambda _: None
        cluster.put(SECRET, {**cluster.objects[SECRET], "data": theirs})

    cluster.before_write = faster
    with running(cluster, pki) as other:
        other.await_ready()
        assert other.ask(ASKED).status == 200
    assert cluster.objects[SECRET]["data"] == theirs


@pytest.mark.parametrize("others", [("monitoring", "prometheus-adapter"), ("", "")])
def test_an_apiservice_of_somebody_else_is_left_as_it_is(
    cluster: FakeCluster, pki: Pki, others: tuple[str, str]
) -> None:
    theirs = apiservice(CUSTOM, *others) if others[0] else {"metadata": {"name": "x"}, "spec": {}}
    before = cluster.put(CUSTOM, theirs)
    with running(cluster, pki) as adapter:
        said = adapter.await_log("it is left as it is")
        there = "/".join(others) if others[0] else "the API server itself"
        assert there in said
        status, text = until(adapter.readiness, lambda seen: "not known" not in seen[1])
        assert (status, text.strip()) == (503, said)
        assert (
            adapter.metric('drainer_adapter_apiservice{apiservice="v1beta2.custom.metrics.k8s.io",owner="others"}') == 1
        )
    assert cluster.objects[CUSTOM] == before


def test_of_two_apis_the_one_that_is_ours_is_served(cluster: FakeCluster, pki: Pki) -> None:
    before = cluster.put(EXTERNAL, apiservice(EXTERNAL, "keda", "keda-metrics-apiserver"))
    with running(cluster, pki, "--metrics", "custom,external") as adapter:
        adapter.await_ready()
        adapter.await_log("points to the Service keda/keda-metrics-apiserver")
        assert adapter.ask(ASKED).status == 200
    assert cluster.objects[EXTERNAL] == before


def test_without_an_apiservice_it_is_ready_and_says_what_is_needed(cluster: FakeCluster, pki: Pki) -> None:
    cluster.remove(CUSTOM)
    with running(cluster, pki) as adapter:
        adapter.await_log("there is no APIService v1beta2.custom.metrics.k8s.io")
        adapter.await_ready()


@pytest.mark.parametrize(
    ("data", "part"), [({"tls.crt": "eA=="}, "it is left as it is"), ({"ca.crt": "odd!"}, "it is left as it is")]
)
def test_a_secret_of_somebody_else_is_left_as_it_is(
    cluster: FakeCluster, pki: Pki, data: dict[str, str], part: str
) -> None:
    before = cluster.put(SECRET, {"metadata": {"name": "drainer-adapter-tls"}, "data": data})
    with running(cluster, pki) as adapter:
        assert part in adapter.await_log("the Secret tools/drainer-adapter-tls is not this server's")
        status, text = adapter.readiness()
        assert (status, "there is no certificate to show yet" in text) == (503, True)
        assert math.isnan(adapter.metric("drainer_adapter_certificate_expiry_timestamp_seconds"))
    assert cluster.objects[SECRET] == before


@pytest.mark.parametrize(("path", "status"), [(SECRET, 403), (CUSTOM, (502, b"<html>"))])
def test_what_the_api_server_refuses_is_said_once_and_tried_again(
    cluster: FakeCluster, pki: Pki, path: str, status: int | tuple[int, bytes]
) -> None:
    cluster.bad_days = {path: status}
    with running(cluster, pki) as adapter:
        adapter.await_log("certificate and APIServices: ")
        until(lambda: cluster.asked.count(("GET", path)), lambda asked: asked >= 3)
        assert sum("certificate and APIServices: " in line for line in adapter.log()) == 1
        cluster.bad_days = {}
        adapter.await_ready()


def files(folder: Path, pki: Pki, name: str) -> None:
    """As cert-manager writes them."""
    by = ("-CA", pki.path("other-ca.crt"), "-CAkey", pki.path("other-ca.key"))
    pki._openssl(name, *by, "-addext", f"subjectAltName=DNS:{HOST}", common_name=HOST)
    (folder / "tls.key").write_text(pki.text(f"{name}.key"))
    (folder / "tls.crt").write_text(pki.text(f"{name}.crt"))


def serial(adapter: Running) -> str:
    with adapter.connection(trusted=adapter.pki.text("other-ca.crt")) as connection:
        assert isinstance(connection.sock, ssl.SSLSocket)
        return str((connection.sock.getpeercert() or {})["serialNumber"])


def test_a_certificate_of_others_is_shown_and_its_apiservice_is_theirs_to_fill_in(
    cluster: FakeCluster, pki: Pki, folder: Path
) -> None:
    flags = ("--tls-cert-file", str(folder / "tls.crt"), "--tls-key-file", str(folder / "tls.key"))
    with running(cluster, pki, *flags) as adapter:
        adapter.await_log("no certificate in ")
        files(folder, pki, "first")
        adapter.await_ready()
        assert serial(adapter)
        assert "caBundle" not in cluster.objects[CUSTOM]["spec"]
        assert adapter.metric("drainer_adapter_certificate_expiry_timestamp_seconds") > 0
    assert not [path for _, path in cluster.asked if "secrets" in path]
