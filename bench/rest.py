"""What the agent costs when nothing happens: the processor's time while it counts each second and is scraped."""

from __future__ import annotations

import time

from bench.agent import agent
from bench.report import Figures, Table
from bench.sockets import connections

CONNECTIONS = 10_000
SCRAPE_GAP = 15.0
TARGET = 0.8


def run(*, quick: bool) -> list[Table]:
    """Per cent of a core with 10,000 connections, scraped every 15 s."""
    figures = Figures()
    scrapes = 1 if quick else 8
    gap = 8.0 if quick else SCRAPE_GAP
    with connections(CONNECTIONS) as port, agent(port) as one:
        # The first census, the first scrape, and what Python does only once.
        one.call("/metrics")
        time.sleep(2)
        began, spent = time.perf_counter(), one.cpu_seconds()
        for turn in range(scrapes):
            time.sleep(began + (turn + 0.5) * gap - time.perf_counter())
            one.call("/metrics")
        time.sleep(began + scrapes * gap - time.perf_counter())
        share = 100 * (one.cpu_seconds() - spent) / (time.perf_counter() - began)
    what = f"{CONNECTIONS:,} connections, scraped every {gap:g} s, over {scrapes * gap:g} s: share of a core"
    figures.add(what, share, " %", most=TARGET)
    return [figures.table("At rest")]
