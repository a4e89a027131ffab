"""One library against its server: starts it, waits until it has come back often enough or given up, ends it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from bench.clients.libraries import Library
from bench.clients.server import Server, Visit

ROOT = Path(__file__).parents[2]
TRIES = 3
"""So many delays are looked at."""
CONNECT_SECONDS = 90.0
"""From the start of the processes to the end of the last connection."""
LOOK_EVERY = 0.2
SAID = "stderr"
EXIT_SECONDS = 10.0


async def measure(
    library: Library, endings: Sequence[str], samples: int, *, stay: float, patience: float
) -> list[Visit]:
    """`samples` connections for each ending.

    Args:
        library: Nothing is missing for it.
        endings: Codes, FIN or RST.
        samples: So many for each ending.
        stay: Seconds that a connection is open, at least.
        patience: Seconds without a try after which a client has given up.

    Raises:
        RuntimeError: A client has not connected; what it wrote to stderr is in it.
    """
    server = Server(endings, samples, stay)
    await server.start()
    visits = list(server.visits.values())
    try:
        # Browsers leave helpers behind that still write while their folder goes.
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
            async with running(library.commands(server.port, endings, samples), Path(home)):
                give_up_at = time.monotonic() + CONNECT_SECONDS + stay
                while not all(is_over(visit, patience) for visit in visits):
                    if time.monotonic() > give_up_at and any(visit.ended_at is None for visit in visits):
                        raise RuntimeError(f"{library.name} does not connect: {last_words(Path(home))}")
                    await asyncio.sleep(LOOK_EVERY)
    finally:
        await server.stop()
    return visits


def is_over(visit: Visit, patience: float) -> bool:
    """Whether nothing more is to be seen."""
    return visit.ended_at is not None and (len(visit.tries) >= TRIES or visit.waiting() > patience)


def last_words(home: Path) -> str:
    """What the processes wrote to stderr."""
    return (home / SAID).read_text(encoding="utf-8", errors="replace")[-2000:]


@contextlib.asynccontextmanager
async def running(commands: Sequence[Sequence[str]], home: Path) -> AsyncIterator[None]:
    """The processes, each with its children in a group of its own; all of them end."""
    processes: list[asyncio.subprocess.Process] = []
    # A browser that finds no profile in its home makes a new one.
    environment = {**os.environ, "HOME": str(home)}
    with (home / SAID).open("wb") as stderr:
        try:
            for command in commands:
                process = await asyncio.create_subprocess_exec(
                    *command,
                    cwd=ROOT,
                    env=environment,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=asyncio.subprocess.DEVNULL,
                    stderr=stderr,
                    start_new_session=True,
                )
                processes.append(process)
            yield
        finally:
            await asyncio.gather(*map(end, processes))


async def end(process: asyncio.subprocess.Process) -> None:
    """SIGTERM, then SIGKILL to what is left of the group."""
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(process.wait(), EXIT_SECONDS)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()
