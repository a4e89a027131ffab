"""What the tap is shown, decided in the kernel: the beginnings of requests and of answers, and nothing else."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable, Sequence

# Classic BPF (linux/filter.h). Offsets are from the network header: the socket is SOCK_DGRAM.
BPF = struct.Struct("=HBBI")
HEAD = 4096
"""Bytes that are kept of a head: a request's cookies may come before its key."""
_ADDRESSES = 80
"""Bytes that hold the addresses and ports of all that is let through: 60 of IPv4 at most, and 20 of TCP."""
_LDW_ABS, _LDH_ABS, _LDB_ABS = 0x20, 0x28, 0x30
_LDW_IND, _LDH_IND, _LDB_IND = 0x40, 0x48, 0x50
_LDX_IMM, _LDX_MSH, _TAX = 0x01, 0xB1, 0x07
_ADD_X, _AND, _RSH = 0x0C, 0x54, 0x74
_JA, _JEQ, _JSET, _RET = 0x05, 0x15, 0x45, 0x06
_PROTOCOL, _PACKET_TYPE = 0xFFFFF000, 0xFFFFF004
"""SKF_AD_OFF with SKF_AD_PROTOCOL and SKF_AD_PKTTYPE."""
_PACKET_HOST, _PACKET_OUTGOING = 0, 4
"""linux/if_packet.h. On loopback a packet is seen as both, and its source port is the app's or the client's."""
_FRAGMENT = 0x3FFF
"""More fragments, or an offset."""


def handshake_filter(ports: Iterable[int]) -> bytes:
    """An array of `struct sock_filter`: TCP segments to `ports` that begin with `GET `, from them with `HTTP/1`.

    Of an answer that does not begin with `HTTP/1.1 101` no more than the addresses. IPv4 without fragments, IPv6
    without extension headers. At most 256 ports.
    """
    program: list[str | tuple[int, int, str, str]] = [
        (_LDW_ABS, _PACKET_TYPE, "", ""),
        (_JEQ, _PACKET_OUTGOING, "network header", ""),
        (_JEQ, _PACKET_HOST, "", "drop"),
        "network header",
        (_LDH_ABS, _PROTOCOL, "", ""),
        (_JEQ, 0x86DD, "IPv6", ""),
        (_JEQ, 0x0800, "", "drop"),
        (_LDH_ABS, 6, "", ""),
        (_JSET, _FRAGMENT, "drop", ""),
        *_test(_LDB_ABS, 9, socket.IPPROTO_TCP),
        (_LDX_MSH, 0, "", ""),
        (_JA, 0, "TCP header", ""),
        "IPv6",
        *_test(_LDB_ABS, 6, socket.IPPROTO_TCP),
        (_LDX_IMM, 40, "", ""),
        (_JA, 0, "TCP header", ""),
        "drop",
        (_RET, 0, "", ""),
        "TCP header",
        *_test(_LDW_ABS, _PACKET_TYPE, _PACKET_OUTGOING, "incoming"),
        (_LDH_IND, 0, "", ""),
        (_JA, 0, "port", ""),
        "incoming",
        (_LDH_IND, 2, "", ""),
        "port",
    ]
    for port in sorted(set(ports)):
        # Conditional jumps reach 255 instructions, JA reaches everything.
        program += [(_JEQ, port, "", f"not {port}"), (_JA, 0, "TCP payload", ""), f"not {port}"]
    program += [
        (_RET, 0, "", ""),
        "TCP payload",
        # The upper half of byte 12 is the header's length in words of four bytes.
        (_LDB_IND, 12, "", ""),
        (_AND, 0xF0, "", ""),
        (_RSH, 2, "", ""),
        (_ADD_X, 0, "", ""),
        (_TAX, 0, "", ""),
        *_test(_LDW_ABS, _PACKET_TYPE, _PACKET_OUTGOING, "request"),
        *_test(_LDW_IND, 0, int.from_bytes(b"HTTP", "big"), "no head"),
        *_test(_LDH_IND, 4, int.from_bytes(b"/1", "big"), "no head"),
        *_test(_LDW_IND, 4, int.from_bytes(b"/1.1", "big"), "another answer"),
        *_test(_LDW_IND, 8, int.from_bytes(b" 101", "big"), "another answer"),
        (_RET, HEAD, "", ""),
        "another answer",
        (_RET, _ADDRESSES, "", ""),
        "request",
        *_test(_LDW_IND, 0, int.from_bytes(b"GET ", "big"), "no head"),
        (_RET, HEAD, "", ""),
        "no head",
        (_RET, 0, "", ""),
    ]
    return _assemble(program)


def _test(load: int, at: int, value: int, otherwise: str = "drop") -> list[str | tuple[int, int, str, str]]:
    return [(load, at, "", ""), (_JEQ, value, "", otherwise)]


def _assemble(program: Sequence[str | tuple[int, int, str, str]]) -> bytes:
    """Labels and (code, operand, label if true, label if false) -> instructions; no label is the next one."""
    at, labels = 0, {}
    for item in program:
        if isinstance(item, str):
            labels[item] = at
        else:
            at += 1
    code = b""
    for item in program:
        if isinstance(item, str):
            continue
        kind, operand, yes, no = item
        following = len(code) // BPF.size + 1
        if kind == _JA:
            code += BPF.pack(kind, 0, 0, labels[yes] - following)
        else:
            jumps = [labels[label] - following if label else 0 for label in (yes, no)]
            code += BPF.pack(kind, *jumps, operand)
    return code
