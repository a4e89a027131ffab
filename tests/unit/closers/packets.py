"""The kernel's side of the tap: packets as a packet socket without link header sees them, and who runs the filter."""

from __future__ import annotations

import struct
from dataclasses import dataclass

INCOMING, OTHER_HOST, OUTGOING = 0, 3, 4
LOCAL, PEER = 16 * b"\1", 16 * b"\2"
"""Of IPv4 the first four."""


@dataclass(frozen=True)
class Packet:
    version: int = 4
    kind: int = OUTGOING
    port: int = 8080
    protocol: int = 6
    fragment: int = 0
    ip_options: int = 0
    tcp_options: int = 0
    payload: bytes = b""
    ether: int = 0

    @property
    def ether_type(self) -> int:
        return self.ether or {4: 0x0800, 6: 0x86DD}[self.version]

    def encode(self) -> bytes:
        ports = (50000, self.port) if self.kind == INCOMING else (self.port, 50000)
        tcp = struct.pack(">HH8xB7x", *ports, (20 + self.tcp_options) // 4 << 4) + bytes(self.tcp_options)
        if self.version == 4:
            ends = (PEER[:4], LOCAL[:4]) if self.kind == INCOMING else (LOCAL[:4], PEER[:4])
            ip = struct.pack(">B5xHxB2x4s4s", 0x40 | (20 + self.ip_options) // 4, self.fragment, self.protocol, *ends)
            return ip + bytes(self.ip_options) + tcp + self.payload
        ends = (PEER, LOCAL) if self.kind == INCOMING else (LOCAL, PEER)
        return struct.pack(">B5xBx16s16s", 0x60, self.protocol, *ends) + tcp + self.payload


LOADS = {0x20: 4, 0x28: 2, 0x30: 1, 0x40: 4, 0x48: 2, 0x50: 1}
"""BPF_LD -> bytes; those from 0x40 on count from the index register."""


def delivered(program: bytes, packet: Packet) -> bytes:
    """What is left of it by classic BPF (net/core/filter.c); a load from outside of the packet drops it."""
    data, accumulator, index, at = packet.encode(), 0, 0, 0
    extensions = {0xFFFFF000: packet.ether_type, 0xFFFFF004: packet.kind}
    while True:
        code, if_true, if_false, operand = struct.unpack_from("=HBBI", program, 8 * at)
        at += 1
        match code:
            case 0x06:
                return data[:operand]
            case 0x05:
                at += operand
            case 0x15:
                at += if_true if accumulator == operand else if_false
            case 0x45:
                at += if_true if accumulator & operand else if_false
            case 0xB1 | 0x01 | 0x07:
                index = {0xB1: 4 * (data[0] & 0xF), 0x01: operand, 0x07: accumulator}[code]
            case 0x0C | 0x54 | 0x74:
                accumulator = {0x0C: accumulator + index, 0x54: accumulator & operand, 0x74: accumulator >> 2}[code]
            case _ if operand in extensions:
                accumulator = extensions[operand]
            case _:
                begin = operand + (index if code >= 0x40 else 0)
                if begin + LOADS[code] > len(data):
                    return b""
                accumulator = int.from_bytes(data[begin : begin + LOADS[code]], "big")
