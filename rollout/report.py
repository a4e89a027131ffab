"""The table, the verdicts and the raw figures."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.report import Table
from rollout.accounts import ABNORMAL, Account
from rollout.run import REPLICAS, Rollout
from rollout.strategies import Goals

HEADER = (
    "strategy",
    "server",
    "balancer",
    "closes by code",
    "abnormal",
    "lost",
    "crossed",
    "peak/s",
    "peak/mean",
    "absent p50/p99 ms",
    "closings per client",
    "SIGKILL",
)
FULL = 0.98
"""Of all cores: what waits for one is late, and so is what the clients see."""
CHOSEN = ("server", "balancer")
NOTES = tuple(
    """\
The next replica is replaced when the last one is gone (a Deployment does not wait for that); apps do on SIGTERM what
their library does by itself.
abnormal: ended without a Close frame (1006).
lost: pushed before the server knew of the close and never received + asked and never answered.
crossed: the same, but within a second of the Close frame that ended the connection, so both were under way.
peak/mean: attempts to connect in 1 s bins, from the first to the last after a stop, the worst stop.
absent: from a client's end of a connection to its next one.""".splitlines()
)


def table(rollouts: Sequence[Rollout], clients: int) -> Table:
    """One row for each rollout."""
    rows = [row(rollout) for rollout in rollouts]
    # What is the same in all rows is in the title.
    columns = [at for at, name in enumerate(HEADER) if name not in CHOSEN or len({row[at] for row in rows}) > 1]
    servers = " and ".join(dict.fromkeys(rollout.server for rollout in rollouts))
    balancers = " and ".join(dict.fromkeys(rollout.balancer.program for rollout in rollouts))
    busy = [share for rollout in rollouts for share in rollout.busy]
    return Table(
        f"{REPLICAS} replicas of {servers} behind {balancers}, replaced one by one; {clients:,} clients, "
        f"grace period {rollouts[0].times.grace:g} s",
        [HEADER[at] for at in columns],
        [[row[at] for at in columns] for row in rows],
        (*NOTES, f"Cores busy: {statistics.mean(busy):.0%} on average, {max(busy):.0%} in the worst second."),
    )


def row(rollout: Rollout) -> Sequence[str]:
    sums = rollout.account
    median, tail = sums.absent(0.5), sums.absent(0.99)
    return (
        rollout.strategy.name,
        rollout.server,
        rollout.balancer.program,
        ", ".join(f"{code}: {number:,}" for code, number in sorted(sums.codes.items())) or "none",
        f"{sums.abnormal:,}",
        f"{sums.lost_pushes:,} + {sums.lost_answers:,}",
        f"{sums.crossed_pushes:,} + {sums.crossed_questions:,}",
        f"{sums.peak:,}",
        "at once" if sums.ratio is None else f"{sums.ratio:.2f}",
        "-" if median is None or tail is None else f"{1000 * median:,.0f} / {1000 * tail:,.0f}",
        f"{sums.closings_per_client:.3f}",
        str(sums.kills),
    )


def misses(sums: Account, goals: Goals, *, counts_closings: bool) -> Iterator[str]:
    """What is not as it should be, one sentence each.

    `counts_closings` is false behind a balancer that sends clients to replicas that are about to be stopped.
    """
    if not sums.closings:
        yield "nobody was closed, which proves nothing"
    if sums.abnormal > goals.abnormal:
        yield f"{sums.abnormal} closings without a Close frame (at most {goals.abnormal})"
    if sums.lost > goals.lost:
        yield f"{sums.lost_pushes} pushes and {sums.lost_answers} answers lost (at most {goals.lost})"
    if sums.crossed_pushes and not goals.crossed:
        yield f"{sums.crossed_pushes} pushes crossed a Close of the server's own"
    if sums.altered:
        yield f"{sums.altered} messages altered or out of order"
    if sums.never_back:
        yield f"{sums.never_back} clients did not come back"
    if sums.ratio is None or sums.ratio > goals.ratio:
        shown = "all came at once" if sums.ratio is None else f"peak/mean {sums.ratio:.2f}"
        yield f"{shown} (at most {goals.ratio:g})"
    if counts_closings and sums.closings_per_client > goals.closings_per_client:
        yield f"{sums.closings_per_client:.3f} closings per client (at most {goals.closings_per_client:g})"
    if sums.kills:
        yield f"{sums.kills} SIGKILLs"


def verdict(rollout: Rollout) -> tuple[bool, str] | None:
    """Whether the goals are met, and the line that says so; None for a strategy without goals."""
    goals = rollout.strategy.goals
    if goals is None:
        return None
    name = f"{rollout.strategy.name}, {rollout.server}, {rollout.balancer.program}"
    counts = rollout.balancer.keeps_counts
    found = list(misses(rollout.account, goals, counts_closings=counts))
    if found:
        full = sum(share >= FULL for share in rollout.busy)
        remark = (
            f" All cores were busy in {full} of {len(rollout.busy)} s, perhaps with something else." if full else ""
        )
        return False, f"MISSED  {name}: {'; '.join(found)}.{remark}"
    sums = rollout.account
    closings = f"{sums.closings_per_client:.3f} closings per client{'' if counts else ' (not judged)'}"
    crossed = f"{sums.crossed} crossed"
    return True, f"met     {name}: 0 abnormal, 0 lost, {crossed}, peak/mean {sums.ratio:.2f}, {closings}, no SIGKILL."


def write_raw(path: Path, rollouts: Sequence[Rollout], machine: str) -> None:
    """All that was measured, as JSON: moments in seconds from the beginning of the first stop."""
    path.write_text(json.dumps({"machine": machine, "rollouts": [raw(rollout) for rollout in rollouts]}) + "\n")


def raw(rollout: Rollout) -> dict[str, Any]:
    sums = rollout.account
    shown = asdict(sums) | {
        "codes": {str(code): number for code, number in sorted(sums.codes.items())},
        "abnormal": sums.abnormal,
        "abnormal_code": ABNORMAL,
        "lost": sums.lost,
        "crossed": sums.crossed,
        "closings": sums.closings,
        "closings_per_client": sums.closings_per_client,
        "peak": sums.peak,
        "ratio": sums.ratio,
    }
    del shown["returns"]
    shown["absences"] = [round(seconds, 4) for seconds in sums.absences]
    stops = [
        {
            "replica": stop.replica,
            "began_at": round(stop.began_at - rollout.began_at, 3),
            "gone_at": round(stop.gone_at - rollout.began_at, 3),
            "killed": stop.killed,
            "outcome": stop.outcome,
            "lives": len(stop.pushed),
            "pace": asdict(pace),
            "returns": [round(at - rollout.began_at, 3) for at in moments],
        }
        for stop, pace, moments in zip(rollout.stops, sums.paces, sums.returns, strict=True)
    ]
    return {
        "strategy": rollout.strategy.name,
        "server": rollout.server,
        "balancer": rollout.balancer.program,
        "grace": rollout.times.grace,
        "lag": rollout.times.lag,
        "sums": shown,
        "stops": stops,
        "busy": [round(share, 3) for share in rollout.busy],
    }
