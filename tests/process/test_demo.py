"""`make demo` as a newcomer without a terminal sees it, once as it is and once with clients that nobody closes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]


def demo(*options: str) -> subprocess.CompletedProcess[str]:
    # An environment that asks for colours: where there is no terminal, there are none.
    environment = {**os.environ, "FORCE_COLOR": "1", "TERM": "xterm-256color"}
    return subprocess.run(
        [sys.executable, "-m", "demo", *options],
        cwd=PROJECT,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=55,
        check=False,
    )


@pytest.mark.timeout(90)
def test_the_demo_drains_two_hundred_clients_and_cuts_nobody() -> None:
    run = demo()
    assert (run.returncode, run.stderr) == (0, ""), run.stdout + run.stderr
    assert "\x1b" not in run.stdout
    story = [
        r"agent    counts 200 connections",
        r"t\+0\.0 s  kubelet  stops the pod: GET /drain, the preStop hook, and waits",
        r"readiness probe: 503 \w+, so Services send nobody new",
        r"clients  8 new ones come from a stale load balancer and are served",
        r"agent    closing: those who stay are told to go, one by one \(1012, service restart\)",
        r"agent    drained: everybody has gone, so the hook is answered",
        r"kubelet  SIGTERM to the app",
        r"app      exits with 0",
        r"kubelet  SIGTERM to the agent",
        r"agent    exits with 0",
        r"outcome      drained after \d+\.\d s",
        r"connections  200 at the start \+ 8 arrived = 208 left \+ 0 remaining",
        r"clients      (\d+) left by themselves, (\d+) told to go \(1012\), 0 cut; \d+ messages",
        r"pace         \d+ closed in \d+\.\d s, at most \d+ in any second",
        r"answered     \d+\.\d ms after the last connection closed",
        r"exit codes   app 0, agent 0",
        r"Nobody was cut: \d+ clients left by themselves, \d+ were told to go, one by one\.\n$",
    ]
    told = re.search(".*".join(story), run.stdout, re.DOTALL)
    assert told is not None, run.stdout
    # Of the 58 that would have left by themselves, chance lets some be closed before.
    left, closed = int(told[1]), int(told[2])
    assert (left + closed, 150 <= closed <= 200) == (208, True), run.stdout


@pytest.mark.timeout(90)
def test_the_demo_fails_and_says_why_when_nobody_closes_those_who_stay() -> None:
    run = demo("--clients", "20", "--grace", "8", "--stay", "5", "--no-closers")
    assert run.returncode == 1, run.stdout + run.stderr
    assert run.stdout.endswith(
        "The drain was not what it should be: "
        "the outcome was deadline with 5 connections left, and 5 clients were cut.\n"
    ), run.stdout
