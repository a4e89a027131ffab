"""The kubelet's part: starts the containers, probes readiness, and stops them as it stops a pod's.

Hook of the app; SIGTERM to the app when the hook is answered or the grace period over; SIGTERM to the native sidecar
when the app is gone; SIGKILL to whoever is left when the time is up.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from collections import deque
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from demo.app import HOST

START_TIMEOUT = 20.0
LEAST_GRACE = 2.0
"""Seconds that a container gets after SIGTERM, even when the hook has used up the grace period."""

PROBE, HOOK, WATCHER = "kube-probe/1.36", "kube-lifecycle/1.36", "demo"
"""User-Agents."""


class DemoError(Exception):
    """The demo cannot go on; the message is the one sentence that says why."""


class Container:
    """A child process in a session of its own, so that Ctrl-C reaches the demo alone."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, on_line: Callable[[str], None]) -> None:
        self.name = name
        self.process = process
        self.out: asyncio.Queue[str | None] = asyncio.Queue()
        """Lines of standard output; None at its end."""
        self._errors: deque[str] = deque(maxlen=5)
        self._readers = asyncio.gather(self._read_out(), self._read_errors(on_line))

    @classmethod
    async def start(cls, name: str, *arguments: str, on_line: Callable[[str], None] = lambda _: None) -> Container:
        """Run `python -m arguments`; each line it writes to standard error goes to `on_line`."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            *arguments,
            cwd=Path(__file__).parent.parent,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
            env={key: value for key, value in os.environ.items() if not key.startswith("DRAINER_")},
        )
        return cls(name, process, on_line)

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return self.process.returncode

    async def said(self) -> dict[str, Any] | None:
        """The next line of JSON on standard output; None if there is no such line."""
        line = await self.out.get()
        return None if line is None else json.loads(line)

    async def failed(self) -> DemoError:
        """Why it is not running."""
        code = await self.process.wait()
        await self._readers
        said = self._errors[-1] if self._errors else "it said nothing"
        return DemoError(f"The {self.name} did not start, it exited with {code}: {said}")

    async def stop(self, seconds: float) -> int:
        """SIGTERM, and SIGKILL when it is still there after `seconds`; returns the exit code."""
        self._signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(seconds):
                return await self.process.wait()
        except TimeoutError:
            return await self.kill()

    async def kill(self) -> int:
        """SIGKILL."""
        self._signal(signal.SIGKILL)
        return await self.process.wait()

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(number)

    async def _read_out(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.out.put_nowait(line.decode(errors="replace"))
        self.out.put_nowait(None)

    async def _read_errors(self, on_line: Callable[[str], None]) -> None:
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            self._errors.append(line.decode(errors="replace").strip())
            on_line(self._errors[-1])


async def get(port: int, path: str, user_agent: str) -> tuple[int, str]:
    """GET, as the kubelet sends it; the status and the body. Raises OSError when the answer breaks off."""
    reader, writer = await asyncio.open_connection(HOST, port)
    try:
        request = f"GET {path} HTTP/1.1\r\nHost: {HOST}:{port}\r\nUser-Agent: {user_agent}\r\nAccept: */*\r\n\r\n"
        writer.write(request.encode())
        head, _, body = (await reader.read()).decode().partition("\r\n\r\n")
    finally:
        writer.close()
    if not head:
        raise ConnectionResetError(f"no answer to {path}")
    return int(head.split()[1]), body


@contextlib.asynccontextmanager
async def starting(container: Container) -> AsyncIterator[None]:
    """Give it START_TIMEOUT to come up; when that fails, whatever the reason, nothing of it is left."""
    try:
        async with asyncio.timeout(START_TIMEOUT):
            yield
    except TimeoutError:
        await container.kill()
        raise DemoError(f"The {container.name} did not start within {START_TIMEOUT:g} s.") from None
    except BaseException:
        await container.kill()
        raise


async def start_app() -> tuple[Container, dict[str, int]]:
    """The app, and the ports it has chosen: `port` and `notify_port`."""
    app = await Container.start("app", "demo.app")
    async with starting(app):
        ports = await app.said()
        if ports is None:
            raise await app.failed()
        return app, ports


async def start_agent(app_port: int, on_line: Callable[[str], None], **settings: object) -> tuple[Container, int]:
    """The agent beside it, and the free port it serves on; returns when it is ready."""
    # Bound but not listening, the port is nobody else's, and SO_REUSEADDR lets the agent have it.
    with socket.socket() as reserved:
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reserved.bind((HOST, 0))
        port: int = reserved.getsockname()[1]
        chosen = {"app-ports": app_port, "host": HOST, "port": port, **settings}
        flags = [f"--{name.replace('_', '-')}={value}" for name, value in chosen.items()]
        agent = await Container.start("agent", "drainer", "run", *flags, on_line=on_line)
        async with starting(agent):
            while agent.exit_code is None:
                with contextlib.suppress(OSError):
                    await get(port, "/readyz", PROBE)
                    return agent, port
                await asyncio.sleep(0.05)
            raise await agent.failed()
