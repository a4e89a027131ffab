"""Child processes of a bench: they say when they are ready, and end when their standard input does.

So none outlives the bench, however that ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import resource
import subprocess
import sys
from collections.abc import Iterator

EXIT_SECONDS = 60
READY = "ready"


class Child:
    """One that has been started: `python -m MODULE ARGUMENTS`."""

    def __init__(self, module: str, *arguments: object) -> None:
        self._module = module
        self._said: str | None = None
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *map(str, arguments)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def await_ready(self) -> None:
        """Raises RuntimeError when it ends instead."""
        assert self._process.stdout is not None
        if self._process.stdout.readline().decode().strip() != READY:
            raise RuntimeError(f"{self._module} ended with {self._process.wait(EXIT_SECONDS)}")

    def end(self) -> str:
        """Let it end; what it has said since it was ready. It may be called again. Raises RuntimeError if it failed."""
        if self._said is None:
            try:
                said, _ = self._process.communicate(timeout=EXIT_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                said, _ = self._process.communicate()
            self._said = said.decode()
        if self._process.returncode:
            raise RuntimeError(f"{self._module} ended with {self._process.returncode}")
        return self._said


@contextlib.contextmanager
def children(*started: Child) -> Iterator[None]:
    """When all are ready, until the block is left."""
    with contextlib.ExitStack() as ends:
        for child in started:
            ends.callback(child.end)
        for child in started:
            child.await_ready()
        yield


def say_ready() -> None:
    """In the child."""
    print(READY, flush=True)


async def told_to_end() -> None:
    """In the child: until the bench closes its standard input."""
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(sys.stdin.fileno(), told.set)
    await told.wait()
    loop.remove_reader(sys.stdin.fileno())


def raise_descriptor_limit() -> None:
    """In the child: one descriptor for each connection."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
