from __future__ import annotations

import json

import pytest

from drainer.cost import Costs, Reading, Usage
from drainer.vitals import CURRENT_FOR, Asked, Bounds, Check, Checkup, Name, Vitals, check_up, within

WELL = Asked(at=100.0, seconds=0.0123456789, detail="101 and a pong", is_miss=False)
UNWELL = Asked(at=100.0, seconds=None, detail="answered 200, not 101", is_miss=True)


def usage(memory: int | None = 1000, descriptors: int | None = 50, cores: float = 0.5) -> Usage:
    costs = Costs(60)
    costs.add("processes", Reading(80.0, memory, 0.0, descriptors), 5)
    costs.add("processes", Reading(90.0, memory, 10.0 * cores, descriptors), 5)
    return costs.usage


def test_without_bounds_only_the_handshake_is_looked_at() -> None:
    checkup = check_up(WELL, Bounds(), 10**6, usage())
    assert [check.name for check in checkup.checks] == [Name.READY, Name.HANDSHAKE]
    assert checkup.is_well
    assert checkup.checks[1].value == 0.012346
    assert check_up(UNWELL, Bounds(), 0, None).failing == [Name.HANDSHAKE]


@pytest.mark.parametrize(
    ("bounds", "failing"),
    [
        (Bounds(connections=7, memory=1000, cpu=0.5, descriptors=50), []),
        (Bounds(connections=6), [Name.CONNECTIONS]),
        (Bounds(memory=999), [Name.MEMORY]),
        (Bounds(cpu=0.4), [Name.CPU]),
        (Bounds(descriptors=49), [Name.DESCRIPTORS]),
        (Bounds(connections=1, memory=1, cpu=0.1, descriptors=1),
         [Name.CONNECTIONS, Name.MEMORY, Name.CPU, Name.DESCRIPTORS]),
    ],
)  # fmt: skip
def test_each_bound_is_a_check_of_its_own(bounds: Bounds, failing: list[Name]) -> None:
    checkup = check_up(WELL, bounds, 7, usage())
    assert checkup.failing == failing
    assert checkup.absent == {}


def test_what_cannot_be_measured_fails_nobody_and_is_said() -> None:
    bounds = Bounds(memory=1, cpu=0.1, descriptors=1)
    assert check_up(WELL, bounds, 0, None).absent == dict.fromkeys(
        (Name.MEMORY, Name.CPU, Name.DESCRIPTORS), "usage is off"
    )
    costs = Costs(60)
    costs.miss("the app's processes cannot be seen")
    unseen = check_up(WELL, bounds, 0, costs.usage)
    assert unseen.is_well
    assert set(unseen.absent.values()) == {"the app's processes cannot be seen"}
    partly = check_up(WELL, bounds, 0, usage(descriptors=None))
    assert partly.failing == [Name.MEMORY, Name.CPU]
    assert partly.absent == {Name.DESCRIPTORS: "the app's descriptors cannot be seen by processes yet"}


def test_an_old_reading_is_no_reading() -> None:
    late = Asked(at=151.0, seconds=0.01, detail="", is_miss=False)
    assert check_up(late, Bounds(memory=1), 0, usage()).failing == []
    assert check_up(WELL, Bounds(memory=1), 0, usage()).failing == [Name.MEMORY]


def test_on_the_bound_is_well_and_above_it_says_by_how_much() -> None:
    assert within(Name.CPU, 1.5, 1.5) == Check(Name.CPU, True, 1.5, 1.5)  # noqa: FBT003 - a value
    assert within(Name.CPU, 1.6, 1.5).detail == "more than 1.5"


def test_it_says_how_the_app_is_for_a_minute() -> None:
    checkup = check_up(WELL, Bounds(), 0, None)
    assert checkup.is_current(100 + CURRENT_FOR)
    assert not checkup.is_current(101 + CURRENT_FOR)
    assert not Checkup(100, ()).is_current(100)


def test_all_of_it_is_json() -> None:
    assert Vitals().as_json(0) == {"health": None, "usage": None}
    checkup = check_up(UNWELL, Bounds(memory=1), 0, None, misses=2)
    shown = json.loads(json.dumps(Vitals(checkup, usage()).as_json(102.5), allow_nan=False))
    assert shown["health"] == {
        "well": False, "failing": ["handshake"], "age_seconds": 2.5, "misses": 2,
        "checks": [
            {"name": "ready", "passed": True, "value": None, "bound": None, "detail": ""},
            {"name": "handshake", "passed": False, "value": None, "bound": 0.8, "detail": "answered 200, not 101"},
        ],
        "absent": {"memory": "usage is off"},
    }  # fmt: skip
    assert shown["usage"]["memory_bytes"] == 1000
