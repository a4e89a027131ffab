"""What `helm test` runs: a WebSocket to the demo is counted by the agent beside it, and is let go again.

Arguments: host, the app's port, the agent's port. A host with several addresses stands for several pods: each is tried.
Standard library only, since it runs in the agent's image.
"""

from __future__ import annotations

import base64
import json
import os
import socket
import sys
import time
import urllib.request
from collections.abc import Callable

DEADLINE = 30.0
"""Seconds for each thing to come true."""


def main(host: str, app_port: int, agent_port: int) -> None:
    """Raise SystemExit with a sentence for the first thing that is not as it should be."""
    for address in sorted({str(info[4][0]) for info in socket.getaddrinfo(host, app_port, type=socket.SOCK_STREAM)}):
        check(address, app_port, agent_port)
        sys.stdout.write(f"{address}: a WebSocket was counted, and seen to leave\n")


def check(address: str, app_port: int, agent_port: int) -> None:
    """One pod."""
    before = connections(address, agent_port)
    with handshake(address, app_port):
        wait(lambda: connections(address, agent_port) > before, f"{address}: the agent counts the new WebSocket")
    wait(lambda: connections(address, agent_port) <= before, f"{address}: the agent sees that it has left")


def connections(address: str, agent_port: int) -> int:
    """How many the agent counts now; it must be serving."""
    host = f"[{address}]" if ":" in address else address
    with urllib.request.urlopen(f"http://{host}:{agent_port}/status", timeout=5) as answer:
        status = json.load(answer)
    if status["phase"] != "serving":
        raise SystemExit(f"{address}: its phase is {status['phase']}, not serving")
    return int(status["connections"]["total"])


def handshake(address: str, port: int) -> socket.socket:
    """A WebSocket that was accepted."""
    client = socket.create_connection((address, port), timeout=5)
    key = base64.b64encode(os.urandom(16)).decode()
    client.sendall(
        f"GET / HTTP/1.1\r\nHost: {address}:{port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
    )
    answer = client.recv(4096)
    if b" 101 " not in answer.partition(b"\r\n")[0]:
        raise SystemExit(f"{address}:{port} is no WebSocket server: {answer[:60]!r}")
    return client


def wait(is_true: Callable[[], bool], what: str) -> None:
    """Until it is true, or SystemExit after the deadline."""
    until = time.monotonic() + DEADLINE
    while not is_true():
        if time.monotonic() > until:
            raise SystemExit(f"not within {DEADLINE:g} s: {what}")
        time.sleep(0.2)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
