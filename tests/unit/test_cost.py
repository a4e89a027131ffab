from __future__ import annotations

import json
import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drainer.cost import HALF_LIFE, Costs, Fit, Line, Range, Reading

MIB = 2**20


def line(samples: list[tuple[float, float]], every: float = 15.0) -> Line:
    """A line through (connections, y), one sample after the other."""
    made = Line()
    for index, (x, y) in enumerate(samples):
        made.add(index * every, x, y)
    return made


def fitted(samples: list[tuple[float, float]], every: float = 15.0) -> Fit:
    fit = line(samples, every).fit()
    assert fit is not None
    return fit


# -------------------------------------------------------------------------------------------------------- the line


def test_a_line_without_noise_is_found_and_sure() -> None:
    fit = fitted([(x % 97, 50 * MIB + 40_000 * (x % 97)) for x in range(200)])
    assert fit.slope == pytest.approx(40_000)
    assert fit.base == pytest.approx(50 * MIB)
    assert fit.r_squared == pytest.approx(1)
    assert fit.error == pytest.approx(0, abs=1)
    assert (fit.least, fit.most) == (0, 96)


def test_noise_makes_it_less_sure_by_as_much_as_statistics_say() -> None:
    dice = random.Random(1)
    samples = [(x := dice.uniform(0, 1000), 1e8 + 30_000 * x + dice.gauss(0, 1e6)) for _ in range(400)]
    fit = fitted(samples, every=1)
    # Sigma / (standard deviation of x * sqrt(n)).
    assert fit.error == pytest.approx(1e6 / (1000 / math.sqrt(12) * math.sqrt(400)), rel=0.25)
    assert abs(fit.slope - 30_000) < 4 * fit.error
    assert 0.9 < fit.r_squared < 1
    assert fit.samples == pytest.approx(400, rel=0.2)


def test_the_error_covers_the_truth_about_as_often_as_it_should_also_where_memory_moves_slowly() -> None:
    dice, hits = random.Random(2), 0
    for _ in range(200):
        wander, x, samples = 0.0, 500.0, []
        for _ in range(300):
            wander = 0.9 * wander + dice.gauss(0, 1e6)
            x = min(1000.0, max(0.0, x + dice.gauss(0, 40)))
            samples.append((x, 1e8 + 30_000 * x + wander))
        fit = fitted(samples)
        hits += abs(fit.slope - 30_000) < 2 * fit.error
    assert hits >= 160, "two standard errors hold the truth in most cases"


def test_what_explains_nothing_has_no_slope_worth_the_name() -> None:
    dice = random.Random(3)
    fit = fitted([(dice.randrange(100), 1e8 + dice.gauss(0, 1e6)) for _ in range(300)])
    assert abs(fit.slope) < 3 * fit.error
    assert fit.r_squared < 0.1


@pytest.mark.parametrize("connections", [0, 1, 5000, 0.1])
def test_without_any_variance_there_is_no_line(connections: float) -> None:
    dice = random.Random(4)
    for wobble in (0, 1e6):
        assert line([(connections, 1e8 + wobble * dice.random()) for _ in range(500)]).fit() is None


@pytest.mark.parametrize("samples", [[], [(1, 1)], [(1, 1), (2, 2)]])
def test_too_few_samples_make_no_line(samples: list[tuple[float, float]]) -> None:
    assert line(samples).fit() is None


def test_memory_that_never_moves_costs_nothing_and_explains_nothing() -> None:
    fit = fitted([(x, 1e8) for x in range(50)])
    assert (fit.slope, fit.error, fit.r_squared) == (0, 0, 0)


def test_what_was_is_forgotten() -> None:
    made = Line()
    at = 0.0
    for slope in (1000, 50_000):
        for x in range(2000):
            at += 60
            made.add(at, x % 100, 1e8 + slope * (x % 100))
    fit = made.fit()
    assert fit is not None
    assert fit.slope == pytest.approx(50_000, rel=0.1)


def test_samples_that_have_faded_count_less() -> None:
    made = line([(x % 10, 1e8 + 1000.0 * (x % 10)) for x in range(100)], every=HALF_LIFE)
    fit = made.fit()
    assert fit is not None
    assert fit.samples < 4


def test_a_long_silence_leaves_nothing_but_what_comes_after_it() -> None:
    made = Line()
    for index in range(100):
        made.add(index, index, 1e8 + 1000 * index)
    made.add(1e9, 5, 1e8)
    assert made.fit() is None


SAMPLES = st.tuples(st.floats(0, 1e5), st.integers(0, 10**6), st.one_of(st.integers(0, 2**40), st.floats(0, 1e3)))


@settings(deadline=None)
@given(st.lists(SAMPLES, max_size=60))
def test_no_samples_make_a_number_that_is_none(samples: list[tuple[float, int, float]]) -> None:
    made, at = Line(), 0.0
    for gap, x, y in samples:
        at += gap
        made.add(at, x, y)
        fit = made.fit()
        if fit is not None:
            shown = [fit.slope, fit.error, fit.base, fit.r_squared, fit.samples, fit.least, fit.most]
            assert all(math.isfinite(number) for number in shown), fit
            assert fit.error >= 0
            assert 0 <= fit.r_squared <= 1
            json.dumps(fit.as_json(), allow_nan=False)


def test_the_range_is_that_of_one_to_two_half_lives() -> None:
    seen = Range()
    for hour, value in enumerate([100, 5, 50, 50, 50, 50, 60, 60, 60, 60, 60, 60, 70, 70]):
        seen.add(hour * 3600.0, value)
    assert list(seen.ends) == [60, 70]
    seen.add(1e7, 1)
    assert list(seen.ends) == [1, 1]


# ------------------------------------------------------------------------------------------------------- the costs


def reading(at: float, memory: int | None = 100 * MIB, cpu: float | None = 0.0, descriptors: int | None = 9) -> Reading:
    return Reading(at, memory, cpu, descriptors, "1 processes: app")


def test_readings_become_costs_per_connection() -> None:
    costs, spent = Costs(60), 0.0
    before = 0
    for index in range(100):
        connections = index % 20 * 10
        spent += 15 * (0.05 + 0.001 * (before + connections) / 2)
        before = connections
        costs.add("processes", reading(index * 15.0, 50 * MIB + 30_000 * connections, spent), connections)
    usage = costs.usage
    assert usage.memory is not None
    assert usage.cpu is not None
    assert usage.memory.slope == pytest.approx(30_000)
    assert usage.cpu.slope == pytest.approx(0.001, rel=0.05)
    shown = usage.as_json(99 * 15.0)
    assert shown["memory_bytes"] == 50 * MIB + 30_000 * 190
    assert shown["source"] == "processes"
    assert shown["per_connection"]["memory"]["connections"] == {"least": 0, "most": 190}
    assert shown["cpu_cores"] == pytest.approx(0.05 + 0.001 * 185)
    json.dumps(shown, allow_nan=False)


def test_cores_are_what_was_spent_between_two_readings() -> None:
    costs = Costs(60)
    costs.add("processes", reading(10, cpu=1), 5)
    assert costs.usage.cores is None
    costs.add("processes", reading(20, cpu=6), 5)
    assert costs.usage.cores == 0.5


def test_an_app_that_begins_anew_has_spent_nothing_backwards() -> None:
    costs = Costs(60)
    costs.add("processes", reading(10, cpu=100), 5)
    costs.add("processes", reading(20, cpu=1), 5)
    costs.add("processes", reading(30, cpu=2), 5)
    assert costs.usage.cores == pytest.approx(0.1)
    assert costs.usage.cpu is None


def test_the_same_reading_told_again_is_no_sample() -> None:
    costs = Costs(60)
    for _ in range(50):
        for connections in (0, 10):
            costs.add("metrics", reading(15), connections)
    assert costs.usage.memory is None


def test_what_cannot_be_seen_is_absent() -> None:
    costs = Costs(60)
    assert costs.usage.as_json(0) == {
        "source": None, "of": None, "age_seconds": None, "memory_bytes": None, "cpu_seconds_total": None,
        "cpu_cores": None, "descriptors": None, "missing": None, "per_connection": {"memory": None, "cpu": None},
    }  # fmt: skip
    assert costs.usage.why_absent("memory") == "the app's memory cannot be seen by anything yet"
    costs.miss("nobody listens")
    assert costs.usage.why_absent("memory") == costs.usage.as_json(0)["missing"] == "nobody listens"
    costs.add("processes", reading(10, memory=None, cpu=None), 5)
    costs.add("processes", reading(20, memory=None, cpu=3.0), 5)
    assert (costs.usage.memory, costs.usage.cpu, costs.usage.cores) == (None, None, None)
    assert costs.usage.why_absent("cpu") == "the app's cpu cannot be seen by processes yet"


def test_a_reading_holds_for_a_while_and_is_then_as_good_as_none() -> None:
    costs = Costs(60)
    costs.add("processes", reading(100), 5)
    assert costs.usage.current(160) is not None
    assert costs.usage.current(160.1) is None
    costs.miss("it has gone")
    shown = costs.usage.as_json(161)
    assert (shown["memory_bytes"], shown["missing"]) == (None, "it has gone")
