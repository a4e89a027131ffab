"""The log: one line for each event, and never a reason to wait."""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Iterator

import pytest

from drainer.cap import Room
from drainer.deletion import Deletion
from drainer.log import MAX_QUEUED, LogObserver, PatientHandler, logger
from drainer.model import PortCount
from drainer.phases import Announce, Outcome, Pace, Phase, Result, Tally
from drainer.status import DrainStatus
from tests.unit.fakes import PORT
from tests.unit.limits import limit
from tests.unit.logs import Pipe, caught_log
from tests.unit.statuses import make_census, make_status

TALLY = Tally(10.0, 17.5, at_start=3, arrived=1, left=4, remaining=0)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    with caught_log() as caught:
        yield caught


def wait_until_stuck(handler: PatientHandler) -> None:
    """Until the thread has taken what there is, and hangs in its write."""
    give_up_at = time.monotonic() + 10
    while handler._lines:
        assert time.monotonic() < give_up_at, f"{len(handler._lines)} lines are still queued"
        time.sleep(0.001)


def test_json_is_one_valid_object_a_line_with_time_level_message_and_facts(pipe: Pipe) -> None:
    handler = pipe.set_up("info", "json")
    logger.info("two\nlines and a \udcff byte", extra={"facts": {"ready": True, "odd": {1}}})
    logger.warning("100 %s", "ä")
    first, second = map(json.loads, pipe.read(handler).splitlines())
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", first.pop("time"))
    assert first == {"level": "info", "message": "two\nlines and a \udcff byte", "ready": True, "odd": "{1}"}
    assert (second["level"], second["message"]) == ("warning", "100 ä")


def test_text_is_for_people(pipe: Pipe) -> None:
    handler = pipe.set_up("debug", "text")
    logger.debug("hello", extra={"facts": {"left": 3, "ready": False}})
    assert re.fullmatch(r"\S+Z DEBUG   hello left=3 ready=False\n", pipe.read(handler))


@pytest.mark.parametrize("form", ["json", "text"])
def test_an_exception_is_told_with_its_place(pipe: Pipe, form: str) -> None:
    handler = pipe.set_up("info", form)
    try:
        int("told")
    except ValueError:
        logger.exception("it failed")
    text = pipe.read(handler)
    if form == "json":
        assert "ValueError: invalid literal" in json.loads(text)["exception"]
    else:
        assert text.splitlines()[0].endswith("it failed")
        assert text.splitlines()[-1].startswith("ValueError: invalid literal")


def test_what_is_below_the_level_is_not_written(pipe: Pipe) -> None:
    handler = pipe.set_up("error", "json")
    logger.warning("not this")
    logger.error("but this")
    assert [json.loads(line)["message"] for line in pipe.read(handler).splitlines()] == ["but this"]


def test_what_strangers_send_to_the_http_server_is_not_logged(pipe: Pipe) -> None:
    handler = pipe.set_up("debug", "json")
    logging.getLogger("aiohttp.server").error("Error handling request")
    assert pipe.read(handler) == ""


def test_a_reader_that_is_stuck_blocks_nobody_and_what_is_lost_is_counted(pipe: Pipe) -> None:
    handler = pipe.set_up("info", "text")
    pipe.fill()
    logger.info("in the thread's hands")
    wait_until_stuck(handler)
    began = time.monotonic()
    for number in range(MAX_QUEUED + 7):
        logger.info("line %d", number)
    handler.flush_at_exit()
    assert time.monotonic() - began < 5
    assert handler.lost == 7
    assert len(handler._lines) == MAX_QUEUED
    assert handler._lines[0].endswith("line 7\n")


def test_a_reader_that_reads_again_gets_what_was_queued_in_order(pipe: Pipe) -> None:
    handler = pipe.set_up("info", "text")
    filled = pipe.fill()
    for number in range(20):
        logger.info("line %d", number)
    text = ""
    give_up_at = time.monotonic() + 10
    while text.count("\n") < 20:
        assert time.monotonic() < give_up_at, f"only {text.count(chr(10))} lines came"
        text += pipe.read()
    assert [line.rpartition(" ")[2] for line in text[filled:].splitlines()] == [str(number) for number in range(20)]
    assert handler.lost == 0


def test_a_line_that_cannot_be_formatted_is_counted_and_ends_nothing(pipe: Pipe) -> None:
    handler = pipe.set_up("info", "json")
    logger.info("%d connections", "many")
    logger.info("the next")
    messages = [json.loads(line)["message"] for line in pipe.read(handler).splitlines()]
    assert messages == ["the next", "lines of this log that were lost: 1"]
    assert handler.lost == 1


def test_a_line_that_cannot_be_written_is_counted_and_ends_nothing(pipe: Pipe) -> None:
    handler = PatientHandler(pipe.reader)  # the end that cannot be written to
    handler.emit(logging.makeLogRecord({"msg": "lost"}))
    assert handler._idle.wait(10)
    assert handler.lost == 1
    handler.emit(logging.makeLogRecord({"msg": "lost too"}))
    assert handler._idle.wait(10)
    assert handler.lost == 2


def test_the_last_lines_are_out_before_the_process_goes(pipe: Pipe) -> None:
    handler = pipe.set_up("info", "text")
    logger.info("gone")
    handler.flush_at_exit()
    assert pipe.read().endswith("gone\n")


# ---------------------------------------------------------------------------------------------- observer


def announced(caplog: pytest.LogCaptureFixture, announce: Announce, **status: object) -> logging.LogRecord:
    """The one line that follows."""
    with caplog.at_level(logging.INFO, "drainer"):
        LogObserver().announced(announce, make_status(**status))
    [record] = caplog.records
    return record


def facts(record: logging.LogRecord) -> dict[str, object]:
    found: dict[str, object] = record.__dict__["facts"]
    return found


def test_the_beginning_tells_the_deadline(caplog: pytest.LogCaptureFixture) -> None:
    record = announced(
        caplog,
        Announce(Phase.SETTLING, 10.0),
        at=10.0,
        ready=False,
        phase=Phase.SETTLING,
        drain=DrainStatus(35.0, TALLY),
    )
    assert record.getMessage() == "the drain begins: whoever still comes is served"
    assert facts(record) == {"phase": "settling", "ready": False, "deadline_in_seconds": 25.0}


@pytest.mark.parametrize("phase", [Phase.DRAINING, Phase.CLOSING, Phase.SERVING])
def test_a_change_of_phase_tells_the_connections(caplog: pytest.LogCaptureFixture, phase: Phase) -> None:
    record = announced(caplog, Announce(phase, 15.0), census=make_census({PORT: PortCount(live=12)}))
    assert facts(record)["connections"] == 12
    assert facts(record)["phase"] == phase


def test_closing_tells_its_plan(caplog: pytest.LogCaptureFixture) -> None:
    record = announced(caplog, Announce(Phase.CLOSING, 15.0, pace=Pace(120, 12.5, 9.6, fits=True)), ready=False)
    assert (record.levelno, record.getMessage()) == (logging.INFO, "closing the connections that are left")
    assert facts(record) == {
        "phase": "closing", "ready": False, "connections": 120, "closing_seconds": 12.5, "rate_per_second": 9.6,
        "close_rate_kept": True,
    }  # fmt: skip


def test_a_cap_that_cannot_be_kept_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "drainer"):
        LogObserver().announced(Announce(Phase.CLOSING, 15.0, pace=Pace(120, 2.0, 60.0, fits=False)), make_status())
    plan, warning = caplog.records
    assert (warning.levelno, facts(warning)) == (logging.WARNING, facts(plan))
    assert warning.getMessage().startswith("close_rate is exceeded")


@pytest.mark.parametrize(("missing", "lines"), [("CAP_NET_RAW", 2), (None, 1)])
def test_where_no_closer_can_work_it_is_said_when_it_matters(
    caplog: pytest.LogCaptureFixture, missing: str | None, lines: int
) -> None:
    status = make_status(closers={"websocket": "CAP_NET_RAW", "notify": missing})
    with caplog.at_level(logging.INFO, "drainer"):
        LogObserver().announced(Announce(Phase.DRAINING, 15.0), status)
    assert len(caplog.records) == lines
    if missing:
        assert caplog.records[-1].getMessage() == "no closer can work here: who stays until the deadline is cut"


@pytest.mark.parametrize(
    ("result", "phase", "level"),
    [
        (Result.DRAINED, Phase.DONE, logging.INFO),
        (Result.DEADLINE, Phase.DONE, logging.WARNING),
        (Result.RESUMED, Phase.SERVING, logging.INFO),
    ],
)
def test_the_end_tells_the_outcome_and_a_deadline_is_a_warning(
    caplog: pytest.LogCaptureFixture, result: Result, phase: Phase, level: int
) -> None:
    record = announced(caplog, Announce(phase, 17.5, Outcome(result, TALLY)))
    assert record.levelno == level
    assert result in record.getMessage()
    assert facts(record) | {"outcome": result, "seconds": 7.5, "left": 4, "remaining": 0} == facts(record)


def test_a_warning_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    LogObserver().warned("set DRAINER_TOKEN")
    assert caplog.record_tuples == [("drainer", logging.WARNING, "set DRAINER_TOKEN")]


def test_a_view_that_fails_is_told_once_with_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    observer = LogObserver()
    for error in (ValueError("x"), ValueError("y"), KeyError("z")):
        observer.view_failed("/status", error)
    told = [(record.getMessage(), record.exc_info[0]) for record in caplog.records if record.exc_info]
    assert told == [("/status has failed", ValueError), ("/status has failed", KeyError)]


def test_a_note_is_for_information(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "drainer")
    LogObserver().noted("192.0.2.1 probes /readyz")
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("INFO", "192.0.2.1 probes /readyz")
    ]


@pytest.mark.parametrize(
    ("deletion", "sentence"),
    [
        (Deletion.UNKNOWN, "the API has not said in time whether the pod is being deleted"),
        (Deletion.NONE, "the pod is not being deleted: its app is restarted, or the node ends it"),
        (Deletion.REQUESTED, "the pod is being deleted"),
        (Deletion.FORCED, "the pod was deleted by force: the drain ends in a moment"),
    ],
)
def test_what_the_api_says_is_one_line_with_the_deadline(
    caplog: pytest.LogCaptureFixture, deletion: Deletion, sentence: str
) -> None:
    caplog.set_level(logging.INFO, "drainer")
    LogObserver().sighted(make_status(at=12.0, phase=Phase.SETTLING, deletion=deletion, drain=DrainStatus(35.0, TALLY)))
    LogObserver().sighted(make_status(phase=Phase.DONE, deletion=deletion))
    first, second = caplog.records
    assert (first.levelname, first.message, facts(first)) == (
        "INFO", sentence, {"deletion": deletion, "deadline_in_seconds": 23.0}
    )  # fmt: skip
    assert (second.message, facts(second)) == (sentence, {"deletion": deletion})


@pytest.mark.parametrize(("deletion", "lines"), [(Deletion.NONE, 0), (Deletion.UNKNOWN, 0), (Deletion.REQUESTED, 1)])
def test_what_a_stranger_has_the_api_asked_is_told_only_if_it_is_news(
    caplog: pytest.LogCaptureFixture, deletion: Deletion, lines: int
) -> None:
    caplog.set_level(logging.INFO, "drainer")
    LogObserver().sighted(make_status(phase=Phase.SERVING, deletion=deletion))
    assert len(caplog.records) == lines


def test_that_the_api_is_being_asked_is_nothing_to_tell(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "drainer")
    LogObserver().sighted(make_status(deletion=Deletion.ASKED))
    assert caplog.records == []


def test_full_and_below_it_again_are_a_line_each(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "drainer")
    observer = LogObserver()
    for room in (Room.ASKING, Room.FULL, Room.LAST, Room.FULL, Room.TAKING, Room.ASKING, Room.TAKING):
        observer.limited(make_status(limit=limit(room), census=make_census({8080: PortCount(12)})))
    observer.limited(make_status())
    assert [record.message.partition(":")[0] for record in caplog.records] == [
        "full", "the limit is reached, but too few other pods are known to take", "full", "below the limit again",
    ]  # fmt: skip
    assert facts(caplog.records[0]) == {
        "max_connections": 10, "connections": 12, "resume_below": 8, "max_rate": None, "utilization": 1.2,
        "new_per_second": 0.5, "room": "full", "reached": ["connections"], "full": True, "said_by": "label",
        "others": None,
    }  # fmt: skip
