"""The story: a pod serves, is stopped in the kubelet's order, and what became of it is judged."""

from __future__ import annotations

import asyncio
import contextlib
import json
from contextlib import AsyncExitStack
from typing import Any

from demo.app import HOST
from demo.clients import Crowd
from demo.kubelet import HOOK, LEAST_GRACE, PROBE, WATCHER, Container, DemoError, get, start_agent, start_app
from demo.report import APP_RESERVE, Plan, Report
from demo.view import Event, Scene, view_of

AT_REST = 8.0
"""Seconds within which the agent has seen everybody: nobody who reads is given a census older than 5."""


_SENTENCES = {
    "settling": "settling: stale load balancers may still send new clients",
    "draining": "draining: the last one to leave ends the drain",
    "closing": "closing: those who stay are told to go, one by one (1012, service restart)",
    "drained": "drained: everybody has gone, so the hook is answered",
    "deadline": "deadline: some stay, but the app needs time to stop",
}
"""What the agent's words mean."""


class Story:
    """Plays it once."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._now = asyncio.get_running_loop().time
        self._hook_at: float | None = None
        self._all_counted = asyncio.Event()
        self._scene = Scene(
            f"A pod with {plan.clients} WebSocket clients is taken away.", min(plan.lead, 3.0), plan.window
        )
        self._view = view_of(self._scene)

    async def play(self) -> bool:
        """Whether the drain was what it should be. Raises DemoError when something does not start."""
        async with AsyncExitStack() as cleanup:
            with self._view:
                report = await self._play(cleanup)
        good, sentence = report.verdict()
        self._view.summary(report.rows(), sentence, good=good)
        return good

    async def _play(self, cleanup: AsyncExitStack) -> Report:
        plan = self._plan
        app, ports = await start_app()
        cleanup.push_async_callback(app.kill)
        app_port = ports["port"]
        self._say("app", f"a WebSocket server on port {app_port}")
        settings: dict[str, object] = {
            "grace_period": plan.grace,
            "app_reserve": APP_RESERVE,
            "settle": plan.settle,
        }
        if plan.closers:
            notify_url = f"http://{HOST}:{ports['notify_port']}/drain"
            settings |= {"close": "websocket,notify", "websocket_ports": app_port, "notify_url": notify_url}
        agent, agent_port = await start_agent(app_port, self._agent_said, **settings)
        cleanup.push_async_callback(agent.kill)
        self._say("agent", f"the sidecar: counts the app's connections; its page is http://{HOST}:{agent_port}/")
        crowd = Crowd(app_port)
        cleanup.push_async_callback(crowd.disperse)
        background = [asyncio.create_task(self._watch(agent_port)), asyncio.create_task(self._probe(agent_port))]
        try:
            return await self._serve_and_stop(app, agent, agent_port, crowd)
        finally:
            for task in background:
                task.cancel()
            await asyncio.wait(background)
            for task in background:
                if not task.cancelled():
                    task.result()

    async def _serve_and_stop(self, app: Container, agent: Container, agent_port: int, crowd: Crowd) -> Report:
        plan = self._plan
        self._scene.origin = self._now() + plan.lead
        first = await crowd.arrive(plan.clients)
        if crowd.refused:
            raise DemoError(f"{crowd.refused} of {plan.clients} clients could not connect to the app.")
        self._say("clients", f"{plan.clients} have connected and chat")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._all_counted.wait(), AT_REST)
        self._say("agent", f"counts {self._scene.connections} connections")
        await asyncio.sleep(max(1.0, self._scene.origin - self._now()))

        hook_at = self._hook_at = self._scene.origin = self._now()
        self._say("kubelet", "stops the pod: GET /drain, the preStop hook, and waits")
        crowd.leave_between(first[plan.staying :], plan.last_leave / 12, plan.last_leave)
        late = asyncio.create_task(self._come_late(crowd))
        answer = await self._call_hook(agent_port)
        answered_at = self._now()
        held, ready = answered_at - hook_at, bool(self._scene.ready)
        report = Report(plan, crowd, answer, answered_at, held, ready)
        if answer:
            self._say("agent", _SENTENCES.get(report.outcome, report.outcome))
        else:
            self._say("kubelet", "has got no answer, and goes on without")
        await late

        report.app_went_early = app.exit_code is not None
        grace = max(LEAST_GRACE, plan.grace - int(report.held))
        self._say("kubelet", f"SIGTERM to the app, which has {grace:g} s to go")
        report.app_code = await app.stop(grace)
        report.last_close = (await app.said() or {}).get("last_close", 0.0)
        self._say("app", f"exits with {report.app_code}")
        await crowd.gone()
        if report.cut:
            self._say("clients", f"{report.cut} are cut")

        report.agent_went_early = agent.exit_code is not None
        self._say("kubelet", "SIGTERM to the agent: a native sidecar goes last")
        report.agent_code = await agent.stop(max(LEAST_GRACE, plan.grace - (self._now() - hook_at)))
        self._say("agent", f"exits with {report.agent_code}")
        return report

    async def _call_hook(self, port: int) -> dict[str, Any]:
        """The answer, empty if there is none."""
        try:
            async with asyncio.timeout(self._plan.grace):
                _, body = await get(port, "/drain", HOOK)
            answer: dict[str, Any] = json.loads(body)
        except (OSError, ValueError):
            return {}
        return answer

    async def _come_late(self, crowd: Crowd) -> None:
        plan = self._plan
        await asyncio.sleep(plan.settle / 3)
        late = await crowd.arrive(plan.late)
        crowd.leave_between(late, plan.last_leave * 0.5, plan.last_leave * 0.75)
        self._say("clients", f"{plan.late} new ones come from a stale load balancer and are served")

    async def _probe(self, port: int) -> None:
        """The kubelet's readiness probe, each second; a change is news."""
        while True:
            with contextlib.suppress(OSError):
                code, word = await get(port, "/readyz", PROBE)
                ready = code == 200
                if ready is not self._scene.ready:
                    self._scene.ready = ready
                    effect = "clients here" if ready else "nobody new"
                    self._say("kubelet", f"readiness probe: {code} {word.strip()}, so Services send {effect}")
            await asyncio.sleep(1.0)

    async def _watch(self, port: int) -> None:
        """What the agent says of itself, five times a second."""
        scene = self._scene
        while True:
            with contextlib.suppress(OSError):
                status = json.loads((await get(port, "/status", WATCHER))[1])
                scene.phase, scene.connections = status["phase"], status["connections"]["total"]
            if scene.connections == self._plan.clients:
                self._all_counted.set()
            scene.at = self._since_hook()
            scene.curve.append((self._now(), scene.connections))
            self._view.refresh()
            await asyncio.sleep(0.2)

    def _agent_said(self, line: str) -> None:
        """A line of the agent's log: a change of phase is part of the story, and so is a warning."""
        try:
            facts = json.loads(line)
        except ValueError:
            return
        sentence = _SENTENCES.get(facts.get("phase"))
        if facts["level"] == "warning" and "outcome" not in facts:
            sentence = facts["message"]
        if facts["message"].startswith("closer "):
            sentence = facts["message"]
        if sentence is not None:
            self._say("agent", sentence)

    def _since_hook(self) -> float | None:
        return None if self._hook_at is None else self._now() - self._hook_at

    def _say(self, who: str, text: str) -> None:
        event = Event(self._since_hook(), who, text)
        self._scene.events.append(event)
        self._view.happened(event)
