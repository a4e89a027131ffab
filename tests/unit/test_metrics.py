"""The metrics: every series from the first scrape on, in both formats."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from drainer import __version__, metrics
from drainer.attempt import Verdict
from drainer.callers import Trust
from drainer.cap import Room
from drainer.deletion import Deletion
from drainer.model import CensusError, Histogram, PortCount, Reason, Source
from drainer.phases import Closings, Outcome, Pace, Phase, Result, Tally
from drainer.status import DrainStatus, Status
from tests.unit.limits import limit
from tests.unit.statuses import make_census, make_status

OPENMETRICS = "application/openmetrics-text; version=1.0.0"
WALL = 1_700_000_000.0

Series = dict[tuple[str, frozenset[tuple[str, str]]], float]


def series(status: Status, accept: str = "") -> Series:
    """(name, labels) -> value of everything but the process's own."""
    body, _ = metrics.render(status, accept, WALL)
    parse = parse_openmetrics if accept else parse_text
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in parse(body.decode())
        for sample in family.samples
        if sample.name.startswith("drainer_")
    }


def value(found: Series, name: str, **labels: str) -> float:
    return found[name, frozenset(labels.items())]


def labels_of(found: Series, name: str) -> list[dict[str, str]]:
    return [dict(labels) for sample, labels in found if sample == name]


TWO_PORTS = make_census({8080: PortCount(), 9000: PortCount()})


@pytest.mark.parametrize("accept", ["", OPENMETRICS])
def test_every_series_is_there_from_the_first_scrape_on(accept: str) -> None:
    found = series(make_status(census=TWO_PORTS), accept)
    ports = [{"port": "8080"}, {"port": "9000"}]
    for name in ("connections", "connections_serving", "connections_opened_total", "connections_closed_total"):
        assert labels_of(found, f"drainer_{name}") == ports
    assert labels_of(found, "drainer_connections_excluded") == [
        port | {"reason": reason} for port in ports for reason in Reason
    ]
    assert labels_of(found, "drainer_phase") == [{"phase": phase} for phase in Phase]
    assert labels_of(found, "drainer_drains_total") == [{"outcome": result} for result in Result]
    assert labels_of(found, "drainer_callers_total") == [{"trust": trust} for trust in Trust]
    assert labels_of(found, "drainer_census_errors_total") == [{"reason": reason} for reason in CensusError]
    assert labels_of(found, "drainer_socket_source") == [{"source": source} for source in Source]
    for name in (
        "draining", "drain_deadline_timestamp_seconds", "census_timestamp_seconds", "close_rate_planned",
        "close_rate_exceeded",
    ):  # fmt: skip
        assert labels_of(found, f"drainer_{name}") == [{}]
    for name in ("connection_age_seconds", "drain_duration_seconds", "census_duration_seconds"):
        assert value(found, f"drainer_{name}_count") == 0
        assert value(found, f"drainer_{name}_sum") == 0
        assert value(found, f"drainer_{name}_bucket", le="+Inf") == 0
    python = ".".join(map(str, sys.version_info[:3]))
    assert labels_of(found, "drainer_build_info") == [{"version": __version__, "python": python}]


@pytest.mark.parametrize("accept", ["", OPENMETRICS])
def test_every_series_of_each_closer_is_there_from_the_first_scrape_on(accept: str) -> None:
    found = series(make_status(closers={"notify": None, "reset": "CAP_NET_ADMIN is missing"}), accept)
    closers = [{"closer": "notify"}, {"closer": "reset"}]
    assert labels_of(found, "drainer_closer_usable") == closers
    assert labels_of(found, "drainer_close_attempts_total") == [
        closer | {"verdict": verdict} for closer in closers for verdict in Verdict
    ]
    assert labels_of(found, "drainer_drain_departures_total") == [{"by": "itself"}, {"by": "notify"}, {"by": "reset"}]
    assert value(found, "drainer_closer_usable", closer="notify") == 1
    assert value(found, "drainer_closer_usable", closer="reset") == 0


def test_what_the_closers_have_come_to_is_counted() -> None:
    closings = Closings({"reset": 5}, {"reset": {Verdict.SENT: 6, Verdict.REFUSED: 2}}, {"reset": {"EPERM": 2}})
    found = series(make_status(closers={"notify": None, "reset": None}, closings=closings, left_by_themselves=7))
    assert value(found, "drainer_close_attempts_total", closer="reset", verdict="sent") == 6
    assert value(found, "drainer_close_attempts_total", closer="reset", verdict="refused") == 2
    assert value(found, "drainer_close_attempts_total", closer="notify", verdict="sent") == 0
    assert value(found, "drainer_drain_departures_total", by="itself") == 7
    assert value(found, "drainer_drain_departures_total", by="reset") == 5
    assert value(found, "drainer_drain_departures_total", by="notify") == 0


@pytest.mark.parametrize(
    ("pace", "rate", "exceeded"),
    [(None, 0, 0), (Pace(100, 8.0, 12.5, fits=True), 12.5, 0), (Pace(100, 8.0, 12.5, fits=False), 12.5, 1)],
)
def test_the_pace_is_shown_while_closing(pace: Pace | None, rate: float, exceeded: int) -> None:
    tally = Tally(0.0, 7.0, at_start=1, arrived=0, left=0, remaining=1)
    found = series(make_status(drain=DrainStatus(25.0, tally, pace)))
    assert value(found, "drainer_close_rate_planned") == rate
    assert value(found, "drainer_close_rate_exceeded") == exceeded


def test_no_series_is_there_that_only_a_drain_brings() -> None:
    ended = Outcome(Result.DRAINED, Tally(0.0, 7.0, at_start=1, arrived=0, left=1, remaining=0))
    busy = make_status(
        census=TWO_PORTS,
        phase=Phase.DONE,
        last_outcome=ended,
        drain=DrainStatus(25.0, ended.tally),
        drains={Result.DRAINED: 3},
        calls={Trust.TOKEN: 2},
    )
    assert series(busy).keys() == series(make_status(census=TWO_PORTS)).keys()


def test_the_numbers_of_a_port_are_those_of_the_census() -> None:
    count = PortCount(live=12, excluded={Reason.YOUNG: 2, Reason.IDLE: 4}, opened=30, closed=14)
    found = series(make_status(census=make_census({8080: count})))
    assert value(found, "drainer_connections", port="8080") == 10
    assert value(found, "drainer_connections_serving", port="8080") == 10
    assert value(found, "drainer_connections_excluded", port="8080", reason="idle") == 4
    assert value(found, "drainer_connections_excluded", port="8080", reason="flushing") == 0
    assert value(found, "drainer_connections_opened_total", port="8080") == 30
    assert value(found, "drainer_connections_closed_total", port="8080") == 14


@pytest.mark.parametrize("phase", list(Phase))
def test_a_phase_is_one_and_its_connections_serve_only_while_serving(phase: Phase) -> None:
    found = series(make_status(phase=phase, census=make_census({8080: PortCount(live=3)})))
    assert {name: value(found, "drainer_phase", phase=name) for name in Phase} == {
        name: float(name is phase) for name in Phase
    }
    draining = phase is not Phase.SERVING
    assert value(found, "drainer_draining") == draining
    assert value(found, "drainer_connections", port="8080") == 3
    assert value(found, "drainer_connections_serving", port="8080") == (0 if draining else 3)


def test_moments_are_told_in_the_time_of_day() -> None:
    tally = Tally(90.0, 100.0, at_start=1, arrived=0, left=0, remaining=1)
    status = make_status(at=100.0, census=make_census(taken_at=97.5), drain=DrainStatus(115.0, tally))
    found = series(status)
    assert value(found, "drainer_drain_deadline_timestamp_seconds") == WALL + 15.0
    assert value(found, "drainer_census_timestamp_seconds") == WALL - 2.5
    assert value(series(make_status(at=100.0)), "drainer_drain_deadline_timestamp_seconds") == 0


def test_counters_carry_their_words() -> None:
    found = series(
        make_status(
            drains={Result.DEADLINE: 2},
            calls={Trust.STRANGER: 7},
            census_errors={CensusError.LOST: 5},
            census=make_census(source=Source.PSUTIL),
        )
    )
    assert value(found, "drainer_drains_total", outcome="deadline") == 2
    assert value(found, "drainer_callers_total", trust="stranger") == 7
    assert value(found, "drainer_census_errors_total", reason="lost") == 5
    assert value(found, "drainer_socket_source", source="psutil") == 1
    assert value(found, "drainer_socket_source", source="sock_diag") == 0


@pytest.mark.parametrize("accept", ["", OPENMETRICS])
def test_a_histogram_adds_up(accept: str) -> None:
    ages = Histogram([0.1, 1.0, 60.0])
    for age in (0.1, 0.5, 0.7, 30.0, 4000.0):
        ages.observe(age)
    found = series(make_status(ages=ages), accept)
    buckets = [
        (dict(labels)["le"], number)
        for (name, labels), number in found.items()
        if name == "drainer_connection_age_seconds_bucket"
    ]
    assert buckets == [("0.1", 1), ("1.0", 3), ("60.0", 4), ("+Inf", 5)]
    assert value(found, "drainer_connection_age_seconds_count") == 5
    assert value(found, "drainer_connection_age_seconds_sum") == pytest.approx(4031.3)


def test_the_scraper_gets_the_format_that_it_asks_for() -> None:
    text, text_type = metrics.render(make_status(), "text/plain", WALL)
    open_metrics, open_type = metrics.render(make_status(), f"{OPENMETRICS};q=0.9,text/plain;q=0.1", WALL)
    assert text_type.startswith("text/plain; version=0.0.4")
    assert open_type.startswith("application/openmetrics-text")
    assert open_metrics.endswith(b"# EOF\n")
    assert not text.endswith(b"# EOF\n")


@pytest.mark.parametrize("version", ["1.x", "", "1.0.0.0.0", "-1"])
def test_a_version_that_there_is_not_falls_back_to_a_format_that_can_be_read(version: str) -> None:
    body, content_type = metrics.render(make_status(), f"application/openmetrics-text;version={version}", WALL)
    parse = parse_openmetrics if content_type.startswith("application/openmetrics-text") else parse_text
    assert "drainer_phase" in {family.name for family in parse(body.decode())}


def test_the_process_tells_of_itself() -> None:
    body, _ = metrics.render(make_status(), "", WALL)
    assert b"process_resident_memory_bytes " in body
    assert b"process_open_fds " in body


def test_promtool_has_nothing_to_say() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("needs promtool (Debian's package prometheus)")
    body, _ = metrics.render(make_status(census=TWO_PORTS), "", WALL)
    checked = subprocess.run([promtool, "check", "metrics"], input=body, capture_output=True, check=False, timeout=30)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")


def test_a_scraper_that_asks_for_nonsense_gets_the_text_format() -> None:
    body, content_type = metrics.render(make_status(), "application/openmetrics-text;version=abc", WALL)
    assert content_type.startswith("text/plain")
    assert body.startswith(b"# HELP drainer_connections ")


@pytest.mark.parametrize("deletion", list(Deletion))
def test_what_the_api_says_of_the_pod_is_one(deletion: Deletion) -> None:
    found = series(make_status(deletion=deletion))
    assert {name: value(found, "drainer_pod_deletion", deletion=name) for name in Deletion} == {
        name: float(name is deletion) for name in Deletion
    }


def test_requests_to_the_api_are_counted_where_it_is_used() -> None:
    assert labels_of(series(make_status()), "drainer_kubernetes_requests_total") == []
    found = series(make_status(api_requests={"get": {"ok": 2, "failed": 0}, "watch": {"ok": 1, "failed": 3}}))
    assert value(found, "drainer_kubernetes_requests_total", operation="get", result="ok") == 2
    assert value(found, "drainer_kubernetes_requests_total", operation="get", result="failed") == 0
    assert value(found, "drainer_kubernetes_requests_total", operation="watch", result="failed") == 3


def test_without_a_limit_there_are_no_gauges_of_one() -> None:
    found = series(make_status())
    assert [name for name, _ in found if "limit" in name or "full" in name or "utilization" in name] == []


@pytest.mark.parametrize(("room", "full"), [(room, float(room is Room.FULL)) for room in Room])
def test_a_limit_is_a_constant_and_what_is_used_of_it_a_part(room: Room, full: float) -> None:
    census = make_census({8080: PortCount(4), 9000: PortCount(3)})
    for phase in (Phase.SERVING, Phase.DRAINING):
        found = series(make_status(limit=limit(room), census=census, phase=phase))
        assert value(found, "drainer_connections_limit") == 10
        assert value(found, "drainer_connections_utilization") == 0.7
        assert value(found, "drainer_full") == full


def test_with_a_rate_alone_there_is_nothing_to_be_a_part_of() -> None:
    found = series(make_status(limit=limit(most=None)))
    assert value(found, "drainer_full") == 1
    assert [name for name, _ in found if "limit" in name or "utilization" in name] == []
