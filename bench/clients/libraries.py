"""Which client libraries there are, how one is started, and what is missing for it."""

from __future__ import annotations

import importlib.metadata
import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

NODE = Path(__file__).with_name("node")
LOCK = NODE / "package-lock.json"
INSTALLED = NODE / "node_modules" / ".package-lock.json"
INSTALL_SECONDS = 300


class Library(Protocol):
    """One row of the tables."""

    @property
    def name(self) -> str: ...

    def missing(self) -> str | None:
        """What is to be installed first, or None."""
        ...

    def version(self) -> str: ...

    def commands(self, port: int, endings: Sequence[str], samples: int) -> list[list[str]]:
        """Processes that together make one connection for each ending and number."""
        ...


@dataclass(frozen=True, slots=True)
class NodeLibrary:
    """A process for each number: some libraries draw their random delay once for each process."""

    name: str
    package: str

    def missing(self) -> str | None:
        lacking = [program for program in ("node", "npm") if shutil.which(program) is None]
        return f"needs the program {lacking[0]} (Debian: nodejs, npm)" if lacking else None

    def version(self) -> str:
        return str(json.loads(LOCK.read_text(encoding="utf-8"))["packages"][f"node_modules/{self.package}"]["version"])

    def commands(self, port: int, endings: Sequence[str], samples: int) -> list[list[str]]:
        install()
        script = str(NODE / "client.mjs")
        return [["node", script, self.name, str(port), ",".join(endings), str(number)] for number in range(samples)]


@dataclass(frozen=True, slots=True)
class PythonLibrary:
    """A process for each number, as above."""

    name: str

    def missing(self) -> str | None:
        try:
            self.version()
        except importlib.metadata.PackageNotFoundError:
            return f"needs the Python package {self.name}"
        return None

    def version(self) -> str:
        return importlib.metadata.version(self.name)

    def commands(self, port: int, endings: Sequence[str], samples: int) -> list[list[str]]:
        command = [sys.executable, "-m", "bench.clients.python", self.name, str(port), ",".join(endings)]
        return [[*command, str(number)] for number in range(samples)]


@dataclass(frozen=True, slots=True)
class Browser:
    """One page for all: a browser's WebSocket has no delays to draw."""

    name: str
    program: str
    flags: tuple[str, ...]

    def missing(self) -> str | None:
        return None if shutil.which(self.program) else f"needs the program {self.program} (Debian: {self.program})"

    def version(self) -> str:
        shown = subprocess.run([self.program, "--version"], capture_output=True, text=True, check=True).stdout
        return next(word for word in shown.split() if word[0].isdigit())

    def commands(self, port: int, endings: Sequence[str], samples: int) -> list[list[str]]:
        page = f"http://127.0.0.1:{port}/page?endings={','.join(endings)}&samples={samples}"
        return [[self.program, *self.flags, page]]


LIBRARIES: Sequence[Library] = (
    Browser("Chromium", "chromium", ("--headless", "--no-sandbox", "--no-first-run", "--disable-gpu")),
    Browser("Firefox", "firefox-esr", ("--headless", "--no-remote")),
    NodeLibrary("ws", "ws"),
    NodeLibrary("undici", "undici"),
    NodeLibrary("reconnecting-websocket", "reconnecting-websocket"),
    NodeLibrary("partysocket", "partysocket"),
    NodeLibrary("graphql-ws", "graphql-ws"),
    NodeLibrary("socket.io-client", "socket.io-client"),
    NodeLibrary("phoenix", "phoenix"),
    NodeLibrary("centrifuge", "centrifuge"),
    NodeLibrary("signalr", "@microsoft/signalr"),
    NodeLibrary("signalr+reconnect", "@microsoft/signalr"),
    NodeLibrary("pusher-js", "pusher-js"),
    NodeLibrary("actioncable", "@rails/actioncable"),
    PythonLibrary("websockets"),
    PythonLibrary("aiohttp"),
    PythonLibrary("python-socketio"),
)


def install() -> None:
    """`npm ci`, unless just these versions are installed.

    Raises:
        RuntimeError: npm has failed; its own words are in it.
    """
    if INSTALLED.exists() and INSTALLED.stat().st_mtime >= LOCK.stat().st_mtime:
        return
    npm = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    run = subprocess.run(npm, cwd=NODE, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
    if run.returncode:
        raise RuntimeError(f"{' '.join(npm)} has failed: {run.stderr[-2000:]}")
