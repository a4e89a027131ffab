"""The agent and other programs as child processes. Each is ended by its id, and must have ended well."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import pytest

from tests.process.kubelet import Answer, Call
from tests.process.waiting import PATIENCE, setting, until

AGENT = (sys.executable, "-W", "error", "-m", "drainer", "run")


AS_PID_1 = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")
CAN_BE_PID_1 = os.geteuid() == 0 and shutil.which("unshare") is not None
needs_unshare = pytest.mark.skipif(not CAN_BE_PID_1, reason="a PID namespace needs root and unshare (util-linux)")


class Reserved:
    """A free port that nobody else is given: bound, never listening, and SO_REUSEADDR lets its user bind it too."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET6)
        self._socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("::", 0))
        self.port: int = self._socket.getsockname()[1]

    def close(self) -> None:
        self._socket.close()


class Child:
    """A child process whose standard error goes to a file without a name."""

    def __init__(
        self,
        command: Sequence[str],
        env: Mapping[str, str] | None = None,
        *,
        stderr: int | None = None,
        preexec: Callable[[], None] | None = None,
    ) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - `close` closes it
        # Named agents only: whoever runs the tests may have DRAINER_ variables too.
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("DRAINER_")}
        self.process = subprocess.Popen(
            command,
            env={**inherited, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._file if stderr is None else stderr,
            preexec_fn=preexec,  # noqa: PLW1509 - nothing but a few system calls
        )
        self.pid = self.process.pid

    def stderr(self) -> str:
        """What it has said so far."""
        size = os.fstat(self._file.fileno()).st_size
        return os.pread(self._file.fileno(), size, 0).decode()

    def terminate(self) -> float:
        """SIGTERM; returns when it was sent."""
        sent_at = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        return sent_at

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(PATIENCE)

    def is_running(self) -> bool:
        return self.process.poll() is None

    def exit_code(self, within: float = PATIENCE) -> int:
        """Wait for its end."""
        try:
            return self.process.wait(within)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {within:g} s; it said: {self.stderr()}") from None

    def close(self) -> None:
        """Make sure that nothing is left of it."""
        if self.is_running():
            self.kill()
        self._file.close()


class Agent(Child):
    """`drainer run` with warnings as errors."""

    def __init__(
        self,
        *app_ports: int,
        prefix: Sequence[str] = (),
        pid_1: bool = False,
        preexec: Callable[[], None] | None = None,
        stderr: int | None = None,
        inside: Callable[[], AbstractContextManager[None]] = nullcontext,
        measured: bool = True,
        variables: Mapping[str, str] | None = None,
        **settings: str,
    ) -> None:
        """`prefix` goes before the command; `pid_1` makes it the first process of a namespace, as in a container.

        `variables` are more of the environment.
        `inside` is entered to call it; coverage, which is slow, is for those that are `measured`.
        """
        self._reserved = Reserved()
        self.port = self._reserved.port
        self._token = settings.get("token", "")
        self._calls: list[Call] = []
        self._inside = inside
        chosen = {
            "app_ports": ",".join(map(str, app_ports)),
            "port": str(self.port),
            "settle": setting(0.2),
            "grace_period": setting(40),
            "app_reserve": setting(10),
            "interval": "100ms",
            **settings,
        }
        env = {f"DRAINER_{name.upper()}": value for name, value in chosen.items()} | dict(variables or {})
        if not measured:
            env |= {name: "" for name in os.environ if name.startswith("COVERAGE_")}
        self._is_pid_1 = pid_1
        super().__init__((*prefix, *(AS_PID_1 if pid_1 else ()), *AGENT), env, stderr=stderr, preexec=preexec)

    def terminate(self) -> float:
        if not self._is_pid_1:
            return super().terminate()
        pid = until(self.agent_pid, lambda pid: pid is not None)
        assert pid is not None
        os.kill(pid, signal.SIGTERM)
        return time.monotonic()

    def agent_pid(self) -> int | None:
        """The process that is the agent: `unshare` forks to enter a PID namespace."""
        if not self._is_pid_1:
            return self.pid
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return int(children[0]) if children else None

    def started(self) -> Agent:
        """Wait until it listens."""
        until(self.stderr, lambda said: "watching" in said or not self.is_running())
        assert self.is_running(), self.stderr()
        return self

    def log(self) -> list[dict[str, Any]]:
        """The lines it has logged, complete ones only."""
        return [json.loads(line) for line in self.stderr().splitlines(keepends=True) if line.endswith("\n")]

    def said(self, message: str) -> list[dict[str, Any]]:
        """The lines whose message begins so."""
        return [line for line in self.log() if line["message"].startswith(message)]

    def hook(self, **options: Any) -> Call:
        """The preStop hook."""
        return self._call("/drain", **options)

    def get(self, path: str) -> Answer:
        return self._call(path).answer()

    def resume(self) -> Answer:
        headers = {"X-Drainer-Token": self._token} if self._token else {}
        return self._call("/resume", method="POST", headers=headers).answer()

    def _call(self, path: str, **options: Any) -> Call:
        with self._inside():
            call = Call(self.port, path, **options)
        self.owns(call)
        return call

    def owns(self, call: Call) -> None:
        """Have the call's connection closed with the agent, if nobody waits for the answer."""
        self._calls.append(call)

    def watch(self) -> Call:
        """A stream of the page, which nobody reads."""
        return self._call("/stream")

    def freeze(self) -> None:
        """SIGSTOP."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def status(self) -> Any:
        return self.get("/status").json()

    def counts(self, connections: int) -> None:
        """Wait until it has counted so many."""
        until(self.status, lambda status: bool(status["connections"]["total"] == connections))

    def reaches(self, phase: str) -> None:
        """Wait until it is in this phase."""
        until(self.status, lambda status: bool(status["phase"] == phase))

    def drains(self) -> None:
        """Wait until the settle time is over, and a census of after the beginning is there to start from."""
        self.reaches("draining")
        self.looks_again()

    def looks_again(self) -> None:
        """Wait until it has taken a census that was begun after this call."""
        called_at = time.time()
        until(lambda: self.metric("drainer_census_timestamp_seconds"), lambda taken_at: taken_at > called_at)

    def metric(self, series: str) -> float:
        lines = dict(line.rsplit(" ", 1) for line in self.get("/metrics").text.splitlines() if line[0] != "#")
        return float(lines[series])

    def ended_well(self) -> None:
        """It exits 0 and has logged nothing but JSON, and no error."""
        assert self.exit_code() == 0, self.stderr()
        bad = [line for line in self.log() if line["level"] == "error" or "exception" in line]
        assert not bad, bad

    def close(self) -> None:
        super().close()
        self._reserved.close()
        for call in self._calls:
            call.hang_up()
