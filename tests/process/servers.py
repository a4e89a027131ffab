"""Third-party WebSocket servers as child processes, each as its documentation starts it: the apps of `make rollout`."""

from __future__ import annotations

import os
import signal

import psutil
import pytest

from drainer.sockets.roster import Roster
from rollout.servers import SERVERS
from tests.process.examples import needs_node, node_modules
from tests.process.harness import Child, Reserved
from tests.process.waiting import until

NAMES = [pytest.param(name, marks=needs_node if server.is_node else ()) for name, server in SERVERS.items()]
"""For `parametrize`."""
PATHS = {"socketio": "/socket.io/?EIO=4&transport=websocket&life=health"}
"""Where one serves WebSockets, if it is not `/`. These apps close a client at once that has no name (`life`)."""


class Served(Child):
    """One of them, listening."""

    def __init__(self, name: str, folder: str) -> None:
        server = SERVERS[name]
        self._reserved = Reserved()
        self.port = self._reserved.port
        self.path = PATHS.get(name, "/?life=health")
        unmeasured = {name: "" for name in os.environ if name.startswith("COVERAGE_")}
        environ = {"ROLLOUT_PORT": str(self.port), "ROLLOUT_LEDGER": f"{folder}/ledger", "ROLLOUT_NOTIFY_PORT": "0"}
        if server.is_node:
            environ["NODE_PATH"] = str(node_modules())
        super().__init__(server.command(self.port), unmeasured | environ)
        try:
            # By the kernel's table: a connection might be kept for a while, and would be counted.
            until(Roster([self.port]).listeners, bool)
        except AssertionError:
            said = self.stderr()
            self.close()
            raise AssertionError(said) from None

    def signal(self, number: signal.Signals) -> None:
        """To all of its processes."""
        for process in (*psutil.Process(self.pid).children(recursive=True), psutil.Process(self.pid)):
            process.send_signal(number)

    def close(self) -> None:
        if self.is_running():
            self.signal(signal.SIGKILL)
        super().close()
        self._reserved.close()
