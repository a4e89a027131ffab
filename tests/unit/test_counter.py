from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from drainer.counter import CENSUS_STATES, CLOSED_STATES, LIVE_STATES, Counter, explain, join, live_count
from drainer.model import Dump, Identity, Source, TcpState
from tests.unit.census import APP

S = TcpState


@dataclass
class FakeRows:
    """Rows as a source hands them over; `asked` holds the columns that cost something and were read."""

    rows: Sequence[tuple[int, int, int, int, float]]
    """(port, state, identity, unsent, quiet)"""
    asked: set[str] = field(default_factory=set)

    @property
    def states(self) -> bytes:
        return bytes(row[1] for row in self.rows)

    @property
    def only_port(self) -> int | None:
        ports = set(self.ports)
        return ports.pop() if len(ports) == 1 else None

    @property
    def ports(self) -> list[int]:
        return [row[0] for row in self.rows]

    @property
    def ids(self) -> list[Identity]:
        return [row[2] for row in self.rows]

    @property
    def unsent(self) -> list[int]:
        self.asked.add("unsent")
        return [row[3] for row in self.rows]

    @property
    def quiet(self) -> list[float]:
        self.asked.add("quiet")
        return [row[4] for row in self.rows]


def counted(*runs: FakeRows, idle_after: float | None = None) -> Dump:
    counter = Counter(idle_after)
    for run in runs:
        counter.add(run)
    return counter.dump


ROW = st.tuples(
    st.sampled_from([80, 81, 82]),
    st.integers(0, 13),
    st.integers(0, 9),
    st.integers(0, 3),
    st.sampled_from([0.0, 4.9, 5.0, 99.0]),
)


@given(st.lists(st.lists(ROW, max_size=6), max_size=4), st.sampled_from([None, 5.0]))
def test_every_row_is_in_its_group_and_in_no_other(
    runs: list[list[tuple[int, int, int, int, float]]], idle_after: float | None
) -> None:
    dump = counted(*map(FakeRows, runs), idle_after=idle_after)
    rows = [row for run in runs for row in run]
    assert {(port, state, identity) for (port, state), ids in dump.groups.items() for identity in ids} == {
        row[:3] for row in rows
    }
    assert dump.flushing == {row[2] for row in rows if row[1] in {4, 9, 11} and row[3] > 1}
    assert dump.idle == {row[2] for row in rows if idle_after and row[1] in {1, 8} and row[4] >= 5.0}


def test_rows_that_come_twice_count_once() -> None:
    dump = counted(FakeRows([(APP, 1, 7, 0, 0.0)]), FakeRows([(APP, 1, 7, 0, 0.0), (APP, 1, 8, 0, 0.0)]))
    assert dump.groups == {(APP, S.ESTABLISHED): {7, 8}}
    assert live_count(dump) == 2


def test_an_unacknowledged_fin_alone_is_not_flushing() -> None:
    dump = counted(FakeRows([(APP, 4, 1, 1, 0.0), (APP, 4, 2, 2, 0.0), (APP, 1, 3, 500, 0.0)]))
    assert dump.flushing == {2}


def test_columns_that_nobody_needs_are_not_read() -> None:
    established = FakeRows([(APP, 1, 1, 0, 0.0)])
    closed = FakeRows([(APP, 9, 1, 0, 0.0)])
    counted(established)
    counted(closed, idle_after=5.0)
    assert established.asked == set()
    assert closed.asked == {"unsent"}


def test_a_census_asks_for_clients_for_what_is_being_closed_and_for_listeners() -> None:
    assert set(LIVE_STATES) == {S.ESTABLISHED, S.CLOSE_WAIT}
    assert set(CLOSED_STATES) == {S.FIN_WAIT1, S.CLOSING, S.LAST_ACK}
    assert set(CENSUS_STATES) == {*LIVE_STATES, *CLOSED_STATES, S.LISTEN}


def test_live_are_the_established_and_those_in_close_wait_without_the_idle() -> None:
    groups: dict[tuple[int, int], set[Identity]] = {
        (80, S.ESTABLISHED): {1, 2},
        (81, S.CLOSE_WAIT): {3},
        (80, S.LISTEN): {4},
        (80, S.FIN_WAIT1): {5},
    }
    assert live_count(Dump(groups=groups, idle={1})) == 2


def test_a_confirmed_dump_holds_whatever_either_walk_saw() -> None:
    first = Dump({(80, 1): {1, 2}, (80, 8): {5}}, {7}, {1, 2}, None, 10.0, 0.25, source=Source.SOCK_DIAG)
    second = Dump({(80, 1): {2, 3}, (81, 1): {4}}, {8}, {2, 3}, {80: 6}, 11.0, 0.5, source=Source.PSUTIL)
    assert join(first, second) == Dump(
        groups={(80, 1): {1, 2, 3}, (80, 8): {5}, (81, 1): {4}},
        flushing={7, 8},
        idle={2},
        ignored={80: 6},
        taken_at=10.0,
        cost=0.75,
        confirmed=True,
        source=Source.PSUTIL,
    )
    assert (first.groups[80, 1], second.groups[80, 1]) == ({1, 2}, {2, 3})


def test_a_tally_of_ignored_peers_survives_a_second_walk_without_one() -> None:
    assert join(Dump(ignored={80: 6}), Dump()).ignored == {80: 6}
    assert join(Dump(ignored={80: 6}), Dump(ignored={})).ignored == {}


def test_people_are_told_for_each_port_and_state_what_counts_and_why_not() -> None:
    groups: dict[tuple[int, int], set[Identity]] = {
        (80, S.ESTABLISHED): {1, 2, 3},
        (80, S.CLOSE_WAIT): {4},
        (80, S.FIN_WAIT1): {5, 6},
        (80, S.LISTEN): {7},
        (80, S.TIME_WAIT): set(),
        (80, 99): {8},
        (79, S.TIME_WAIT): {9},
    }
    dump = Dump(groups=groups, idle={1}, flushing={5}, ignored={81: 3, 80: 2, 82: 0})
    assert [(port, state, number, str(why)) for port, state, number, why in explain(dump)] == [
        (79, "TIME_WAIT", 1, "ended; the kernel keeps the address for a minute"),
        (80, "ESTABLISHED", 2, "counted"),
        (80, "ESTABLISHED", 1, "idle"),
        (80, "FIN_WAIT1", 1, "flushing"),
        (80, "FIN_WAIT1", 1, "closed"),
        (80, "CLOSE_WAIT", 1, "counted for 10 s, then half_closed"),
        (80, "LISTEN", 1, "the app listens here"),
        (80, "99", 1, "no client"),
        (80, "any", 2, "ignored_peer"),
        (81, "any", 3, "ignored_peer"),
    ]
    assert explain(Dump()) == []
