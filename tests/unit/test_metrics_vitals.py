"""The metrics of how the app is: only what is known."""

from __future__ import annotations

import pytest

from drainer.cost import Costs, Reading
from drainer.vitals import Check, Checkup, Name, Vitals
from tests.unit.statuses import make_status
from tests.unit.test_metrics import OPENMETRICS, Series, series, value


def known(found: Series) -> set[str]:
    return {name for name, _ in found if name.startswith(("drainer_health", "drainer_app_"))}


def test_without_health_and_usage_there_is_nothing_about_the_app() -> None:
    assert known(series(make_status())) == set()


def test_each_check_of_the_latest_probe_is_a_series() -> None:
    checks = [Check(Name.READY, passed=True), Check(Name.HANDSHAKE, passed=False)]
    found = series(make_status(at=30.0, vitals=Vitals(Checkup(10.0, checks))))
    assert value(found, "drainer_health", check="ready") == 1
    assert value(found, "drainer_health", check="handshake") == 0
    assert known(series(make_status(at=100.0, vitals=Vitals(Checkup(10.0, checks))))) == set(), "nobody asks any more"
    assert known(series(make_status(vitals=Vitals(Checkup(0.0, ()))))) == set(), "nobody has asked yet"


@pytest.mark.parametrize("accept", ["", OPENMETRICS])
def test_what_the_app_takes_is_there_as_far_as_it_is_known(accept: str) -> None:
    costs = Costs(60)
    assert known(series(make_status(vitals=Vitals(usage=costs.usage)), accept)) == set()
    for index in range(50):
        memory = 1e6 + 1000 * (index % 7)
        costs.add("processes", Reading(index * 15.0, round(memory), index * 1.5), index % 7)
    found = series(make_status(at=49 * 15.0, vitals=Vitals(usage=costs.usage)), accept)
    assert value(found, "drainer_app_memory_bytes") == 1e6
    assert value(found, "drainer_app_cpu_seconds_total") == 73.5
    assert value(found, "drainer_app_memory_per_connection_bytes") == pytest.approx(1000)
    late = series(make_status(at=10_000.0, vitals=Vitals(usage=costs.usage)), accept)
    assert known(late) == {"drainer_app_memory_per_connection_bytes"}


def test_a_reading_without_memory_or_cpu_leaves_them_out() -> None:
    costs = Costs(60)
    costs.add("processes", Reading(0.0, None, None), 1)
    assert known(series(make_status(vitals=Vitals(usage=costs.usage)))) == set()
