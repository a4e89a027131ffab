"""The settings of limits: what follows from them, what contradicts, and what has no effect."""

from __future__ import annotations

import math
from typing import Any

import pytest

from drainer.cap import CapPlan, Signal
from drainer.config import Config
from drainer.errors import ConfigError
from tests.unit.test_run import IN_POD

IN_NO_POD = {"DRAINER_APP_PORTS": "8080"}


def config(environ: dict[str, str] | None = None, /, **settings: str) -> Config:
    given = {f"DRAINER_{name.upper()}": value for name, value in settings.items()}
    return Config.from_env({**(IN_NO_POD if environ is None else environ), **given})


def mistakes(**settings: str) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        config(**settings)
    return caught.value.mistakes


def cap(*, uses_api: bool = True, **settings: str) -> CapPlan:
    found = config(IN_POD if uses_api else None, **settings).cap(uses_api=uses_api)
    assert found is not None
    return found


def test_unasked_nothing_is_limited() -> None:
    assert config().cap(uses_api=True) is None
    assert config().longest_gap == math.inf


@pytest.mark.parametrize(
    ("most", "below"), [("1", 1), ("2", 1), ("9", 8), ("10", 9), ("1000", 900), ("1000000", 900_000)]
)
def test_a_tenth_of_room_is_what_it_takes_to_take_again(most: str, below: int) -> None:
    assert cap(max_connections=most).resume_below == below


def test_both_bounds_can_be_given() -> None:
    found = cap(max_connections="1000", resume_below="500", max_rate="2.5")
    assert (found.max_connections, found.resume_below, found.max_rate) == (1000, 500, 2.5)


def test_a_rate_alone_limits_no_number() -> None:
    found = cap(max_rate="50", resume_below="500")
    assert (found.max_connections, found.resume_below, found.max_rate) == (None, None, 50.0)


LABEL = {"serving_label": "true"}


@pytest.mark.parametrize(
    ("settings", "uses_api", "signal", "never_last"),
    [
        ({}, True, Signal.METRIC, False),
        (LABEL, True, Signal.LABEL, True),
        (LABEL, False, Signal.METRIC, False),
        (LABEL | {"full": "label"}, True, Signal.LABEL, True),
        (LABEL | {"full": "label", "never_last": "false"}, True, Signal.LABEL, False),
        (LABEL | {"full": "metric"}, True, Signal.METRIC, False),
        (LABEL | {"full": "readiness"}, True, Signal.READINESS, True),
        ({"full": "readiness"}, True, Signal.READINESS, True),
        ({"full": "readiness"}, False, Signal.READINESS, False),
    ],
)
def test_how_it_is_said_and_whether_the_others_are_asked_for(
    settings: dict[str, str], *, uses_api: bool, signal: Signal, never_last: bool
) -> None:
    found = cap(uses_api=uses_api, max_connections="10", **settings)
    assert (found.signal, found.never_last) == (signal, never_last)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"max_connections": "10", "resume_below": "10"}, ["DRAINER_RESUME_BELOW=10", "DRAINER_MAX_CONNECTIONS=10"]),
        ({"max_connections": "10", "resume_below": "11"}, ["DRAINER_RESUME_BELOW=11", "DRAINER_MAX_CONNECTIONS=10"]),
        ({"full": "label"}, ["DRAINER_FULL=label", "DRAINER_SERVING_LABEL=true"]),
        ({"full": "readiness", "readiness": "never"}, ["DRAINER_FULL=readiness", "DRAINER_READINESS=never"]),
        ({"max_connections": "0"}, ["DRAINER_MAX_CONNECTIONS='0'", "off, or a whole number from 1"]),
        ({"max_rate": "0"}, ["DRAINER_MAX_RATE='0'", "off, or connections per second"]),
    ],
)
def test_what_cannot_both_be_meant_is_one_mistake(settings: dict[str, str], words: list[str]) -> None:
    (said,) = mistakes(**settings)
    assert all(word in said for word in [*words, "allowed: "])


@pytest.mark.parametrize(
    ("settings", "warning"),
    [
        ({"resume_below": "5"}, "resume_below has no effect: nothing is limited"),
        ({"full": "metric"}, "full has no effect: nothing is limited"),
        ({"max_rate": "5", "resume_below": "5"}, "resume_below has no effect without max_connections"),
        ({"max_rate": "5", "interval": "3s"}, "interval 3s is too long to see max_rate: 2s is used"),
        ({"max_connections": "5", "full": "readiness"}, "never_last has no effect: the API is not used"),
        ({"deletion_cost": "true"}, "deletion_cost has no effect: the API is not used"),
    ],
)
def test_what_has_no_effect_is_said(settings: dict[str, Any], warning: str) -> None:
    (said,) = config(**settings).warnings
    assert said.startswith(warning)


@pytest.mark.parametrize(
    "settings",
    [
        {"max_connections": "5"},
        {"max_connections": "5", "full": "readiness", "never_last": "false"},
        {"max_connections": "5", "resume_below": "1", "max_rate": "5", "interval": "2s"},
    ],
)
def test_what_is_meant_is_no_warning(settings: dict[str, Any]) -> None:
    assert config(**settings).warnings == ()


def test_a_storm_needs_a_census_every_two_seconds() -> None:
    assert config(max_rate="5").longest_gap == 2.0
    assert config(max_connections="5").longest_gap == math.inf
