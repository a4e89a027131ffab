"""One fixture: a pod with everything in it, all of which ends with the test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from websockets.sync.client import ClientConnection

from tests.kube_api import KubeApi, kube_api
from tests.process.apps import BareApp, WebApp, echoes
from tests.process.harness import Agent, Child, Reserved


class Pod:
    """Starts apps, clients and agents, and ends them."""

    def __init__(self, **usual: str) -> None:
        """`usual`: settings of its agents that a test says nothing of."""
        self._usual = usual
        self._agents: list[Agent] = []
        self._web_apps: list[WebApp] = []
        self._bare_apps: list[BareApp] = []
        self._clients = ExitStack()
        self._reserved: list[Reserved] = []

    def agent(self, *app_ports: int, **options: Any) -> Agent:
        """An agent that listens."""
        return self.starting_agent(*app_ports, **options).started()

    def starting_agent(self, *app_ports: int, **options: Any) -> Agent:
        """An agent whose process has just been made."""
        agent = Agent(*app_ports, **self._usual | options)
        self._agents.append(agent)
        return agent

    def reserve(self) -> Reserved:
        self._reserved.append(Reserved())
        return self._reserved[-1]

    def web_app(self, host: str = "", reserved: Reserved | None = None) -> WebApp:
        """A WebSocket server that listens; on the port of another one that has gone, if that is given."""
        app = WebApp(reserved or self.reserve(), host)
        self._web_apps.append(app)
        return app

    def bare_app(self, host: str = "127.0.0.1", port: int = 0, *, reuse_port: bool = False) -> BareApp:
        app = BareApp(host, port, reuse_port=reuse_port)
        self._bare_apps.append(app)
        return app

    def clients(self, app: WebApp, number: int, host: str = "127.0.0.1") -> list[ClientConnection]:
        """So many WebSocket clients more, each of them served."""
        clients = [self._clients.enter_context(app.client(host)) for _ in range(number)]
        assert all(echoes(client) for client in clients)
        return clients

    def end(self) -> None:
        """Everything goes; the agents that were not killed must go well."""
        self._clients.close()
        apps: list[WebApp | BareApp] = [*self._web_apps, *self._bare_apps]
        for app in apps:
            app.close()
        for agent in self._agents:
            if agent.is_running():
                agent.resume()
                agent.terminate()
        try:
            for agent in self._agents:
                agent.ended_well()
        finally:
            self.clear()

    def clear(self) -> None:
        """Leave no process and no descriptor behind."""
        self._clients.close()
        things: list[Child | BareApp | Reserved] = [*self._agents, *self._web_apps, *self._bare_apps, *self._reserved]
        for thing in things:
            thing.close()


@pytest.fixture
def api() -> Iterator[KubeApi]:
    """An API server that has the pod. Ask for it before `pod`: then it outlives the agents that speak with it."""
    with kube_api() as api:
        api.create()
        yield api


LIMITED = {"max_connections": "1", "max_rate": "0.001", "full": "metric"}
"""A limit that the first client reaches."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """What ends a drain, without a limit and with one."""
    if metafunc.module.__name__.endswith(".test_plan"):
        metafunc.parametrize("pod", [{}, LIMITED], ids=["", "limited"], indirect=True)


@pytest.fixture
def pod(request: pytest.FixtureRequest) -> Iterator[Pod]:
    pod = Pod(**getattr(request, "param", {}))
    try:
        yield pod
        pod.end()
    finally:
        pod.clear()
