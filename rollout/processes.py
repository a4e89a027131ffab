"""Child processes and ports. A process is ended by its id, and its end is waited for."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import socket
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from demo.kubelet import Container

ROOT = Path(__file__).parent.parent
HOST = "127.0.0.1"
LOWEST_PORT = 12_000


class RolloutError(Exception):
    """The rollout cannot go on; the message is the one sentence that says why."""


class Program(Container):
    """A child process with all that it has started: they end together, as in a container."""

    async def stop(self, seconds: float) -> int:
        """SIGTERM to the process itself, SIGKILL to all when its time is over; returns the exit code of the process."""
        self._signal(signal.SIGTERM)
        # Not process.wait(): that waits for the ends of the pipes too, which its children may hold.
        with contextlib.suppress(TimeoutError):
            await until(lambda: self.exit_code is not None, seconds)
        return await self.kill()

    async def kill(self) -> int:
        """SIGKILL to all that is left; returns the exit code of the process itself."""
        # `launch` made it the leader of a session: nobody else's process has this group.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        return await self.process.wait()


async def until(holds: Callable[[], bool], seconds: float) -> None:
    """Look again and again. Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110 - what is looked at wakes nobody
            await asyncio.sleep(0.02)


async def launch(name: str, *command: str | Path, environ: Mapping[str, str] | None = None) -> Program:
    """In a session of its own, so that Ctrl-C reaches the rollout alone; without whatever settings the caller has."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("DRAINER_")}
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=ROOT,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
        env={**inherited, **(environ or {})},
    )
    return Program(name, process, lambda _: None)


async def listening(program: Program, port: int, seconds: float) -> None:
    """Until somebody accepts on the port. Raises RolloutError when nobody does, or the program has ended."""

    async def connect() -> bool:
        _, writer = await asyncio.open_connection(HOST, port)
        writer.close()
        return True

    await ready(program, connect, seconds)


async def ready(program: Program, probe: Callable[[], Awaitable[bool]], seconds: float) -> None:
    """Until the probe says yes; it may raise OSError. Raises RolloutError."""
    try:
        async with asyncio.timeout(seconds):
            while program.exit_code is None:
                with contextlib.suppress(OSError):
                    if await probe():
                        return
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise RolloutError(f"The {program.name} was not ready within {seconds:g} s.") from None
    raise RolloutError(str(await program.failed()))


class Ports:
    """Free ports of loopback, below those that the kernel gives away by itself; none of them twice."""

    def __init__(self) -> None:
        lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="utf-8").split()[0])
        self._left = list(range(min(LOWEST_PORT, lowest - 1000), lowest))
        random.shuffle(self._left)

    def take(self) -> int:
        while True:
            port = self._left.pop()
            with socket.socket() as probe, contextlib.suppress(OSError):
                probe.bind((HOST, port))
                return port
