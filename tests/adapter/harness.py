"""`drainer adapter` as a child process between a fake cluster and fake agents, and an API server that asks it."""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import http.client
import json
import logging
import shutil
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from drainer.adapter.command import Adapter
from drainer.adapter.flags import add_flags, options
from drainer.commands.cluster import Cluster
from drainer.log import logger
from tests.adapter.cluster import CONFIG_MAP, CUSTOM, FakeCluster
from tests.adapter.objects import NAMESPACE, SERVICE
from tests.process.harness import Child, Reserved
from tests.process.waiting import UNIT, until
from tests.serving import Listener

STARTS_WITHIN = 45 * UNIT
"""Seconds for what comes after a start: the client of Kubernetes is large."""
HOST = f"{SERVICE}.{NAMESPACE}.svc"
HPA = {
    "X-Remote-User": "system:serviceaccount:kube-system:horizontal-pod-autoscaler",
    "X-Remote-Group": "system:serviceaccounts",
}
GROUP = "/apis/custom.metrics.k8s.io/v1beta2"
POD_METRICS = f"{GROUP}/namespaces/chat/pods/%2A"
EXTERNAL_METRICS = "/apis/external.metrics.k8s.io/v1beta1/namespaces/chat"


@dataclass(frozen=True)
class Pki:
    """Made by openssl: the API server's certificate, and others that somebody could try."""

    folder: Path

    @classmethod
    def made(cls, folder: Path) -> Pki:
        if shutil.which("openssl") is None:
            pytest.skip("needs openssl (Debian: apt install openssl): the certificates of an API server")
        pki = cls(folder)
        for authority in ("front-proxy-ca", "other-ca"):
            pki._openssl(authority, "-addext", "keyUsage=critical,keyCertSign")
        pki.issue("right", "front-proxy-client")
        pki.issue("wrong-name", "somebody")
        pki.issue("wrong-ca", "front-proxy-client", authority="other-ca")
        pki.issue("server", "front-proxy-client", usage="serverAuth")
        return pki

    def issue(self, name: str, common_name: str, authority: str = "front-proxy-ca", usage: str = "clientAuth") -> None:
        by = ("-CA", self.path(f"{authority}.crt"), "-CAkey", self.path(f"{authority}.key"))
        self._openssl(name, *by, "-addext", f"extendedKeyUsage={usage}", common_name=common_name)

    def path(self, name: str) -> str:
        return str(self.folder / name)

    def text(self, name: str) -> str:
        return Path(self.path(name)).read_text()

    def _openssl(self, name: str, *arguments: str, common_name: str = "") -> None:
        key, certificate = self.path(f"{name}.key"), self.path(f"{name}.crt")
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        command += ["-days", "2", "-keyout", key, "-out", certificate, "-subj", f"/CN={common_name or name}"]
        subprocess.run([*command, *arguments], check=True, capture_output=True)


def config_map(pki: Pki, authority: str = "front-proxy-ca", **changes: str) -> dict[str, Any]:
    """What the API server says of itself."""
    return {
        "metadata": {"name": CONFIG_MAP.rpartition("/")[2], "namespace": "kube-system"},
        "data": {
            "requestheader-client-ca-file": pki.text(f"{authority}.crt"),
            "requestheader-allowed-names": '["front-proxy-client"]',
            "requestheader-username-headers": '["X-Remote-User"]',
            "requestheader-group-headers": '["X-Remote-Group"]',
            "requestheader-extra-headers-prefix": '["X-Remote-Extra-"]',
            "requestheader-uid-headers": '["X-Remote-Uid"]',
            **changes,
        },
    }


@dataclass
class Asked:
    """An answer."""

    status: int
    headers: Mapping[str, str]
    body: Any


@dataclass
class Running:
    """An adapter that runs, and the API server in front of it."""

    log: Callable[[], list[str]]
    """The messages that it has logged so far."""
    port: int
    ops_port: int
    cluster: FakeCluster
    pki: Pki

    def ask(
        self,
        path: str,
        certificate: str | None = "right",
        headers: Mapping[str, str] | Sequence[tuple[str, str]] = (),
        *,
        method: str = "GET",
        body: bytes | None = None,
        trusted: str | None = None,
    ) -> Asked:
        """As the API server does; raises ssl.SSLError or OSError where the handshake fails."""
        with self.connection(certificate, trusted) as connection:
            return self.ask_over(connection, path, headers, method=method, body=body)

    def ask_over(
        self,
        connection: http.client.HTTPSConnection,
        path: str,
        headers: Mapping[str, str] | Sequence[tuple[str, str]] = (),
        *,
        method: str = "GET",
        body: bytes | None = None,
    ) -> Asked:
        connection.putrequest(method, path)
        given = headers.items() if isinstance(headers, Mapping) else headers
        for name, value in given or HPA.items():
            connection.putheader(name, value)
        if body is not None:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        response = connection.getresponse()
        text = response.read()
        return Asked(response.status, dict(response.headers), json.loads(text) if text else None)

    @contextmanager
    def connection(
        self, certificate: str | None = "right", trusted: str | None = None
    ) -> Iterator[http.client.HTTPSConnection]:
        """A connection to ask over."""
        context = ssl.create_default_context(cadata=trusted or self.trusted)
        if certificate is not None:
            context.load_cert_chain(self.pki.path(f"{certificate}.crt"), self.pki.path(f"{certificate}.key"))
        connection = http.client.HTTPSConnection(HOST, self.port, context=context)
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=10)
        try:
            connection.sock = context.wrap_socket(plain, server_hostname=HOST)
            yield connection
        finally:
            connection.close()
            plain.close()

    @property
    def trusted(self) -> str:
        """What the APIService says is to be trusted."""
        return base64.b64decode(self.cluster.objects[CUSTOM]["spec"]["caBundle"]).decode()

    def values(self, metric: str = "connections", query: str = "") -> dict[str, str]:
        """Pod -> value."""
        answer = self.ask(f"{POD_METRICS}/{metric}{query}")
        assert answer.status == 200, answer.body
        return {item["describedObject"]["name"]: item["value"] for item in answer.body["items"]}

    def readiness(self) -> tuple[int, str]:
        with socket.create_connection(("127.0.0.1", self.ops_port), timeout=10) as plain:
            plain.sendall(b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n")
            head, _, text = plain.makefile("rb").read().decode().partition("\r\n\r\n")
        return int(head.split()[1]), text

    def metric(self, series: str) -> float:
        with urlopen(f"http://127.0.0.1:{self.ops_port}/metrics", timeout=10) as response:
            lines = response.read().decode().splitlines()
        return float(next((line.rpartition(" ")[2] for line in lines if line.startswith(f"{series} ")), "nan"))

    def await_ready(self) -> None:
        until(self.readiness, lambda seen: seen[0] == 200, STARTS_WITHIN)

    def await_log(self, part: str) -> str:
        said = until(self.log, lambda lines: any(part in line for line in lines), STARTS_WITHIN)
        return next(line for line in said if part in line)


class Messages(logging.Handler):
    """What is logged, in a list."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@contextmanager
def running(cluster: FakeCluster, pki: Pki, *flags: str) -> Iterator[Running]:
    """An adapter in a thread until the end of the block, where it must end well and without a bug in its log."""
    parser = argparse.ArgumentParser()
    add_flags(parser)
    chosen = options(parser.parse_args(["--service", SERVICE, *flags]))
    api = Cluster.of(cluster.kubeconfig(pki.folder), None)
    listeners = Listener.at(), Listener.at()
    messages, begun = Messages(), threading.Event()
    made = Adapter(chosen, api, *listeners)
    loop = asyncio.new_event_loop()

    async def run() -> None:
        begun.set()
        await made.run()
        # The adapter has closed them: what is left are clients in a TLS handshake.
        for listener in listeners:
            await listener.hang_up()

    def be_the_adapter() -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(run())

    level = logger.level
    logger.addHandler(messages)
    logger.setLevel(logging.INFO)
    thread = threading.Thread(target=be_the_adapter, name="adapter")
    thread.start()
    try:
        assert begun.wait(STARTS_WITHIN)
        port, ops_port = (listener.port for listener in listeners)
        there = Running(lambda: [*messages.lines], port, ops_port, cluster, pki)
        there.await_log("watching")
        yield there
    finally:
        for _ in range(2):
            with contextlib.suppress(RuntimeError):  # It has ended by itself.
                loop.call_soon_threadsafe(made.leave)
        thread.join(20)
        api.api.rest_client.pool_manager.clear()
        logger.removeHandler(messages)
        logger.setLevel(level)
    assert not thread.is_alive()
    assert not [line for line in messages.lines if "has failed" in line and "cannot" not in line]


@contextmanager
def running_process(cluster: FakeCluster, pki: Pki, *flags: str) -> Iterator[tuple[Running, Child]]:
    """`drainer adapter` as a child process; it is ended with the block, if it has not ended before."""
    front, ops = Reserved(), Reserved()
    arguments = ["--service", SERVICE, "--port", str(front.port), "--ops-port", str(ops.port)]
    arguments += ["--kubeconfig", cluster.kubeconfig(pki.folder), *flags]
    child = Child([sys.executable, "-W", "error", "-m", "drainer", "adapter", *arguments])

    def log() -> list[str]:
        lines = child.stderr().splitlines()
        return [json.loads(line)["message"] if line.startswith("{") else line for line in lines]

    try:
        made = Running(log, front.port, ops.port, cluster, pki)
        made.await_log("watching")
        yield made, child
    finally:
        child.close()
        front.close()
        ops.close()
