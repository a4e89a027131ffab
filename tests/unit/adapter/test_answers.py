"""What is said of a fleet: to HPAs of type Pods, and as sums."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import pytest

from drainer.adapter.answers import Moment, metrics
from drainer.adapter.failures import AnswerError
from drainer.adapter.fleet import Fleet
from drainer.adapter.questions import CUSTOM, EXTERNAL, question
from tests.unit.adapter.test_fleet import made, read

NOW = Moment(loop=1000.0, wall=1_800_000_000.9)
PODS = f"{CUSTOM.path}/namespaces/chat/pods"
SUM = f"{EXTERNAL.path}/namespaces/chat"


def fleet(**pods: Any) -> Fleet:
    """Name -> its connections, or with changes of its pod, or None where it has not answered."""
    found = Fleet()
    found.replace([])
    for name, given in pods.items():
        connections, changes = given if isinstance(given, tuple) else (given, {})
        limit, age = changes.pop("limit", None), changes.pop("age", 1.0)
        pod = made(name, **changes)
        found.put(pod)
        if connections is not None:
            found.read(pod, read(connections, limit=limit, taken_at=NOW.loop - age))
    return found


def ask(path: str, of: Fleet, method: str = "GET", **query: str) -> dict[str, Any]:
    return metrics(question(method, path), query, of, NOW, (CUSTOM, EXTERNAL))


def refused(path: str, of: Fleet, method: str = "GET", **query: str) -> tuple[HTTPStatus, str]:
    with pytest.raises(AnswerError) as caught:
        ask(path, of, method, **query)
    assert caught.value.as_status()["code"] == caught.value.code
    return caught.value.code, caught.value.message


def values(answer: dict[str, Any]) -> dict[str, str]:
    return {item["describedObject"]["name"]: item["value"] for item in answer["items"]}


def test_all_pods_that_have_answered() -> None:
    of = fleet(a=3, b=None, c=0, d=(7, {"age": 11.0}), e=(9, {"labels": {"app": "feed"}}), f=(4, {"ready": False}))

    assert values(ask(f"{PODS}/%2A/connections", of, labelSelector="app=ws")) == {"a": "3", "c": "0", "f": "4"}


def test_a_pod_that_is_deleted_is_shown_since_an_hpa_leaves_it_out_itself() -> None:
    assert values(ask(f"{PODS}/*/connections", fleet(a=(3, {"deleted": True})))) == {"a": "3"}


def test_a_value_has_the_time_of_its_census() -> None:
    (item,) = ask(f"{PODS}/a/connections_serving", fleet(a=(3, {"age": 2.0})))["items"]

    assert item == {
        "describedObject": {"kind": "Pod", "namespace": "chat", "name": "a", "apiVersion": "v1"},
        "metric": {"name": "connections_serving", "selector": None},
        "timestamp": "2027-01-15T07:59:58Z",
        "windowSeconds": 0,
        "value": "3",
    }


def test_utilization_is_missing_where_there_is_no_limit() -> None:
    of = fleet(a=(3, {"limit": 4}), b=3)

    assert values(ask(f"{PODS}/%2A/connections_utilization", of)) == {"a": "750m"}
    assert refused(f"{PODS}/b/connections_utilization", of)[0] == HTTPStatus.NOT_FOUND


def test_no_pods_are_an_empty_list_and_one_that_is_not_there_is_not_found() -> None:
    assert ask(f"{PODS}/%2A/connections", fleet())["items"] == []
    code, message = refused(f"{PODS}/a/connections", fleet())
    assert (code, message) == (HTTPStatus.NOT_FOUND, "there is no connections of the pod chat/a now")
    assert refused(f"{PODS}/a/connections", fleet(a=1), labelSelector="app!=ws")[0] == HTTPStatus.NOT_FOUND


def test_the_metrics_have_no_labels_of_their_own() -> None:
    of = fleet(a=1)

    assert values(ask(f"{PODS}/%2A/connections", of, metricLabelSelector="port=8080")) == {}
    assert values(ask(f"{PODS}/%2A/connections", of, metricLabelSelector="!port")) == {"a": "1"}


@pytest.mark.parametrize("name", ["labelSelector", "metricLabelSelector"])
def test_a_selector_that_is_none_is_a_bad_request(name: str) -> None:
    code, message = refused(f"{PODS}/%2A/connections", fleet(), **{name: "app in ws"})

    assert code == HTTPStatus.BAD_REQUEST
    assert message == f"unable to parse {name}: found 'ws', expected: '('"


@pytest.mark.parametrize(
    "path",
    [
        f"{PODS}/%2A/requests",
        f"{PODS}/%2A",
        f"{CUSTOM.path}/namespaces/chat/services/ws/connections",
        f"{CUSTOM.path}/namespaces/chat/metrics/connections",
        f"{CUSTOM.path}/pods/a/connections",
        f"{SUM}/requests",
        f"{SUM}/connections/more",
        f"{EXTERNAL.path}/connections/a",
        "/apis/custom.metrics.k8s.io/v1beta1/namespaces/chat/pods/%2A/connections",
        "/apis/apps/v1/namespaces/chat/deployments",
    ],
)
def test_what_is_not_served_is_not_found(path: str) -> None:
    code, message = refused(path, fleet(a=1))

    assert code == HTTPStatus.NOT_FOUND
    assert "there is nothing at /apis/" in message


def test_an_api_that_is_switched_off_is_not_found() -> None:
    with pytest.raises(AnswerError):
        metrics(question("GET", f"{SUM}/connections"), {}, fleet(a=1), NOW, (CUSTOM,))


def test_metrics_are_only_read() -> None:
    assert refused(f"{PODS}/a/connections", fleet(a=1), "DELETE")[0] == HTTPStatus.METHOD_NOT_ALLOWED


def test_before_the_pods_were_listed_nothing_is_said() -> None:
    assert refused(f"{PODS}/%2A/connections", Fleet())[0] == HTTPStatus.SERVICE_UNAVAILABLE


def test_a_sum_is_of_the_pods_that_take_connections() -> None:
    of = fleet(
        a=(3, {"age": 4.0}),
        b=4,
        gone=(500, {"deleted": True}),
        starting=(None, {"ready": False}),
        failed=(9, {"phase": "Failed", "ready": False}),
        other=(7, {"labels": {"app": "feed"}}),
    )

    assert ask(f"{SUM}/connections", of, labelSelector="app=ws") == {
        "kind": "ExternalMetricValueList",
        "apiVersion": "external.metrics.k8s.io/v1beta1",
        "metadata": {},
        "items": [
            {
                "metricName": "connections",
                "metricLabels": {},
                "timestamp": "2027-01-15T07:59:56Z",
                "window": 0,
                "value": "7",
            }
        ],
    }


def test_who_does_not_answer_counts_in_a_sum_as_the_mean_of_the_others() -> None:
    assert ask(f"{SUM}/connections", fleet(a=3, b=4, c=None))["items"][0]["value"] == "10500m"


def test_a_sum_of_fewer_than_half_is_no_answer() -> None:
    code, message = refused(f"{SUM}/connections", fleet(a=3, b=None, c=None))

    assert (code, message) == (HTTPStatus.SERVICE_UNAVAILABLE, "only 1 of 3 pods have answered lately")


def test_a_sum_of_nothing_has_no_items() -> None:
    assert ask(f"{SUM}/connections", fleet())["items"] == []
    assert ask(f"{SUM}/connections_utilization", fleet(a=1))["items"] == []
