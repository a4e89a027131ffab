"""The API's word on the own pod's deletion: one GET at the start, and a watch while somebody wants to know."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from typing import Any, Protocol

from drainer.deletion import Deletion, Sighting
from drainer.kube import bodies
from drainer.kube.backoff import Backoff
from drainer.kube.words import ApiError, ApiResult

ASKED_FOR = 1.0
"""Seconds that an answer is waited for before it counts as unknown."""
SURE_AFTER = 2.0
"""Seconds between the two looks that a pod must not be there in."""
LINGER = 10.0
"""Seconds that a watch outlives who wanted it: whoever calls and hangs up again must not cost a request each time."""


class Source(Protocol):
    """Who can be asked; whatever fails is an ApiError."""

    @property
    def requests(self) -> Mapping[str, Mapping[str, int]]: ...
    async def get(self, *, whole: bool = False) -> Mapping[str, Any]: ...
    def watch(self, version: str) -> AsyncGenerator[tuple[str, Mapping[str, Any]], None]: ...


class PodWatch:
    """A `deletion.PodWatch`. Nothing that goes wrong here is raised: it is counted, said once, and tried again."""

    def __init__(self, client: Source, uid: str, random: Callable[[], float], *, keeps_cost: bool = False) -> None:
        """`keeps_cost`: see deletion.PodWatch."""
        self.keeps_cost = keeps_cost
        self._client = client
        self._uid = uid
        self._random = random
        self._loop = asyncio.get_running_loop()
        self._on_sighting: Callable[[Sighting], None] | None = None
        self._latest = Sighting()
        self._has_been_seen = False
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def requests(self) -> Mapping[str, Mapping[str, int]]:
        """See deletion.PodWatch."""
        return self._client.requests

    async def first_look(self) -> Mapping[str, Any] | None:
        """The whole pod, as soon as it can be had; None if the pod of that name is another one."""
        backoff = Backoff(self._random)
        while True:
            try:
                pod = await self._client.get(whole=True)
            except ApiError as error:
                await _pause(backoff.after(error))
                continue
            if bodies.sighting(pod, self._uid) is None:
                return None
            self._has_been_seen = True
            return pod

    def follow(self, on_sighting: Callable[[Sighting], None] | None) -> None:
        """See deletion.PodWatch."""
        if (on_sighting is None) is (self._on_sighting is None):
            return
        self._on_sighting = on_sighting
        self._cancel_timer()
        if on_sighting is None:
            self._timer = self._loop.call_later(LINGER, self.stop)
            return
        on_sighting(Sighting(Deletion.ASKED))
        self._timer = self._loop.call_later(ASKED_FOR, self._no_answer)
        if self._task is None:
            self._latest = Sighting(Deletion.ASKED)
            self._task = self._loop.create_task(self._watch(), name="watch the own pod")
        else:
            self._loop.call_soon(lambda: self._tell(self._latest))

    def stop(self) -> None:
        """No more requests."""
        self._cancel_timer()
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def leave(self) -> None:
        """The same, and no open connection: what is cancelled once more while it closes one would leave it open."""
        task = self._task
        self.stop()
        if task is not None:
            await asyncio.wait([task])

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _no_answer(self) -> None:
        if self._latest.deletion is Deletion.ASKED:
            self._tell(Sighting(Deletion.UNKNOWN))

    def _tell(self, sighting: Sighting) -> None:
        self._latest = sighting
        if self._on_sighting is not None:
            self._on_sighting(sighting)

    async def _watch(self) -> None:
        backoff = Backoff(self._random)
        missed_before = False
        while True:
            seconds, is_absent = await self._watch_once(backoff)
            # 401 and 403 say nothing about the pod, and a pod that was never seen may only be called otherwise.
            missed = is_absent and self._has_been_seen
            if missed and missed_before:
                self._tell(Sighting(Deletion.FORCED))
                return
            missed_before = missed
            await _pause(SURE_AFTER if missed else seconds)

    async def _watch_once(self, backoff: Backoff) -> tuple[float, bool]:
        """Look, and follow the changes until the stream ends: (seconds to wait, whether the pod was not there)."""
        try:
            pod = await self._client.get()
            if not self._see(pod):
                return backoff.after(ApiError(ApiResult.CONFLICT)), True
            async with aclosing(self._client.watch(bodies.version(pod))) as changes:
                async for kind, changed in changes:
                    backoff.reset()
                    if kind == "DELETED" or (kind != "BOOKMARK" and not self._see(changed)):
                        break  # Look again: what is not there then was deleted.
        except ApiError as error:
            return backoff.after(error), error.result is ApiResult.NOT_FOUND
        return backoff.after(ApiError(ApiResult.EXPIRED)), False

    def _see(self, pod: Mapping[str, Any]) -> bool:
        """Tell what this object says; False if it is another pod."""
        sighting = bodies.sighting(pod, self._uid)
        if sighting is None:
            return False
        self._has_been_seen = True
        if sighting != self._latest:
            self._tell(sighting)
        return True


async def _pause(seconds: float) -> None:
    """Nobody ends a pause early but by a cancellation."""
    await asyncio.sleep(seconds)  # noqa: TID251 - see above
