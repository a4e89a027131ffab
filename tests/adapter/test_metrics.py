"""What an autoscaler is told of pods, over the API server's own way: TLS, its certificate, its headers."""

from __future__ import annotations

import datetime as dt

from tests.adapter.agents import DROP, GARBAGE, HANG, HUGE, MISSING, Agents, addresses
from tests.adapter.cluster import CUSTOM, EXTERNAL, FakeCluster
from tests.adapter.harness import EXTERNAL_METRICS, POD_METRICS, Pki, Running, running
from tests.adapter.objects import apiservice, pod
from tests.process.waiting import until

WHERE = addresses(8)


def pods(cluster: FakeCluster, fleet: Agents, *says: int | str) -> None:
    """ws-0, ws-1, ... with agents that say this."""
    for number, one in enumerate(says):
        fleet.says[WHERE[number]] = one
        cluster.put_pod(pod(f"ws-{number}", fleet.port, address=WHERE[number]))


def test_an_autoscaler_gets_the_connections_of_each_pod(cluster: FakeCluster, fleet: Agents, pki: Pki) -> None:
    pods(cluster, fleet, 3, 1000, 0)
    with running(cluster, pki) as adapter:
        adapter.await_ready()
        answer = adapter.ask(f"{POD_METRICS}/connections?labelSelector=app%3Dws")

    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json")
    assert answer.body["kind"] == "MetricValueList"
    assert answer.body["apiVersion"] == "custom.metrics.k8s.io/v1beta2"
    first = answer.body["items"][0]
    taken_at = dt.datetime.fromisoformat(first.pop("timestamp"))
    assert abs((dt.datetime.now(dt.UTC) - taken_at).total_seconds()) < 15
    assert first == {
        "describedObject": {"kind": "Pod", "namespace": "chat", "name": "ws-0", "apiVersion": "v1"},
        "metric": {"name": "connections", "selector": None},
        "windowSeconds": 0,
        "value": "3",
    }
    assert [item["value"] for item in answer.body["items"]] == ["3", "1k", "0"]


def test_who_does_not_answer_is_missing(cluster: FakeCluster, fleet: Agents, pki: Pki) -> None:
    pods(cluster, fleet, 5, HANG, DROP, GARBAGE, HUGE, MISSING, 0)
    cluster.put_pod(pod("ws-nowhere", 1, address="127.0.0.1"))
    with running(cluster, pki) as adapter:
        adapter.await_ready()

        assert adapter.values() == {"ws-0": "5", "ws-6": "0"}
        assert adapter.metric("drainer_adapter_pods") == 8
        assert adapter.metric("drainer_adapter_pods_fresh") == 2
        for result in ("timeout", "odd", "too_long", "unreachable"):
            assert adapter.metric(f'drainer_adapter_questions_total{{result="{result}"}}') >= 1
        # Who is asked when it goes is not waited for.
        fleet.says = dict.fromkeys(WHERE, HANG)
        until(lambda: fleet.together, bool)


def test_pods_come_and_go_while_they_are_asked(cluster: FakeCluster, fleet: Agents, adapter: Running) -> None:
    assert adapter.values() == {}
    pods(cluster, fleet, 1, 2)
    until(adapter.values, lambda seen: seen == {"ws-0": "1", "ws-1": "2"})
    cluster.remove("/api/v1/namespaces/chat/pods/ws-0")
    until(adapter.values, lambda seen: seen == {"ws-1": "2"})
    # One of the same name, elsewhere.
    fleet.says[WHERE[5]] = 9
    cluster.put_pod(pod("ws-1", fleet.port, uid="another", address=WHERE[5]))
    until(adapter.values, lambda seen: seen == {"ws-1": "9"})
    cluster.put_pod({**pod("ws-1", uid="another"), "spec": {"containers": [{"name": "app"}]}})
    until(adapter.values, lambda seen: seen == {})


def test_a_watch_that_breaks_or_is_too_late_misses_nothing(
    cluster: FakeCluster, fleet: Agents, adapter: Running
) -> None:
    pods(cluster, fleet, 1, 2, 3)
    until(adapter.values, lambda seen: len(seen) == 3)
    cluster.break_watches()
    cluster.remove("/api/v1/namespaces/chat/pods/ws-0")
    until(adapter.values, lambda seen: set(seen) == {"ws-1", "ws-2"})
    cluster.compact()
    cluster.remove("/api/v1/namespaces/chat/pods/ws-1")
    until(adapter.values, lambda seen: set(seen) == {"ws-2"})


def test_where_the_pods_cannot_be_listed_it_says_so_and_goes_on(cluster: FakeCluster, fleet: Agents, pki: Pki) -> None:
    cluster.bad_days = {"/api/v1/pods": 503}
    with running(cluster, pki) as adapter:
        assert "/api/v1/pods cannot be watched: failed (a bad day)" in adapter.await_log("cannot be watched")
        status, text = adapter.readiness()
        assert (status, "the pods are not known yet" in text) == (503, True)
        for odd in (b"<html>", b'{"items": [], "metadata": {"resourceVersion": "1"}}'):
            cluster.bad_days = {"/api/v1/pods": odd}
            adapter.await_log("cannot be watched: odd")
        cluster.bad_days = {}
        pods(cluster, fleet, 1)
        adapter.await_ready()
        assert until(adapter.values, bool) == {"ws-0": "1"}


def test_a_pod_that_drains_serves_nobody(cluster: FakeCluster, fleet: Agents, adapter: Running) -> None:
    fleet.draining, fleet.limits = {WHERE[0]}, {WHERE[1]: 4}
    pods(cluster, fleet, 7, 3)
    until(adapter.values, lambda seen: seen == {"ws-0": "7", "ws-1": "3"})

    assert adapter.values("connections_serving") == {"ws-0": "0", "ws-1": "3"}
    assert adapter.values("connections_utilization") == {"ws-1": "750m"}


def test_an_agent_that_is_blind_is_missing(cluster: FakeCluster, fleet: Agents, adapter: Running) -> None:
    fleet.census_age = 11.0
    pods(cluster, fleet, 7)
    until(lambda: adapter.metric('drainer_adapter_questions_total{result="ok"}'), lambda seen: seen >= 1)

    assert adapter.values() == {}


def test_only_the_pods_that_are_looked_at(cluster: FakeCluster, fleet: Agents, pki: Pki) -> None:
    pods(cluster, fleet, 1)
    with running(cluster, pki, "--pod-selector", "app=ws") as adapter:
        adapter.await_ready()
        assert ("GET", "/api/v1/pods") in cluster.asked
        assert cluster.queries["/api/v1/pods"]["labelSelector"] == "app=ws"


def test_sums_for_those_who_switch_them_on(cluster: FakeCluster, fleet: Agents, pki: Pki) -> None:
    cluster.put(EXTERNAL, apiservice(EXTERNAL))
    pods(cluster, fleet, 3, 4)
    cluster.put_pod(pod("ws-gone", fleet.port, address=WHERE[1], deleted=True))
    with running(cluster, pki, "--metrics", "custom,external") as adapter:
        adapter.await_ready()
        (item,) = adapter.ask(f"{EXTERNAL_METRICS}/connections?labelSelector=app%3Dws").body["items"]
        assert (item["metricName"], item["value"]) == ("connections", "7")
        assert cluster.objects[EXTERNAL]["spec"]["caBundle"] == cluster.objects[CUSTOM]["spec"]["caBundle"]
        assert cluster.reviews[-1]["resourceAttributes"]["verb"] == "list"


def test_without_being_switched_on_there_are_no_sums(adapter: Running) -> None:
    assert adapter.ask(f"{EXTERNAL_METRICS}/connections").status == 404
