"""The agent as a process of its own, and HTTP calls to it that cost next to nothing."""

from __future__ import annotations

import collections
import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.sockets import free_port

LISTENING = b"watching"
"""What the agent logs when it serves."""
CALL_TIMEOUT = 60.0
EXIT_SECONDS = 30


class Call:
    """A request that has been sent; the answer can wait. One connection each, as the kubelet does it."""

    def __init__(self, port: int, path: str, method: str = "GET") -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), CALL_TIMEOUT)
        self._socket.sendall(f"{method} {path} HTTP/1.1\r\nHost: bench\r\n\r\n".encode())

    def answer(self) -> tuple[int, str, float]:
        """Status, body, and the moment that the first byte arrived."""
        with self._socket:
            received = self._socket.recv(65536)
            at = time.perf_counter()
            while chunk := self._socket.recv(65536):
                received += chunk
        head, _, body = received.partition(b"\r\n\r\n")
        if not head:
            raise RuntimeError("the agent closed a connection without an answer")
        return int(head.split(None, 2)[1]), body.decode(), at


class Agent:
    """One that runs."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, started_after: float) -> None:
        self.pid = process.pid
        self.port = port
        self.started_after = started_after
        """Seconds from before the process was made until it listened."""

    def call(self, path: str, method: str = "GET") -> tuple[int, str]:
        """Status and body."""
        status, body, _ = Call(self.port, path, method).answer()
        return status, body

    def status(self) -> dict[str, Any]:
        """What /status says."""
        shown: dict[str, Any] = json.loads(self.call("/status")[1])
        return shown

    def metric(self, name: str) -> float:
        """One series of /metrics without labels."""
        for line in self.call("/metrics")[1].splitlines():
            if line.startswith(name + " "):
                return float(line.split()[1])
        raise RuntimeError(f"/metrics has no {name}")

    def await_phase(self, phase: str) -> None:
        """Until the agent is there; asked by /readyz, which takes no census."""
        until = time.monotonic() + CALL_TIMEOUT
        while (word := self.call("/readyz")[1].strip()) != phase:
            if time.monotonic() > until:
                raise RuntimeError(f"the agent is {word}, not {phase}")

    def cpu_seconds(self) -> float:
        """User and system time of all its threads."""
        fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mib(pid: int) -> float:
    """VmRSS."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"process {pid} has no VmRSS")


@contextlib.contextmanager
def agent(
    app_port: int, *flags: str, before: Sequence[str] = (), variables: Mapping[str, str] | None = None
) -> Iterator[Agent]:
    """Yields the agent when it listens.

    `before` are arguments of the interpreter that come before `-m drainer`, `variables` more of the environment.
    """
    port = free_port()
    command = [sys.executable, *before, "-m", "drainer", "run", "--app-ports", str(app_port), "--port", str(port)]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("DRAINER_")}
    environment = {**inherited, **(variables or {})}
    began = time.perf_counter()
    with subprocess.Popen(
        [*command, "--host", "127.0.0.1", *flags], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment
    ) as process:
        assert process.stderr is not None
        said = collections.deque[bytes](maxlen=20)
        reader = threading.Thread(target=said.extend, args=(process.stderr,))
        try:
            for line in process.stderr:
                said.append(line)
                if LISTENING in line:
                    break
            else:
                raise RuntimeError(f"the agent did not start: {b''.join(said).decode()}")
            started_after = time.perf_counter() - began
            # Whatever else it says must not fill the pipe.
            reader.start()
            yield Agent(process, port, started_after)
        finally:
            process.terminate()
            try:
                process.wait(1)
            except subprocess.TimeoutExpired:
                # A native sidecar with a drain running stays to its end.
                process.kill()
                process.wait(EXIT_SECONDS)
            if reader.ident is not None:
                reader.join()
