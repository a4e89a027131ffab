"""Parts of a test that have given rights away: a thread for the agent's side, a forked process for the app's.

Neither executes a program: who is another user may not be able to read ours.
"""

from __future__ import annotations

import ctypes
import os
import platform
import signal
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from typing import TypeVar

import pytest

from tests import seccomp

T = TypeVar("T")

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="other users' processes need root (setuid)")

DAC_READ_SEARCH, NET_RAW, SYS_PTRACE = 2, 13, 19
"""Numbers of capabilities (linux/capability.h)."""

_PR_SET_DUMPABLE, _PR_SET_KEEPCAPS = 4, 8
_NUMBERS = {
    "x86_64": {"setgroups": 116, "setresuid": 117, "setresgid": 119},
    "aarch64": {"setgroups": 159, "setresuid": 147, "setresgid": 149},
}
"""Numbers of system calls by machine."""
_PIDFD_GETFD = 438
_VERSION_3 = 0x20080522
_libc = ctypes.CDLL(None, use_errno=True)


def become(uid: int, gid: int | None = None, capabilities: Sequence[int] = (), *, dumpable: bool = True) -> None:
    """From here on this thread is that user, with these capabilities and no others. Cannot be undone."""
    _checked(_libc.prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0))
    # Not by libc, which would do it in all threads.
    numbers = _NUMBERS[platform.machine()]
    _checked(_libc.syscall(numbers["setgroups"], 0, None))
    group = uid if gid is None else gid
    _checked(_libc.syscall(numbers["setresgid"], group, group, group))
    _checked(_libc.syscall(numbers["setresuid"], uid, uid, uid))
    mask = sum(1 << number for number in capabilities)
    header = (ctypes.c_uint32 * 2)(_VERSION_3, 0)
    data = (ctypes.c_uint32 * 6)(mask, mask, 0, 0, 0, 0)
    _checked(_libc.capset(header, data))
    # A change of user leaves a process that nobody may look into.
    _checked(_libc.prctl(_PR_SET_DUMPABLE, int(dumpable), 0, 0, 0))


def deny_pidfd_getfd(code: int) -> None:
    """From here on the call fails with this errno. Cannot be undone."""
    program = b"".join(
        [
            seccomp._instruction(seccomp._LOAD, seccomp._NUMBER_AT),
            seccomp._instruction(seccomp._JUMP_IF_EQUAL, _PIDFD_GETFD, 0, 1),
            seccomp._instruction(seccomp._RETURN, seccomp._ERRNO | code),
            seccomp._instruction(seccomp._RETURN, seccomp._ALLOW),
        ]
    )
    instructions = ctypes.create_string_buffer(program, len(program))
    seccomp._prctl(seccomp._PR_SET_NO_NEW_PRIVS, 1, 0)
    fprog = struct.pack("HP", len(program) // 8, ctypes.addressof(instructions))
    seccomp._prctl(seccomp._PR_SET_SECCOMP, seccomp._SECCOMP_MODE_FILTER, fprog)


def _checked(result: int) -> None:
    if result:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def in_a_thread(act: Callable[[], T]) -> T:
    """What `act` returns, or raises, in a thread that may give rights away: to the kernel they are a thread's own."""
    outcome: Future[T] = Future()

    def run() -> None:
        try:
            outcome.set_result(act())
        except BaseException as error:  # noqa: BLE001 - the other thread is to raise it
            outcome.set_exception(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(50)
    return outcome.result(0)


@contextmanager
def app_of(uid: int, capabilities: Sequence[int] = (), *, dumpable: bool = True) -> Iterator[int]:
    """A process of this user that listens; yields its port."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            become(uid, capabilities=capabilities, dumpable=dumpable)
            listener = socket.create_server(("127.0.0.1", 0))
            os.write(writer, str(listener.getsockname()[1]).encode())
            connections = []
            while True:
                connections.append(listener.accept())
        finally:
            os._exit(1)
    os.close(writer)
    try:
        yield int(os.read(reader, 16))
    finally:
        os.close(reader)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
