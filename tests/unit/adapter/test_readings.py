"""An agent's /status: its numbers, or a ValueError."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drainer.adapter.readings import Metric, Reading, reading
from tests.unit.statuses import make_status

GOOD: dict[str, Any] = {
    "connections": {"total": 12, "serving": 0},
    "source": {"census_age_seconds": 0.5},
    "limit": {"connections": 30},
    "phase": "draining",
    "kubernetes": {"deletion_cost": True},
}


def read(**changes: Any) -> Reading:
    return reading(json.dumps(GOOD | changes).encode(), 100.0)


def test_a_reading_has_the_time_of_its_census() -> None:
    assert read() == Reading(connections=12, serving=0, limit=30, taken_at=99.5, is_serving=False, keeps_cost=True)


def test_what_an_agent_says_can_be_read() -> None:
    said = make_status().as_json(0.0)

    found = reading(json.dumps(said).encode(), 100.0)
    assert found.connections == said["connections"]["total"]
    assert found.serving == said["connections"]["serving"]
    assert found.limit is None
    assert (found.is_serving, found.keeps_cost) == (True, False)


def test_metrics_in_thousandths() -> None:
    assert [read().milli(metric) for metric in Metric] == [12_000, 0, 400]
    assert read(limit={"connections": 7}).milli(Metric.UTILIZATION) == 1714


@pytest.mark.parametrize("limit", [None, {}, {"connections": None}, {"connections": 0}, "odd"])
def test_without_a_limit_there_is_no_utilization(limit: Any) -> None:
    assert read(limit=limit).milli(Metric.UTILIZATION) is None


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"connections": None}, "no connections"),
        ({"connections": {"total": 12}}, "serving is 'None'"),
        ({"connections": {"total": -1, "serving": 0}}, "total is '-1'"),
        ({"connections": {"total": True, "serving": 0}}, "total is 'True'"),
        ({"connections": {"total": 1.5, "serving": 0}}, "total is '1.5'"),
        ({"connections": {"total": 10**12, "serving": 0}}, "total is"),
        ({"source": {}}, "census_age_seconds is None"),
        ({"source": {"census_age_seconds": -1}}, "census_age_seconds is -1"),
        ({"source": {"census_age_seconds": True}}, "census_age_seconds is True"),
        ({"source": {"census_age_seconds": float("nan")}}, "census_age_seconds is nan"),
        ({"source": {"census_age_seconds": float("inf")}}, "census_age_seconds is inf"),
        ({"limit": {"connections": -3}}, "connections is '-3'"),
    ],
)
def test_what_is_no_status_says_why(changes: dict[str, Any], part: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        read(**changes)

    assert part in str(caught.value)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"7", b"\xff\xfe", b"[" * 200_000])
def test_what_is_no_json_object(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        reading(body, 0.0)


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists, max_leaves=5))
def test_any_value_anywhere_is_read_or_refused(odd: Any) -> None:
    for part in GOOD:
        with contextlib.suppress(ValueError):
            read(**{part: odd})
