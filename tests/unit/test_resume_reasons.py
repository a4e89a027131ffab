"""Why a pod serves again: the drain says it, and the log tells it."""

from __future__ import annotations

import logging

import pytest

from drainer.drain import ASKED, FORGOTTEN, RESTARTED, Drain
from drainer.log import LogObserver
from drainer.phases import Announce, Phase
from drainer.plan import DrainPlan
from tests.unit.census import census
from tests.unit.statuses import make_status

PLAN = DrainPlan(window=25.0, settle=5.0, stopped_after=40.0)


def done() -> Drain:
    """Begun by the kubelet at 0, drained at 6."""
    drain = Drain(PLAN)
    drain.begin(0.0, by_kubelet=True)
    drain.observe(census(1.0, 0, listeners=(1,)), 1.0)
    drain.advance(5.0)
    drain.observe(census(6.0, 0, listeners=(1,)), 6.0)
    assert drain.is_done()
    return drain


def told(announce: Announce, caplog: pytest.LogCaptureFixture) -> dict[str, object]:
    """The facts of its one line in the log."""
    with caplog.at_level(logging.INFO, "drainer"):
        LogObserver().announced(announce, make_status())
    [record] = caplog.records
    facts: dict[str, object] = record.__dict__["facts"]
    return facts


def test_a_resume_by_hand_says_that_somebody_asked(caplog: pytest.LogCaptureFixture) -> None:
    [announce] = done().resume(7.0)
    assert (announce.phase, announce.reason) == (Phase.SERVING, ASKED)
    assert told(announce, caplog)["reason"] == "somebody asked"


def test_a_restart_is_the_reason_when_another_listens(caplog: pytest.LogCaptureFixture) -> None:
    [announce] = done().observe(census(41.0, 0, listeners=(2,)), 41.0)
    assert (announce.phase, announce.reason) == (Phase.SERVING, RESTARTED)
    assert told(announce, caplog)["reason"] == "the app was restarted"


def test_an_app_that_nobody_has_stopped_names_the_setting_that_may_be_wrong(caplog: pytest.LogCaptureFixture) -> None:
    [announce] = done().observe(census(40.0, 0, listeners=(1,)), 40.0)
    assert (announce.phase, announce.reason) == (Phase.SERVING, FORGOTTEN)
    assert "DRAINER_GRACE_PERIOD is shorter than the pod's" in str(told(announce, caplog)["reason"])


def test_the_reason_stands_beside_the_outcome_of_a_drain_that_ran(caplog: pytest.LogCaptureFixture) -> None:
    drain = Drain(PLAN)
    drain.begin(0.0)
    [announce] = drain.resume(2.0)
    facts = told(announce, caplog)
    assert (facts["outcome"], facts["reason"]) == ("resumed", "somebody asked")


def test_another_change_of_phase_has_no_reason(caplog: pytest.LogCaptureFixture) -> None:
    [announce] = Drain(PLAN).begin(0.0)
    assert announce.reason == ""
    assert "reason" not in told(announce, caplog)
