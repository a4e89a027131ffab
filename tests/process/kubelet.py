"""Calls the agent as the kubelet does, over a raw socket: nothing the agent sends goes unseen."""

from __future__ import annotations

import json
import select
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.process.waiting import PATIENCE

Headers = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete answer."""

    status: int
    headers: Mapping[str, str]
    """Names in small letters."""
    text: str
    seconds: float
    """From just before the request was sent to the end of the answer."""

    def json(self) -> Any:
        return json.loads(self.text)


class Call:
    """One request on a connection of its own. It is sent at once; `answer` waits."""

    def __init__(
        self,
        port: int,
        path: str = "/drain",
        *,
        method: str = "GET",
        headers: Headers | None = None,
        host: str = "127.0.0.1",
        source: str | None = None,
    ) -> None:
        self._socket = socket.create_connection((host, port), PATIENCE, source_address=(source, 0) if source else None)
        self._received = b""
        self.sent_at = time.monotonic()
        self._socket.sendall(_request(f"{method} {path}", f"{host}:{port}", headers or {}))

    def is_held(self) -> bool:
        """Not a byte has come, and the connection stands."""
        return not select.select([self._socket], [], [], 0)[0]

    def stays_held(self, seconds: float) -> bool:
        """The same, for so long."""
        return not select.select([self._socket], [], [], seconds)[0]

    def answer(self, within: float = PATIENCE) -> Answer:
        """The whole answer; the agent closes the connection after it."""
        give_up_at = time.monotonic() + within
        with self._socket:
            while True:
                self._socket.settimeout(max(0.001, give_up_at - time.monotonic()))
                piece = self._socket.recv(65536)
                if not piece:
                    return _parse(self._received, time.monotonic() - self.sent_at)
                self._received += piece

    def hang_up(self) -> None:
        self._socket.close()


def _request(line: str, host: str, headers: Headers) -> bytes:
    fields = {
        "Host": host,
        "User-Agent": "kube-lifecycle/1.36",
        "Accept": "*/*",
        "Accept-Encoding": "gzip",
        **headers,
    }
    lines = [f"{line} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items()), "", ""]
    return "\r\n".join(lines).encode()


def _parse(received: bytes, seconds: float) -> Answer:
    head, _, body = received.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    assert int(headers["content-length"]) == len(body), f"cut short: {received!r}"
    return Answer(int(first.split()[1]), headers, body.decode(), seconds)


def get(port: int, path: str, *, host: str = "127.0.0.1", headers: Headers | None = None) -> Answer:
    """A request whose answer is not held back."""
    return Call(port, path, host=host, headers=headers).answer()


def post(port: int, path: str, *, headers: Headers | None = None) -> Answer:
    return Call(port, path, method="POST", headers=headers).answer()
