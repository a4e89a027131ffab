"""Resident memory and the time to start, beside an interpreter that has imported what the agent stands on."""

from __future__ import annotations

import contextlib
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator

from bench.agent import agent, resident_mib
from bench.report import Figures, Table, paired_ratio
from bench.sockets import connections, free_port

IMPORTS = "import aiohttp.web, prometheus_client, sys; print(flush=True); sys.stdin.read()"
CENSUSES = 5
"""After so many the sets and dictionaries have the size that they keep."""
STARTS, QUICK_STARTS = 15, 5
MOST_MIB = {10_000: 6.0, 100_000: 30.0}
MOST_START = 1.6


def run(*, quick: bool) -> list[Table]:
    """MiB over the bare imports, and starts beside them."""
    figures = Figures()
    with bare_imports() as (process, _):
        bare = resident_mib(process.pid)
    figures.add("resident: only the imports", bare, " MiB")
    for count in (10_000,) if quick else (10, *MOST_MIB):
        with connections(count) as port, agent(port) as one:
            while one.metric("drainer_census_duration_seconds_count") < CENSUSES:
                time.sleep(0.5)
            more = resident_mib(one.pid) - bare
        figures.add(f"resident: the agent with {count:,} connections, more", more, " MiB", most=MOST_MIB.get(count))
    _add_start(figures, QUICK_STARTS if quick else STARTS)
    note = "The imports: aiohttp.web and prometheus_client, which the agent cannot do without, with warm byte-code."
    return [figures.table("Memory and start", note)]


def _add_start(figures: Figures, rounds: int) -> None:
    imports, starts = [], []
    app_port = free_port()
    # One more at first: it writes the byte-code and warms the disk's cache.
    for _ in range(1 + rounds):
        with bare_imports() as (_, seconds):
            imports.append(seconds)
        with agent(app_port) as one:
            starts.append(one.started_after)
    imports, starts = imports[1:], starts[1:]
    figures.add(f"start: until the imports are done, median of {rounds}", 1000 * statistics.median(imports), " ms")
    figures.add("start: until the agent listens", 1000 * statistics.median(starts), " ms")
    figures.add("start: the agent against the imports", paired_ratio(starts, imports), " x", most=MOST_START)


@contextlib.contextmanager
def bare_imports() -> Iterator[tuple[subprocess.Popen[bytes], float]]:
    """A process that has only imported, and the seconds that it took from before it was made."""
    began = time.perf_counter()
    with subprocess.Popen([sys.executable, "-c", IMPORTS], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process, time.perf_counter() - began
