"""The example apps of docs/notify-your-app.md as child processes, on free ports in place of 8080 and 9809."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.process.harness import Child, Reserved
from tests.process.waiting import PATIENCE, until

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
NODE_FOLDER = Path(__file__).parents[1] / "node"
APP_PORT, NOTICE_PORT = "8080", "9809"
"""Each stands once in every example."""

_missing = [program for program in ("node", "npm") if shutil.which(program) is None]
needs_node = pytest.mark.skipif(bool(_missing), reason=f"needs the programs {_missing} (Debian: nodejs, npm)")


def node_modules() -> Path:
    """The packages of tests/node/package-lock.json; installed if they are not, or are others (`make node`)."""
    wanted, installed = NODE_FOLDER / "package-lock.json", NODE_FOLDER / "node_modules" / ".package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < wanted.stat().st_mtime:
        result = subprocess.run(
            ["npm", "ci", "--no-audit", "--no-fund"], cwd=NODE_FOLDER, capture_output=True, text=True, check=False
        )
        assert result.returncode == 0, result.stderr
    return NODE_FOLDER / "node_modules"


class Example(Child):
    """One of them, listening; `folder` is where its copy goes."""

    def __init__(self, name: str, folder: Path) -> None:
        self._reserved = Reserved(), Reserved()
        self.port, self.notice_port = (reserved.port for reserved in self._reserved)
        text = (EXAMPLES / name).read_text()
        for port, ours in ((APP_PORT, self.port), (NOTICE_PORT, self.notice_port)):
            assert text.count(port) == 1
            text = text.replace(port, str(ours))
        copy = folder / name
        copy.write_text(text)
        if copy.suffix == ".mjs":
            (folder / "node_modules").symlink_to(node_modules())
        unmeasured = {name: "" for name in os.environ if name.startswith("COVERAGE_")}
        super().__init__(["node" if copy.suffix == ".mjs" else sys.executable, str(copy)], unmeasured)
        try:
            until(self.listens, bool)
        except AssertionError:
            said = self.stderr()
            self.close()
            raise AssertionError(said) from None

    @property
    def notice_url(self) -> str:
        return f"http://127.0.0.1:{self.notice_port}/drain"

    def listens(self) -> bool:
        """On both ports."""
        return self._listens(self.port) and self._listens(self.notice_port)

    def _listens(self, port: int, host: str = "127.0.0.1") -> bool:
        try:
            socket.create_connection((host, port), PATIENCE).close()
        except ConnectionRefusedError:
            return False
        return True

    def is_told_from_outside(self) -> bool:
        """Whether another address of this machine than 127.0.0.1 leads to the endpoint."""
        return self._listens(self.notice_port, "127.0.0.2")

    def close(self) -> None:
        super().close()
        for reserved in self._reserved:
            reserved.close()
