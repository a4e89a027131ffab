"""Two real load balancers, told of replicas the way each of them is told."""

from __future__ import annotations

import asyncio
import os
import resource
import shutil
import signal
from abc import ABC, abstractmethod
from contextlib import AsyncExitStack
from pathlib import Path

from rollout.processes import HOST, Program, RolloutError, launch, listening, until

START_TIMEOUT = 10.0
STOP_SECONDS = 5.0
DESCRIPTORS = min(40_000, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
"""Of the balancer, which needs two for each client."""
MOST_CLIENTS = (DESCRIPTORS - 100) // 2
SLOTS = 8
"""More replicas than are ever there at a time."""


class Balancer(ABC):
    """Sends each new connection to the replica that has the fewest, as it counts them."""

    program: str
    package: str
    """Of Debian."""
    keeps_counts: bool
    """Whether a change of replicas leaves it knowing how many connections each one has."""

    def __init__(self, folder: Path, port: int) -> None:
        self.port = port
        self._folder = folder
        self._process: Program | None = None

    @classmethod
    def missing(cls) -> str | None:
        """That it is not installed, in one sentence; None if it is."""
        if _path(cls.program):
            return None
        return f"{cls.program} is not installed (Debian, Ubuntu: apt install {cls.package})."

    @abstractmethod
    async def start(self, cleanup: AsyncExitStack) -> None:
        """Serve, without replicas. Raises RolloutError."""

    @abstractmethod
    async def add(self, replica_port: int) -> None: ...

    @abstractmethod
    async def drain(self, replica_port: int) -> None:
        """Nobody new; those who are there stay."""

    async def _launch(self, cleanup: AsyncExitStack, *command: str | Path) -> None:
        self._process = process = await launch(self.program, _path(self.program) or self.program, *command)
        # Not SIGKILL: nginx's master has workers to take along.
        cleanup.push_async_callback(process.stop, STOP_SECONDS)
        await listening(process, self.port, START_TIMEOUT)


def _path(program: str) -> str | None:
    # Debian's /usr/sbin is not on every user's PATH.
    return shutil.which(program, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin")


class HAProxy(Balancer):
    """Told by its socket: slots for servers, filled and drained without a reload, so that it keeps its counts."""

    program = package = "haproxy"
    keeps_counts = True

    def __init__(self, folder: Path, port: int) -> None:
        super().__init__(folder, port)
        self._socket = folder / "haproxy.sock"
        self._slots: dict[int, str] = {}
        self._next = 1

    async def start(self, cleanup: AsyncExitStack) -> None:
        config = self._folder / "haproxy.cfg"
        config.write_text(f"""\
global
    maxconn {MOST_CLIENTS}
    nbthread 1
    stats socket {self._socket} mode 600 level admin
defaults
    mode http
    maxconn {MOST_CLIENTS}
    retries 3
    option redispatch 1
    timeout connect 2s
    timeout client 1h
    timeout server 1h
    timeout tunnel 1h
frontend clients
    bind {HOST}:{self.port} backlog 4096
    default_backend app
backend app
    balance leastconn
    server-template replica {SLOTS} {HOST}:1 disabled
""")
        await self._launch(cleanup, "-db", "-f", config)

    async def add(self, replica_port: int) -> None:
        slot = self._slots[replica_port] = f"app/replica{self._next}"
        self._next += 1
        await self._tell(f"set server {slot} addr {HOST} port {replica_port}")
        await self._tell(f"set server {slot} state ready")

    async def drain(self, replica_port: int) -> None:
        await self._tell(f"set server {self._slots[replica_port]} state drain")

    async def _tell(self, command: str) -> None:
        reader, writer = await asyncio.open_unix_connection(str(self._socket))
        try:
            writer.write(f"{command}\n".encode())
            answer = (await reader.read()).decode().strip()
        finally:
            writer.close()
        # A change of address is confirmed in words; whatever else is said is a complaint.
        if answer and "changed from" not in answer and "no need to change" not in answer:
            raise RolloutError(f"haproxy does not take {command!r}: {answer}")


class Nginx(Balancer):
    """Told by a new configuration and a reload: old workers keep the connections they have, new ones count from 0."""

    program = "nginx"
    package = "nginx-light"
    keeps_counts = False

    def __init__(self, folder: Path, port: int) -> None:
        super().__init__(folder, port)
        self._config = folder / "nginx.conf"
        self._ports: list[int] = []

    async def start(self, cleanup: AsyncExitStack) -> None:
        self._write()
        await self._launch(cleanup, "-p", self._folder, "-c", self._config, "-e", "stderr")

    async def add(self, replica_port: int) -> None:
        self._ports.append(replica_port)
        await self._reload()

    async def drain(self, replica_port: int) -> None:
        self._ports.remove(replica_port)
        await self._reload()

    async def _reload(self) -> None:
        assert self._process is not None
        before = self._workers()
        self._write()
        self._process.process.send_signal(signal.SIGHUP)
        try:
            await until(lambda: bool(self._workers() - before), START_TIMEOUT)
        except TimeoutError:
            raise RolloutError(f"nginx made no new worker within {START_TIMEOUT:g} s after SIGHUP.") from None

    def _workers(self) -> set[str]:
        assert self._process is not None
        pid = self._process.process.pid
        return set(Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split())

    def _write(self) -> None:
        # An upstream must not be empty: port 1 refuses until the first replica is there.
        servers = "".join(f"        server {HOST}:{port};\n" for port in self._ports or [1])
        user = "user root;\n" if os.geteuid() == 0 else ""
        paths = "".join(
            f"    {kind}_temp_path {self._folder}/{kind};\n"
            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        self._config.write_text(f"""\
{user}daemon off;
worker_processes 1;
worker_rlimit_nofile {DESCRIPTORS};
pid {self._folder}/nginx.pid;
error_log stderr crit;
events {{
    worker_connections {DESCRIPTORS};
}}
http {{
    access_log off;
{paths}    map $http_upgrade $connection_upgrade {{
        default upgrade;
        "" close;
    }}
    upstream app {{
        least_conn;
{servers}    }}
    server {{
        listen {HOST}:{self.port} backlog=4096;
        location / {{
            proxy_pass http://app;
            proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_upgrade;
            proxy_read_timeout 1h;
            proxy_send_timeout 1h;
        }}
    }}
}}
""")


BALANCERS: dict[str, type[Balancer]] = {"haproxy": HAProxy, "nginx": Nginx}
