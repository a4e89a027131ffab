"""Writes at the pod what the agent does: the serving label, the condition, the deletion cost, Events. Nobody waits."""

from __future__ import annotations

import asyncio
import collections
import secrets
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Protocol

from drainer.cap import Signal
from drainer.deletion import Deletion, Pod
from drainer.kube import bodies
from drainer.kube.backoff import Backoff
from drainer.kube.bodies import Condition, State
from drainer.kube.words import ApiError, ApiResult
from drainer.phases import Announce, Phase
from drainer.policy import Readiness
from drainer.status import Status
from drainer.stories import SERVING, Story, tell

MAX_EVENTS = 8
"""Events that wait to be written; the oldest ones go."""
EVENT_TRIES = 3
_IN_VAIN = frozenset({ApiResult.NOT_FOUND, ApiResult.CONFLICT, ApiResult.INVALID, ApiResult.ODD})
"""Trying the same again would not help."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is switched on."""

    label: bool
    gate: bool
    """The pod has the readiness gate: its condition must be there from the start."""
    condition: bool
    events: bool
    cost: bool = False
    """The deletion cost."""


class Sink(Protocol):
    """Who writes; whatever fails is an ApiError."""

    async def patch(self, body: Mapping[str, Any]) -> None: ...
    async def create_event(self, body: Mapping[str, Any]) -> None: ...


class Reporter:
    """An Observer. `run` writes; everything else only says what should stand there."""

    def __init__(self, client: Sink, pod: Pod, wishes: Wishes, readiness: Readiness, random: Callable[[], float]):
        self._client = client
        self._pod = pod
        self._wishes = wishes
        # Who wants no probe to say it wants the label to.
        self._readiness = Readiness.AUTO if readiness is Readiness.NEVER else readiness
        self._random = random
        self._written = State()
        self._wanted = State()
        self._cost: str | None = None
        self._story = SERVING
        self._status: Status | None = None
        self._begun: tuple[Announce, Status] | None = None
        """The beginning of a drain that is yet to be told."""
        self._is_due = asyncio.Event()
        self._events: collections.deque[Story] = collections.deque(maxlen=MAX_EVENTS)
        self._has_events = asyncio.Event()
        self._is_over = False
        """The pod's object is gone: nothing more is written, since the name may be another one's."""
        self._is_leaving = False

    def begin(self, pod: Mapping[str, Any], status: Status) -> None:
        """The pod as it was first seen: what an agent before this one has left there is put right."""
        self._written = bodies.written(pod)
        if self._status is None:
            self._status = status
        found = self._written.condition
        if found is not None and found.is_true and self._story is SERVING:
            self._story = found.story
        if found is None and not self._wishes.gate:
            # At rest a condition is nobody's business, unless the pod's readiness hangs on it.
            self._written = replace(self._written, condition=Condition(is_true=True, story=SERVING))
        self._wanted = self._written
        self._decide()

    def announced(self, announce: Announce, status: Status) -> None:
        """See Observer."""
        self._status = status
        self._tell_begun(status)
        if status.deletion is Deletion.ASKED:
            self._begun = announce, status
        else:
            self._tell(announce, status)
        self._decide()

    def _tell_begun(self, status: Status) -> None:
        """What the beginning of a drain means is known when the API has answered."""
        if self._begun is not None:
            announce, at_first = self._begun
            self._begun = None
            self._tell(announce, status if status.drain is not None else at_first)

    def _tell(self, announce: Announce, status: Status) -> None:
        story = tell(announce, status)
        if story is not None:
            self._story = story
            if self._wishes.events and not self._is_over:
                self._events.append(story)
                self._has_events.set()

    def sighted(self, status: Status) -> None:
        """See Observer."""
        self._status = status
        if status.deletion is not Deletion.ASKED:
            self._tell_begun(status)
        if status.deletion is Deletion.FORCED:
            self._is_over = True
            self._wanted = self._written
            self._events.clear()
        self._decide()

    def limited(self, status: Status) -> None:
        """See Observer: the label says it, where that was chosen."""
        self._status = status
        self._decide()

    @property
    def cost(self) -> str | None:
        """See keeper.Writer."""
        return self._written.cost

    def value(self, cost: str) -> None:
        """See keeper.Writer. It goes with whatever else is to be written; once a drain has begun it is not."""
        self._cost = cost
        self._decide()

    def noted(self, note: str) -> None:
        """See Observer: nothing for the API."""

    def warned(self, warning: str) -> None:
        """See Observer: nothing for the API."""

    async def run(self) -> None:
        """Write until `leave`."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._write_state())
            tasks.create_task(self._write_events())

    def leave(self) -> None:
        """The agent goes: `run` returns when what is still to be written is written."""
        self._is_leaving = True
        self._is_due.set()
        self._has_events.set()

    def _decide(self) -> None:
        """What should stand at the pod now. While the API is being asked it may become something else at once."""
        status = self._status
        if status is None or self._is_over or status.deletion is Deletion.ASKED:
            return
        self._wanted = State(self._label(status), self._condition(), self._cost_of(status))
        if self._wanted != self._written:
            self._is_due.set()

    def _label(self, status: Status) -> str | None:
        if not self._wishes.label:
            return self._written.label
        is_full = status.limit is not None and status.limit.is_said_by(Signal.LABEL)
        return "true" if self._readiness.is_ready(status.phase, status.deletion) and not is_full else "false"

    def _cost_of(self, status: Status) -> str | None:
        return self._cost if self._cost and status.phase is Phase.SERVING else self._written.cost

    def _condition(self) -> Condition | None:
        if not (self._wishes.gate or self._wishes.condition):
            return self._written.condition
        is_serving = self._status is not None and self._status.phase is Phase.SERVING
        return Condition(is_serving, self._story)

    async def _write_state(self) -> None:
        backoff = Backoff(self._random)
        while self._has_more_to_say() or not self._is_leaving:
            await self._is_due.wait()
            self._is_due.clear()
            if not self._has_more_to_say():
                continue
            wanted = self._wanted
            try:
                await self._client.patch(bodies.patch(self._pod, self._written, wanted, _time()))
            except ApiError as error:
                if error.result in _IN_VAIN and wanted == self._wanted:
                    self._wanted = self._written
                else:
                    await self._wait_to_patch_again(backoff, error)
            else:
                backoff.reset()
                self._written = wanted

    def _has_more_to_say(self) -> bool:
        return self._wanted != self._written and not self._is_over

    async def _wait_to_patch_again(self, backoff: Backoff, error: ApiError) -> None:
        """Until it may work, or something else is to be written."""
        with suppress(TimeoutError):
            async with asyncio.timeout(backoff.after(error)):
                await self._is_due.wait()
        self._is_due.set()

    async def _write_events(self) -> None:
        while not self._is_leaving or self._events:
            await self._has_events.wait()
            self._has_events.clear()
            backoff = Backoff(self._random)
            while self._events and not self._is_over:
                await self._write_event(self._events.popleft(), backoff)

    async def _write_event(self, story: Story, backoff: Backoff) -> None:
        body = bodies.event(self._pod, story, _time(), secrets.token_hex(8))
        for _ in range(EVENT_TRIES):
            if self._is_over:
                return
            try:
                await self._client.create_event(body)
            except ApiError as error:
                if error.result in _IN_VAIN or error.result is ApiResult.FORBIDDEN:
                    return
                await asyncio.sleep(backoff.after(error))  # noqa: TID251 - Events are in nobody's way
            else:
                return


def _time() -> str:
    """Now, for people; no decision rests on it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
