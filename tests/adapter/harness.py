"""`drainer adapter` as a child process between a fake cluster and fake agents, and an API server that asks it."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import shutil
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from tests.adapter.cluster import CONFIG_MAP, CUSTOM, NAMESPACE, SERVICE, FakeCluster
from tests.process.harness import Child, Reserved
from tests.process.waiting import until

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

    child: Child
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
        until(self.readiness, lambda seen: seen[0] == 200)

    def log(self) -> list[str]:
        """The messages that it has logged so far."""
        lines = self.child.stderr().splitlines()
        return [json.loads(line)["message"] if line.startswith("{") else line for line in lines]

    def await_log(self, part: str) -> str:
        said = until(self.log, lambda lines: any(part in line for line in lines))
        return next(line for line in said if part in line)

    def stop(self) -> int:
        """SIGTERM, and a second one for the hurry if it is not gone at once."""
        self.child.terminate()
        self.await_log("asked to go")
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.child.process.wait(0.5)
        self.child.terminate()
        return self.child.exit_code(20)


@contextmanager
def running(cluster: FakeCluster, pki: Pki, *flags: str) -> Iterator[Running]:
    """`drainer adapter` until the end of the block, where it must end well."""
    front, ops = Reserved(), Reserved()
    arguments = ["--service", SERVICE, "--port", str(front.port), "--ops-port", str(ops.port)]
    arguments += ["--kubeconfig", cluster.kubeconfig(pki.folder), *flags]
    child = Child([sys.executable, "-W", "error", "-m", "drainer", "adapter", *arguments])
    try:
        made = Running(child, front.port, ops.port, cluster, pki)
        made.await_log("watching")
        yield made
        if child.process.poll() is None:
            assert made.stop() == 0, made.log()
        assert not [line for line in child.stderr().splitlines() if "Traceback" in line or "Warning" in line]
    finally:
        child.close()
        front.close()
        ops.close()
