"""Ends connections from outside: the kernel destroys the socket, as it does when a peer resets it."""

from __future__ import annotations

import errno
from collections.abc import Callable, Container, Sequence
from typing import Protocol

from drainer.attempt import Attempt, Verdict
from drainer.errors import SocketTableError

_MISSING = {
    errno.EPERM: "the capability CAP_NET_ADMIN is missing (capabilities.add: [NET_ADMIN] and runAsUser: 0)",
    errno.EOPNOTSUPP: "the kernel cannot destroy sockets (CONFIG_INET_DIAG_DESTROY is missing)",
}


class Rows(Protocol):
    """The connections on the app ports; may raise SocketTableError with the kernel's errno."""

    def look_up(self, cookies: Sequence[int]) -> Container[int]: ...
    def destroy(self, cookie: int) -> None: ...
    def can_destroy(self) -> int | None: ...


class ResetCloser:
    """SOCK_DESTROY by cookie. The app reads ECONNABORTED, the client gets a reset; accepted or not."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def missing(self) -> str | None:
        """What it lacks here, in one line: found out by destroying a connection of our own."""
        code = self._rows.can_destroy()
        if code is None:
            return None
        return _MISSING.get(code, f"the kernel refuses to destroy sockets: {_name(code)}")

    def close(self, cookies: Sequence[int], wanted: Callable[[], bool]) -> dict[int, Attempt]:
        """Reset these connections while they are `wanted`; what came of each. Raises SocketTableError."""
        # What the app has closed in the meantime is not among them: a reset would throw away its last bytes.
        live = self._rows.look_up(cookies)
        attempts: dict[int, Attempt] = {}
        for cookie in cookies:
            if not wanted():
                break
            attempts[cookie] = self._reset(cookie) if cookie in live else Attempt(Verdict.GONE)
        return attempts

    def _reset(self, cookie: int) -> Attempt:
        try:
            self._rows.destroy(cookie)
        except SocketTableError as error:
            if error.errno == errno.ENOENT:
                return Attempt(Verdict.GONE)
            if error.errno is None:
                return Attempt(Verdict.FAILED, type(error).__name__)
            return Attempt(Verdict.REFUSED, _name(error.errno))
        return Attempt(Verdict.SENT)


def _name(code: int) -> str:
    return errno.errorcode.get(code, str(code))
