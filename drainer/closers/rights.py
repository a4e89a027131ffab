"""What the agent lacks to reach the app's descriptors: found by trying on the app's listening socket, and harmless."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from pathlib import Path

from drainer.closers.descriptors import Descriptors, borrow, cookie_of
from drainer.model import Listener

_ROOT = "runAsUser: 0 with CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH"
_NOBODY = "nobody listens on the app's ports yet"
_NOT_SHARED = "shareProcessNamespace: true is missing: no process that can be seen has the app's listener"
_FORBIDDEN = (
    "CAP_SYS_PTRACE is missing (pidfd_getfd: EPERM): seccomp, Yama or the app's own privileges demand it. For seccomp "
    "capabilities.add: [SYS_PTRACE] is enough, also where the agent is not root"
)
_TOO_OLD = "pidfd_getfd is missing: it needs Linux 5.6, and a seccomp profile that knows it"
_PAUSE = "pause"
"""The process that holds a pod's namespaces: never the app."""


class Rights:
    """What was found the last time: an app that has stopped listening may still have its connections."""

    def __init__(self, descriptors: Descriptors) -> None:
        self._descriptors = descriptors
        self._latest: str | None = _NOBODY

    def missing(self, listeners: Sequence[Listener]) -> str | None:
        """What is missing for every one of the listeners, in one line. None if one can be reached."""
        if listeners:
            self._latest = missing(self._descriptors, listeners)
        return self._latest


def missing(descriptors: Descriptors, listeners: Sequence[Listener], proc: str = "/proc") -> str | None:
    """What is missing for every one of the listeners, in one line. None if one can be reached."""
    if not listeners:
        return _NOBODY
    descriptors.look(at_once=True)
    answers = [_try(descriptors, listener) for listener in listeners]
    if None in answers:
        return None
    return next((answer for answer in answers if answer), "") or _unseen(descriptors, proc)


def _try(descriptors: Descriptors, listener: Listener) -> str | None:
    """None if it can be reached, nothing if it is not seen anywhere."""
    for place in descriptors.find(listener.inode):
        try:
            with borrow(place) as duplicate:
                if cookie_of(duplicate) == listener.cookie:
                    return None
        except OSError as error:
            if error.errno == errno.EPERM:
                return _FORBIDDEN
            if error.errno == errno.ENOSYS:
                return _TOO_OLD
            return f"the app's listener cannot be borrowed: {errno.errorcode.get(error.errno or 0, error)}"
    return ""


def _unseen(descriptors: Descriptors, proc: str) -> str:
    owners = {owner for pid in descriptors.unreadable if (owner := _owner(Path(proc, str(pid), "status")))}
    if not owners:
        return _NOT_SHARED
    names = " or ".join(f"uid {uid}, gid {gid}" for uid, gid in sorted(owners))
    if os.geteuid() == 0:
        return f"{_lacking(descriptors, proc)}: the app runs as {names}"
    if (os.geteuid(), os.getegid()) in owners:
        return f"the app runs as {names} like the agent, but is protected (not dumpable, or privileged): {_ROOT}"
    return f"the app runs as {names}: run with the same runAsUser and runAsGroup, or {_ROOT}"


def _lacking(descriptors: Descriptors, proc: str) -> str:
    """Which capability: the folder of the descriptors opens with the one, its links are shown with the other."""
    for pid in descriptors.unreadable:
        try:
            next(Path(proc, str(pid), "fd").iterdir(), None)
        except PermissionError:
            return "CAP_DAC_READ_SEARCH is missing (and CAP_SYS_PTRACE is needed too)"
        except OSError:
            continue
    return "CAP_SYS_PTRACE is missing"


def _owner(status: Path) -> tuple[int, int] | None:
    """(uid, gid), effective; None for the pause container, and for who is gone."""
    try:
        lines = status.read_text(errors="replace").splitlines()
    except OSError:
        return None
    fields = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
    if fields["Name"] == _PAUSE:
        return None
    return int(fields["Uid"].split()[1]), int(fields["Gid"].split()[1])
