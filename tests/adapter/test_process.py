"""The process: how it begins, and how it ends."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.adapter.cluster import FakeCluster
from tests.adapter.harness import POD_METRICS, Pki, running, running_process
from tests.process.harness import Child, Reserved
from tests.process.waiting import until

COMMAND = [sys.executable, "-W", "error", "-m", "drainer", "adapter"]


def test_after_sigterm_it_answers_a_little_longer(cluster: FakeCluster, pki: Pki) -> None:
    with running_process(cluster, pki) as (adapter, child):
        adapter.await_ready()
        began = time.monotonic()
        child.terminate()
        until(adapter.readiness, lambda seen: seen == (503, "it goes\n"))
        assert adapter.ask(f"{POD_METRICS}/connections").status == 200
        assert child.exit_code(20) == 0
        assert time.monotonic() - began > 4.5
        assert adapter.log()[-1] == "gone"


def test_a_second_signal_is_in_a_hurry(cluster: FakeCluster, pki: Pki) -> None:
    with running_process(cluster, pki) as (adapter, child):
        adapter.await_ready()
        child.terminate()
        adapter.await_log("asked to go")
        child.terminate()
        assert child.exit_code(4) == 0
        assert not [line for line in child.stderr().splitlines() if "Traceback" in line or "Warning" in line]


def catches_sigterm(child: Child) -> bool:
    lines = Path(f"/proc/{child.pid}/status").read_text().splitlines()
    caught = next(int(line.split()[1], 16) for line in lines if line.startswith("SigCgt:"))
    return bool(caught & 1 << signal.SIGTERM - 1)


def test_a_signal_that_comes_before_everything_ends_it(cluster: FakeCluster, tmp_path: Path) -> None:
    front, ops = Reserved(), Reserved()
    ports = ["--port", str(front.port), "--ops-port", str(ops.port)]
    child = Child([*COMMAND, "--service", "x", *ports, "--kubeconfig", cluster.kubeconfig(tmp_path)])
    try:
        until(lambda: catches_sigterm(child), bool)
        child.terminate()
        assert child.exit_code(30) == 0
        assert '"message": "gone"' in child.stderr()
    finally:
        child.close()
        front.close()
        ops.close()


def test_mistakes_are_named_and_nothing_is_started() -> None:
    done = subprocess.run(
        [*COMMAND, "--service", "x", "--port", "0", "--metrics", "y"], capture_output=True, text=True, check=False
    )

    assert done.returncode == 2
    assert [line.partition(" cannot")[0] for line in done.stderr.splitlines()] == [
        "drainer: --metrics='y'",
        "drainer: --port='0'",
    ]


def test_a_port_that_is_taken_is_named(cluster: FakeCluster, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [*COMMAND, "--service", "x", "--port", str(port), "--kubeconfig", cluster.kubeconfig(tmp_path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert f"--port={port}: cannot listen there (Address already in use)" in done.stderr


def test_without_a_cluster_it_says_so(tmp_path: Path) -> None:
    command = [*COMMAND, "--service", "x", "--kubeconfig", str(tmp_path / "none")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert "drainer: no cluster to ask" in done.stderr


def test_its_own_paths(cluster: FakeCluster, pki: Pki) -> None:
    with running(cluster, pki) as adapter:
        adapter.await_ready()
        with socket.create_connection(("127.0.0.1", adapter.ops_port), timeout=10) as plain:
            plain.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
            assert plain.makefile("rb").read().endswith(b"\r\n\r\nalive\n")
        assert adapter.metric("drainer_adapter_pods") == 0
        assert adapter.metric("drainer_adapter_certificate_expiry_timestamp_seconds") > time.time()
        with socket.create_connection(("127.0.0.1", adapter.ops_port), timeout=10) as plain:
            plain.sendall(
                b"GET /metrics HTTP/1.1\r\nHost: x\r\nAccept: application/openmetrics-text; version=x\r\n\r\n"
            )
            assert b"drainer_adapter_build_info" in plain.makefile("rb").read()


@pytest.mark.parametrize("package", ["kubernetes", "cryptography"])
def test_without_the_extra_it_says_which(package: str) -> None:
    program = (
        f"import sys; sys.modules[{package!r}] = None; import drainer.cli as c; sys.exit(c.main(sys.argv[1:], []))"
    )
    command = [sys.executable, "-W", "error", "-c", program, "adapter", "--service", "x"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (1, f"drainer: {package} is missing; pip install 'drainer[commands]'\n")
