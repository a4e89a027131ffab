"""What the page shows: all of /status, the phases with their moments, and how the connections came and went."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from drainer import __version__
from drainer.model import PortCount
from drainer.page.record import BLIND_AFTER, Record
from drainer.page.timeline import Planned, Step, Timeline
from drainer.phases import TRANSITIONS, Announce, Outcome, Pace, Phase, Result, Tally
from drainer.status import DrainStatus, Status
from tests.unit.fakes import PORT
from tests.unit.statuses import make_census, make_status

WALL = 1_800_000_000.0
PACE = Pace(connections=90, seconds=12.0, rate=7.5, fits=True)


def look(at: float, phase: Phase = Phase.SERVING, connections: int = 0, **changes: Any) -> Status:
    """The agent at this moment, with a census of now."""
    return make_status(at=at, phase=phase, census=make_census({PORT: PortCount(live=connections)}, at), **changes)


def draining(at: float, phase: Phase, remaining: int, left: int, pace: Pace | None = None) -> Status:
    """The same in a drain that began at 100 and ends at 125."""
    tally = Tally(100.0, at, at_start=remaining + left, arrived=0, left=left, remaining=remaining)
    return look(at, phase, remaining, drain=DrainStatus(125.0, tally, pace))


def a_drain() -> Record:
    """Settling at 100, draining at 105, closing at 108, drained at 120."""
    record = Record()
    record.announced(Announce(Phase.SETTLING, 100.0), draining(100.0, Phase.SETTLING, 100, 0))
    record.announced(Announce(Phase.DRAINING, 105.0), draining(105.0, Phase.DRAINING, 98, 2))
    record.observe(draining(107.0, Phase.DRAINING, 90, 10))
    record.announced(Announce(Phase.CLOSING, 108.0, pace=PACE), draining(108.0, Phase.CLOSING, 90, 10, PACE))
    record.observe(draining(110.2, Phase.CLOSING, 75, 25, PACE))
    outcome = Outcome(Result.DRAINED, Tally(100.0, 120.0, at_start=100, arrived=0, left=100, remaining=0))
    record.announced(Announce(Phase.DONE, 120.0, outcome), look(120.0, Phase.DONE, last_outcome=outcome))
    return record


def test_it_is_all_that_status_says_and_the_version_and_the_time() -> None:
    status = look(50.0, connections=3)
    shown = Record().as_json(status, WALL)
    for name, value in status.as_json(WALL).items():
        assert shown.pop(name) == value
    assert shown.pop("timeline") == {"steps": [], "deadline": None, "planned": None, "outcome": None, "reason": ""}
    assert shown == {
        "version": __version__, "now": WALL, "recent": {"step": 1.0, "connections": []}, "course": None
    }  # fmt: skip


def test_it_is_json() -> None:
    record = a_drain()
    assert json.loads(json.dumps(record.as_json(look(121.0, Phase.DONE), WALL)))["phase"] == "done"


def test_connections_are_remembered_and_a_census_that_is_too_old_is_none() -> None:
    record = Record()
    record.observe(look(10.0, connections=3))
    old = make_census({PORT: PortCount(live=4)}, 10.0)
    record.observe(make_status(at=11.0, census=old))
    record.observe(make_status(at=12.0 + BLIND_AFTER, census=old))
    counts = record.as_json(look(80.0), WALL)["recent"]["connections"]
    assert (counts[:2], counts[-1]) == ([3, 4], None)


def test_an_agent_that_has_not_counted_yet_knows_nothing() -> None:
    record = Record()
    record.observe(make_status(at=5000.0))
    assert record.as_json(make_status(at=5000.0), WALL)["recent"]["connections"] == [None]


def test_the_phases_stand_with_the_moments_at_which_they_began() -> None:
    shown = a_drain().as_json(look(121.0, Phase.DONE), WALL)["timeline"]
    assert shown["steps"] == [
        {"phase": "settling", "at": WALL - 21.0},
        {"phase": "draining", "at": WALL - 16.0},
        {"phase": "closing", "at": WALL - 13.0},
        {"phase": "done", "at": WALL - 1.0},
    ]
    assert shown["deadline"] == WALL + 4.0
    assert shown["outcome"]["outcome"] == "drained"
    assert shown["planned"] == {
        "connections": 90, "closing_seconds": 12.0, "rate_per_second": 7.5, "close_rate_kept": True, "at": WALL - 13.0
    }  # fmt: skip


def test_the_course_of_a_drain_goes_from_its_first_moment_to_its_outcome() -> None:
    shown = a_drain().as_json(look(130.0, Phase.DONE), WALL)["course"]
    assert (shown["began"], shown["step"]) == (WALL - 30.0, 0.5)
    remaining, left = shown["remaining"], shown["left"]
    assert (remaining[0], remaining[10], remaining[14], remaining[20], remaining[-1]) == (100, 98, 90, 75, 0)
    assert (left[0], left[-1], len(left)) == (0, 100, 41)


def test_after_the_end_nothing_of_it_moves_any_more() -> None:
    record = a_drain()
    before = record.as_json(look(120.0, Phase.DONE), WALL)["course"]
    for second in range(121, 200):
        record.observe(look(float(second), Phase.DONE, connections=5))
    assert record.as_json(look(120.0, Phase.DONE), WALL)["course"] == before


def test_who_serves_again_says_why_and_the_next_drain_begins_anew() -> None:
    record = a_drain()
    record.announced(Announce(Phase.SERVING, 150.0, reason="somebody asked"), look(150.0))
    shown = record.as_json(look(150.0), WALL)["timeline"]
    assert (shown["steps"][-1], shown["reason"]) == ({"phase": "serving", "at": WALL}, "somebody asked")
    assert shown["outcome"]["outcome"] == "drained"
    record.announced(Announce(Phase.SETTLING, 200.0), draining(200.0, Phase.SETTLING, 7, 0))
    shown = record.as_json(look(200.0), WALL)
    assert [step["phase"] for step in shown["timeline"]["steps"]] == ["settling"]
    assert (shown["timeline"]["outcome"], shown["timeline"]["reason"], shown["timeline"]["planned"]) == (None, "", None)
    assert shown["course"]["remaining"] == [7]


def test_a_deadline_that_the_api_moves_and_the_pace_that_follows_are_the_ones_shown() -> None:
    timeline = Timeline().announced(Announce(Phase.SETTLING, 100.0))
    drain = draining(108.0, Phase.CLOSING, 90, 10, PACE).drain
    assert drain is not None
    timeline = timeline.followed(drain, 108.0).followed(drain, 109.0)
    assert (timeline.deadline_at, timeline.planned) == (125.0, Planned(PACE, 108.0))
    faster = replace(PACE, seconds=3.0, rate=30.0)
    timeline = timeline.followed(replace(drain, deadline_at=112.0, pace=faster), 109.0)
    assert (timeline.deadline_at, timeline.planned) == (112.0, Planned(faster, 109.0))
    # At the end there is no pace any more, and the last one stays.
    assert timeline.followed(replace(drain, pace=None), 110.0).planned == Planned(faster, 109.0)


@pytest.mark.parametrize("first", [Phase.DRAINING, Phase.DONE, Phase.SERVING])
def test_no_way_through_the_phases_makes_more_than_five_steps(first: Phase) -> None:
    """Between two beginnings no phase comes twice: the table of transitions has no other way round."""

    def longest(timeline: Timeline, phase: Phase) -> int:
        after = timeline.announced(Announce(phase, 0.0))
        following = [one for one in TRANSITIONS[phase] if one is not Phase.SETTLING]
        return max([len(after.steps), *(longest(after, one) for one in following)])

    begun = Timeline((Step(Phase.SERVING, 0.0),) * 9).announced(Announce(Phase.SETTLING, 0.0))
    assert begun.steps == (Step(Phase.SETTLING, 0.0),)
    assert 1 < longest(begun, first) <= 5
