"""Successive dumps and notifications of closes -> who is new, how old, who left: a Census.

Invariant, for each port: opened - closed = live + idle + half_closed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from drainer.counter import CENSUS_STATES, CLOSED_STATES, HALF_CLOSED_AFTER
from drainer.model import Census, Dump, Histogram, Identity, PortCount, Reason, TcpState

AGE_BOUNDS = (0.1, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14400.0, 86400.0, 604800.0)


class _Port:
    """What is known of one port."""

    __slots__ = ("closed", "first_seen", "flushing", "half_closed", "idle", "opened", "still_closed")

    def __init__(self) -> None:
        self.first_seen: dict[Identity, float] = {}
        """In order of arrival: the young are at the end."""
        self.idle: set[Identity] = set()
        self.half_closed: set[Identity] = set()
        self.flushing: set[Identity] = set()
        self.still_closed: set[Identity] = set()
        self.opened = 0
        self.closed = 0


class Tracker:
    """Follows the connections on `ports` by their identity.

    The sets are those of the last dump, less what has left since: a cookie is never used twice, so a departure that
    is reported while a dump is being read is taken off that dump too.
    """

    def __init__(self, ports: Sequence[int], min_age: float = 0.0) -> None:
        self._ports = {port: _Port() for port in ports}
        self._min_age = min_age
        self._departed: set[Identity] = set()
        self._half_closed_since: dict[Identity, float] = {}
        self._dump = Dump()
        self._states: dict[TcpState, int] = {}
        self._quiet: dict[Identity, float] = {}
        self.ages = Histogram(AGE_BOUNDS)
        """Ages in seconds of the connections that left, from the first census that saw them."""

    def observe(self, dump: Dump) -> None:
        """Take in a dump that was begun after the one before was taken in."""
        waiting: dict[Identity, float] = {}
        for number, port in self._ports.items():
            established = dump.groups.get((number, TcpState.ESTABLISHED), set())
            close_wait = dump.groups.get((number, TcpState.CLOSE_WAIT), set())
            # The union is a copy of the largest set there is: make it only if it is needed.
            present = established | close_wait if close_wait else established
            if self._departed:
                present = present - self._departed
            self._arrive_and_leave(port, present, dump.taken_at)
            port.half_closed = set()
            for identity in close_wait & present:
                since = self._half_closed_since.get(identity, dump.taken_at)
                waiting[identity] = since
                if dump.taken_at - since >= HALF_CLOSED_AFTER:
                    port.half_closed.add(identity)
            port.idle = (dump.idle & present) - port.half_closed
            closed = self._in_states(dump, number, CLOSED_STATES) - self._departed - present
            port.flushing = closed & dump.flushing
            port.still_closed = closed - dump.flushing
        self._half_closed_since = waiting
        self._departed = set()
        # The identities live on in `first_seen`; keeping the dump's sets too would double the agent's memory.
        self._dump = Dump(
            groups={key: ids for key, ids in dump.groups.items() if key[1] == TcpState.LISTEN},
            ignored=dump.ignored if dump.ignored is not None else self._dump.ignored,
            taken_at=dump.taken_at,
            confirmed=dump.confirmed,
            source=dump.source,
        )
        self._states = self._tally_states(dump)
        self._quiet = dump.quiet

    def depart(self, number: int, identity: Identity, now: float) -> None:
        """The kernel says that this connection on port `number` is gone."""
        self._departed.add(identity)
        port = self._ports.get(number)
        if port is None:
            return
        for exclusion in (port.idle, port.half_closed, port.flushing, port.still_closed):
            exclusion.discard(identity)
        if identity in port.first_seen:
            self._leave(port, identity, now)

    def census(self, now: float, *, named: bool = False, departed: Iterable[Identity] = ()) -> Census:
        """The numbers as of the last dump, less what has left since; `now` tells who is young.

        `named`: with the identities of the live; `departed` is handed on.

        Confirmed is only what a dump has shown: departures make the next dump due, they do not stand in for it.
        """
        return Census(
            taken_at=self._dump.taken_at,
            confirmed=self._dump.confirmed and not self._departed,
            source=self._dump.source,
            ports={number: self._count(number, port, now) for number, port in self._ports.items()},
            states=self._states,
            listeners=frozenset[Identity]().union(*self._dump.groups.values()),
            present=self._present() if named else None,
            departed=tuple(departed),
        )

    def _present(self) -> dict[Identity, float]:
        quiet = self._quiet
        return {
            identity: quiet.get(identity, 0.0)
            for port in self._ports.values()
            for identity in port.first_seen
            if identity not in port.idle and identity not in port.half_closed
        }

    def _arrive_and_leave(self, port: _Port, present: set[Identity], now: float) -> None:
        known = port.first_seen
        new = present.difference(known)
        if len(present) - len(new) != len(known):
            for identity in [identity for identity in known if identity not in present]:
                self._leave(port, identity, now)
        known.update(dict.fromkeys(new, now))
        port.opened += len(new)

    def _leave(self, port: _Port, identity: Identity, now: float) -> None:
        self.ages.observe(max(0.0, now - port.first_seen.pop(identity)))
        port.closed += 1

    def _count(self, number: int, port: _Port, now: float) -> PortCount:
        ignored = self._dump.ignored or {}
        return PortCount(
            live=len(port.first_seen) - len(port.idle) - len(port.half_closed),
            excluded={
                Reason.IGNORED_PEER: ignored.get(number, 0),
                Reason.IDLE: len(port.idle),
                Reason.HALF_CLOSED: len(port.half_closed),
                Reason.YOUNG: self._young(port, now),
                Reason.FLUSHING: len(port.flushing),
                Reason.CLOSED: len(port.still_closed),
            },
            opened=port.opened,
            closed=port.closed,
        )

    def _young(self, port: _Port, now: float) -> int:
        if not self._min_age:
            return 0
        young = 0
        for identity, since in reversed(port.first_seen.items()):
            if now - since >= self._min_age:
                break
            young += identity not in port.idle and identity not in port.half_closed
        return young

    @staticmethod
    def _in_states(dump: Dump, number: int, states: Iterable[TcpState]) -> set[Identity]:
        return set[Identity]().union(*(dump.groups.get((number, state), ()) for state in states))

    def _tally_states(self, dump: Dump) -> dict[TcpState, int]:
        return {
            state: sum(len(dump.groups.get((number, state), ())) for number in self._ports) for state in CENSUS_STATES
        }
