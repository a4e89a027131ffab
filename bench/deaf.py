"""`python bench/deaf.py -m drainer run ...`: the agent, unchanged, where the kernel refuses notifications of closes.

A seccomp filter answers EPERM to a bind() with an address of 12 bytes, which is a netlink address (sockaddr_in has 16,
sockaddr_in6 28). Dumps need no bind(), so sock_diag remains. No privilege is needed.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import subprocess
import sys

BIND = {"x86_64": 49, "aarch64": 200}
"""The number of the system call by machine."""
_NETLINK_ADDRESS = 12
_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _FILTER = 38, 22, 2
_LOAD_WORD, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
_NUMBER_AT, _THIRD_ARGUMENT_AT = 0, 32
"""Offsets in struct seccomp_data; the low half of the argument on a little-endian machine."""
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000


def is_possible() -> bool:
    """Whether it works here: the number of bind() is known, and the kernel has seccomp."""
    return subprocess.run([sys.executable, __file__, "-c", ""], stderr=subprocess.DEVNULL, check=False).returncode == 0


def refuse_netlink_bind() -> None:
    """For this process and what it becomes. Raises OSError."""
    instructions = [
        (_LOAD_WORD, 0, 0, _NUMBER_AT),
        (_JUMP_IF_EQUAL, 0, 3, BIND[platform.machine()]),
        (_LOAD_WORD, 0, 0, _THIRD_ARGUMENT_AT),
        (_JUMP_IF_EQUAL, 0, 1, _NETLINK_ADDRESS),
        (_RETURN, 0, 0, _ERRNO | errno.EPERM),
        (_RETURN, 0, 0, _ALLOW),
    ]
    program = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *one) for one in instructions))
    # struct sock_fprog { unsigned short len; struct sock_filter *filter; }
    fprog = ctypes.create_string_buffer(struct.pack("HP", len(instructions), ctypes.addressof(program)))
    libc = ctypes.CDLL(None, use_errno=True)
    zero = ctypes.c_ulong(0)
    for arguments in (
        (_PR_SET_NO_NEW_PRIVS, ctypes.c_ulong(1), zero, zero, zero),
        (_PR_SET_SECCOMP, ctypes.c_ulong(_FILTER), fprog, zero, zero),
    ):
        if libc.prctl(*arguments):
            raise OSError(ctypes.get_errno(), "prctl")


if __name__ == "__main__":
    refuse_netlink_bind()
    os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
