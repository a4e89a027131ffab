"""`drainer census`: what would be counted and what not, once, as a table."""

from __future__ import annotations

from collections.abc import Sequence

from drainer.counter import explain, live_count
from drainer.model import BLIND_TO, TcpState
from drainer.sockets.table import SocketTable

_HEAD = ("PORT", "STATE", "SOCKETS", "WHY")


def census(ports: Sequence[int], ignored: Sequence[str], idle_after: float | None) -> str:
    """The table as text. Raises SocketTableError."""
    dump = SocketTable(ports, ignored, idle_after, states=list(TcpState)).dump(tally_ignored=True)
    rows = [_HEAD, *(tuple(map(str, line)) for line in explain(dump))]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    lines.append(f"{live_count(dump)} live client connections, read by {dump.source}")
    lines += [f"not visible here: {what}" for what in BLIND_TO[dump.source]]
    return "\n".join(lines) + "\n"
