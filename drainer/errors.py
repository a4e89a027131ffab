"""What can go wrong, as a tree.

::

    DrainerError
    |-- ConfigError          settings that cannot be used; all mistakes in one message
    |-- StartError           the agent cannot start: its port is taken
    `-- SocketTableError     the kernel's socket table could not be read
        |-- RefusedError     ... and will not be: sock_diag is not to be had here
        `-- WireError        ... because the answer is not what inet_diag.h says
"""

from __future__ import annotations

from collections.abc import Sequence


class DrainerError(Exception):
    """The root of all errors that this project raises on purpose."""


class ConfigError(DrainerError):
    """Settings that cannot be used.

    `mistakes` has one sentence for each, naming setting, value and what is allowed.
    """

    def __init__(self, mistakes: Sequence[str]) -> None:
        super().__init__(*mistakes)
        self.mistakes = tuple(mistakes)

    def __str__(self) -> str:
        return "\n".join(self.mistakes)


class StartError(DrainerError):
    """The agent cannot start."""


class SocketTableError(DrainerError):
    """The socket table could not be read: `operation` failed, with the kernel's `errno` where there is one."""

    def __init__(self, operation: str, errno: int | None = None, detail: str = "") -> None:
        super().__init__(operation, errno, detail)
        self.operation = operation
        self.errno = errno
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.operation}: {self.detail}" if self.detail else self.operation


class RefusedError(SocketTableError):
    """sock_diag is refused for good (gVisor, a seccomp profile, a kernel without tcp_diag)."""


class WireError(SocketTableError):
    """The kernel's answer is not what linux/inet_diag.h says."""
