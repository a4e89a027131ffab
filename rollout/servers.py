"""The servers to choose from: third-party libraries, each as its documentation starts it."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from rollout.processes import HOST, ROOT, Program, launch

APPS = Path(__file__).parent / "apps"
NODE_MODULES = ROOT / "tests" / "node" / "node_modules"


@dataclass(frozen=True, slots=True)
class Server:
    """A library, and the app on it."""

    name: str
    command: Callable[[int], tuple[str, ...]]
    """How it is started on a port."""
    package: str
    """What must be installed."""
    is_node: bool = False
    line: str = "websockets"
    """What its clients use: of `rollout.lines.LINES`."""
    knows_notify: bool = False
    """Whether its app has the endpoint."""

    def missing(self) -> str | None:
        """What is not installed, in one sentence; None if all is."""
        if self.is_node:
            if shutil.which("node") is None:
                return f"The server {self.name} needs node, which is not installed."
            if not (NODE_MODULES / self.package).is_dir():
                return f"The server {self.name} needs {self.package} in {NODE_MODULES.relative_to(ROOT)}: npm ci there."
        elif find_spec(self.package) is None:
            return f"The server {self.name} needs the package {self.package}; `make rollout` installs it."
        if self.line == "socketio" and find_spec("socketio") is None:
            return "The clients of socket.io need the package python-socketio; `make rollout` installs it."
        return None

    async def launch(self, port: int, ledger: Path, notify_port: int) -> Program:
        environ = {"ROLLOUT_PORT": str(port), "ROLLOUT_LEDGER": str(ledger), "ROLLOUT_NOTIFY_PORT": str(notify_port)}
        if self.is_node:
            environ["NODE_PATH"] = str(NODE_MODULES)
        return await launch("app", *self.command(port), environ=environ)


def _module(name: str) -> Callable[[int], tuple[str, ...]]:
    return lambda _: (sys.executable, "-m", f"rollout.apps.{name}")


def _node(name: str) -> Callable[[int], tuple[str, ...]]:
    return lambda _: ("node", str(APPS / name))


def _uvicorn(port: int) -> tuple[str, ...]:
    options = ("--host", HOST, "--port", str(port), "--log-level", "warning")
    return (sys.executable, "-m", "uvicorn", "rollout.apps.asgi:app", *options)


def _hypercorn(port: int) -> tuple[str, ...]:
    return (sys.executable, "-m", "hypercorn", "rollout.apps.asgi:app", "--bind", f"{HOST}:{port}")


SERVERS = {
    server.name: server
    for server in (
        Server("websockets", _module("with_websockets"), "websockets", knows_notify=True),
        Server("aiohttp", _module("with_aiohttp"), "aiohttp"),
        Server("uvicorn", _uvicorn, "uvicorn"),
        Server("hypercorn", _hypercorn, "hypercorn"),
        Server("node-ws", _node("ws.js"), "ws", is_node=True),
        Server("socketio", _node("socketio.js"), "socket.io", is_node=True, line="socketio"),
    )
}
