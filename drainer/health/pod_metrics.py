"""The app's memory and CPU as metrics.k8s.io has them, where its processes cannot be seen."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from drainer.cost import Reading
from drainer.health.absent import AbsentError
from drainer.kube.words import ApiError
from drainer.quantity import quantity
from drainer.sidecar import NAME

Get = Callable[[], Awaitable[Mapping[str, Any]]]


class PodMetrics:
    """Of the containers that declare an app port; where none does, of all but the agent.

    metrics-server tells cores over a window of its own, one window after the other (15 s by default): CPU seconds are
    their sum since the agent began.
    """

    def __init__(self, metrics: Get, pod: Get, ports: Collection[int]) -> None:
        """`metrics` gets the PodMetrics, `pod` the whole pod; both raise ApiError."""
        self._metrics = metrics
        self._pod = pod
        self._ports = ports
        self._names: frozenset[str] | None = None
        self._measured_at: datetime | None = None
        self._reading: Reading | None = None

    async def read(self, now: float) -> Reading:
        """What they took last; the same as before if nothing was measured since. Raises AbsentError with the reason."""
        try:
            if self._names is None:
                self._names = serving(await self._pod(), self._ports)
            return self._take(await self._metrics(), now)
        except ApiError as error:
            raise AbsentError(f"metrics.k8s.io: {error.result}{error.detail and f' ({error.detail})'}") from error
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise AbsentError("metrics.k8s.io: an answer that cannot be read") from error

    def _take(self, answer: Mapping[str, Any], now: float) -> Reading:
        measured_at = datetime.fromisoformat(answer["timestamp"])
        found = [one for one in answer["containers"] if self._names is None or one["name"] in self._names]
        if not found:
            raise AbsentError("metrics.k8s.io: nothing about the app's containers yet")
        before, self._measured_at = self._measured_at, measured_at
        if self._reading is not None and before == measured_at:
            return self._reading
        seconds = (measured_at - before).total_seconds() if before else 0.0
        spent = self._reading.cpu_seconds or 0.0 if self._reading else 0.0
        cores = sum(quantity(one["usage"]["cpu"]) for one in found)
        self._reading = Reading(
            at=now,
            memory=round(sum(quantity(one["usage"]["memory"]) for one in found)),
            cpu_seconds=spent + cores * max(0.0, seconds),
            of=", ".join(sorted(one["name"] for one in found)),
        )
        return self._reading


def serving(pod: Mapping[str, Any], ports: Collection[int]) -> frozenset[str]:
    """The names of the containers whose memory is the app's."""
    containers: Sequence[Mapping[str, Any]] = pod.get("spec", {}).get("containers") or ()
    names = {one["name"]: {port.get("containerPort") for port in one.get("ports") or ()} for one in containers}
    declaring = frozenset(name for name, declared in names.items() if declared.intersection(ports))
    return declaring or frozenset(names) - {NAME}
