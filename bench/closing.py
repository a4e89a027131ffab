"""Closing: how even the pace is, and what it costs the agent.

The moments are those at which the clients were told, so they hold all that lies in between: the plan, the closer's
thread, what was busy and tried again, and the kernel.
"""

from __future__ import annotations

import contextlib
import json
import re
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.agent import Agent, Call, agent, resident_mib
from bench.flock import OPEN, RESET, Endings, flock
from bench.memory import bare_imports
from bench.readyz import probe
from bench.report import Figures, Table, quantile

RESTART = "1012"
"""The agent's close code, unless it is told another one."""
CLOSERS = {"websocket": RESTART, "reset": RESET}
"""Closer -> how a client sees its connection end."""
WINDOW, QUICK_WINDOW = 20.0, 3.0
"""Seconds over which the agent spreads the first tries."""
STRAGGLER_TIME = 3.0
EXAMINED_WITHIN = 3.0
"""Seconds in which a closer knows whether it can work here."""
FEW, MANY, MOST = 1_000, 10_000, 50_000
BIN = 1.0
MOST_UNEVEN = 1.25
MOST_READYZ = 20
MOST_MIB = 40.0


class LackingError(Exception):
    """The closer cannot work here; the message is the agent's."""


@dataclass(frozen=True, slots=True)
class Drained:
    """One drain, from the outside."""

    what: str
    count: int
    how: str
    """As the clients should have seen it."""
    endings: Endings
    outcome: dict[str, Any]
    seconds: float
    cpu_seconds: float
    """Of the agent, all threads, from the hook's call to its answer."""
    peak_mib: float
    """The most that was resident meanwhile."""
    probes: Sequence[float]
    """Seconds that /readyz took, asked again and again all the time; none unless asked for."""


def run(*, quick: bool) -> list[Table]:
    """Both closers, in drains that differ in number and in what is watched."""
    figures, notes = Figures(), [f"Window: {QUICK_WINDOW if quick else WINDOW:g} s."]
    with bare_imports() as (process, _):
        bare = resident_mib(process.pid)
    for closer in CLOSERS:
        try:
            drains = list(_measure(figures, closer, bare, quick=quick))
        except LackingError as lacking:
            figures.missing(closer, str(lacking))
        else:
            notes += [note for drained in drains if (note := _surprise(drained))]
    return [figures.table("Closing", *notes)]


def _measure(figures: Figures, closer: str, bare: float, *, quick: bool) -> Iterator[Drained]:
    """Drain after drain. Raises LackingError."""
    window = QUICK_WINDOW if quick else WINDOW
    for count in (FEW,) if quick else (FEW, MANY):
        drained = _drain(closer, count, window)
        _add_pace(figures, drained)
        yield drained
    # Without the probes, which cost the agent more than the closing does.
    figures.add(f"{drained.what}: processor time of the agent", drained.cpu_seconds, " s")
    share = 100 * drained.cpu_seconds / drained.seconds
    figures.add(f"{drained.what}: share of a core", share, " %")
    drained = _drain(closer, 3 * FEW if quick else MANY, window, probing=True)
    figures.add(f"{drained.what}: /readyz meanwhile, p50", 1000 * quantile(drained.probes, 0.5), " ms")
    figures.add(f"{drained.what}: /readyz, p99", 1000 * quantile(drained.probes, 0.99), " ms", most=MOST_READYZ)
    yield drained
    if not quick:
        drained = _drain(closer, MOST, window)
        _add_ended(figures, drained)
        yield drained
    figures.add(f"{drained.what}: resident, more than the imports", drained.peak_mib - bare, " MiB", most=MOST_MIB)


def _add_pace(figures: Figures, drained: Drained) -> None:
    _add_ended(figures, drained)
    figures.add(f"{drained.what}: peak/mean in bins of {BIN:g} s", _unevenness(drained.endings), "", most=MOST_UNEVEN)


def _add_ended(figures: Figures, drained: Drained) -> None:
    others = drained.count - len(drained.endings.get(drained.how, ()))
    figures.add(f"{drained.what}: ended otherwise than with {drained.how}", others, "", most=0)


def _surprise(drained: Drained) -> str | None:
    """What happened beside the plan; None if nothing did."""
    endings = {how: len(moments) for how, moments in drained.endings.items()}
    if endings == {drained.how: drained.count} and drained.outcome["outcome"] == "drained":
        return None
    return f"{drained.what}: the clients saw {endings}; the agent said {json.dumps(drained.outcome)}."


def _unevenness(endings: Endings) -> float:
    """The busiest bin by the mean, from the first moment to the last."""
    moments = sorted(moment for how, each in endings.items() if how != OPEN for moment in each)
    if not moments:
        return float("nan")
    first, last = moments[0], moments[-1]
    peak = max(Counter(int((moment - first) / BIN) for moment in moments).values())
    return peak * max(BIN, last - first) / BIN / len(moments)


def _drain(closer: str, count: int, window: float, *, probing: bool = False) -> Drained:
    """One drain of `count` connections, all ended by `closer`. Raises LackingError."""
    with flock(count) as clients:
        with agent(clients.port, *flags(closer, clients.port, window)) as one:
            await_closer(one)
            with _peak(one.pid) as peak:
                spent, began = one.cpu_seconds(), time.perf_counter()
                hook = Call(one.port, "/drain")
                probes = probe(one, window) if probing else []
                _, body, ended = hook.answer()
                spent = one.cpu_seconds() - spent
        return Drained(
            what=f"{closer}, {count:,}",
            count=count,
            how=CLOSERS[closer],
            endings=clients.endings(),
            outcome=json.loads(body),
            seconds=ended - began,
            cpu_seconds=spent,
            peak_mib=peak[0],
            probes=probes,
        )


def flags(closer: str, port: int, window: float) -> list[str]:
    """An agent that closes by nothing else, and makes the first tries within so many seconds."""
    lengths = {"settle": 0, "app-reserve": 0, "straggler-time": STRAGGLER_TIME, "grace-period": window + STRAGGLER_TIME}
    chosen = ["--close", closer, *(word for name, length in lengths.items() for word in (f"--{name}", f"{length:g}s"))]
    return [*chosen, "--websocket-ports", str(port)] if closer == "websocket" else chosen


def await_closer(one: Agent) -> None:
    """Until its only closer can work. Raises LackingError."""
    until = time.monotonic() + EXAMINED_WITHIN
    while not (closer := one.status()["closers"][0])["usable"]:
        if time.monotonic() > until:
            raise LackingError(closer["missing"])
        time.sleep(0.1)


@contextlib.contextmanager
def _peak(pid: int) -> Iterator[list[float]]:
    """Yields a list, which holds the MiB when the block has been left."""
    process, peak = Path(f"/proc/{pid}"), list[float]()
    # 5 sets VmHWM back to what is resident now: Documentation/filesystems/proc.rst.
    (process / "clear_refs").write_text("5", encoding="ascii")
    yield peak
    found = re.search(r"^VmHWM:\s+(\d+) kB$", (process / "status").read_text(encoding="utf-8"), re.MULTILINE)
    assert found is not None
    peak.append(int(found[1]) / 1024)
