"""Counting the connections on one port: the agent's way beside the C floor and what people use today."""

from __future__ import annotations

import contextlib
import itertools
import random
import shutil
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

from bench import floor
from bench.report import Figures, Table, milliseconds, paired_ratio
from bench.sockets import connections
from drainer.counter import CENSUS_STATES
from drainer.sockets import wire
from drainer.sockets.bytecode import dump_filter
from drainer.sockets.netlink import NetlinkTable, replies
from drainer.tracker import Tracker

BARE, FULL = "drainer, bare count", "drainer, full census with tracker"
FLOOR, AGAIN = "the same dump in C", "the same dump in C, again"
SS, PSUTIL, PROC, LSOF = "ss | wc -l", "psutil.net_connections", "/proc/net/tcp{,6}, line by line", "lsof -i:P"
METHODS = (FLOOR, AGAIN, BARE, FULL, SS, PROC, PSUTIL, LSOF)

FAST = frozenset({FLOOR, AGAIN, BARE, FULL})
"""They have several dumps in a turn, since the method before leaves cold caches; the best is held against that of C."""
SELDOM = frozenset({PSUTIL, LSOF})
"""They take seconds."""
LSOF_LIMIT = 60.0
"""Seconds: it looks at every descriptor of every process."""
MOST_FOR_LSOF = 10_000
MOST_NOISE = 0.03
"""By how much the ratio of two identical things may be off 1 before the other ratios say nothing."""
TOLERANCE = 0.5
"""Share by which a count may be off: /proc has repeated an eighth of the rows while others came and went."""

Turns = dict[str, list[list[float]]]
"""By method the seconds of each dump of each turn."""
Measure = Callable[[], tuple[float, int]]
"""Does it once: seconds, and what it counted."""


def run(*, quick: bool) -> list[Table]:
    """Times by method and size, and the ratios that count."""
    sizes = (1_000, 10_000) if quick else (1_000, 10_000, 100_000)
    times: dict[int, Turns] = {}
    with floor.compiled() as program:
        for size in sizes:
            rounds = 15 if quick else max(40, 100_000 // size)
            with connections(size) as port, _methods(port, size, program) as methods:
                times[size] = _interleave(methods, size, rounds, seldom=1 if quick else 3)
    rows = [
        [method, *(milliseconds(_median(by[method])) if method in by else "-" for by in times.values())]
        for method in METHODS
    ]
    note = "Against C: the median over interleaved rounds of the ratio of the best dumps in each; else of all medians."
    return [
        Table("Counting the connections on one port, in ms", ("method", *(f"{size:,}" for size in sizes)), rows),
        _ratios(times).table("Counting: ratios", note),
    ]


def _ratios(times: dict[int, Turns]) -> Figures:
    figures = Figures()
    for size, by in times.items():
        if FLOOR in by:
            best = {name: [min(turn) for turn in by[name]] for name in FAST}
            noise = paired_ratio(best[AGAIN], best[FLOOR])
            figures.noisy = abs(noise - 1) > MOST_NOISE
            figures.add(f"{size:,}: C against itself (the noise)", noise, " x")
            figures.add(f"{size:,}: bare count against C", paired_ratio(best[BARE], best[FLOOR]), " x", most=1.1)
            figures.add(f"{size:,}: full census against C", paired_ratio(best[FULL], best[FLOOR]), " x", most=1.35)
        for peer, least in ((SS, 1.7), (PSUTIL, 30.0)):
            if peer in by:
                ratio = _median(by[peer]) / _median(by[FULL])
                target = least if size == 100_000 else None
                figures.add(f"{size:,}: full census faster than {peer}", ratio, " x", least=target)
    for tool in ("cc", "ss", "lsof"):
        if shutil.which(tool) is None:
            figures.missing(f"everything that needs {tool}", "it is not installed here")
    return figures


def _median(turns: list[list[float]]) -> float:
    return statistics.median(itertools.chain(*turns))


def _interleave(methods: dict[str, Measure], size: int, rounds: int, seldom: int) -> Turns:
    """Rounds in which every method has its turn, each round in another order."""
    order = random.Random(size)
    times: Turns = {name: [] for name in methods}
    for turn in range(rounds):
        for name in order.sample(list(methods), len(methods)):
            if name in SELDOM and turn >= seldom:
                continue
            repeats = max(3, 30_000 // size) if name in FAST else 1
            with contextlib.suppress(subprocess.TimeoutExpired):
                times[name].append([_checked(name, methods[name], size) for _ in range(repeats)])
    return {name: turns for name, turns in times.items() if turns}


def _checked(name: str, measure: Measure, size: int) -> float:
    """A method that counts something else is no peer (lsof lists both ends, so it is not asked)."""
    seconds, counted = measure()
    if name != LSOF and abs(counted - size) > TOLERANCE * size:
        raise RuntimeError(f"{name} counted {counted} of {size}")
    return seconds


@contextlib.contextmanager
def _methods(port: int, size: int, program: Path | None) -> Iterator[dict[str, Measure]]:
    table, tracker = NetlinkTable([port]), Tracker([port])
    request = wire.dump_request(sum(1 << state for state in CENSUS_STATES), dump_filter([port]))
    buffer = memoryview(bytearray(wire.BUFFER_SIZE))

    def full() -> int:
        tracker.observe(table.dump())
        return tracker.census(time.monotonic()).live

    methods = {
        BARE: _timed(lambda: sum(len(rows) for runs in replies(request, buffer) for rows in runs)),
        FULL: _timed(full),
        PROC: _timed(lambda: _read_proc(port)),
        PSUTIL: _timed(lambda: _ask_psutil(port)),
    }
    if shutil.which("ss"):
        methods[SS] = _timed(lambda: _ask_ss(port))
    if shutil.which("lsof") and size <= MOST_FOR_LSOF:
        methods[LSOF] = _timed(lambda: _ask_lsof(port))
    with contextlib.ExitStack() as stack:
        if program is not None:
            for name in (FLOOR, AGAIN):
                methods[name] = stack.enter_context(floor.dumping(program, request))
        yield methods


def _timed(count: Callable[[], int]) -> Measure:
    def measure() -> tuple[float, int]:
        began = time.perf_counter()
        counted = count()
        return time.perf_counter() - began, counted

    return measure


def _read_proc(port: int) -> int:
    """Local port and state are the second and the fourth field, in hexadecimal."""
    ending, count = f":{port:04X}", 0
    for path in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        with contextlib.suppress(FileNotFoundError), path.open(encoding="ascii") as lines:
            for line in lines:
                fields = line.split(None, 4)
                count += fields[1].endswith(ending) and fields[3] == "01"
    return count


def _ask_psutil(port: int) -> int:
    found = psutil.net_connections("tcp")
    ours = [one for one in found if one.laddr and one.laddr.port == port]
    return sum(one.status == psutil.CONN_ESTABLISHED for one in ours)


def _ask_ss(port: int) -> int:
    command = f"ss -Htn state established '( sport = :{port} )' | wc -l"
    return int(subprocess.run(["sh", "-c", command], stdout=subprocess.PIPE, check=True).stdout)


def _ask_lsof(port: int) -> int:
    listed = subprocess.run(["lsof", f"-i:{port}"], stdout=subprocess.PIPE, check=False, timeout=LSOF_LIMIT).stdout
    return listed.count(b"\n")
