"""The agent as a process beside an app, with an API server that has good and bad days."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from drainer.keys import SERVING
from tests.kube_api import NAME, NAMESPACE, UID, KubeApi, kube_api
from tests.process.conftest import Pod
from tests.process.waiting import setting, until

HOOK = {"User-Agent": "kube-lifecycle/1.36"}


@pytest.fixture
def api() -> Iterator[KubeApi]:
    with kube_api() as api:
        api.create()
        yield api


def in_pod(api: KubeApi) -> dict[str, str]:
    """What the kubelet tells the agent."""
    return {
        "POD_NAME": NAME,
        "POD_NAMESPACE": NAMESPACE,
        "POD_UID": UID,
        "KUBERNETES_SERVICE_HOST": "127.0.0.1",
        "KUBERNETES_SERVICE_PORT": str(api.port),
        "DRAINER_SERVICE_ACCOUNT": str(api.folder),
    }


def test_a_deletion_is_told_at_the_pod_from_the_beginning_to_the_end(pod: Pod, api: KubeApi) -> None:
    app = pod.web_app()
    agent = pod.agent(app.port, variables=in_pod(api), serving_label="true", settle=setting(1))
    until(lambda: api.pod["metadata"]["labels"].get(SERVING), lambda label: label == "true")
    [client] = pod.clients(app, 1)
    api.delete(grace=30)
    hook = agent.hook(headers=HOOK)
    until(lambda: api.events, bool)
    assert hook.is_held()
    assert agent.get("/readyz").status == 200
    agent.drains()
    until(lambda: api.pod["metadata"]["labels"][SERVING], lambda label: label == "false")
    assert agent.get("/readyz").status == 503
    client.close()
    assert hook.answer().json()["outcome"] == "drained"
    until(lambda: len(api.events), lambda count: count == 2)
    assert [event["reason"] for event in api.events] == ["DrainStarted", "Drained"]
    until(lambda: (api.condition(SERVING) or {}).get("reason"), lambda reason: reason == "Drained")
    assert len(api.requests) <= 8 + 2
