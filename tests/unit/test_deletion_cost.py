from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drainer.deletion_cost import cost

COUNTS = st.integers(0, 1_000_000)


@pytest.mark.parametrize(
    ("connections", "value"),
    [(0, 0), (1, 1), (2, 2), (3, 2), (4, 4), (7, 4), (8, 8), (1000, 512), (1_000_000, 524_288)],
)
def test_a_pod_without_a_cost_gets_the_power_of_two_that_is_not_above_its_connections(
    connections: int, value: int
) -> None:
    assert cost(connections) == value


@pytest.mark.parametrize(
    ("standing", "connections", "value"),
    [
        (8, 6, 8), (8, 17, 8), (8, 18, 16), (8, 5, 4), (8, 0, 0), (1, 2, 1), (1, 3, 2), (1, 0, 0), (0, 1, 1), (0, 0, 0),
    ],
)  # fmt: skip
def test_at_the_edge_of_a_band_it_stays_what_it_is(standing: int, connections: int, value: int) -> None:
    assert cost(connections, standing) == value


@given(COUNTS, COUNTS)
def test_a_pod_with_fewer_connections_never_costs_more(one: int, other: int) -> None:
    assert cost(min(one, other)) <= cost(max(one, other))


@given(COUNTS, COUNTS)
def test_whatever_stood_there_the_cost_is_of_the_order_of_the_connections(before: int, connections: int) -> None:
    value = cost(connections, cost(before))
    assert value == cost(connections, value)
    assert 0.75 * value <= connections
    assert not connections or connections < 2.25 * value


@given(st.lists(st.integers(900, 1140), min_size=2, max_size=30))
def test_a_number_that_swings_about_is_written_once(counts: list[int]) -> None:
    values, standing = [], 0
    for count in counts:
        standing = cost(count, standing)
        values.append(standing)
    assert sum(one != other for one, other in pairwise(values)) <= 1
