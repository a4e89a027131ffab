"""The parts of this package, joined: what the agent is told of its app, and what the app's probes ask."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from drainer.cost import Reading
from drainer.errors import SocketTableError
from drainer.health.client import Conversation
from drainer.health.desk import Desk, Teller
from drainer.health.own import OwnAddresses
from drainer.health.prober import Prober
from drainer.health.sampler import Sampler, Source
from drainer.sockets.roster import Roster
from drainer.status import Status
from drainer.target import HealthPlan
from drainer.vitals import Vitals
from drainer.web import Route
from drainer.worker import Worker

if TYPE_CHECKING:
    from drainer.kube.client import Client


class Parts:
    """Made before anything is counted: whoever counts must know `peers`. `begin` in a running event loop."""

    def __init__(self, plan: HealthPlan, ports: Sequence[int]) -> None:
        self._plan = plan
        self._ports = ports
        self._own = OwnAddresses()
        self._roster = Roster(ports)
        self._worker = Worker("health")
        self._desk: Desk | None = None
        self._sampler: Sampler | None = None
        self._sampling: asyncio.Task[None] | None = None
        self._ends = contextlib.AsyncExitStack()
        self._ends.callback(self._roster.close)
        self._ends.callback(self._own.close)

    @property
    def peers(self) -> tuple[str, ...]:
        """Whom nobody should count: the agent's own handshakes."""
        return self._own.peers

    @property
    def routes(self) -> Sequence[Route]:
        """More paths for the server; none where only the usage is looked at."""
        return self._desk.routes if self._desk else ()

    def vitals(self) -> Vitals:
        """What is known now."""
        return Vitals(
            health=self._desk.latest if self._desk else None,
            usage=self._sampler.usage if self._sampler else None,
        )

    def begin(self, status: Callable[[], Status], teller: Teller, client: Client | None) -> None:
        """Look at the app from now on. `client` asks the API; None where it is not used."""
        plan, target = self._plan, self._plan.target
        if target is not None:
            prober = Prober(
                lambda: Conversation(target, self._own, self._addresses),
                interval=plan.interval,
                within=plan.bounds.latency,
            )
            self._ends.push_async_callback(prober.stop)
            self._desk = Desk(prober, plan.bounds, plan.misses, status, teller)
        if plan.sources:
            self._sampler = Sampler(self._sources(client), plan.usage_interval, lambda: status().census.shown)
            self._sampling = asyncio.get_running_loop().create_task(self._sampler.run(), name="the app's usage")

    async def stop(self) -> None:
        """Leave nothing behind."""
        if self._sampling is not None:
            self._sampling.cancel()
            await asyncio.wait([self._sampling])
        await self._ends.aclose()

    def _sources(self, client: Client | None) -> dict[str, Source]:
        made: dict[str, Source] = {}
        for name in self._plan.sources:
            if name == "processes":
                made[name] = self._processes()
            elif client is not None:
                from drainer.health.pod_metrics import PodMetrics  # noqa: PLC0415 - only where it is asked for

                made[name] = PodMetrics(client.metrics, lambda: client.get(whole=True), self._ports).read
        return made

    def _processes(self) -> Source:
        from drainer.health.processes import Processes  # noqa: PLC0415 - psutil costs memory and start time

        processes = Processes(self._roster.listeners)

        async def read(now: float) -> Reading:
            return await self._worker.run(lambda: processes.read(now))

        return read

    async def _addresses(self) -> list[str]:
        """Where somebody listens on the port that is asked."""
        try:
            listeners = await self._worker.run(self._roster.listeners)
        except SocketTableError:
            return []
        return [
            listener.address for listener in listeners if self._plan.target and listener.port == self._plan.target.port
        ]
