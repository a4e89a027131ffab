"""What keeps the agent from starting is said in plain words, and by the exit code."""

from __future__ import annotations

import os
import socket
import subprocess

from tests.process.harness import AGENT
from tests.process.waiting import PATIENCE


def run(**settings: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("DRAINER_")}
    env = inherited | {f"DRAINER_{name.upper()}": value for name, value in settings.items()}
    return subprocess.run(AGENT, env=env, capture_output=True, text=True, timeout=PATIENCE, check=False)


def test_all_mistakes_in_the_settings_are_in_one_message_and_the_exit_code_is_2() -> None:
    done = run(app_ports="0,80", port="65536", settle="soon", token="\x7f", ignore_peers="10.0.0.1/8")
    lines = done.stderr.splitlines()
    assert done.returncode == 2
    assert done.stdout == ""
    assert all(line.startswith("drainer: ") for line in lines), done.stderr
    for name, value in {
        "APP_PORTS": "'0,80'",
        "PORT": "'65536'",
        "SETTLE": "'soon'",
        "TOKEN": "(not shown)",
        "IGNORE_PEERS": "'10.0.0.1/8'",
    }.items():
        assert any(f"DRAINER_{name}={value}" in line and "allowed: " in line for line in lines), (name, done.stderr)
    assert len(lines) == 5
    assert "\x7f" not in done.stderr


def test_without_app_ports_the_agent_says_what_is_missing() -> None:
    done = run()
    assert done.returncode == 2
    assert done.stderr.startswith("drainer: DRAINER_APP_PORTS is not set; allowed: ")
    assert done.stderr.count("\n") == 1


def test_a_taken_port_is_one_clear_line_and_exit_code_1() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run(app_ports="1", host="127.0.0.1", port=str(port))
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("drainer: DRAINER_HOST='127.0.0.1', DRAINER_PORT=")
    assert f"DRAINER_PORT={port}: cannot listen there (Address already in use)" in done.stderr
