"""The parts of this package, joined: what the agent asks, and what it writes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from drainer.deletion import Pod
from drainer.kube import bodies
from drainer.kube.access import Access
from drainer.kube.client import Client
from drainer.kube.keeper import Keeper
from drainer.kube.neighbours import Neighbours
from drainer.kube.reporter import Reporter, Wishes
from drainer.kube.watch import PodWatch
from drainer.policy import Readiness
from drainer.status import Status

LAST_WORDS = 0.5
"""Seconds that what is still to be written gets at exit."""


class Api:
    """Use it inside a running event loop."""

    def __init__(
        self,
        pod: Pod,
        folder: Path,
        wishes: Wishes,
        readiness: Readiness,
        on_note: Callable[[str], None],
        on_trouble: Callable[[str], None],
        random: Callable[[], float],
    ) -> None:
        """`folder` has the service account; `on_trouble` is told what does not work, a sentence each."""
        self._pod = pod
        self._on_note = on_note
        self._on_trouble = on_trouble
        self.client = client = Client(Access(pod.server, folder), pod, on_trouble)
        self.watch = PodWatch(client, pod.uid, random, keeps_cost=wishes.cost)
        self.reporter = Reporter(client, pod, wishes, readiness, random)
        self.neighbours = Neighbours(client, pod.uid)
        self._keeper = Keeper(client, self.reporter, pod, on_note, random) if wishes.cost else None
        self._task: asyncio.Task[None] | None = None

    def start(self, status: Callable[[], Status], on_grace: Callable[[float], None]) -> None:
        """Look at the pod once, as soon as the API can be reached, and write from then on what the reporter wants."""
        self._task = asyncio.get_running_loop().create_task(self._run(status, on_grace), name="the Kubernetes API")

    async def _run(self, status: Callable[[], Status], on_grace: Callable[[float], None]) -> None:
        pod = await self.watch.first_look()
        if pod is None:
            self._on_trouble(f"the pod {self._pod.name} has another uid than POD_UID says: the API is not used")
            return
        grace = bodies.grace(pod)
        if grace is not None:
            on_grace(grace)
            self._on_note(f"the API knows this pod; its terminationGracePeriodSeconds is {grace:g}")
        self.reporter.begin(pod, status())
        async with asyncio.TaskGroup() as tasks:
            keeping = tasks.create_task(self._keeper.run(pod, status)) if self._keeper else None
            await self.reporter.run()
            if keeping is not None:
                keeping.cancel()

    async def leave(self) -> None:
        """The agent goes: a moment for what is still to be written, then no more requests."""
        await self.watch.leave()
        if self._task is None:
            return
        self.reporter.leave()
        await asyncio.wait([self._task], timeout=LAST_WORDS)
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
