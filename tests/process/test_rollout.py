"""`make rollout`, small: one strategy behind HAProxy, and what is left of it when it is stopped half-way."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from rollout.balancers import HAProxy
from tests.process.waiting import PATIENCE, until

PROJECT = Path(__file__).parents[2]

needs_haproxy = pytest.mark.skipif(HAProxy.missing() is not None, reason="haproxy is not installed")


def rollout(*options: str) -> subprocess.Popen[str]:
    # It measures itself; its child processes need no coverage, which would slow them.
    environ = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    return subprocess.Popen(
        [sys.executable, "-m", "rollout", *options],
        cwd=PROJECT,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def descendants(pid: int) -> set[int]:
    """The children of a process, and theirs."""
    try:
        children = {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}
    except FileNotFoundError:
        return set()
    return children.union(*map(descendants, children))


def is_there(pid: int) -> bool:
    """Whether the process runs: one that nobody has waited for yet does not."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def stopped(run: subprocess.Popen[str], number: signal.Signals) -> tuple[int, str]:
    """Its exit code and what it said last, when it is stopped with everything running."""
    try:
        # A balancer, three apps, and the clients.
        started = until(lambda: descendants(run.pid), lambda pids: len(pids) >= 5)
        run.send_signal(number)
        _, said = run.communicate(timeout=PATIENCE)
        until(lambda: [pid for pid in started if is_there(pid)], lambda left: not left)
        return run.returncode, said
    finally:
        run.kill()
        run.communicate()


@needs_haproxy
@pytest.mark.timeout(150)
def test_a_rollout_closes_everybody_politely_and_loses_nothing(tmp_path: Path) -> None:
    raw = tmp_path / "raw.json"
    with rollout("--strategies", "notify", "--clients", "90", "--grace", "8", "--json", str(raw)) as run:
        try:
            out, err = run.communicate(timeout=140)
        finally:
            run.kill()

    assert run.returncode == 0, out + err
    assert re.search(r"^  notify +1012: 90 +0 +0 \+ 0 +0 \+ \d+ ", out, re.MULTILINE), out
    assert "met     notify, websockets, haproxy: 0 abnormal, 0 lost, " in out
    (figures,) = json.loads(raw.read_text())["rollouts"]
    assert [stop["outcome"] for stop in figures["stops"]] == ["drained"] * 3
    assert sum(len(stop["returns"]) for stop in figures["stops"]) == figures["sums"]["closings"] == 90


@needs_haproxy
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_rollout_that_is_stopped_leaves_nothing_behind(number: signal.Signals) -> None:
    code, said = stopped(rollout("--strategies", "sleep", "--clients", "30"), number)

    assert code == 130, said
    assert said.endswith("Stopped, and everything the rollout had started with it.\n")


def test_what_cannot_be_done_is_said_before_anything_starts() -> None:
    with rollout("--strategies", "notify", "--servers", "aiohttp", "--balancers", "haproxy") as run:
        _, said = run.communicate(timeout=PATIENCE)

    assert (run.returncode, "no endpoint" in said) == (1, True), said
