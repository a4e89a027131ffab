from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from drainer.model import BLIND_TO, Census, Histogram, PortCount, Reason, Source, TcpState

TWO_PORTS = Census(
    taken_at=1.0,
    confirmed=True,
    source=Source.SOCK_DIAG,
    ports={
        80: PortCount(5, {Reason.YOUNG: 2, Reason.FLUSHING: 1}, opened=9, closed=4),
        81: PortCount(3, {Reason.IDLE: 7, Reason.FLUSHING: 2}, opened=11, closed=1),
    },
    states={},
    listeners=frozenset(),
)


def test_a_census_adds_up_its_ports() -> None:
    assert (TWO_PORTS.live, TWO_PORTS.opened, TWO_PORTS.closed) == (8, 20, 5)
    assert (TWO_PORTS.flushing, TWO_PORTS.excluded(Reason.IDLE), TWO_PORTS.excluded(Reason.CLOSED)) == (3, 7, 0)


def test_the_young_are_live_but_not_shown() -> None:
    assert (TWO_PORTS.ports[80].live, TWO_PORTS.ports[80].shown) == (5, 3)
    assert TWO_PORTS.shown == 6
    assert PortCount(live=4).shown == 4


def test_states_have_the_numbers_of_the_kernel() -> None:
    # include/net/tcp_states.h
    names = "ESTABLISHED SYN_SENT SYN_RECV FIN_WAIT1 FIN_WAIT2 TIME_WAIT CLOSE CLOSE_WAIT LAST_ACK LISTEN CLOSING"
    assert [TcpState[name] for name in names.split()] == list(range(1, 12))


def test_every_source_says_what_it_cannot_see() -> None:
    assert set(BLIND_TO) == set(Source)
    assert not BLIND_TO[Source.SOCK_DIAG]
    assert all(": " in words for words in BLIND_TO[Source.PSUTIL])


def test_a_histogram_counts_a_value_on_a_bound_below_it() -> None:
    histogram = Histogram([1.0, 2.5])
    assert histogram.cumulative() == [("1.0", 0.0), ("2.5", 0.0), ("+Inf", 0.0)]
    for value in (0.5, 1.0, 1.1, 2.5, 99.0):
        histogram.observe(value)
    assert histogram.cumulative() == [("1.0", 2.0), ("2.5", 4.0), ("+Inf", 5.0)]
    assert (histogram.count, histogram.total) == (5, 104.1)


@given(
    st.lists(st.integers(0, 50), unique=True).map(sorted),
    st.lists(st.integers(-1, 60)),
)
def test_each_bucket_of_a_histogram_holds_the_values_up_to_its_bound(bounds: list[int], values: list[int]) -> None:
    histogram = Histogram(map(float, bounds))
    for value in values:
        histogram.observe(value)
    buckets = [(float(bound), count) for bound, count in histogram.cumulative()]
    assert buckets == [
        *((float(bound), sum(value <= bound for value in values)) for bound in bounds),
        (float("inf"), len(values)),
    ]
