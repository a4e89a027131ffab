"""A client of the Kubernetes API, and what it says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from drainer.deletion import Pod
from drainer.kube import bodies
from drainer.kube.access import Access
from drainer.kube.bodies import Condition, State
from drainer.kube.client import Client
from drainer.kube.words import ApiError, Operation
from drainer.stories import Story
from tests.kube_api import NAME, NAMESPACE, UID, KubeApi

ANSWER_WITHIN = 0.5
STARTED = Story("DrainStarted", "It begins.")
WANTED = State("false", Condition(is_true=False, story=STARTED))
TIME = "2026-11-25T10:00:00Z"

Call = Callable[["Asking"], Awaitable[object]]


class Asking:
    """A client and what it has said."""

    def __init__(
        self, api: KubeApi, *, host: str = "127.0.0.1", folder: Path | None = None, answer_within: float = 20.0
    ) -> None:
        self.pod = Pod(NAME, NAMESPACE, UID, (host, api.port))
        self.troubles: list[str] = []
        access = Access(self.pod.server, folder or api.folder)
        self.client = Client(access, self.pod, self.troubles.append, answer_within=answer_within)

    def counted(self, operation: Operation) -> dict[str, int]:
        return {result: count for result, count in self.client.requests[operation].items() if count}

    async def get(self) -> Mapping[str, Any]:
        return await self.client.get()

    async def watch(self) -> object:
        async with aclosing(self.client.watch("100")) as changes:
            return [change async for change in changes]

    async def patch(self) -> None:
        await self.client.patch(bodies.patch(self.pod, State(), WANTED, TIME))

    async def event(self) -> None:
        await self.client.create_event(bodies.event(self.pod, STARTED, TIME, "abc"))

    async def slices(self) -> object:
        return await self.client.slices()

    async def metrics(self) -> Mapping[str, Any]:
        return await self.client.metrics()


CALLS = {
    Operation.GET: Asking.get, Operation.WATCH: Asking.watch, Operation.PATCH: Asking.patch,
    Operation.EVENT: Asking.event, Operation.LIST: Asking.slices, Operation.METRICS: Asking.metrics,
}  # fmt: skip


async def failed(asking: Asking, operation: Operation) -> ApiError:
    with pytest.raises(ApiError) as raised:
        await CALLS[operation](asking)
    return raised.value


@asynccontextmanager
async def watching(asking: Asking, version: str = "") -> AsyncIterator[list[tuple[str, Mapping[str, Any]]]]:
    """The changes that come while the block runs; a failure is its last one."""
    seen: list[tuple[str, Mapping[str, Any]]] = []
    version = version or bodies.version(await asking.get())

    async def watch() -> None:
        try:
            async with aclosing(asking.client.watch(version)) as changes:
                async for change in changes:
                    seen.append(change)  # noqa: PERF401 - each as it comes
        except ApiError as error:
            seen.append((error.result, {}))
        else:
            seen.append(("the end", {}))

    task = asyncio.create_task(watch())
    try:
        yield seen
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
