"""The rule what a live client connection is: sorts the rows of a dump, and names why the others are left out."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import compress

from drainer.model import Dump, Reason, Rows, TcpState

LIVE_STATES = (TcpState.ESTABLISHED, TcpState.CLOSE_WAIT)
"""A client is there, or was a moment ago (`tracker` ages CLOSE_WAIT)."""

CLOSED_STATES = (TcpState.FIN_WAIT1, TcpState.CLOSING, TcpState.LAST_ACK)
"""The app has closed; the kernel still owes the client a FIN, or data and a FIN."""

CENSUS_STATES = (*LIVE_STATES, *CLOSED_STATES, TcpState.LISTEN)
"""All that a census asks the kernel for: handshakes, TIME_WAIT and FIN_WAIT2 (all delivered) are no clients."""

FIN_ALONE = 1
"""An unacknowledged FIN takes one sequence number, so it alone makes `wqueue` 1 (net/ipv4/tcp_diag.c)."""

HALF_CLOSED_AFTER = 10.0
"""Seconds in CLOSE_WAIT after which the client has long finished and the app leaks the socket."""

_NAMES = {state.value: state.name for state in TcpState}
_SELECT = [bytes(code) + b"\1" + bytes(255 - code) for code in range(256)]
"""For each state the translation that leaves 1 for it and 0 for all others."""


class Counter:
    """Sorts the rows of one walk into a Dump; rows that come twice fall together by identity."""

    def __init__(self, idle_after: float | None = None) -> None:
        self._idle_after = idle_after
        self.dump = Dump()

    def add(self, rows: Rows) -> None:
        """Take in some rows. The common case (one port, one state) costs one set update for all of them."""
        states, ids = rows.states, rows.ids
        kinds = set(states)
        port = rows.only_port
        if port is not None and len(kinds) == 1:
            self._group(port, states[0]).update(ids)
        elif port is not None:
            for state in kinds:
                self._group(port, state).update(compress(ids, states.translate(_SELECT[state])))
        else:
            for a_port, state, identity in zip(rows.ports, states, ids, strict=True):
                self._group(a_port, state).add(identity)
        if kinds.intersection(CLOSED_STATES):
            self.dump.flushing.update(
                identity
                for state, identity, unsent in zip(states, ids, rows.unsent, strict=True)
                if unsent > FIN_ALONE and state in CLOSED_STATES
            )
        if self._idle_after is not None and kinds.intersection(LIVE_STATES):
            quiet = rows.quiet
            self.dump.quiet.update(zip(ids, quiet, strict=True))
            self.dump.idle.update(
                identity
                for state, identity, seconds in zip(states, ids, quiet, strict=True)
                if seconds >= self._idle_after and state in LIVE_STATES
            )

    def _group(self, port: int, state: int) -> set[object]:
        key = (port, state)
        group = self.dump.groups.get(key)
        if group is None:
            group = self.dump.groups[key] = set()
        return group


_NOT_CLIENTS: Mapping[int, str] = {
    TcpState.LISTEN: "the app listens here",
    TcpState.TIME_WAIT: "ended; the kernel keeps the address for a minute",
    TcpState.FIN_WAIT2: "the app has closed, everything is delivered",
    TcpState.SYN_RECV: "a handshake that is not complete",
    TcpState.NEW_SYN_RECV: "a handshake that is not complete",
    TcpState.SYN_SENT: "the app calls out from this port",
}


def explain(dump: Dump) -> list[tuple[int, str, int, str]]:
    """(local port, state, sockets, why they count or not) for people, by port and state."""
    lines = []
    for (port, code), ids in sorted(dump.groups.items()):
        state = _NAMES.get(code, str(code))
        idle, flushing = len(ids & dump.idle), len(ids & dump.flushing)
        if code in LIVE_STATES:
            reason = (
                "counted" if code == TcpState.ESTABLISHED else f"counted for {HALF_CLOSED_AFTER:g} s, then half_closed"
            )
            lines += [(port, state, len(ids) - idle, reason), (port, state, idle, Reason.IDLE)]
        elif code in CLOSED_STATES:
            lines += [(port, state, flushing, Reason.FLUSHING), (port, state, len(ids) - flushing, Reason.CLOSED)]
        else:
            lines.append((port, state, len(ids), _NOT_CLIENTS.get(code, "no client")))
    lines += [(port, "any", count, Reason.IGNORED_PEER) for port, count in sorted((dump.ignored or {}).items())]
    return [line for line in lines if line[2]]


def live_count(dump: Dump) -> int:
    """How many rows of `dump` could hold a drain: live states, without the idle."""
    live = sum(len(ids) for (_, state), ids in dump.groups.items() if state in LIVE_STATES)
    return live - len(dump.idle)


def join(first: Dump, second: Dump) -> Dump:
    """Confirm `first` by `second`: what either walk saw is alive, and a connection is idle only if both say so.

    A dump may miss a row while the table moves (inet_diag has no generation check), so one empty walk is no proof.
    Who listens is taken from the second walk alone: listeners of two moments have not been seen together.
    """
    groups = {key: set(ids) for key, ids in first.groups.items() if key[1] != TcpState.LISTEN}
    for key, ids in second.groups.items():
        groups.setdefault(key, set()).update(ids)
    return Dump(
        groups=groups,
        flushing=first.flushing | second.flushing,
        idle=first.idle & second.idle,
        quiet=first.quiet | second.quiet,
        ignored=second.ignored if second.ignored is not None else first.ignored,
        taken_at=first.taken_at,
        cost=first.cost + second.cost,
        confirmed=True,
        source=second.source,
    )
