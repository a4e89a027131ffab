"""From the last close to the hook's answer."""

from __future__ import annotations

import json
import random
import socket
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

from bench import deaf
from bench.agent import Agent, Call, agent
from bench.report import Figures, Table, quantile

CLIENTS = 3
FLAGS = ("--settle", "0", "--grace-period", "10m")
"""No settle time, so that a thousand drains fit into two minutes; the end of a drain does not depend on it."""
NOTIFIED_PAUSE, UNNOTIFIED_PAUSE = 0.1, 0.3
"""The last close comes at a random moment within so many seconds: it may meet a census, or wait for one."""


def run(*, quick: bool) -> list[Table]:
    """With the kernel's word of closes, and without it."""
    figures = Figures()
    count = 80 if quick else 1000
    _add(figures, f"{count:,} drains", _measure(count, NOTIFIED_PAUSE, notified=True), (("p50", 5), ("p99", 20)))
    count = 10 if quick else 200
    what = f"{count} drains without notifications"
    if deaf.is_possible():
        before = [str(Path(deaf.__file__))]
        _add(figures, what, _measure(count, UNNOTIFIED_PAUSE, notified=False, before=before), (("p99", 500),))
    else:
        figures.missing(what, "seccomp cannot be used here")
    return [figures.table("From the last close to the hook's answer")]


def _add(figures: Figures, what: str, seconds: Sequence[float], targets: Sequence[tuple[str, float]]) -> None:
    most = dict(targets)
    for word, value in (
        ("p50", statistics.median(seconds)),
        ("p99", quantile(seconds, 0.99)),
        ("longest", max(seconds)),
    ):
        figures.add(f"{what}: {word}", 1000 * value, " ms", most=most.get(word))


def _measure(count: int, pause: float, *, notified: bool, before: Sequence[str] = ()) -> list[float]:
    chance = random.Random(count)
    with socket.create_server(("127.0.0.1", 0)) as app, agent(app.getsockname()[1], *FLAGS, before=before) as one:
        return [_drain(one, app, chance.uniform(0, pause), notified=notified) for _ in range(count)]


def _drain(one: Agent, app: socket.socket, pause: float, *, notified: bool) -> float:
    """Seconds from the last client's close to the first byte of the hook's answer, in one drain."""
    pairs = []
    for _ in range(CLIENTS):
        client = socket.create_connection(app.getsockname())
        pairs.append((client, app.accept()[0]))
    hook = Call(one.port, "/drain")
    one.await_phase("draining")
    source = one.status()["source"]
    if (source["name"], source["notified"]) != ("sock_diag", notified):
        raise RuntimeError(f"this is not what is to be measured: {source}")
    for pair in pairs[:-1]:
        _end(*pair)
    time.sleep(pause)
    began = time.perf_counter()
    _end(*pairs[-1])
    _, body, at = hook.answer()
    outcome = json.loads(body)
    if (outcome["outcome"], outcome["remaining"]) != ("drained", 0):
        raise RuntimeError(f"not drained: {body}")
    one.call("/resume", "POST")
    return at - began


def _end(client: socket.socket, served: socket.socket) -> None:
    """The client leaves, and the app closes its side as soon as it knows."""
    client.close()
    served.close()
