"""SIGTERM at every moment: before the agent listens, during the hook, and after it; also as PID 1."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from tests.process.conftest import Pod
from tests.process.harness import Agent, needs_unshare
from tests.process.waiting import PATIENCE, UNIT, setting, until


def handles_sigterm(pid: int) -> bool:
    """Whether the process has installed a handler."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    caught = next(int(line.split()[1], 16) for line in lines if line.startswith("SigCgt:"))
    return bool(caught >> (signal.SIGTERM - 1) & 1)


def signal_as_early_as_possible(agent: Agent) -> None:
    """SIGTERM within a millisecond of the handler's installation; without one it would be death, or lost."""
    give_up_at = time.monotonic() + PATIENCE
    while time.monotonic() < give_up_at:
        assert agent.is_running(), agent.stderr()
        pid = agent.agent_pid()
        if pid is not None and handles_sigterm(pid):
            os.kill(pid, signal.SIGTERM)
            return
    raise AssertionError("no handler for SIGTERM")


@pytest.mark.parametrize(
    "pid_1", [pytest.param(False, id="a-child"), pytest.param(True, id="pid-1", marks=needs_unshare)]
)
def test_sigterm_before_the_agent_listens_is_not_lost(pod: Pod, *, pid_1: bool) -> None:
    app = pod.bare_app()
    # Unmeasured, because coverage's own start would be the longest part of what is looked at.
    agent = pod.starting_agent(app.port, measured=False, pid_1=pid_1)
    signal_as_early_as_possible(agent)
    assert agent.stderr() == "", "it listened before it handled signals"
    agent.ended_well()
    assert [line["message"] for line in agent.log()][-3:] == ["watching", "asked to go", "gone"]


@needs_unshare
def test_as_pid_1_a_plain_agent_drains_on_sigterm(pod: Pod) -> None:
    app = pod.bare_app()
    agent = pod.agent(app.port, container="plain", pid_1=True)
    app.clients(1)
    agent.counts(1)
    agent.terminate()
    hook = agent.hook()
    agent.drains()
    app.close()
    assert hook.answer().json()["outcome"] == "drained"
    agent.ended_well()


def test_sigterm_during_the_hook_lets_a_native_drain_go_on_to_its_end(pod: Pod) -> None:
    app = pod.bare_app()
    agent = pod.agent(app.port)
    clients = app.clients(2)
    agent.counts(2)
    hook = agent.hook()
    agent.drains()
    agent.terminate()
    agent.counts(2)
    app.leaves(clients[0])
    agent.counts(1)
    assert hook.stays_held(0.3 * UNIT)
    assert agent.get("/readyz").status == 503
    late_hook = agent.hook()
    app.all_leave()
    told = hook.answer().json()
    assert (told["outcome"], told["left"]) == ("drained", 2)
    assert late_hook.answer().json() == told
    agent.ended_well()


def test_sigterm_during_the_settle_time_does_not_shorten_it(pod: Pod) -> None:
    app = pod.bare_app()
    agent = pod.agent(app.port, settle=setting(1))
    hook = agent.hook()
    agent.reaches("settling")
    agent.terminate()
    assert hook.answer().json()["seconds"] >= UNIT
    agent.ended_well()


def test_sigterm_after_the_hook_ends_a_native_agent_at_once(pod: Pod) -> None:
    app = pod.bare_app()
    agent = pod.agent(app.port)
    hook = agent.hook()
    assert hook.answer().json()["outcome"] == "drained"
    asked_at = agent.terminate()
    agent.ended_well()
    assert time.monotonic() - asked_at < UNIT
    assert [line["message"] for line in agent.log()][-2:] == ["asked to go", "gone"]


def test_sigterm_answers_the_strangers_that_are_held(pod: Pod) -> None:
    app = pod.bare_app()
    agent = pod.agent(app.port)
    app.clients(1)
    agent.counts(1)
    page = agent.hook(headers={"Origin": "https://a.example"})
    until(agent.status, lambda status: status["callers"]["passive"] == 1)
    agent.terminate()
    assert page.answer().json()["outcome"] is None
    agent.ended_well()
