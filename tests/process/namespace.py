"""A cluster in two network namespaces: the pod's, and one from which the node and a stranger call.

Each lives as long as a child process does, so nothing of it can be left behind.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

POD, NODE, STRANGER = "192.0.2.1", "192.0.2.2", "192.0.2.3"
POD_IPV6, NODE_IPV6, STRANGER_IPV6 = "2001:db8::1", "2001:db8::2", "2001:db8::3"

MISSING = [name for name in ("unshare", "nsenter", "ip") if shutil.which(name) is None]
REASON = "network namespaces need root, util-linux (unshare, nsenter) and iproute2 (ip)"
AVAILABLE = os.geteuid() == 0 and not MISSING

_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


class Namespace:
    """One network namespace, kept by a process that waits for its standard input to end."""

    def __init__(self) -> None:
        # It speaks once it is inside: until then /proc shows the namespace it came from.
        self._keeper = subprocess.Popen(
            ["unshare", "--net", "sh", "-c", "echo; exec cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self._keeper.stdout is not None
        self._keeper.stdout.readline()
        self.pid = self._keeper.pid
        self.enter = ("nsenter", "--target", str(self.pid), "--net")
        """Put before a command, it runs there."""
        self.ip("link set lo up")

    def ip(self, command: str) -> None:
        subprocess.run([*self.enter, "ip", *command.split()], check=True)

    def addresses(self, device: str, *addresses: str) -> None:
        for address in addresses:
            extra = " nodad" if ":" in address else ""
            self.ip(f"addr add {address}/{64 if extra else 24} dev {device}{extra}")
        self.ip(f"link set {device} up")

    def inside(self) -> AbstractContextManager[None]:
        """Sockets that this thread makes meanwhile belong to the namespace, for as long as they live."""
        return inside(self.pid)

    def close(self) -> None:
        self._keeper.communicate()


@contextmanager
def inside(pid: int) -> Iterator[None]:
    """Sockets that this thread makes meanwhile belong to the network namespace of a process."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    there = os.open(Path("/proc", str(pid), "ns", "net"), os.O_RDONLY)
    try:
        _set_namespace(there)
        try:
            yield
        finally:
            _set_namespace(home)
    finally:
        os.close(home)
        os.close(there)


def _set_namespace(descriptor: int) -> None:
    """os.setns() is there from Python 3.12 on only."""
    if _libc.setns(descriptor, _CLONE_NEWNET):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


class Cluster:
    """A pod and the two who call it."""

    def __init__(self) -> None:
        self.pod = Namespace()
        self.outside = Namespace()
        self.pod.ip(f"link add eth0 type veth peer name eth0 netns {self.outside.pid}")
        self.pod.addresses("eth0", POD, POD_IPV6)
        self.outside.addresses("eth0", NODE, STRANGER, NODE_IPV6, STRANGER_IPV6)

    def close(self) -> None:
        self.pod.close()
        self.outside.close()
