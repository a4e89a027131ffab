from __future__ import annotations

import json
from dataclasses import replace

import pytest

from drainer.attempt import Verdict
from drainer.callers import Trust
from drainer.deletion import Deletion
from drainer.model import Census, CensusError, Histogram, PortCount, Reason, Source, TcpState
from drainer.phases import Closings, Outcome, Pace, Phase, Result, Tally
from drainer.status import DrainStatus, Status, outcome_as_json
from drainer.vitals import Vitals
from tests.unit.limits import limit

TALLY = Tally(began_at=90.0, at=99.5004, at_start=7, arrived=2, left=4, remaining=5)
OUTCOME = Outcome(Result.DEADLINE, TALLY)

SERVING = Status(
    at=100.0,
    phase=Phase.SERVING,
    deletion=Deletion.UNKNOWN,
    api_requests=None,
    keeps_cost=False,
    ready=True,
    limit=None,
    census=Census(
        taken_at=98.7655,
        confirmed=True,
        source=Source.SOCK_DIAG,
        ports={
            80: PortCount(5, {Reason.YOUNG: 2, Reason.IDLE: 1}, opened=9, closed=3),
            81: PortCount(1, {Reason.IDLE: 3}, opened=4, closed=0),
        },
        states={TcpState.ESTABLISHED: 10, TcpState.LISTEN: 2},
        listeners=frozenset(),
    ),
    drain=None,
    last_outcome=None,
    held=3,
    passive=1,
    drains={},
    drain_seconds=Histogram([]),
    calls=dict.fromkeys(Trust, 0),
    ages=Histogram([]),
    census_seconds=Histogram([]),
    census_errors={CensusError.LOST: 2},
    notified=True,
    closers={"notify": None, "reset": "CAP_NET_ADMIN"},
    closings=Closings(),
    left_by_themselves=0,
    vitals=Vitals(),
)


def test_while_serving_the_connections_count_for_autoscaling() -> None:
    shown = SERVING.as_json(wall=1e9)
    assert (shown["phase"], shown["ready"]) == ("serving", True)
    assert (shown["connections"]["total"], shown["connections"]["serving"]) == (4, 4)
    assert shown["connections"]["by_port"]["80"] == {
        "total": 3,
        "serving": 3,
        "opened": 9,
        "closed": 3,
        "excluded": {"ignored_peer": 0, "idle": 1, "half_closed": 0, "young": 2, "flushing": 0, "closed": 0},
    }
    assert shown["connections"]["by_state"] == {"ESTABLISHED": 10, "LISTEN": 2}
    assert shown["connections"]["excluded"]["idle"] == 4
    assert shown["callers"] == {"held": 3, "passive": 1}
    assert (shown["drain"], shown["last_outcome"]) == (None, None)


@pytest.mark.parametrize("phase", [phase for phase in Phase if phase is not Phase.SERVING])
def test_in_any_other_phase_they_are_another_pods_and_yet_there(phase: Phase) -> None:
    status = replace(SERVING, phase=phase)
    assert not status.serving
    connections = status.as_json(wall=1e9)["connections"]
    assert (connections["total"], connections["serving"]) == (4, 0)
    assert [port["serving"] for port in connections["by_port"].values()] == [0, 0]
    assert [port["total"] for port in connections["by_port"].values()] == [3, 1]


def test_a_limit_is_shown_beside_what_is_counted() -> None:
    assert SERVING.as_json(wall=1e9)["limit"] is None
    shown = replace(SERVING, limit=limit(most=10)).as_json(wall=1e9)["limit"]
    assert (shown["connections"], shown["utilization"], shown["full"], shown["said_by"]) == (10, 0.4, True, "label")


def test_the_source_says_what_it_is_how_old_and_what_it_cannot_see() -> None:
    source = SERVING.as_json(wall=1e9)["source"]
    assert source == {
        "name": "sock_diag",
        "blind_to": (),
        "notified": True,
        "census_age_seconds": 1.234,
        "census_errors": {"kernel": 0, "wire": 0, "lost": 2, "other": 0},
    }
    fallback = replace(SERVING, census=replace(SERVING.census, source=Source.PSUTIL)).as_json(wall=1e9)["source"]
    assert fallback["name"] == "psutil"
    assert len(fallback["blind_to"]) == 5


def test_a_running_drain_shows_its_numbers_and_its_deadline_on_both_clocks() -> None:
    status = replace(SERVING, phase=Phase.DRAINING, drain=DrainStatus(deadline_at=115.25, tally=TALLY))
    assert status.as_json(wall=1_000_000_000.5)["drain"] == {
        "seconds": 9.5,
        "connections_at_start": 7,
        "arrived": 2,
        "left": 4,
        "left_by_themselves": 4,
        "closed": {},
        "remaining": 5,
        "attempts": {},
        "refusals": {},
        "deadline_in_seconds": 15.25,
        "deadline_timestamp_seconds": 1_000_000_015.75,
        "pace": None,
    }


def test_an_outcome_has_the_same_words_everywhere() -> None:
    words = outcome_as_json(OUTCOME)
    assert words == {
        "outcome": "deadline",
        "seconds": 9.5,
        "connections_at_start": 7,
        "arrived": 2,
        "left": 4,
        "left_by_themselves": 4,
        "closed": {},
        "remaining": 5,
        "attempts": {},
        "refusals": {},
    }
    assert replace(SERVING, last_outcome=OUTCOME).as_json(wall=1e9)["last_outcome"] == words


def test_closers_are_shown_in_their_order_with_what_each_lacks() -> None:
    assert SERVING.as_json(wall=1e9)["closers"] == [
        {"name": "notify", "usable": True, "missing": None},
        {"name": "reset", "usable": False, "missing": "CAP_NET_ADMIN"},
    ]


def test_an_outcome_says_who_ended_whom_what_was_tried_and_why_it_failed() -> None:
    closings = Closings(
        {"notify": 0, "websocket": 2, "reset": 1},
        {"notify": {}, "websocket": {Verdict.SENT: 2, Verdict.BUSY: 1}, "reset": {Verdict.SENT: 1}},
        {"notify": {}, "websocket": {"EPERM": 1}, "reset": {}},
    )
    words = outcome_as_json(Outcome(Result.DEADLINE, replace(TALLY, closings=closings)))
    assert {name: words[name] for name in ("left", "left_by_themselves", "closed", "attempts", "refusals")} == {
        "left": 4,
        "left_by_themselves": 1,
        "closed": {"websocket": 2, "reset": 1},
        "attempts": {"websocket": {"sent": 2, "busy": 1}, "reset": {"sent": 1}},
        "refusals": {"websocket": {"EPERM": 1}},
    }
    assert json.loads(json.dumps(words)) == words


def test_more_closings_than_have_left_are_not_a_negative_number_that_left_by_themselves() -> None:
    assert replace(TALLY, closings=Closings({"reset": 5})).left_by_themselves == 0


def test_the_pace_is_shown_while_closing() -> None:
    drain = DrainStatus(115.25, TALLY, Pace(100, 12.34567, 8.10000001, fits=False))
    shown = replace(SERVING, phase=Phase.CLOSING, drain=drain).as_json(wall=1e9)["drain"]
    assert shown["pace"] == {
        "connections": 100, "closing_seconds": 12.346, "rate_per_second": 8.1, "close_rate_kept": False
    }  # fmt: skip


def test_what_the_api_was_asked_is_shown_and_that_it_is_not_used() -> None:
    assert SERVING.as_json(wall=1e9)["kubernetes"] == {
        "deletion": "unknown", "used": False, "deletion_cost": False, "requests": {}
    }  # fmt: skip
    requests = {"get": {"ok": 2, "forbidden": 0}, "patch": {}}
    asked = replace(SERVING, deletion=Deletion.REQUESTED, api_requests=requests, keeps_cost=True)
    assert asked.as_json(wall=1e9)["kubernetes"] == {
        "deletion": "requested", "used": True, "deletion_cost": True, "requests": {"get": {"ok": 2}, "patch": {}}
    }  # fmt: skip


def test_closings_of_two_drains_add_up() -> None:
    one = Closings({"reset": 1}, {"reset": {Verdict.SENT: 1}}, {"reset": {"EPERM": 1}})
    two = Closings({"reset": 2, "notify": 3}, {"reset": {Verdict.SENT: 2, Verdict.GONE: 1}}, {"notify": {"404": 1}})
    assert one + two == Closings(
        {"reset": 3, "notify": 3},
        {"reset": {Verdict.SENT: 3, Verdict.GONE: 1}},
        {"reset": {"EPERM": 1}, "notify": {"404": 1}},
    )
    assert one + None is one


def test_what_is_shown_is_json_and_names_no_identity_of_a_socket() -> None:
    census = replace(SERVING.census, listeners=frozenset({("192.0.2.7", 40_000), 918_273}))
    text = json.dumps(replace(SERVING, census=census, last_outcome=OUTCOME).as_json(wall=1e9))
    assert json.loads(text)["phase"] == "serving"
    assert "192.0.2.7" not in text
    assert "918273" not in text
