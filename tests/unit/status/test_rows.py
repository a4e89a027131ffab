"""What of an agent's answer stands in a line."""

from __future__ import annotations

from typing import Any

import pytest

from drainer.attempt import Verdict
from drainer.commands.status.rows import GONE, Answer, Row, changes, rows_of
from drainer.model import PortCount
from drainer.phases import Closings, Outcome, Phase, Result, Tally
from drainer.status import DrainStatus
from tests.unit.fakes import PORT
from tests.unit.statuses import make_census, make_status


def answered(**changes: Any) -> Any:
    """/status as an agent makes it."""
    live = changes.pop("live", 0)
    census = make_census({PORT: PortCount(live=live)})
    return make_status(census=census, **changes).as_json(1e9)


def row_of(status: Any) -> Row:
    (row,) = rows_of([Answer("chat", "web-0", status, None)])
    return row


def test_a_pod_that_serves() -> None:
    assert row_of(answered(live=412)) == Row("chat", "web-0", Phase.SERVING, connections=412)


def test_a_drain_that_runs_has_its_progress_and_the_seconds_to_its_deadline() -> None:
    tally = Tally(0.0, 9.0, at_start=50, arrived=10, left=48, remaining=12)
    row = row_of(answered(live=12, at=9.0, phase=Phase.DRAINING, ready=False, drain=DrainStatus(50.0, tally)))
    assert row == Row("chat", "web-0", Phase.DRAINING, connections=12, deadline_in=41.0, gone=48, of=60)


@pytest.mark.parametrize(
    ("result", "remaining", "story"),
    [
        (Result.DRAINED, 0, "drained after 12.4 s, 200 gone"),
        (Result.DEADLINE, 3, "deadline after 12.4 s, 200 gone, 3 remaining"),
        (Result.RESUMED, 3, "resumed after 12.4 s, 200 gone, 3 remaining"),
    ],
)
def test_the_last_drain_is_told_in_a_few_words(result: Result, remaining: int, story: str) -> None:
    attempts = Closings({"reset": 1}, {"reset": {Verdict.SENT: 1}})
    outcome = Outcome(
        result, Tally(1.0, 13.4, at_start=203, arrived=0, left=200, remaining=remaining, closings=attempts)
    )
    row = row_of(answered(phase=Phase.DONE, last_outcome=outcome))
    assert (row.phase, row.outcome, row.story) == (Phase.DONE, result, story)


@pytest.mark.parametrize(
    ("changes", "note"),
    [
        ({}, ""),
        ({"ready": False}, "not ready"),
        ({"limit": {"full": True}}, "full"),
        ({"limit": {"full": True}, "ready": False}, "full"),
        ({"limit": {"full": False}}, ""),
        ({"limit": None}, ""),
        ({"limit": "much"}, ""),
        ({"phase": "draining", "ready": False}, ""),
    ],
)
def test_what_is_to_be_known_beside_the_phase(changes: dict[str, Any], note: str) -> None:
    assert row_of(answered() | changes).note == note


def drain(**changes: Any) -> dict[str, Any]:
    return {"drain": {"left": 1, "remaining": 2, "deadline_in_seconds": 3.0} | changes}


def last(**changes: Any) -> dict[str, Any]:
    return {"last_outcome": {"outcome": "drained", "seconds": 1.0, "left": 1, "remaining": 0} | changes}


@pytest.mark.parametrize(
    ("status", "wrong"),
    [
        ([], "the answer is not an object"),
        ("serving", "the answer is not an object"),
        ({}, "phase is none that is known"),
        ({"phase": ["serving"]}, "phase is none that is known"),
        ({"phase": "\x1b[2J"}, "phase is none that is known"),
        ({"phase": "serving"}, "connections is not an object"),
        ({"phase": "serving", "connections": {"total": True}}, "connections.total is not a count"),
        ({"phase": "serving", "connections": {"total": -1}}, "connections.total is not a count"),
        (answered() | {"drain": 3}, "drain is not an object"),
        (answered() | drain(left="1"), "drain.left is not a count"),
        (answered() | drain(remaining=None), "drain.remaining is not a count"),
        (answered() | drain(deadline_in_seconds=True), "drain.deadline_in_seconds is not a number"),
        (answered() | {"last_outcome": []}, "last_outcome is not an object"),
        (answered() | last(outcome="won"), "last_outcome.outcome is none that is known"),
        (answered() | last(seconds="1"), "last_outcome.seconds is not a number"),
        (answered() | last(left=1.5), "last_outcome.left is not a count"),
    ],
)
def test_what_is_no_status_is_said_to_be_none(status: Any, wrong: str) -> None:
    assert row_of(status) == Row("chat", "web-0", story=f"no /status: {wrong}")


def test_why_there_is_no_answer_cannot_command_the_terminal() -> None:
    (row,) = rows_of([Answer("chat", "web-0", None, "500 \x1b[2JOh")])
    assert row == Row("chat", "web-0", story="500 \\x1b[2JOh")


def test_changes_are_what_is_new_other_or_gone_and_time_alone_is_none() -> None:
    one, two = Row("chat", "a", Phase.DRAINING, connections=2, deadline_in=9.0), Row("chat", "b", Phase.SERVING)
    later = Row("chat", "a", Phase.DRAINING, connections=2, deadline_in=8.0)
    fewer = Row("chat", "a", Phase.DRAINING, connections=1, deadline_in=8.0)
    assert changes([], [one, two]) == [one, two]
    assert changes([one, two], [later, two]) == []
    assert changes([one, two], [fewer, two]) == [fewer]
    assert changes([one, two], [fewer]) == [fewer, Row("chat", "b", story=GONE)]
    assert changes([Row("x", "a")], [Row("y", "a")]) == [Row("y", "a"), Row("x", "a", story=GONE)]
