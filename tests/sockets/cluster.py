"""An API server as far as a command that reads needs it: answers by path, over HTTP on loopback, and a kubeconfig."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

TOKEN = "a-token"


@dataclass
class ApiServer:
    """What it answers, and what it was asked."""

    port: int = 0
    answers: dict[str, Any] = field(default_factory=dict)
    """Path -> an object, an HTTP status, or bytes as they are, alone or with their status."""
    asked: list[str] = field(default_factory=list)
    tokens: set[str | None] = field(default_factory=set)

    def kubeconfig(self, folder: Path, **changes: str) -> str:
        """A file that leads here, with the contexts `here` and `nowhere`."""
        path = folder / "kubeconfig"
        here = {"server": f"http://127.0.0.1:{self.port}"} | changes
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "here",
            "clusters": [
                {"name": "here", "cluster": here},
                {"name": "nowhere", "cluster": {"server": "http://127.0.0.1:1"}},
            ],
            "users": [{"name": "me", "user": {"token": TOKEN}}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": "me"}} for name in ("here", "nowhere")],
        }
        path.write_text(json.dumps(config))
        return str(path)

    def answer(self, path: str) -> tuple[int, bytes]:
        found = self.answers.get(path, 404)
        if isinstance(found, bytes):
            return 200, found
        if isinstance(found, tuple):
            return found
        if isinstance(found, int):
            return found, json.dumps({"kind": "Status", "message": f"{path} is not for you", "code": found}).encode()
        return 200, json.dumps(found).encode()


@contextmanager
def api_server() -> Iterator[ApiServer]:
    """Serves until the end of the block."""
    server = ApiServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            server.asked.append(self.path)
            server.tokens.add(self.headers.get("Authorization"))
            status, body = server.answer(self.path)
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        server.port = listening.server_port
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            listening.shutdown()
            thread.join()
