"""The agent as a process with an API server that has bad days: no drain depends on it, and one line says so."""

from __future__ import annotations

import time

import pytest

from tests.kube_api import DROP, GARBAGE, HANG, HUGE, KubeApi
from tests.process.conftest import Pod
from tests.process.waiting import UNIT, setting, until

BAD_DAYS: dict[str, tuple[int | str, str]] = {
    "hang": (HANG, "timeout"),
    "drop": (DROP, "unreachable"),
    "garbage": (GARBAGE, "odd"),
    "huge": (HUGE, "odd"),
    **{str(status): (status, result) for status, result in (
        (401, "unauthorized"), (403, "forbidden"), (404, "not_found"), (429, "throttled"), (500, "failed"),
    )},
}  # fmt: skip
OPERATIONS = ("get", "watch", "patch", "event")


def requests(operation: str, result: str) -> str:
    return f'drainer_kubernetes_requests_total{{operation="{operation}",result="{result}"}}'


def drains_as_ever(pod: Pod, api: KubeApi, result: str) -> None:
    """A drain with an API that fails each time is one without; and it is seen."""
    app = pod.web_app()
    agent = pod.agent(app.port, variables=api.in_pod(), serving_label="true", settle=setting(0.5))
    [client] = pod.clients(app, 1)
    agent.counts(1)
    hook = agent.hook()
    began = time.monotonic()
    assert agent.get("/readyz").status in (200, 503)
    assert time.monotonic() - began < 0.5 * UNIT
    agent.drains()
    assert agent.get("/readyz").status == 503
    client.close()
    left_at = time.monotonic()
    answer = hook.answer().json()
    assert time.monotonic() - left_at < 1 * UNIT
    assert (answer["outcome"], answer["effect"], answer["left"]) == ("drained", True, 1)
    until(lambda: agent.metric(requests("get", result)), lambda count: count >= 1)
    [line] = until(lambda: agent.said("the Kubernetes API"), bool)
    assert line["level"] == "warning"
    assert line["message"].startswith(f"the Kubernetes API, get: {result} (")


@pytest.mark.parametrize(("bad_day", "result"), BAD_DAYS.values(), ids=BAD_DAYS)
def test_a_drain_goes_as_ever_whatever_the_api_does(api: KubeApi, pod: Pod, bad_day: int | str, result: str) -> None:
    api.bad_days = dict.fromkeys(OPERATIONS, bad_day)
    drains_as_ever(pod, api, result)


def test_a_drain_goes_as_ever_without_an_api_server(api: KubeApi, pod: Pod) -> None:
    # Bound, and nobody listens.
    api.port = pod.reserve().port
    drains_as_ever(pod, api, "unreachable")


@pytest.mark.parametrize("bad_day", [403, 500, DROP])
def test_a_drain_goes_as_ever_when_nothing_can_be_written(api: KubeApi, pod: Pod, bad_day: int | str) -> None:
    api.bad_days = {"patch": bad_day, "event": bad_day}
    app = pod.web_app()
    agent = pod.agent(app.port, variables=api.in_pod(), serving_label="true")
    api.delete(grace=30)
    answer = agent.hook().answer().json()
    assert answer["outcome"] == "drained"
    until(lambda: len(api.asked("event")), lambda count: count >= 1)
    until(lambda: len(agent.said("the Kubernetes API, event")), lambda lines: lines == 1)
    assert len(agent.said("the Kubernetes API, patch")) == 1


def test_a_watch_that_breaks_or_is_too_old_is_opened_again(api: KubeApi, pod: Pod) -> None:
    app = pod.web_app()
    agent = pod.agent(app.port, variables=api.in_pod(), restart_timeout="1h")
    [client] = pod.clients(app, 1)
    hook = agent.hook()
    until(lambda: api.watchers, lambda watchers: watchers == 1)
    api.break_watches()
    until(lambda: len(api.asked("watch")), lambda count: count == 2)
    api.compact()
    until(lambda: len(api.asked("watch")), lambda count: count == 3)
    api.change(annotations={"somebody": "was here"})
    api.delete(grace=3600)
    until(agent.status, lambda status: bool(status["kubernetes"]["deletion"] == "requested"))
    agent.drains()
    client.close()
    assert hook.answer().json()["outcome"] == "drained"


def test_an_api_that_comes_back_in_the_middle_is_told_what_is(api: KubeApi, pod: Pod) -> None:
    api.bad_days["get"] = 500
    app = pod.web_app()
    agent = pod.agent(app.port, variables=api.in_pod(), restart_timeout="1h")
    [client] = pod.clients(app, 1)
    hook = agent.hook()
    until(lambda: agent.metric(requests("get", "failed")), lambda count: count >= 2)
    api.bad_days.clear()
    until(lambda: len(api.events), lambda count: count == 1)
    until(lambda: api.condition("drainer.dev/serving"), bool)
    condition = api.condition("drainer.dev/serving")
    assert condition is not None
    assert (condition["status"], condition["reason"]) == ("False", "DrainStarted")
    client.close()
    assert hook.answer().json()["outcome"] == "drained"


@pytest.mark.parametrize("drained", [False, True])
def test_an_agent_goes_in_good_time_although_the_api_hangs(api: KubeApi, pod: Pod, *, drained: bool) -> None:
    api.bad_days = dict.fromkeys(OPERATIONS, HANG)
    app = pod.web_app()
    agent = pod.agent(app.port, variables=api.in_pod(), serving_label="true")
    until(lambda: len(api.requests), lambda count: count >= 1)
    if drained:
        assert agent.hook().answer().json()["outcome"] == "drained"
    sent_at = agent.terminate()
    agent.ended_well()
    assert time.monotonic() - sent_at < 1.5 * UNIT


def test_without_a_service_account_the_api_is_not_used_unless_it_must_be(api: KubeApi, pod: Pod) -> None:
    (api.folder / "token").unlink()
    app = pod.web_app()
    agent = pod.agent(app.port, variables=api.in_pod())
    [line] = agent.said("the API is not used: no service account is mounted at ")
    assert line["level"] == "info"
    assert not agent.status()["kubernetes"]["used"]
    other = pod.agent(app.port, variables=api.in_pod(), kubernetes="on")
    until(lambda: other.metric(requests("get", "unauthorized")), lambda count: count >= 1)
    assert other.hook().answer().json()["outcome"] == "drained"
