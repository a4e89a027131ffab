"""What `drainer adapter` costs with 1,000 pods: the first sweep, CPU and memory at rest, and how long a query takes.

Agents and API server are stand-ins, the agents in a process of their own; the adapter is the real one, over real TLS.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from bench.report import Figures, Table, quantile
from tests.adapter.agents import DROP, GARBAGE, HANG, HUGE, addresses, agents
from tests.adapter.cluster import CONFIG_MAP, CUSTOM, fake_cluster
from tests.adapter.harness import POD_METRICS, Pki, Running, config_map, running_process
from tests.adapter.objects import apiservice, pod

PODS, QUICK_PODS = 1000, 200
SECONDS, QUICK_SECONDS = 60.0, 10.0
QUERIES = 300
PATIENCE = 120.0
MOST_SWEEP, MOST_CPU, MOST_MIB, MOST_QUERY = 5.0, 25.0, 160.0, 250.0
BAD = (HANG, GARBAGE, HUGE, DROP)


def run(*, quick: bool) -> list[Table]:
    """All agents well, and a third of them bad."""
    pods, seconds = (QUICK_PODS, QUICK_SECONDS) if quick else (PODS, SECONDS)
    figures = Figures()
    with tempfile.TemporaryDirectory() as folder:
        pki = Pki.made(Path(folder))
        for bad in (False, True):
            _measure(figures, pki, pods, seconds, bad=bad)
    note = f"Each agent is asked every 5 s, so that no value is older than 10 s; {QUERIES} queries for all pods."
    return [figures.table(f"drainer adapter with {pods:,} pods", note)]


def _measure(figures: Figures, pki: Pki, pods: int, seconds: float, *, bad: bool) -> None:
    what = "a third bad" if bad else "all well"
    good = pods - len(range(0, pods, 3)) if bad else pods
    with fleet(pods, bad=bad) as port, fake_cluster() as cluster:
        cluster.put(CONFIG_MAP, config_map(pki))
        cluster.put(CUSTOM, apiservice(CUSTOM))
        for number, address in enumerate(addresses(pods)):
            cluster.put_pod(pod(f"ws-{number}", port, address=address))
        with running_process(cluster, pki) as (adapter, child):
            began = time.monotonic()
            _wait(adapter, good)
            figures.add(f"{what}: all that answer are known after", time.monotonic() - began, " s", most=MOST_SWEEP)
            time.sleep(5)
            process = psutil.Process(child.pid)
            busy, began = sum(process.cpu_times()[:2]), time.monotonic()
            time.sleep(seconds)
            share = (sum(process.cpu_times()[:2]) - busy) / (time.monotonic() - began)
            figures.add(f"{what}: CPU, of a core", 100 * share, " %", most=MOST_CPU)
            times = _queries(adapter, good)
            figures.add(f"{what}: a query, p50", 1000 * quantile(times, 0.5), " ms")
            figures.add(f"{what}: a query, p99", 1000 * quantile(times, 0.99), " ms", most=MOST_QUERY)
            figures.add(f"{what}: resident", process.memory_info().rss / 2**20, " MiB", most=MOST_MIB)


def _wait(adapter: Running, good: int) -> None:
    until = time.monotonic() + PATIENCE
    while adapter.metric("drainer_adapter_pods_fresh") < good:
        if time.monotonic() > until:
            raise RuntimeError("waited in vain for the first sweep")
        time.sleep(0.1)
    adapter.await_ready()


def _queries(adapter: Running, good: int) -> list[float]:
    """Seconds of each, one after the other."""
    times = []
    with adapter.connection() as connection:
        for _ in range(QUERIES):
            began = time.perf_counter()
            answer = adapter.ask_over(connection, f"{POD_METRICS}/connections?labelSelector=app%3Dws")
            times.append(time.perf_counter() - began)
            if len(answer.body["items"]) < 0.99 * good:
                raise RuntimeError(f"only {len(answer.body['items'])} of {good} pods are fresh")
            time.sleep(0.02)
    return times


@contextmanager
def fleet(pods: int, *, bad: bool) -> Iterator[int]:
    """So many agents in a process of their own; their port."""
    command = [sys.executable, "-m", "bench.adapter", str(pods), str(int(bad))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.stdin.close()
            process.wait(PATIENCE)


def main() -> None:
    """Be the agents, until standard input ends."""
    pods, bad = int(sys.argv[1]), sys.argv[2] == "1"
    with agents(addresses(pods)) as made:
        for number, address in enumerate(addresses(pods)):
            made.says[address] = BAD[number // 3 % len(BAD)] if bad and number % 3 == 0 else number
        print(made.port, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
