"""The parts that speak with the API, joined, against an API server in the same process's thread."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from drainer.deletion import Pod
from drainer.keys import SERVING
from drainer.kube.api import LAST_WORDS, Api
from drainer.kube.reporter import Wishes
from drainer.phases import Phase
from drainer.policy import Readiness
from tests.kube_api import HANG, NAME, NAMESPACE, UID, KubeApi, kube_api
from tests.sockets.site import becomes
from tests.unit.fakes import now
from tests.unit.statuses import make_status

LABEL = Wishes(label=True, gate=False, condition=True, events=True)


@pytest.fixture
def server() -> Iterator[KubeApi]:
    with kube_api() as server:
        server.create(grace=120)
        yield server


class Joined:
    """An Api and what it has said."""

    def __init__(self, server: KubeApi, folder: Path, wishes: Wishes = LABEL) -> None:
        self.troubles: list[str] = []
        self.notes: list[str] = []
        self.graces: list[float] = []
        pod = Pod(NAME, NAMESPACE, UID, ("127.0.0.1", server.port))
        self.api = Api(pod, folder, wishes, Readiness.AUTO, self.notes.append, self.troubles.append, lambda: 0.0)

    def start(self) -> None:
        self.api.start(lambda: make_status(phase=Phase.SERVING), self.graces.append)


@asynccontextmanager
async def joined(server: KubeApi, started: Callable[[Joined], None] = Joined.start) -> AsyncIterator[Joined]:
    parts = Joined(server, server.folder)
    started(parts)
    try:
        yield parts
    finally:
        await parts.api.leave()


async def test_the_first_look_gives_the_grace_period_and_what_stands_at_the_pod(server: KubeApi) -> None:
    async with joined(server) as parts:
        await becomes(lambda: server.pod["metadata"]["labels"].get(SERVING) == "true")
        assert parts.graces == [120.0]
        assert parts.notes == ["the API knows this pod; its terminationGracePeriodSeconds is 120"]
        assert [request.operation for request in server.requests] == ["get", "patch"]
    assert parts.troubles == []


async def test_a_pod_that_does_not_say_how_long_it_has_changes_no_plan(server: KubeApi) -> None:
    del server.pod["spec"]["terminationGracePeriodSeconds"]
    async with joined(server) as parts:
        await becomes(lambda: server.pod["metadata"]["labels"].get(SERVING) == "true")
        assert parts.graces == []


async def test_another_pod_of_that_name_is_said_and_left_alone(server: KubeApi) -> None:
    server.create(uid="another")
    async with joined(server) as parts:
        await becomes(lambda: bool(parts.troubles))
        assert parts.troubles == [f"the pod {NAME} has another uid than POD_UID says: the API is not used"]
        assert SERVING not in server.pod["metadata"]["labels"]
    assert [request.operation for request in server.requests] == ["get"]


async def test_an_agent_that_goes_waits_for_a_hanging_api_half_a_second(server: KubeApi) -> None:
    server.bad_days["get"] = HANG
    parts = Joined(server, server.folder)
    parts.start()
    await becomes(lambda: bool(server.requests))
    began = now()
    await parts.api.leave()
    assert LAST_WORDS - 0.1 <= now() - began < LAST_WORDS + 0.5


async def test_an_api_that_was_never_started_is_left_at_once(server: KubeApi) -> None:
    began = now()
    async with asyncio.timeout(1), joined(server, lambda parts: None):
        assert server.requests == []
    assert now() - began < 0.2


async def test_a_deletion_cost_is_kept_only_where_it_is_wished_for_and_ends_with_the_agent(server: KubeApi) -> None:
    server.change(ownerReferences=[{"kind": "StatefulSet", "controller": True}])
    async with joined(server) as parts:
        await becomes(lambda: len(server.requests) == 2)
        assert not [note for note in parts.notes if "deletion_cost" in note]
    wishing = Joined(server, server.folder, replace(LABEL, cost=True))
    wishing.start()
    await becomes(lambda: any("deletion_cost has no effect" in note for note in wishing.notes))
    await wishing.api.leave()
    server.change(ownerReferences=[{"kind": "ReplicaSet", "controller": True}])
    keeping = Joined(server, server.folder, replace(LABEL, cost=True))
    keeping.start()
    await becomes(lambda: bool(keeping.graces))
    began = now()
    await keeping.api.leave()
    assert now() - began < LAST_WORDS
