"""What can go wrong, as a tree.

::

    DrainerError
    |-- ConfigError          settings that cannot be used; all mistakes in one message
    |-- StartError           the agent cannot start: its port is taken
    |-- ManifestError        a manifest that cannot be read
    |-- MissingExtraError    a command needs packages that the agent does without
    |-- AdviceError          there is too little to advise on
    |-- ClusterError         a command cannot get what it needs from the API server
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


class ManifestError(DrainerError):
    """A manifest cannot be used: `origin` is its file (`-`: standard input), `line` and `column` count from 1."""

    def __init__(self, origin: str, detail: str, *, line: int | None = None, column: int | None = None) -> None:
        super().__init__(origin, detail)
        self.origin = origin
        self.detail = detail
        self.line = line
        self.column = column

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.origin, self.line, self.column) if part is not None)
        return f"{place}: {self.detail}"


class MissingExtraError(DrainerError):
    """A command needs a package that only an extra brings."""

    def __init__(self, extra: str, package: str) -> None:
        super().__init__(extra, package)
        self.extra = extra
        self.package = package

    def __str__(self) -> str:
        return f"{self.package} is missing; pip install 'drainer[{self.extra}]'"


class ClusterError(DrainerError):
    """A command cannot get what it needs from the API server; the message says what and why."""


class AdviceError(DrainerError):
    """There is no advice; the message is the reason."""


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
