"""The own pod as the API gives it, and an API that the test plays."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from typing import Any

from drainer.deletion import Pod
from drainer.kube.words import ApiError, ApiResult
from tests.unit.fakes import now

POD = Pod("ws-0", "chat", "7d1f6a52-0001", ("192.0.2.10", 443))


def pod(
    *, uid: str = POD.uid, deletion: object = ..., version: str = "1", labels: object = None, conditions: object = None
) -> dict[str, Any]:
    """`deletion`: its deletionGracePeriodSeconds, if it is being deleted."""
    metadata: dict[str, Any] = {"uid": uid, "resourceVersion": version, "labels": labels or {}}
    if deletion is not ...:
        metadata |= {"deletionTimestamp": "2026-01-01T00:00:00Z", "deletionGracePeriodSeconds": deletion}
    return {"metadata": metadata, "status": {"conditions": conditions or []}}


def failure(result: ApiResult, retry_after: float = 0.0) -> ApiError:
    return ApiError(result, "a bad day", retry_after)


Change = tuple[str, Mapping[str, Any]]


class FakeSource:
    """A `watch.Source`. `pod` is what a GET finds now; `say` speaks on the stream that is open."""

    def __init__(self) -> None:
        self.pod: Mapping[str, Any] | ApiError = pod()
        self.watch_failure: ApiError | None = None
        self.hangs = False
        self.gets: list[float] = []
        self.watches: list[tuple[float, str]] = []
        """(when, from which version)."""
        self.open = 0
        self.requests: Mapping[str, Mapping[str, int]] = {}
        self._stream: asyncio.Queue[Change | ApiError | None] = asyncio.Queue()

    async def get(self, *, whole: bool = False) -> Mapping[str, Any]:
        self.gets.append(now())
        if self.hangs:
            await asyncio.get_running_loop().create_future()
        if isinstance(self.pod, ApiError):
            raise self.pod
        return self.pod

    async def watch(self, version: str) -> AsyncGenerator[Change, None]:
        self.watches.append((now(), version))
        if self.watch_failure is not None:
            raise self.watch_failure
        self._stream = asyncio.Queue()
        self.open += 1
        try:
            while (change := await self._stream.get()) is not None:
                if isinstance(change, ApiError):
                    raise change
                yield change
        finally:
            self.open -= 1

    def say(self, kind: str, changed: Mapping[str, Any]) -> None:
        self._stream.put_nowait((kind, changed))

    def end(self, error: ApiError | None = None) -> None:
        """The stream ends, well or not."""
        self._stream.put_nowait(error)


class FakeSink:
    """A `reporter.Sink` that remembers, and fails as long as the test says so."""

    def __init__(self) -> None:
        self.patches: list[tuple[float, Mapping[str, Any]]] = []
        self.events: list[tuple[float, Mapping[str, Any]]] = []
        self.patch_failure: ApiError | None = None
        self.event_failure: ApiError | None = None
        self.takes = 0.0
        """Loop seconds of each call."""

    async def patch(self, body: Mapping[str, Any]) -> None:
        self.patches.append((now(), body))
        await asyncio.sleep(self.takes)
        if self.patch_failure is not None:
            raise self.patch_failure

    async def create_event(self, body: Mapping[str, Any]) -> None:
        self.events.append((now(), body))
        await asyncio.sleep(self.takes)
        if self.event_failure is not None:
            raise self.event_failure
