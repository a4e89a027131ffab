"""Loopback connections on one port, as many as wanted: held by child processes, for one may have 20,000 descriptors.

A child ends by itself when its standard input closes, so none outlives the bench.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import random
import resource
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

PAIRS = 9_000
"""Connections that one child holds, both ends."""
SPARE_DESCRIPTORS = 64
FIRST_CLIENT_PORT = 10_000
RESET_ON_CLOSE = struct.pack("ii", 1, 0)
"""SO_LINGER: 100,000 sockets in TIME_WAIT would be in the way of whatever is measured next."""
EXIT_SECONDS = 60


def free_port() -> int:
    """A port that nobody listens on now, and that the kernel gives to nobody who leaves the choice to it.

    Else a client of somebody else could get it as its local port, and be counted.
    """
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="utf-8").split()[0])
    ports = list(range(FIRST_CLIENT_PORT + PAIRS, lowest)) or [0]
    while True:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("", random.choice(ports)))
            port: int = probe.getsockname()[1]
            return port


@contextlib.contextmanager
def connections(count: int) -> Iterator[int]:
    """Yields the port on which there are `count` established connections, until the block is left."""
    port = free_port()
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    most = PAIRS if soft == resource.RLIM_INFINITY else min(PAIRS, (soft - SPARE_DESCRIPTORS) // 2)
    children = []
    try:
        for index, done in enumerate(range(0, count, most)):
            arguments = [str(port), str(index), str(min(most, count - done))]
            children.append(
                subprocess.Popen(
                    [sys.executable, "-m", "bench.sockets", *arguments],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                )
            )
        for child in children:
            assert child.stdout is not None
            if child.stdout.readline() != b"ready\n":
                raise RuntimeError(f"a holder of connections ended with {child.wait(EXIT_SECONDS)}")
        yield port
    finally:
        for child in children:
            assert child.stdin is not None
            child.stdin.close()
        for child in children:
            assert child.stdout is not None
            child.stdout.close()
            child.wait(EXIT_SECONDS)


def _hold(port: int, index: int, count: int) -> None:
    """The child: `count` connections to `port`, until standard input ends."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    # Addresses of its own on both sides: no child gets another's clients, none runs out of ports.
    server, client = f"127.1.{index}.1", f"127.{2 + index}.{port >> 8}.{port & 255}"
    held = []
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((server, port))
        listener.listen()
        numbers = itertools.count(FIRST_CLIENT_PORT)
        for _ in range(count):
            held.append(_connect(client, (server, port), numbers))
            held.append(listener.accept()[0])
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        sys.stdin.read()


def _connect(client: str, server: tuple[str, int], numbers: Iterator[int]) -> socket.socket:
    """A client's end. Its local port is chosen here: the kernel might choose the one that is being counted."""
    end = socket.socket()
    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    for number in numbers:
        if number == server[1]:
            continue
        try:
            end.bind((client, number))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
        else:
            break
    end.connect(server)
    return end


if __name__ == "__main__":
    _hold(*map(int, sys.argv[1:]))
