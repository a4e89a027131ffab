"""Without a token: the node is known by its probes, and a stranger from another address has no effect."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.process import namespace
from tests.process.conftest import Pod
from tests.process.harness import Agent
from tests.process.kubelet import Answer, Call
from tests.process.namespace import NODE, NODE_IPV6, POD, POD_IPV6, STRANGER, STRANGER_IPV6, Cluster
from tests.process.waiting import UNIT

pytestmark = pytest.mark.skipif(not namespace.AVAILABLE, reason=namespace.REASON)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    cluster = Cluster()
    yield cluster
    cluster.close()


class Inside:
    """An app with one client and its agent, in the pod's namespace."""

    def __init__(self, pod: Pod, cluster: Cluster, **settings: str) -> None:
        self._cluster = cluster
        with cluster.pod.inside():
            self.app = pod.bare_app()
            self.app.connect()
        self.agent: Agent = pod.agent(self.app.port, prefix=cluster.pod.enter, inside=cluster.pod.inside, **settings)
        self.agent.counts(1)

    def call(self, source: str, path: str = "/drain", **options: Any) -> Call:
        """A request from outside."""
        with self._cluster.outside.inside():
            call = Call(self.agent.port, path, source=source, host=POD_IPV6 if ":" in source else POD, **options)
        self.agent.owns(call)
        return call

    def probe(self, source: str, times: int = 3) -> None:
        answers: list[Answer] = [self.call(source, "/readyz").answer() for _ in range(times)]
        assert {answer.status for answer in answers} == {200}


def test_who_probed_three_times_begins_the_drain_and_a_stranger_does_not(pod: Pod, cluster: Cluster) -> None:
    inside = Inside(pod, cluster)
    inside.probe(NODE)
    inside.probe(STRANGER, times=2)
    stranger = inside.call(STRANGER)
    assert stranger.stays_held(0.4 * UNIT), "longer than the settle time"
    status = inside.agent.status()
    assert (status["phase"], status["callers"]) == ("serving", {"held": 0, "passive": 1})
    assert inside.agent.get("/readyz").status == 200
    assert inside.call(STRANGER, "/resume", method="POST").answer().status == 403

    hook = inside.call(NODE)
    inside.agent.drains()
    assert inside.agent.get("/readyz").status == 503
    assert inside.call(STRANGER, "/resume", method="POST").answer().status == 403
    assert hook.is_held()
    inside.app.all_leave()
    told = hook.answer().json()
    assert (told["outcome"], told["left"], told["effect"]) == ("drained", 1, True)
    told = stranger.answer().json()
    assert (told["outcome"], told["effect"]) == ("drained", False)
    assert inside.agent.metric('drainer_callers_total{trust="learned"}') == 1
    (warning,) = inside.agent.said(f"a call from {STRANGER} that says it is a preStop hook")
    assert f"add {STRANGER} to DRAINER_TRUSTED_SOURCES" in warning["message"]
    assert inside.call(NODE, "/resume", method="POST").answer().status == 200


def test_a_browser_on_loopback_has_no_effect_though_loopback_is_trusted(pod: Pod, cluster: Cluster) -> None:
    inside = Inside(pod, cluster)
    page = inside.agent.hook(headers={"Sec-Fetch-Site": "cross-site"})
    assert page.stays_held(0.4 * UNIT), "longer than the settle time"
    assert inside.agent.status()["phase"] == "serving"
    hook = inside.agent.hook()
    inside.agent.drains()
    inside.app.all_leave()
    assert hook.answer().json()["effect"] is True
    assert page.answer().json()["effect"] is False


def test_where_nothing_is_known_everyone_is_trusted_with_one_warning_for_each_family(
    pod: Pod, cluster: Cluster
) -> None:
    inside = Inside(pod, cluster)
    inside.probe(NODE_IPV6)
    assert inside.call(STRANGER_IPV6).stays_held(0.4 * UNIT)
    assert inside.agent.status()["phase"] == "serving", "IPv6 knows its node"
    assert not inside.agent.said("every IPv4 caller is trusted")
    hook = inside.call(STRANGER)
    inside.agent.drains()
    late_hook = inside.call(NODE)
    inside.app.all_leave()
    assert hook.answer().json()["effect"] is True
    assert late_hook.answer().json()["effect"] is True
    assert len(inside.agent.said("every IPv4 caller is trusted")) == 1
    assert not inside.agent.said("every IPv6 caller is trusted")
    assert inside.agent.metric('drainer_callers_total{trust="anyone"}') == 2


@pytest.mark.parametrize(
    "settings",
    [{"node_ip": f"{NODE},{NODE_IPV6}"}, {"trusted_sources": "192.0.2.2/31, 2001:db8::2"}, {"callers": "all"}],
    ids="-".join,
)
def test_a_setting_makes_the_node_known_without_a_probe(pod: Pod, cluster: Cluster, settings: dict[str, str]) -> None:
    inside = Inside(pod, cluster, **settings)
    assert inside.call(NODE_IPV6).stays_held(0)
    inside.agent.drains()
    hook = inside.call(NODE)
    inside.app.all_leave()
    assert hook.answer().json()["effect"] is True
    assert inside.call(STRANGER_IPV6, "/resume", method="POST").answer().status == (
        200 if "callers" in settings else 403
    )


def test_the_default_gateway_is_trusted_because_a_bridge_has_the_kubelet_call_from_it(
    pod: Pod, cluster: Cluster
) -> None:
    cluster.pod.ip(f"route add default via {NODE}")
    try:
        inside = Inside(pod, cluster)
    finally:
        cluster.pod.ip("route del default")
    assert inside.call(STRANGER).stays_held(0.4 * UNIT)
    assert inside.agent.status()["phase"] == "serving"
    hook = inside.call(NODE)
    inside.agent.drains()
    inside.app.all_leave()
    assert hook.answer().json()["effect"] is True
