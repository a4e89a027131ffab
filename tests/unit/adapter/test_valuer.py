"""The deletion costs of a fleet in fake time: only while an HPA waits, one after the other, and never in a storm."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from drainer.adapter.autoscalers import Target
from drainer.adapter.fleet import Fleet
from drainer.adapter.pods import pod_of
from drainer.adapter.valuer import FORBIDDEN_FOR, SELECTOR_FOR, WRITES_A_LOOK, WRITES_APART, Valuer
from drainer.keys import DELETION_COST
from drainer.kube.words import ApiError, ApiResult
from tests.adapter.cluster import SCALE
from tests.adapter.objects import pod
from tests.unit.adapter.test_fleet import made, read
from tests.unit.fakes import now, until

pytestmark = pytest.mark.looptime

TARGET = Target("chat", "by-load", "apps", "Deployment", "ws")
FEED = Target("chat", "feed", "apps", "Deployment", "feed")


class World:
    """An API server with pods, as far as a valuer asks it."""

    def __init__(self) -> None:
        self.fleet = Fleet()
        self.objects: dict[str, Any] = {
            "/apis/apps": {"preferredVersion": {"groupVersion": "apps/v1"}},
            "/apis/apps/v1": {
                "resources": [
                    {"name": "deployments/scale", "kind": "Scale"},
                    {"name": "deployments/status", "kind": "Deployment"},
                    {"name": "deployments", "kind": "Deployment"},
                ]
            },
            SCALE: {"status": {"selector": "app=ws"}},
            SCALE.replace("/ws/", "/feed/"): {"status": {"selector": "app=feed"}},
        }
        self.fails: dict[str, ApiResult] = {}
        """The end of a path -> what comes of it."""
        self.asked: list[tuple[float, str]] = []
        self.written: list[tuple[float, str, str]] = []
        self.odd_answers = False
        self.notes: list[str] = []
        self.troubles: list[str] = []
        self.valuer = Valuer(self.ask, self.fleet, lambda: 0.5, self.notes.append, self.troubles.append)

    def put(self, name: str, connections: int, **changes: Any) -> None:
        found = made(name, **changes)
        self.fleet.put(found)
        self.fleet.read(found, read(connections))

    def wait(self, *targets: Target) -> None:
        self.valuer.autoscalers.replace(targets)

    async def ask(self, method: str, path: str, body: Any = None, content_type: str = "") -> Any:
        path, _, query = path.partition("?")
        self.asked.append((now(), path))
        for end, result in self.fails.items():
            if path.endswith(end):
                raise ApiError(result, "a bad day")
        if method == "GET":
            return self.objects[path]
        assert (content_type, query) == ("application/merge-patch+json", "fieldManager=drainer-adapter")
        name = path.removesuffix("/status").rpartition("/")[2]
        assert (body["metadata"]["uid"], body["metadata"]["resourceVersion"]) == (f"uid-chat-{name}", "")
        cost = body["metadata"]["annotations"][DELETION_COST]
        self.written.append((now(), name, cost))
        return {} if self.odd_answers else pod(name, cost=cost)

    def count(self, end: str) -> int:
        return sum(path.endswith(end) for _, path in self.asked)


@asynccontextmanager
async def world() -> AsyncIterator[World]:
    made_here = World()
    running = asyncio.create_task(made_here.valuer.run())
    try:
        yield made_here
        assert not running.done()
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_nothing_is_asked_while_nobody_waits() -> None:
    async with world() as here:
        here.put("a", 500)
        await until(10_000)
        assert here.asked == []


async def test_while_an_hpa_waits_the_costs_of_its_pods_are_written_once() -> None:
    async with world() as here:
        here.put("a", 3)
        here.put("b", 500)
        here.put("c", 500, labels={"app": "feed"})
        here.put("d", 500, namespace="other")
        here.wait(TARGET)
        await until(59)
        assert here.written == [(5.0, "b", "256"), (5.0 + WRITES_APART, "a", "2")]
        assert here.notes == [
            "the HPA chat/by-load waits to scale down: the emptiest pods of the Deployment chat/ws go first"
        ]
        assert here.valuer.writes["ok"] == 2
        here.wait()
        await until(70)
        assert here.notes[1:] == ["the HPA chat/by-load does not wait any more; deletion costs written here: 2"]


async def test_an_hpa_that_waits_over_pods_that_are_worth_nothing_is_not_worth_a_word() -> None:
    async with world() as here:
        here.put("a", 0)
        here.wait(TARGET)
        await until(20)
        here.wait()
        await until(30)
        assert (here.written, here.notes, here.troubles) == ([], [], [])


async def test_the_selector_is_asked_once_a_minute() -> None:
    async with world() as here:
        here.wait(TARGET)
        await until(5 + SELECTOR_FOR - 1)
        assert here.count("/scale") == 1
        await until(6 + 2 * SELECTOR_FOR)
        assert here.count("/scale") == 3


async def test_a_large_fleet_is_written_bit_by_bit_and_keeps_no_other_waiting() -> None:
    async with world() as here:
        for number in range(2 * WRITES_A_LOOK):
            here.put(f"ws-{number}", 500)
        here.put("feed", 7, labels={"app": "feed"})
        here.wait(TARGET, FEED)
        await until(5 + WRITES_A_LOOK * WRITES_APART + 1)
        assert [name for _, name, _ in here.written].index("feed") == WRITES_A_LOOK
        await until(60)
        assert len(here.written) == 2 * WRITES_A_LOOK + 1
        gaps = [later - before for (before, *_), (later, *_) in zip(here.written, here.written[1:], strict=False)]
        assert min(gaps) >= WRITES_APART - 1e-6


async def test_when_the_hpa_waits_no_more_nothing_more_is_written() -> None:
    async with world() as here:
        for number in range(20):
            here.put(f"ws-{number}", 500)
        here.wait(TARGET)
        await until(5.55)
        here.wait()
        await until(100)
        assert len(here.written) == 6


@pytest.mark.parametrize("result", [ApiResult.CONFLICT, ApiResult.NOT_FOUND])
async def test_what_is_about_one_pod_keeps_no_other_from_its_cost(result: ApiResult) -> None:
    async with world() as here:
        here.put("a", 500)
        here.put("b", 3)
        here.fails["/a/status"] = result
        here.wait(TARGET)
        await until(14)
        assert [name for _, name, _ in here.written] == ["b"]
        assert (here.valuer.writes[result], here.troubles) == (2, [])
        here.fails.clear()
        await until(20)
        assert [name for _, name, _ in here.written] == ["b", "a"]


@pytest.mark.parametrize("end", ["/status", "/scale", "/apis/apps"])
async def test_what_is_forbidden_is_said_once_and_tried_again_after_a_minute(end: str) -> None:
    async with world() as here:
        here.put("a", 500)
        here.put("b", 3)
        here.fails[end] = ApiResult.FORBIDDEN
        here.wait(TARGET)
        await until(5 + 3 * FORBIDDEN_FOR)
        assert here.troubles == ["deletion costs for the Deployment chat/ws: forbidden (a bad day)"]
        assert here.count(end) == 3
        here.fails.clear()
        await until(5 + 5 * FORBIDDEN_FOR)
        assert len(here.written) == 2


async def test_an_api_that_is_away_is_asked_less_and_less_and_what_is_new_is_said() -> None:
    async with world() as here:
        here.put("a", 500)
        here.fails["/status"] = ApiResult.UNREACHABLE
        here.wait(TARGET)
        await until(600)
        assert 10 < here.count("/status") < 25
        here.fails["/status"] = ApiResult.INVALID
        await until(700)
        assert [trouble.partition(": ")[2] for trouble in here.troubles] == [
            "unreachable (a bad day)", "invalid (a bad day)"
        ]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "answer", "said"),
    [
        (SCALE, {"status": {}}, "its scale is missing a selector"),
        (SCALE, [], "its scale is missing a selector"),
        (SCALE, {"status": {"selector": "app in ws"}}, "found 'ws', expected: '('"),
        ("/apis/apps/v1", {"resources": "none"}, "the API server knows no Deployment"),
        ("/apis/apps/v1", {"resources": [{"name": "x/y", "kind": "Deployment"}]}, "the API server knows no Deployment"),
    ],
)
async def test_an_answer_that_cannot_be_used_is_said(path: str, answer: Any, said: str) -> None:
    async with world() as here:
        here.objects[path] = answer
        here.wait(TARGET)
        await until(30)
        assert here.troubles == [f"deletion costs for the Deployment chat/ws: odd ({said})"]


async def test_a_controller_of_the_core_group_has_no_group_to_be_asked() -> None:
    async with world() as here:
        here.objects["/api/v1"] = {"resources": [{"name": "replicationcontrollers", "kind": "ReplicationController"}]}
        here.objects["/api/v1/namespaces/chat/replicationcontrollers/old/scale"] = {"status": {"selector": "app=ws"}}
        here.put("a", 500)
        here.wait(Target("chat", "old", "", "ReplicationController", "old"))
        await until(6)
        assert here.written == [(5.0, "a", "256")]


async def test_a_name_of_others_leads_to_no_other_path() -> None:
    async with world() as here:
        here.wait(
            Target("chat", "odd", "../../api", "Deployment", "x"), Target("chat", "o", "apps", "Deployment", "a/b")
        )
        here.fails |= {"%2Fapi": ApiResult.NOT_FOUND, "/scale": ApiResult.NOT_FOUND}
        await until(5.5)
        assert [path for _, path in here.asked if path not in ("/apis/apps", "/apis/apps/v1")] == [
            "/apis/..%2F..%2Fapi",
            "/apis/apps/v1/namespaces/chat/deployments/a%2Fb/scale",
        ]


async def test_an_answer_to_a_write_that_is_no_pod_changes_nothing() -> None:
    async with world() as here:
        here.odd_answers = True
        here.put("a", 500)
        here.wait(TARGET)
        await until(6)
        assert here.written == [(5.0, "a", "256")]
        assert pod_of({}) is None
