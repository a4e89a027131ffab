"""The kernel's side of bytecode.py: who runs and who checks the two kinds of filter.

After inet_diag_bc_run and inet_diag_bc_audit (net/ipv4/inet_diag.c), and bpf_check_classic (net/core/filter.c).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

JMP, S_GE, S_LE, D_GE, D_LE, S_COND, D_COND = 1, 2, 3, 4, 5, 7, 8
AF_INET, AF_INET6 = 2, 10
HOST = struct.Struct("=BBxxi")
ADDRESS = {AF_INET: 4, AF_INET6: 16}


@dataclass(frozen=True)
class Socket:
    """What a filter sees of one socket; an IPv4-mapped peer belongs to an IPv6 socket."""

    local_port: int
    peer: IPv4Address | IPv6Address
    peer_port: int

    @classmethod
    def of(cls, local_port: int, peer: str, peer_port: int = 40_000) -> Socket:
        return cls(local_port, ip_address(peer), peer_port)

    @property
    def family(self) -> int:
        return AF_INET if self.peer.version == 4 else AF_INET6


def run(code: bytes, socket: Socket) -> bool:
    """inet_diag_bc_run: whether the kernel reports this socket."""
    at = 0
    while at < len(code):
        op, yes, no = struct.unpack_from("=BBH", code, at)
        at += yes if _holds(op, code, at, socket) else no
    return at == len(code)


def _holds(op: int, code: bytes, at: int, socket: Socket) -> bool:
    if op == JMP:
        return False
    if op == D_COND:
        return _peer_matches(code, at + 4, socket)
    operand: int = struct.unpack_from("=H", code, at + 6)[0]
    if op == S_GE:
        return socket.local_port >= operand
    if op == S_LE:
        return socket.local_port <= operand
    if op == D_GE:
        return socket.peer_port >= operand
    if op == D_LE:
        return socket.peer_port <= operand
    raise AssertionError(f"operation {op}")


def _peer_matches(code: bytes, at: int, socket: Socket) -> bool:
    family, prefix, port = HOST.unpack_from(code, at)
    if port not in (-1, socket.peer_port):
        return False
    peer = socket.peer.packed
    if family != socket.family:
        if not (socket.family == AF_INET6 and family == AF_INET and peer[:12] == bytes(10) + b"\xff\xff"):
            return False
        peer = peer[12:]
    address = code[at + 8 : at + 8 + len(peer)]
    shift: int = 8 * len(peer) - prefix
    return int.from_bytes(peer) >> shift == int.from_bytes(address) >> shift


def complaint(code: bytes) -> str:
    """inet_diag_bc_audit: why the kernel refuses this program with EINVAL; empty if it does not."""
    at, starts = 0, _chain(code)
    while at < len(code):
        left = len(code) - at
        if left < 4:
            return f"{at}: no room for an operation"
        _, yes, no = struct.unpack_from("=BBH", code, at)
        size = _size(code[at:])
        if not size or left < size:
            return f"{at}: no such operation, or no room for it"
        for jump in (no, yes):
            if not size <= jump <= left + 4 or jump % 4:
                return f"{at}: a jump of {jump} with {left} left"
        if no < left and at + no not in starts:
            return f"{at}: a jump into the middle of an operation"
        at += yes
    return "" if at == len(code) else f"the last operation ends at {at} of {len(code)}"


def _size(code: bytes) -> int:
    """The size of an operation with its operands, 0 if they are wrong (valid_hostcond, valid_port_comparison)."""
    if code[0] == D_COND:
        address = ADDRESS.get(code[4], 0) if len(code) >= 4 + HOST.size else 0
        return 4 + HOST.size + address if address and code[5] <= 8 * address else 0
    if code[0] in (S_GE, S_LE, D_GE, D_LE):
        return 8
    return 4 if code[0] == JMP else 0


def _chain(code: bytes) -> set[int]:
    """Where an operation begins, following the `yes` jumps (valid_cc)."""
    starts, at = set(), 0
    while at + 1 < len(code) and code[at + 1] >= 4:
        starts.add(at)
        at += code[at + 1]
    return starts


def run_bpf(program: bytes, message: bytes) -> bool:
    """Classic BPF as an attached socket filter: whether the message is delivered."""
    accumulator = at = 0
    while True:
        code, if_true, if_false, operand = struct.unpack_from("=HBBI", program, 8 * at)
        at += 1
        if code == 0x28:  # BPF_LD | BPF_H | BPF_ABS: network byte order; outside of the message ends the program
            if operand + 2 > len(message):
                return False
            accumulator = int.from_bytes(message[operand : operand + 2], "big")
        elif code == 0x35:  # BPF_JMP | BPF_JGE | BPF_K
            at += if_true if accumulator >= operand else if_false
        elif code == 0x25:  # BPF_JMP | BPF_JGT | BPF_K
            at += if_true if accumulator > operand else if_false
        elif code == 0x06:  # BPF_RET | BPF_K: bytes to deliver
            return bool(operand >= len(message))
        else:
            raise AssertionError(f"instruction {code:#x}")


def bpf_complaint(program: bytes) -> str:
    """Why SO_ATTACH_FILTER refuses this program; empty if it does not."""
    number, rest = divmod(len(program), 8)
    if rest or not 0 < number <= 4096:
        return f"{len(program)} bytes"
    for at in range(number):
        code, if_true, if_false, _ = struct.unpack_from("=HBBI", program, 8 * at)
        if code in (0x25, 0x35) and at + 1 + max(if_true, if_false) >= number:
            return f"{at}: a jump out of the program"
    last = struct.unpack_from("=H", program, 8 * (number - 1))[0]
    return "" if last == 0x06 else "the last instruction is no return"
