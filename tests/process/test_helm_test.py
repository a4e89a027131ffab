"""What `helm test` runs, beside a real agent: chart/files/check.py."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.process.conftest import Pod
from tests.process.waiting import PATIENCE

CHECK = Path(__file__).parents[2] / "chart" / "files" / "check.py"


def check(app_port: int, agent_port: int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(CHECK), "127.0.0.1", str(app_port), str(agent_port)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=4 * PATIENCE)


def test_a_websocket_is_counted_and_let_go(pod: Pod) -> None:
    app = pod.web_app()
    agent = pod.agent(app.port)
    pod.clients(app, 2)
    agent.counts(2)

    run = check(app.port, agent.port)

    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout == "127.0.0.1: a WebSocket was counted, and seen to leave\n"
    agent.counts(2)


def test_an_agent_that_drains_fails_it(pod: Pod) -> None:
    app = pod.web_app()
    agent = pod.agent(app.port)
    pod.clients(app, 1)
    agent.counts(1)
    agent.hook()
    agent.drains()

    run = check(app.port, agent.port)

    assert run.returncode == 1
    assert "not serving" in run.stderr


def test_a_server_that_speaks_no_websocket_fails_it(pod: Pod) -> None:
    agent = pod.agent(pod.bare_app().port)

    # The agent's own port answers HTTP, and upgrades nothing.
    run = check(agent.port, agent.port)

    assert run.returncode == 1
    assert "is no WebSocket server" in run.stderr
