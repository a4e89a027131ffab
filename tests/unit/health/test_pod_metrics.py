from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import pytest

from drainer.health.absent import AbsentError
from drainer.health.pod_metrics import PodMetrics, serving
from drainer.kube.words import ApiError, ApiResult

POD: dict[str, Any] = {
    "spec": {
        "containers": [
            {"name": "app", "ports": [{"containerPort": 8080}]},
            {"name": "worker"},
            {"name": "drainer", "ports": [{"containerPort": 9808}]},
        ]
    }
}
METRICS: dict[str, Any] = {
    "timestamp": "2026-01-01T00:00:00Z",
    "window": "15.1s",
    "containers": [
        {"name": "app", "usage": {"cpu": "250m", "memory": "102400Ki"}},
        {"name": "worker", "usage": {"cpu": "12345678n", "memory": "1Mi"}},
        {"name": "drainer", "usage": {"cpu": "1m", "memory": "50Mi"}},
    ],
}


class Server:
    """Says what the test says."""

    def __init__(self) -> None:
        self.pod: Any = copy.deepcopy(POD)
        self.metrics: Any = copy.deepcopy(METRICS)
        self.pods = 0

    async def get_pod(self) -> Mapping[str, Any]:
        self.pods += 1
        return self._answer(self.pod)

    async def get_metrics(self) -> Mapping[str, Any]:
        return self._answer(self.metrics)

    def _answer(self, value: Any) -> Mapping[str, Any]:
        if isinstance(value, Exception):
            raise value
        answer: Mapping[str, Any] = value
        return answer

    def source(self) -> PodMetrics:
        return PodMetrics(self.get_metrics, self.get_pod, [8080])


async def test_it_is_of_the_containers_that_declare_an_app_port() -> None:
    server = Server()
    reading = await server.source().read(7.0)
    assert (reading.at, reading.memory, reading.cpu_seconds, reading.of) == (7.0, 100 * 2**20, 0.0, "app")
    assert reading.descriptors is None


async def test_cpu_seconds_are_the_sum_of_the_windows() -> None:
    server = Server()
    source = server.source()
    await source.read(0.0)
    for second in (15, 30):
        server.metrics["timestamp"] = f"2026-01-01T00:00:{second}Z"
        reading = await source.read(float(second))
    assert reading.cpu_seconds == pytest.approx(30 * 0.25)
    assert server.pods == 1


async def test_what_was_not_measured_anew_is_the_same_reading() -> None:
    source = Server().source()
    first = await source.read(0.0)
    assert await source.read(15.0) is first


async def test_a_clock_that_goes_back_takes_nothing_away() -> None:
    server = Server()
    source = server.source()
    await source.read(0.0)
    server.metrics["timestamp"] = "2025-12-31T23:59:00Z"
    assert (await source.read(15.0)).cpu_seconds == 0


@pytest.mark.parametrize(
    ("containers", "names"),
    [
        ([], set()),
        ([{"name": "app"}, {"name": "drainer"}], {"app"}),
        ([{"name": "a", "ports": [{"containerPort": 8080}]}, {"name": "b", "ports": None}], {"a"}),
    ],
)
def test_where_none_declares_a_port_all_but_the_agent_are_the_app(containers: list[Any], names: set[str]) -> None:
    assert serving({"spec": {"containers": containers}}, [8080]) == names
    assert serving({}, [8080]) == set()


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        (ApiError(ApiResult.FORBIDDEN, "no right"), "metrics.k8s.io: forbidden (no right)"),
        (ApiError(ApiResult.NOT_FOUND), "metrics.k8s.io: not_found"),
        ({}, "metrics.k8s.io: an answer that cannot be read"),
        ({**METRICS, "timestamp": "soon"}, "metrics.k8s.io: an answer that cannot be read"),
        ({**METRICS, "containers": None}, "metrics.k8s.io: an answer that cannot be read"),
        ({**METRICS, "containers": [{"name": "app", "usage": {"cpu": "much", "memory": "1"}}]},
         "metrics.k8s.io: an answer that cannot be read"),
        ({**METRICS, "containers": []}, "metrics.k8s.io: nothing about the app's containers yet"),
    ],
    ids=range(7),
)  # fmt: skip
async def test_what_cannot_be_had_is_said_in_one_sentence(failure: Any, said: str) -> None:
    server = Server()
    server.metrics = failure
    with pytest.raises(AbsentError) as caught:
        await server.source().read(0.0)
    assert str(caught.value) == said


async def test_a_pod_that_cannot_be_read_is_asked_for_again() -> None:
    server = Server()
    server.pod = ApiError(ApiResult.TIMEOUT)
    source = server.source()
    with pytest.raises(AbsentError, match="timeout"):
        await source.read(0.0)
    server.pod = {"spec": []}
    with pytest.raises(AbsentError, match="cannot be read"):
        await source.read(0.0)
    server.pod = POD
    assert (await source.read(0.0)).of == "app"
