"""The agent as a process beside an app that gets more clients than it wants."""

from __future__ import annotations

from typing import Any

from drainer.keys import SERVING
from tests.kube_answers import SERVICE_NAME
from tests.kube_api import UID, KubeApi
from tests.process.apps import echoes
from tests.process.conftest import Pod
from tests.process.harness import Agent
from tests.process.waiting import UNIT, until


def is_in(agent: Agent, room: str) -> dict[str, Any]:
    """Wait until there is so much room; returns the limit."""
    status: dict[str, Any] = until(agent.status, lambda status: bool(status["limit"]["room"] == room))
    limit: dict[str, Any] = status["limit"]
    return limit


def endpoints(*uids: str) -> list[dict[str, Any]]:
    return [
        {
            "metadata": {"name": "ws-abc", "labels": {SERVICE_NAME: "ws"}},
            "endpoints": [{"targetRef": {"uid": uid}, "conditions": {"ready": True}} for uid in uids],
        }
    ]


def test_a_full_pod_is_not_ready_while_its_clients_stay_and_takes_again_when_enough_have_left(pod: Pod) -> None:
    app = pod.web_app()
    agent = pod.agent(app.port, max_connections="4", full="readiness", never_last="false")
    clients = pod.clients(app, 3)
    agent.counts(3)
    assert agent.get("/readyz").status == 200
    clients += pod.clients(app, 1)
    limit = is_in(agent, "full")
    assert limit["utilization"] == 1.0
    answer = agent.get("/readyz")
    assert (answer.status, answer.text) == (503, "full\n")
    assert all(echoes(client) for client in clients)
    # Whoever still comes is served: it is a request, not a wall.
    clients += pod.clients(app, 1)
    agent.counts(5)
    assert agent.metric("drainer_full") == 1
    assert agent.metric("drainer_connections_limit") == 4
    assert agent.metric("drainer_connections_utilization") == 1.25
    for client in clients[:2]:
        client.close()
    agent.counts(3)
    assert agent.get("/readyz").text == "full\n"
    clients[2].close()
    is_in(agent, "taking")
    assert agent.get("/readyz").status == 200
    assert agent.metric("drainer_full") == 0
    assert [len(agent.said(words)) for words in ("full: ", "below the limit again")] == [1, 1]


def test_a_full_pod_drains_as_any_other(pod: Pod) -> None:
    app = pod.web_app()
    agent = pod.agent(app.port, max_connections="2", full="readiness", readiness="after")
    clients = pod.clients(app, 2)
    is_in(agent, "full")
    hook = agent.hook()
    assert agent.get("/readyz").text == "full\n"
    agent.drains()
    assert agent.get("/readyz").text == "draining\n"
    for client in clients:
        client.close()
    told = hook.answer().json()
    assert (told["outcome"], told["connections_at_start"]) == ("drained", 2)


def test_a_storm_is_seen_within_two_seconds_whatever_the_interval(pod: Pod) -> None:
    app = pod.bare_app()
    agent = pod.agent(app.port, max_rate="10", interval="60s", full="readiness", never_last="false")
    agent.looks_again()
    agent.looks_again()
    app.clients(80)
    is_in(agent, "full")
    assert agent.status()["limit"]["reached"] == ["rate"]
    assert agent.get("/readyz").text == "full\n"
    until(lambda: agent.get("/readyz").status, lambda status: status == 200, within=20 * UNIT)


def test_the_label_says_full_where_another_pod_takes_and_not_where_none_does(api: KubeApi, pod: Pod) -> None:
    app = pod.web_app()
    api.slices = endpoints(UID)
    settings = {"max_connections": "2", "serving_label": "true", "kubernetes": "on"}
    agent = pod.agent(app.port, variables=api.in_pod(), **settings)
    until(lambda: api.label(SERVING), lambda label: label == "true")
    # At rest nothing is asked.
    assert api.asked("list") == []
    clients = pod.clients(app, 2)
    assert is_in(agent, "last")["others"] == "too_few"
    assert (api.label(SERVING), agent.get("/readyz").status) == ("true", 200)
    api.slices = endpoints(UID, "another")
    limit = until(lambda: is_in(agent, "full"), bool, within=30)
    assert (limit["said_by"], limit["others"]) == ("label", "enough")
    until(lambda: api.label(SERVING), lambda label: label == "false")
    assert agent.get("/readyz").status == 200
    clients[0].close()
    clients[1].close()
    until(lambda: api.label(SERVING), lambda label: label == "true")
    assert {request.query.get("labelSelector") for request in api.asked("list")} <= {None, f"{SERVICE_NAME} in (ws)"}
    assert api.events == []


def test_without_the_right_to_see_the_others_full_is_not_said_and_the_log_says_why(api: KubeApi, pod: Pod) -> None:
    app = pod.web_app()
    api.bad_days["list"] = 403
    settings = {"max_connections": "1", "serving_label": "true", "kubernetes": "on"}
    agent = pod.agent(app.port, variables=api.in_pod(), **settings)
    until(lambda: api.label(SERVING), lambda label: label == "true")
    pod.clients(app, 1)
    assert is_in(agent, "last")["others"] == "unknown"
    assert api.label(SERVING) == "true"
    assert len(agent.said("the Kubernetes API, list: forbidden")) == 1
