"""A child process to which the kernel refuses something, as under a strict seccomp profile. No privilege is needed."""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import socket
import struct

_NUMBERS = {"x86_64": {"socket": 41, "bind": 49}, "aarch64": {"socket": 198, "bind": 200}}
"""Numbers of system calls by machine."""
_NETLINK_ADDRESS = 12
"""Bytes of a sockaddr_nl; sockaddr_in has 16, sockaddr_in6 28."""

_PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 22, 38
_SECCOMP_MODE_FILTER = 2
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_LOAD, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
_NUMBER_AT, _ARGUMENTS_AT = 0, 16
"""Offsets in struct seccomp_data; an argument has 8 bytes, of which this reads the low half (little-endian)."""

_libc = ctypes.CDLL(None, use_errno=True)


def deny_netlink() -> None:
    """For `preexec_fn`: from here on this process and its children get no netlink socket. Cannot be undone."""
    deny_family(socket.AF_NETLINK, errno.EPERM)


def deny_family(family: socket.AddressFamily, code: int) -> None:
    """The same for any family: socket() fails with the errno `code`."""
    _refuse("socket", 0, family, code)


def deny_notifications() -> None:
    """No netlink socket can be bound, so there is no multicast; dumps need no bind() and go on."""
    _refuse("bind", 2, _NETLINK_ADDRESS, errno.EPERM)


def _refuse(call: str, argument: int, value: int, code: int) -> None:
    """`call` fails with the errno `code` when its argument is `value`. Raises OSError where that cannot be had."""
    number = _NUMBERS.get(platform.machine(), {}).get(call)
    if number is None:
        raise OSError(errno.ENOSYS, f"the number of {call}() on {platform.machine()} is not known here")
    program = b"".join(
        [
            _instruction(_LOAD, _NUMBER_AT),
            _instruction(_JUMP_IF_EQUAL, number, 0, 3),
            _instruction(_LOAD, _ARGUMENTS_AT + 8 * argument),
            _instruction(_JUMP_IF_EQUAL, value, 0, 1),
            _instruction(_RETURN, _ERRNO | code),
            _instruction(_RETURN, _ALLOW),
        ]
    )
    instructions = ctypes.create_string_buffer(program, len(program))
    # struct sock_fprog { unsigned short len; struct sock_filter *filter; }
    fprog = struct.pack("HP", len(program) // 8, ctypes.addressof(instructions))
    _prctl(_PR_SET_NO_NEW_PRIVS, 1, 0)
    _prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, fprog)


def _instruction(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)


def _prctl(option: int, first: int, second: int | bytes) -> None:
    second_argument = ctypes.c_char_p(second) if isinstance(second, bytes) else ctypes.c_ulong(second)
    if _libc.prctl(option, ctypes.c_ulong(first), second_argument, ctypes.c_ulong(0), ctypes.c_ulong(0)):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
