"""Filters that run in the kernel: inet_diag byte-code for dumps, classic BPF for notifications.

Both say the same thing (a local port is one of the app's), in the two languages that the kernel has for it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from drainer.addresses import Network, parse_peers

# Operations of linux/inet_diag.h. Each falls through to the next one when its condition holds, else it jumps.
_JMP, _S_GE, _S_LE, _D_LE, _D_COND = 1, 2, 3, 5, 8
_OP = struct.Struct("=BBH")
_HOST = struct.Struct("=BBxxi")
_ANY_PORT = -1
_AF = {4: 2, 6: 10}


def port_ranges(ports: Iterable[int]) -> list[tuple[int, int]]:
    """Neighbouring ports as (lowest, highest), ascending: the shortest filter for them."""
    ranges: list[tuple[int, int]] = []
    for port in sorted(set(ports)):
        if ranges and port == ranges[-1][1] + 1:
            ranges[-1] = (ranges[-1][0], port)
        else:
            ranges.append((port, port))
    return ranges


@dataclass(slots=True)
class _Op:
    code: int
    otherwise: str
    """Label to jump to when the condition does not hold; JMP always jumps."""
    port: int | None = None
    network: Network | None = None
    peer_port: int | None = None
    """Beside a network; None for any."""

    def size(self) -> int:
        if self.network is not None:
            return _OP.size + _HOST.size + len(self.network.network_address.packed)
        return _OP.size * (1 if self.port is None else 2)

    def encode(self, jump: int) -> bytes:
        head = _OP.pack(self.code, self.size(), jump)
        if self.network is not None:
            port = _ANY_PORT if self.peer_port is None else self.peer_port
            host = _HOST.pack(_AF[self.network.version], self.network.prefixlen, port)
            return head + host + self.network.network_address.packed
        # The port of a comparison sits in the `no` field of a second operation (inet_diag_bc_run).
        return head if self.port is None else head + _OP.pack(0, 0, self.port)


_ACCEPT, _REJECT = "accept", "reject"


def _assemble(program: Sequence[str | _Op]) -> bytes:
    """Labels and operations -> byte-code. The end of the program accepts, four bytes past it rejects."""
    at, labels = 0, {}
    for item in program:
        if isinstance(item, str):
            labels[item] = at
        else:
            at += item.size()
    labels[_ACCEPT], labels[_REJECT] = at, at + _OP.size
    code = b""
    for item in program:
        if not isinstance(item, str):
            code += item.encode(labels[item.otherwise] - len(code))
    return code


def dump_filter(ports: Iterable[int], ignored: Iterable[str] = (), *, only_ignored: bool = False) -> bytes:
    """INET_DIAG_REQ_BYTECODE for sockets whose local port is one of `ports`, without peers in `ignored`.

    Those are written as `parse_peers` reads them. With `only_ignored`, just they. Listening sockets (remote port 0)
    always pass the first kind and never the second: their peer `::` would match `::/0`.
    """
    ranges = port_ranges(ports)
    networks = [parse_peers(text) for text in ignored]
    program: list[str | _Op] = []
    for index, (lowest, highest) in enumerate(ranges):
        # Ascending: below this range is below all that follow.
        program += [f"range {index}", _Op(_S_GE, _REJECT, port=lowest)]
        last = index == len(ranges) - 1
        program.append(_Op(_S_LE, _REJECT if last else f"range {index + 1}", port=highest))
        if not last:
            program.append(_Op(_JMP, "peer"))
    program.append("peer")
    if networks:
        program += [_Op(_D_LE, "cidr 0", port=0), _Op(_JMP, _REJECT if only_ignored else _ACCEPT)]
        for index, (network, port) in enumerate(networks):
            program += [f"cidr {index}", _Op(_D_COND, f"cidr {index + 1}", network=network, peer_port=port)]
            program.append(_Op(_JMP, _ACCEPT if only_ignored else _REJECT))
        program.append(f"cidr {len(networks)}")
        if only_ignored:
            program.append(_Op(_JMP, _REJECT))
    return _assemble(program)


# Classic BPF (linux/filter.h): load half-word, conditional jumps, return.
_BPF = struct.Struct("=HBBI")
_LDH_ABS, _JGE, _JGT, _RET = 0x28, 0x35, 0x25, 0x06
_WHOLE = 0xFFFFFFFF
SPORT_AT = 20
"""Offset of `idiag_sport` (network byte order) in a sock_diag message: nlmsghdr 16, family to retrans 4."""


def notification_filter(ports: Iterable[int]) -> bytes:
    """An array of `struct sock_filter` for SO_ATTACH_FILTER: messages whose local port is one of `ports`."""
    code = _BPF.pack(_LDH_ABS, 0, 0, SPORT_AT)
    for lowest, highest in port_ranges(ports):
        code += _BPF.pack(_JGE, 0, 2, lowest) + _BPF.pack(_JGT, 1, 0, highest) + _BPF.pack(_RET, 0, 0, _WHOLE)
    return code + _BPF.pack(_RET, 0, 0, 0)
