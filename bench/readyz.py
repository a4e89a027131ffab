"""How long /readyz takes while censuses run one after the other."""

from __future__ import annotations

import socket
import threading
import time

from bench.agent import Agent, Call, agent
from bench.report import Figures, Table, quantile
from bench.sockets import connections

FEW = 10
FLAGS = ("--settle", "0", "--grace-period", "10m")
TURN = 0.02
"""Seconds between two changes of phase. Each makes a census due, so that they take the half of a core they may."""
PROBE_GAP = 0.002
TARGET = 20


def run(*, quick: bool) -> list[Table]:
    """With many connections on the port, and with few among many sockets of others."""
    figures, notes = Figures(), []
    many, seconds = (10_000, 3.0) if quick else (100_000, 40.0)
    with connections(many) as port:
        with agent(port, *FLAGS) as one:
            notes.append(_add(figures, f"{many:,} connections on the port", one, seconds))
        with socket.create_server(("127.0.0.1", 0)) as app:
            clients = [socket.create_connection(app.getsockname()) for _ in range(FEW)]
            held = [app.accept()[0] for _ in clients]
            with agent(app.getsockname()[1], *FLAGS) as one:
                notes.append(_add(figures, f"{FEW} connections among {2 * many:,} other sockets", one, seconds))
            for end in (*clients, *held):
                end.close()
    return [figures.table("/readyz while censuses run", *notes)]


def _add(figures: Figures, what: str, one: Agent, seconds: float) -> str:
    """Measure, and say how much was counted meanwhile."""
    counted, walked = _censuses(one)
    began, stop = time.perf_counter(), threading.Event()
    turning = threading.Thread(target=_turn, args=(one, stop))
    turning.start()
    try:
        probes = probe(one, seconds)
    finally:
        stop.set()
        turning.join()
    took = time.perf_counter() - began
    censuses, walking = (after - before for after, before in zip(_censuses(one), (counted, walked), strict=True))
    # Had all the slowest probes met a census, and none of the others: the most that p99 among those can be.
    strict = quantile(probes, 1 - 0.01 * min(1.0, walking / took))
    figures.add(f"{what}: p50", 1000 * quantile(probes, 0.5), " ms")
    figures.add(f"{what}: p99", 1000 * quantile(probes, 0.99), " ms", most=TARGET)
    figures.add(f"{what}: p99 of those that met a census, at most", 1000 * strict, " ms", most=TARGET)
    return f"{what}: {len(probes):,} probes, {censuses:.0f} censuses; one ran {walking / took:.0%} of the time."


def _censuses(one: Agent) -> tuple[float, float]:
    """How many there were, and their seconds."""
    name = "drainer_census_duration_seconds"
    return one.metric(f"{name}_count"), one.metric(f"{name}_sum")


def _turn(one: Agent, stop: threading.Event) -> None:
    """Drain, resume, drain, ..."""
    while not stop.is_set():
        hook = Call(one.port, "/drain")
        stop.wait(TURN)
        # 409 while the hook has not been read yet.
        while one.call("/resume", "POST")[0] != 200:
            pass
        hook.answer()
        stop.wait(TURN)


def probe(one: Agent, seconds: float) -> list[float]:
    """Probes one after the other, each on a connection of its own."""
    times = []
    until = time.perf_counter() + seconds
    while (began := time.perf_counter()) < until:
        *_, at = Call(one.port, "/readyz").answer()
        times.append(at - began)
        time.sleep(PROBE_GAP)
    return times
