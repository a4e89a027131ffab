"""A drain in one sentence, for Events, the condition and the termination message."""

from __future__ import annotations

import pytest

from drainer.deletion import Deletion
from drainer.model import PortCount
from drainer.phases import Announce, Closings, Outcome, Phase, Result, Tally
from drainer.status import DrainStatus
from drainer.stories import MAX_MESSAGE, SERVING, Story, tell
from tests.unit.fakes import PORT
from tests.unit.statuses import make_census, make_status


def outcome(result: Result, left: int, remaining: int, ended: dict[str, int] | None = None) -> Outcome:
    closings = Closings(ended=ended) if ended is not None else None
    tally = Tally(10.0, 17.54, at_start=left + remaining, arrived=0, left=left, remaining=remaining, closings=closings)
    return Outcome(result, tally)


@pytest.mark.parametrize(("live", "connections"), [(0, "0 connections"), (1, "1 connection"), (26, "26 connections")])
def test_a_drain_begins_with_so_many_for_so_long(live: int, connections: str) -> None:
    tally = Tally(10.0, 10.0, at_start=0, arrived=0, left=0, remaining=0)
    status = make_status(drain=DrainStatus(35.0, tally), census=make_census({PORT: PortCount(live)}))
    assert tell(Announce(Phase.SETTLING, 10.0), status) == Story(
        "DrainStarted", f"The drain has begun with {connections}, for 25.0 s at most."
    )


@pytest.mark.parametrize(
    ("deletion", "why"),
    [
        (Deletion.NONE, ": the pod is not being deleted, its app is restarted or the node ends it."),
        (Deletion.REQUESTED, ": the pod is being deleted."),
        (Deletion.UNKNOWN, "."),
        (Deletion.ASKED, "."),
    ],
)
def test_a_drain_begins_with_what_the_api_says_of_it(deletion: Deletion, why: str) -> None:
    tally = Tally(10.0, 10.0, at_start=0, arrived=0, left=0, remaining=0)
    story = tell(Announce(Phase.SETTLING, 10.0), make_status(drain=DrainStatus(35.0, tally), deletion=deletion))
    assert story is not None
    assert story.message == f"The drain has begun with 0 connections, for 25.0 s at most{why}"


@pytest.mark.parametrize("phase", [Phase.DRAINING, Phase.CLOSING])
def test_a_phase_on_the_way_is_no_story(phase: Phase) -> None:
    assert tell(Announce(phase, 10.0), make_status(phase=phase)) is None


def test_a_beginning_that_is_over_already_is_no_story() -> None:
    assert tell(Announce(Phase.SETTLING, 10.0), make_status(drain=None)) is None


@pytest.mark.parametrize(
    ("left", "ended", "sentence"),
    [
        (0, None, "Drained in 7.5 s: nobody has left."),
        (1, None, "Drained in 7.5 s: 1 connection left by itself."),
        (4, {}, "Drained in 7.5 s: 4 connections left by themselves."),
        (4, {"reset": 0}, "Drained in 7.5 s: 4 connections left by themselves."),
        (
            4,
            {"websocket": 2, "shutdown": 0, "reset": 1},
            "Drained in 7.5 s: 4 connections gone, 3 of them closed (2 by websocket, 1 by reset).",
        ),
    ],
)
def test_a_drain_that_has_ended_says_how_they_went(left: int, ended: dict[str, int] | None, sentence: str) -> None:
    announce = Announce(Phase.DONE, 17.54, outcome(Result.DRAINED, left, 0, ended))
    assert tell(announce, make_status()) == Story("Drained", sentence)


def test_a_deadline_is_a_warning_with_who_is_left() -> None:
    announce = Announce(Phase.DONE, 17.54, outcome(Result.DEADLINE, 3, 1, {"reset": 2}))
    assert tell(announce, make_status()) == Story(
        "DrainDeadline",
        "The deadline has come after 7.5 s with 1 connection left; 3 connections gone, 2 of them closed (2 by reset).",
        "Warning",
    )


@pytest.mark.parametrize("ended", [None, outcome(Result.RESUMED, 1, 1)])
def test_a_pod_that_serves_again_says_why(ended: Outcome | None) -> None:
    announce = Announce(Phase.SERVING, 20.0, ended, "the app was restarted")
    assert tell(announce, make_status()) == Story("DrainResumed", "Serving again: the app was restarted.")
    assert tell(Announce(Phase.SERVING, 20.0, ended), make_status()) == Story(
        "DrainResumed", "Serving again: the pod lives on."
    )


def test_no_story_is_longer_than_an_event_may_be() -> None:
    story = tell(Announce(Phase.SERVING, 20.0, None, "x" * 5000), make_status())
    assert story is not None
    assert len(story.message) == MAX_MESSAGE


def test_a_condition_has_reason_and_message() -> None:
    assert SERVING.as_condition() == {
        "reason": "Serving", "message": "The agent counts the connections; no drain is running."
    }  # fmt: skip
