"""Prometheus and OpenMetrics, computed at scrape from one Status."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from prometheus_client import ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from drainer import __version__
from drainer.attempt import Verdict
from drainer.callers import Trust
from drainer.deletion import Deletion
from drainer.model import CensusError, Histogram, PortCount, Reason, Source
from drainer.phases import Phase, Result
from drainer.status import Status


class _Scrape:
    """What prometheus_client's encoders ask of a registry: every series, from the first scrape on."""

    _process = ProcessCollector(registry=None)

    def __init__(self, status: Status, wall: float) -> None:
        self._status = status
        self._wall = wall

    def collect(self) -> Iterator[Metric]:
        yield from _connections(self._status)
        yield from _limit(self._status)
        yield from _drain(self._status, self._wall)
        yield from _closing(self._status)
        yield from _counting(self._status, self._wall)
        yield from _kubernetes(self._status)
        yield from _vitals(self._status)
        yield _labelled(
            GaugeMetricFamily("drainer_build_info", "The version that runs.", labels=["version", "python"]),
            [((__version__, platform.python_version()), 1)],
        )
        yield from self._process.collect()


def render(status: Status, accept: str, wall: float) -> tuple[bytes, str]:
    """(body, content type) for the Accept header; `wall` is the Unix time that `status.at` stands for."""
    try:
        encode, content_type = choose_encoder(accept)
    except (TypeError, ValueError):  # prometheus_client 0.26 on an OpenMetrics version that is no number
        encode, content_type = choose_encoder("")
    return encode(_Scrape(status, wall)), content_type


def _connections(status: Status) -> Iterator[Metric]:
    ports = status.census.ports
    serving = status.serving

    def by_port(value: Callable[[PortCount], float]) -> list[tuple[tuple[str, ...], float]]:
        return [((str(port),), value(count)) for port, count in ports.items()]

    yield _labelled(
        GaugeMetricFamily("drainer_connections", "Live client connections on the app's port.", labels=["port"]),
        by_port(lambda count: count.shown),
    )
    yield _labelled(
        GaugeMetricFamily(
            "drainer_connections_serving",
            "The same, and 0 while the pod drains: for autoscaling by a sum over pods.",
            labels=["port"],
        ),
        by_port(lambda count: count.shown if serving else 0),
    )
    yield _labelled(
        GaugeMetricFamily(
            "drainer_connections_excluded", "Sockets on the app's port that are not counted.", labels=["port", "reason"]
        ),
        [((str(port), reason), count.excluded.get(reason, 0)) for port, count in ports.items() for reason in Reason],
    )
    yield _labelled(
        CounterMetricFamily("drainer_connections_opened", "Connections seen, at least by one census.", labels=["port"]),
        by_port(lambda count: count.opened),
    )
    yield _labelled(
        CounterMetricFamily("drainer_connections_closed", "Connections seen that have left.", labels=["port"]),
        by_port(lambda count: count.closed),
    )
    yield _histogram(
        "drainer_connection_age_seconds",
        "Age of the connections that left, since a census first saw them.",
        status.ages,
    )


def _limit(status: Status) -> Iterator[Metric]:
    limit = status.limit
    if limit is None:
        return
    yield GaugeMetricFamily("drainer_full", "1 while the pod asks for no more connections.", float(limit.is_full))
    utilization = limit.utilization(status.census.shown)
    if limit.plan.max_connections is not None and utilization is not None:
        yield GaugeMetricFamily(
            "drainer_connections_limit",
            "The connections with which the pod is full; the same while it drains.",
            float(limit.plan.max_connections),
        )
        yield GaugeMetricFamily(
            "drainer_connections_utilization",
            "drainer_connections of all ports as a part of the limit; more than 1 above it.",
            utilization,
        )


def _drain(status: Status, wall: float) -> Iterator[Metric]:
    yield _labelled(
        GaugeMetricFamily("drainer_phase", "1 for the phase the agent is in.", labels=["phase"]),
        [((phase,), float(phase is status.phase)) for phase in Phase],
    )
    yield GaugeMetricFamily(
        "drainer_draining", "1 from the beginning of a drain until the pod serves again.", float(not status.serving)
    )
    deadline = 0.0 if status.drain is None else wall + status.drain.deadline_at - status.at
    yield GaugeMetricFamily(
        "drainer_drain_deadline_timestamp_seconds",
        "When the running drain ends at the latest; 0 without one.",
        deadline,
    )
    yield _counter("drainer_drains", "Drains by how they ended.", "outcome", status.drains, Result)
    yield _histogram("drainer_drain_duration_seconds", "How long drains took.", status.drain_seconds)
    yield _counter("drainer_callers", "Calls of /drain and /resume by trust.", "trust", status.calls, Trust)


def _closing(status: Status) -> Iterator[Metric]:
    pace = status.drain.pace if status.drain else None
    yield GaugeMetricFamily(
        "drainer_close_rate_planned",
        "Connections to be closed per second, as planned when closing began; else 0.",
        pace.rate if pace else 0.0,
    )
    yield GaugeMetricFamily(
        "drainer_close_rate_exceeded",
        "1 while close_rate is exceeded because the deadline needs more.",
        float(pace is not None and not pace.fits),
    )
    yield _labelled(
        GaugeMetricFamily("drainer_closer_usable", "1 if the closer can work here.", labels=["closer"]),
        [((closer,), float(missing is None)) for closer, missing in status.closers.items()],
    )
    yield _labelled(
        CounterMetricFamily("drainer_close_attempts", "Tries to end a connection.", labels=["closer", "verdict"]),
        [
            ((closer, verdict), status.closings.attempts.get(closer, {}).get(verdict, 0))
            for closer in status.closers
            for verdict in Verdict
        ],
    )
    by = {"itself": status.left_by_themselves} | {name: status.closings.ended.get(name, 0) for name in status.closers}
    yield _counter("drainer_drain_departures", "Connections that left in a drain, by who ended them.", "by", by, by)


def _counting(status: Status, wall: float) -> Iterator[Metric]:
    yield _histogram("drainer_census_duration_seconds", "How long a census took.", status.census_seconds)
    yield _counter(
        "drainer_census_errors",
        "Censuses that failed or had to be repeated.",
        "reason",
        status.census_errors,
        CensusError,
    )
    age = status.at - status.census.taken_at
    yield GaugeMetricFamily("drainer_census_timestamp_seconds", "When the latest census was taken.", wall - age)
    yield _labelled(
        GaugeMetricFamily("drainer_socket_source", "1 for the source of the socket table in use.", labels=["source"]),
        [((source,), float(source is status.census.source)) for source in Source],
    )


def _kubernetes(status: Status) -> Iterator[Metric]:
    yield _labelled(
        GaugeMetricFamily("drainer_pod_deletion", "1 for what the API says of the pod.", labels=["deletion"]),
        [((deletion,), float(deletion is status.deletion)) for deletion in Deletion],
    )
    yield _labelled(
        CounterMetricFamily(
            "drainer_kubernetes_requests", "Requests to the API, where it is used.", labels=["operation", "result"]
        ),
        [
            ((operation, result), count)
            for operation, results in (status.api_requests or {}).items()
            for result, count in results.items()
        ],
    )


def _vitals(status: Status) -> Iterator[Metric]:
    """Only what is known: an alert on what is absent is an alert of its own."""
    health, usage = status.vitals.health, status.vitals.usage
    if health and health.is_current(status.at):
        yield _labelled(
            GaugeMetricFamily(
                "drainer_health", "1 if the check of /health passes; absent if nobody asks.", labels=["check"]
            ),
            [((check.name,), float(check.passed)) for check in health.checks],
        )
    if usage is None:
        return
    reading = usage.current(status.at)
    if reading and reading.memory is not None:
        yield GaugeMetricFamily("drainer_app_memory_bytes", "Memory of the app.", reading.memory)
    if reading and reading.cpu_seconds is not None:
        yield CounterMetricFamily("drainer_app_cpu_seconds", "CPU seconds of the app.", reading.cpu_seconds)
    if usage.memory:
        yield GaugeMetricFamily(
            "drainer_app_memory_per_connection_bytes",
            "What a connection more has cost in memory, by a regression.",
            usage.memory.slope,
        )


def _labelled(family: Any, samples: Iterable[tuple[tuple[str, ...], float]]) -> Metric:
    for labels, value in samples:
        family.add_metric(labels, value)
    result: Metric = family
    return result


def _counter(name: str, text: str, label: str, values: Mapping[Any, int], words: Iterable[str]) -> Metric:
    return _labelled(
        CounterMetricFamily(name, text, labels=[label]), [((word,), values.get(word, 0)) for word in words]
    )


def _histogram(name: str, text: str, histogram: Histogram) -> Metric:
    return HistogramMetricFamily(name, text, buckets=histogram.cumulative(), sum_value=histogram.total)
