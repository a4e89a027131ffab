"""The agent as a process beside an app, with an API server that knows its pod."""

from __future__ import annotations

import time
from typing import Any

import pytest

from drainer.keys import SERVING
from tests.kube_api import KubeApi
from tests.process.conftest import Pod
from tests.process.harness import Agent
from tests.process.waiting import UNIT, setting, until

LABELLED = {"serving_label": "true"}


def asking(pod: Pod, api: KubeApi, app_port: int, **options: Any) -> Agent:
    """An agent that has had its first look."""
    agent = pod.agent(app_port, variables=api.in_pod(), **LABELLED | options)
    until(lambda: api.label(SERVING), lambda label: label == "true")
    return agent


def is_watching(api: KubeApi) -> None:
    until(lambda: api.watchers, lambda watchers: watchers == 1)


def sees(agent: Agent, deletion: str) -> None:
    until(agent.status, lambda status: bool(status["kubernetes"]["deletion"] == deletion))


# ---------------------------------------------------------------------------------------------------- a deletion


def test_a_deletion_is_told_at_the_pod_from_the_beginning_to_the_end(api: KubeApi, pod: Pod) -> None:
    app = pod.web_app()
    agent = asking(pod, api, app.port, settle=setting(1))
    before = len(api.requests)
    [client] = pod.clients(app, 1)
    api.delete(grace=30)
    hook = agent.hook()
    until(lambda: api.events, bool)
    assert hook.is_held()
    assert agent.get("/readyz").status == 200
    agent.drains()
    until(lambda: api.label(SERVING), lambda label: label == "false")
    assert agent.get("/readyz").status == 503
    client.close()
    assert hook.answer().json()["outcome"] == "drained"
    until(lambda: len(api.events), lambda count: count == 2)
    assert [event["reason"] for event in api.events] == ["DrainStarted", "Drained"]
    until(lambda: (api.condition(SERVING) or {}).get("reason"), lambda reason: reason == "Drained")
    assert len(api.requests) - before <= 8


def test_a_second_shorter_delete_ends_the_drain_earlier(api: KubeApi, pod: Pod) -> None:
    app = pod.web_app()
    agent = asking(pod, api, app.port, app_reserve="500ms")
    pod.clients(app, 1)
    api.delete(grace=30)
    hook = agent.hook()
    sees(agent, "requested")
    assert agent.status()["drain"]["deadline_in_seconds"] > 5 * UNIT
    api.delete(grace=2)
    answer = hook.answer().json()
    assert (answer["outcome"], answer["remaining"]) == ("deadline", 1)
    assert answer["seconds"] < 5 * UNIT


def test_a_force_delete_ends_the_drain_in_a_moment_and_nothing_more_is_written(api: KubeApi, pod: Pod) -> None:
    app = pod.web_app()
    agent = asking(pod, api, app.port)
    pod.clients(app, 1)
    api.delete(grace=3600)
    hook = agent.hook()
    until(lambda: len(api.asked("event")), lambda count: count == 1)
    agent.drains()
    until(lambda: api.label(SERVING), lambda label: label == "false")
    api.remove()
    written = len(api.asked("patch", "event"))
    assert hook.answer().json()["outcome"] == "deadline"
    assert agent.status()["kubernetes"]["deletion"] == "forced"
    assert agent.said("the pod was deleted by force")
    assert len(api.asked("patch", "event")) == written


def test_a_stranger_counts_as_soon_as_the_pod_is_seen_to_be_deleted(api: KubeApi, pod: Pod) -> None:
    app = pod.web_app()
    agent = asking(pod, api, app.port, token="opensesame")
    [client] = pod.clients(app, 1)
    agent.counts(1)
    hook = agent.hook()
    is_watching(api)
    sees(agent, "none")
    assert agent.status()["phase"] == "serving"
    api.delete(grace=30)
    agent.drains()
    client.close()
    answer = hook.answer().json()
    assert (answer["outcome"], answer["effect"]) == ("drained", True)


# ----------------------------------------------------------------------------------------------------- a restart


def test_a_restart_is_bounded_and_the_pod_serves_again_when_the_app_is_back(api: KubeApi, pod: Pod) -> None:
    place = pod.reserve()
    app = pod.web_app(reserved=place)
    agent = asking(pod, api, app.port, restart_timeout=setting(1))
    pod.clients(app, 1)
    hook = agent.hook()
    answer = hook.answer().json()
    assert answer["outcome"] == "deadline"
    assert 1 * UNIT <= answer["seconds"] < 5 * UNIT
    until(lambda: api.label(SERVING), lambda label: label == "false")
    app.close()
    pod.web_app(reserved=place)
    agent.reaches("serving")
    until(lambda: api.label(SERVING), lambda label: label == "true")
    until(lambda: len(api.events), lambda count: count == 3)
    assert [event["reason"] for event in api.events] == ["DrainStarted", "DrainDeadline", "DrainResumed"]


def test_a_deletion_in_the_middle_of_a_restart_gives_the_pod_its_time(api: KubeApi, pod: Pod) -> None:
    app = pod.web_app()
    agent = asking(pod, api, app.port, restart_timeout=setting(3))
    [client] = pod.clients(app, 1)
    hook = agent.hook()
    sees(agent, "none")
    assert agent.status()["drain"]["deadline_in_seconds"] <= 3 * UNIT
    api.delete(grace=3600)
    sees(agent, "requested")
    assert agent.status()["drain"]["deadline_in_seconds"] > 3 * UNIT
    agent.drains()
    client.close()
    assert hook.answer().json()["outcome"] == "drained"


def test_the_label_goes_and_comes_with_a_drain_that_is_resumed(api: KubeApi, pod: Pod) -> None:
    app = pod.web_app()
    agent = asking(pod, api, app.port)
    pod.clients(app, 1)
    hook = agent.hook()
    until(lambda: api.label(SERVING), lambda label: label == "false")
    agent.resume()
    assert hook.answer().json()["outcome"] == "resumed"
    until(lambda: api.label(SERVING), lambda label: label == "true")
    condition = api.condition(SERVING)
    assert condition is not None
    assert (condition["status"], condition["reason"]) == ("True", "DrainResumed")


# ------------------------------------------------------------------------------------------------------- at rest


def test_a_readiness_gate_has_its_condition_from_the_start(api: KubeApi, pod: Pod) -> None:
    app = pod.web_app()
    pod.agent(app.port, variables=api.in_pod(), readiness_gate="true")
    until(lambda: (api.condition(SERVING) or {}).get("status"), lambda status: status == "True")
    assert api.label(SERVING) is None


def test_the_grace_period_is_that_of_the_pod_if_none_was_given(api: KubeApi, pod: Pod) -> None:
    api.create(grace=600)
    app = pod.web_app()
    agent = asking(pod, api, app.port, grace_period="auto", app_reserve="100s", restart_timeout="1h")
    pod.clients(app, 1)
    hook = agent.hook()
    deadline = agent.status()["drain"]["deadline_in_seconds"]
    assert 400 < deadline <= 500
    agent.resume()
    assert hook.answer().json()["outcome"] == "resumed"


@pytest.mark.parametrize("kubernetes", ["auto", "on"])
def test_at_rest_no_request_follows_the_first_look(api: KubeApi, pod: Pod, kubernetes: str) -> None:
    app = pod.web_app()
    agent = asking(pod, api, app.port, kubernetes=kubernetes)
    asked = [request.operation for request in api.requests]
    assert asked == ["get", "patch"]
    time.sleep(1 * UNIT)
    agent.looks_again()
    assert len(api.requests) == 2


def test_whether_it_keeps_the_deletion_cost_is_told_since_an_adapter_then_does_not(api: KubeApi, pod: Pod) -> None:
    app = pod.web_app()
    agent = asking(pod, api, app.port, deletion_cost="true")
    assert agent.status()["kubernetes"]["deletion_cost"] is True


def test_an_agent_that_is_told_not_to_makes_no_request(api: KubeApi, pod: Pod) -> None:
    app = pod.web_app()
    agent = pod.agent(app.port, variables=api.in_pod(), kubernetes="off")
    assert agent.hook().answer().json()["outcome"] == "drained"
    assert api.requests == []
    unused = {"deletion": "unknown", "used": False, "deletion_cost": False, "requests": {}}
    assert agent.status()["kubernetes"] == unused
