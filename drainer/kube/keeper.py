"""Keeps the pod's deletion cost at what its connections are worth, while it serves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from drainer import deletion_cost
from drainer.deletion import Deletion, Pod
from drainer.keys import DELETION_COST
from drainer.kube import bodies
from drainer.kube.backoff import Backoff
from drainer.kube.words import ApiError
from drainer.phases import Phase
from drainer.status import Status

LOOK_EVERY = 10.0
"""Seconds between two looks at the number of connections; no request is made for one."""


class Source(Protocol):
    """Who can be asked; whatever fails is an ApiError."""

    async def get(self, *, whole: bool = False) -> Mapping[str, Any]: ...


class Writer(Protocol):
    """Who writes at the pod."""

    @property
    def cost(self) -> str | None:
        """What stands there, as far as it knows."""
        ...

    def value(self, cost: str) -> None:
        """It should stand there from now on."""
        ...


class Keeper:
    """A value that somebody else has written is left alone, and nothing is written from then on."""

    def __init__(
        self,
        client: Source,
        writer: Writer,
        pod: Pod,
        on_note: Callable[[str], None],
        random: Callable[[], float],
    ) -> None:
        self._client = client
        self._writer = writer
        self._pod = pod
        self._on_note = on_note
        self._random = random
        self._loop = asyncio.get_running_loop()
        self._backoff = Backoff(random)

    async def run(self, first: Mapping[str, Any], status: Callable[[], Status]) -> None:
        """From the pod as it was first seen, until cancelled or in vain."""
        kind = bodies.controller(first)
        if not kind or kind in deletion_cost.DEAF:
            made_by = f"a {kind}" if kind else "no controller"
            self._on_note(f"deletion_cost has no effect: {made_by} has made the pod, and only a ReplicaSet looks at it")
            return
        if self._is_foreign(first):
            return
        # Not all pods of a rollout at once.
        next_at = self._loop.time() + deletion_cost.SPREAD * self._random()
        while True:
            await asyncio.sleep(LOOK_EVERY)  # noqa: TID251 - nobody waits for it
            now = status()
            wanted = deletion_cost.cost(now.census.live, int(self._writer.cost or 0))
            if self._loop.time() < next_at or wanted == int(self._writer.cost or 0) or not _is_at_rest(now):
                continue
            try:
                pod = await self._client.get()
            except ApiError as error:
                next_at = self._loop.time() + self._backoff.after(error)
                continue
            self._backoff.reset()
            if bodies.sighting(pod, self._pod.uid) is None or self._is_foreign(pod):
                return
            self._writer.value(str(wanted))
            next_at = self._loop.time() + deletion_cost.APART + deletion_cost.SPREAD * self._random()

    def _is_foreign(self, pod: Mapping[str, Any]) -> bool:
        """Whether somebody else has set it: then it stays, and that is said."""
        found = bodies.cost(pod)
        if found is None or bodies.is_own_cost(pod):
            return False
        self._on_note(f"the pod's {DELETION_COST} is {found}, and no agent has written that: it stays as it is")
        return True


def _is_at_rest(status: Status) -> bool:
    return status.phase is Phase.SERVING and not status.deletion.is_certain and status.deletion is not Deletion.ASKED
