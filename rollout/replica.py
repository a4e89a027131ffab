"""One replica: the app and the agent beside it, started and stopped as the kubelet does it."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

from demo.kubelet import HOOK, LEAST_GRACE, PROBE, get
from rollout.accounts import Stop
from rollout.processes import HOST, Ports, Program, launch, listening, ready
from rollout.servers import Server
from rollout.strategies import Strategy, Times

START_TIMEOUT = 20.0


class Replica:
    """Made by `start`."""

    def __init__(self, name: str, strategy: Strategy, times: Times, app: Program, port: int, ledger: Path) -> None:
        self.name = name
        self.port = port
        self._strategy = strategy
        self._times = times
        self._app = app
        self._ledger = ledger
        self._agent: Program | None = None
        self._agent_port = 0

    @classmethod
    async def start(
        cls,
        name: str,
        server: Server,
        strategy: Strategy,
        times: Times,
        ports: Ports,
        folder: Path,
        cleanup: AsyncExitStack,
    ) -> Replica:
        """Returns when it is ready. Raises RolloutError."""
        port, notify_port = ports.take(), ports.take() if strategy.notifies else 0
        ledger = folder / f"{name}.ledger"
        app = await server.launch(port, ledger, notify_port)
        cleanup.push_async_callback(app.kill)
        await listening(app, port, START_TIMEOUT)
        replica = cls(name, strategy, times, app, port, ledger)
        if strategy.has_agent:
            await replica._start_agent(ports.take(), notify_port, cleanup)
        return replica

    async def stop(self, drain: Callable[[int], Awaitable[None]]) -> Stop:
        """As the kubelet does it, while the balancer learns of it by `drain` a little later."""
        began_at = time.monotonic()
        learning = asyncio.create_task(self._tell(drain))
        outcome = await self._hook()
        over = time.monotonic() - began_at
        code = await self._app.stop(max(LEAST_GRACE, self._times.grace - int(over)))
        gone_at = time.monotonic()
        if self._agent is not None:
            await self._agent.stop(max(LEAST_GRACE, self._times.grace - (gone_at - began_at)))
        await learning
        pushed = await asyncio.to_thread(self._read_ledger)
        return Stop(self.name, began_at, gone_at, code == -signal.SIGKILL, pushed, outcome)

    async def _tell(self, drain: Callable[[int], Awaitable[None]]) -> None:
        await asyncio.sleep(self._times.lag)
        await drain(self.port)

    async def _hook(self) -> str:
        """The preStop hook; returns the agent's word for how its drain ended."""
        if self._strategy.sleeps:
            await asyncio.sleep(self._times.sleep)
        if self._agent is None:
            return ""
        try:
            async with asyncio.timeout(self._times.grace):
                _, body = await get(self._agent_port, "/drain", HOOK)
            outcome: str = json.loads(body)["outcome"]
        except (OSError, ValueError, KeyError, TypeError):
            return "no answer"
        return outcome

    async def _start_agent(self, port: int, notify_port: int, cleanup: AsyncExitStack) -> None:
        times = self._times
        settings = {
            "app_ports": self.port,
            "host": HOST,
            "port": port,
            "grace_period": times.grace,
            "app_reserve": times.app_reserve,
            "settle": times.settle,
            "close": self._strategy.close,
            "escalate_after": times.escalate_after,
        }
        if notify_port:
            settings |= {"notify_url": f"http://{HOST}:{notify_port}/close", "notify_mode": "batch"}
        environ = {f"DRAINER_{name.upper()}": str(value) for name, value in settings.items()}
        agent = self._agent = await launch("agent", sys.executable, "-m", "drainer", "run", environ=environ)
        self._agent_port = port
        cleanup.push_async_callback(agent.kill)

        async def is_ready() -> bool:
            return (await get(port, "/readyz", PROBE))[0] == 200

        await ready(agent, is_ready, START_TIMEOUT)

    def _read_ledger(self) -> dict[str, list[float]]:
        pushed: dict[str, list[float]] = {}
        for line in self._ledger.read_text(encoding="utf-8").splitlines():
            name, number, at = line.split()
            moments = pushed.setdefault(name, [])
            if number != "0":
                moments.append(float(at))
        return pushed
