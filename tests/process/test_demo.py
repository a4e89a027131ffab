"""`make demo` as a newcomer without a terminal sees it, once as it is and once with clients that do not leave."""

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
        r"agent    drained: everybody has left, so the hook is answered",
        r"kubelet  SIGTERM to the app",
        r"app      exits with 0",
        r"kubelet  SIGTERM to the agent",
        r"agent    exits with 0",
        r"outcome      drained after \d+\.\d s",
        r"connections  200 at the start \+ 8 arrived = 208 left \+ 0 remaining",
        r"clients      208 left by themselves, 0 cut; \d+ messages",
        r"answered     \d+\.\d ms after the last connection closed",
        r"exit codes   app 0, agent 0",
        r"Nobody was cut: all 208 clients left by themselves before the app was stopped\.\n$",
    ]
    assert re.search(".*".join(story), run.stdout, re.DOTALL), run.stdout


@pytest.mark.timeout(90)
def test_the_demo_fails_and_says_why_when_clients_do_not_leave() -> None:
    run = demo("--clients", "20", "--grace", "8", "--stay", "5")
    assert run.returncode == 1, run.stdout + run.stderr
    assert run.stdout.endswith(
        "The drain was not what it should be: "
        "the outcome was deadline with 5 connections left, and 5 clients were cut.\n"
    ), run.stdout
