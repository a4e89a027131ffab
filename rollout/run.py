"""One rollout: three replicas, their clients, and one replica after the other replaced."""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from rollout.accounts import Account, Life, Stop, account
from rollout.balancers import Balancer
from rollout.clients import CONNECT_TIMEOUT
from rollout.processes import Ports, Program, RolloutError, launch
from rollout.replica import Replica
from rollout.servers import Server
from rollout.strategies import Strategy, Times

REPLICAS = 3
CLIENTS_PER_PROCESS = 1500
ARRIVALS = 200.0
"""Clients per second at the beginning: both ends of a handshake are made on this machine."""
SLACK = 10.0
"""Seconds that the processes of the clients have to start and to give up by themselves."""
CALM = 3.0
"""Seconds before the first stop and after the last, in which everybody is connected."""
COLLECT_TIMEOUT = 30.0


@dataclass(frozen=True, slots=True)
class Rollout:
    """What was done, and what became of it."""

    server: str
    balancer: type[Balancer]
    strategy: Strategy
    times: Times
    account: Account
    began_at: float
    """The beginning of the first stop, of the monotonic clock."""
    stops: tuple[Stop, ...]
    busy: tuple[float, ...]
    """The share of all cores that was in use, second by second from the first stop on."""


async def roll(server: Server, balancer: type[Balancer], strategy: Strategy, times: Times, clients: int) -> Rollout:
    """Raises RolloutError. Whatever it has started has ended when it returns."""
    async with AsyncExitStack() as cleanup:
        folder = Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="rollout-")))
        ports = Ports()
        front = balancer(folder, ports.take())
        await front.start(cleanup)

        async def start(number: int) -> Replica:
            replica = await Replica.start(f"replica-{number}", server, strategy, times, ports, folder, cleanup)
            await front.add(replica.port)
            return replica

        old = [await start(number) for number in range(REPLICAS)]
        crowds = await _connect(server, front.port, clients, folder, cleanup)
        await asyncio.sleep(CALM)
        began_at = time.monotonic()
        with _measuring() as busy:
            stops = []
            for number, replica in enumerate(old, REPLICAS):
                await start(number)
                stops.append(await replica.stop(front.drain))
            await asyncio.sleep(CALM)
        lives = await _collect(crowds)
    return Rollout(
        server.name,
        balancer,
        strategy,
        times,
        account(lives, stops),
        began_at,
        tuple(stops),
        tuple(busy),
    )


async def _connect(
    server: Server, port: int, clients: int, folder: Path, cleanup: AsyncExitStack
) -> list[tuple[Program, Path]]:
    """All clients, in as few processes as can keep up; returns when all are connected."""
    number = math.ceil(clients / CLIENTS_PER_PROCESS)
    seconds = clients / ARRIVALS
    crowds = []
    for index in range(number):
        first, end = clients * index // number, clients * (index + 1) // number
        records = folder / f"lives-{index}"
        numbers = map(str, (port, first, end - first, seconds))
        crowd = await launch("crowd", sys.executable, "-m", "rollout.clients", server.line, *numbers, records)
        cleanup.push_async_callback(crowd.kill)
        crowds.append((crowd, records))
    for crowd, _ in crowds:
        await _connected(crowd, seconds + CONNECT_TIMEOUT + SLACK)
    return crowds


async def _connected(crowd: Program, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            line = await crowd.out.get()
    except TimeoutError:
        raise RolloutError(f"Not all clients were connected after {seconds:g} s.") from None
    if line is None:
        raise RolloutError(str(await crowd.failed()))


async def _collect(crowds: list[tuple[Program, Path]]) -> list[Life]:
    """The lives that the clients have written down when asked to end."""
    await asyncio.gather(*(crowd.stop(COLLECT_TIMEOUT) for crowd, _ in crowds))
    return [life for _, records in crowds for life in await asyncio.to_thread(_read_lives, records)]


def _read_lives(records: Path) -> list[Life]:
    return [Life(**json.loads(line)) for line in records.read_text(encoding="utf-8").splitlines()]


@contextlib.contextmanager
def _measuring() -> Iterator[list[float]]:
    """Fills the list with a share for each second."""
    shares: list[float] = []

    async def measure() -> None:
        before = _ticks()
        while True:
            await asyncio.sleep(1.0)
            now = _ticks()
            total = now[0] - before[0]
            shares.append(1 - (now[1] - before[1]) / total if total else 0.0)
            before = now

    measuring = asyncio.create_task(measure())
    try:
        yield shares
    finally:
        measuring.cancel()


def _ticks() -> tuple[int, int]:
    """Of all cores since the machine started: all, and those in which nothing was to be done (proc_stat(5))."""
    line = Path("/proc/stat").read_text(encoding="utf-8").partition("\n")[0]
    ticks = [int(field) for field in line.split()[1:9]]
    return sum(ticks), ticks[3] + ticks[4]
