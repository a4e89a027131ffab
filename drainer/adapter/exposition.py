"""The adapter's own metrics, for Prometheus."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from prometheus_client import ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric

from drainer import __version__
from drainer.adapter.services import Owner


@dataclass(frozen=True, slots=True)
class Figures:
    """The adapter at one moment."""

    pods: int
    fresh: int
    """Pods with a fresh reading."""
    questions: Mapping[str, int]
    """To agents, by what came of them."""
    codes: Mapping[int, int]
    """HTTP status -> answers."""
    decisions: Mapping[str, int]
    """SubjectAccessReviews, by what came of them."""
    owners: Mapping[str, Owner]
    """APIService -> whose it is."""
    waiting: int | None
    """HPAs that wait to scale down; None where nobody looks."""
    costs: Mapping[str, int]
    """Writes of a deletion cost, by what came of them; empty where nobody writes."""
    expires_at: float | None
    """Unix time at which the certificate that is shown ends; None before there is one."""


class _Scrape:
    """What prometheus_client's encoders ask of a registry."""

    _process = ProcessCollector(registry=None)

    def __init__(self, figures: Figures) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        figures = self._figures
        yield GaugeMetricFamily("drainer_adapter_pods", "Pods with an agent.", figures.pods)
        yield GaugeMetricFamily(
            "drainer_adapter_pods_fresh",
            "Those that have answered in the last 10 s; the others are missing.",
            figures.fresh,
        )
        yield _counter("drainer_adapter_questions", "Questions to agents.", "result", figures.questions.items())
        yield _counter(
            "drainer_adapter_answers",
            "Answers to whoever asked here, by HTTP status.",
            "code",
            ((str(code), count) for code, count in sorted(figures.codes.items())),
        )
        yield _counter(
            "drainer_adapter_authorizations",
            "What the API server was asked of who may ask here.",
            "result",
            figures.decisions.items(),
        )
        family = GaugeMetricFamily(
            "drainer_adapter_apiservice", "1 for whose the APIService is.", labels=["apiservice", "owner"]
        )
        for name, of in figures.owners.items():
            for owner in Owner:
                family.add_metric([name, owner], float(of is owner))
        yield family
        if figures.waiting is not None:
            yield GaugeMetricFamily(
                "drainer_adapter_scale_downs_waiting", "HPAs that wait to scale down.", figures.waiting
            )
            yield _counter(
                "drainer_adapter_deletion_costs", "Writes of a pod's deletion cost.", "result", figures.costs.items()
            )
        if figures.expires_at is not None:
            yield GaugeMetricFamily(
                "drainer_adapter_certificate_expiry_timestamp_seconds",
                "When the certificate that is shown ends.",
                figures.expires_at,
            )
        built = GaugeMetricFamily("drainer_adapter_build_info", "The version that runs.", labels=["version", "python"])
        built.add_metric([__version__, platform.python_version()], 1)
        yield built
        yield from self._process.collect()


def render(figures: Figures, accept: str) -> tuple[bytes, str]:
    """(body, content type) for the Accept header."""
    try:
        encode, content_type = choose_encoder(accept)
    except (TypeError, ValueError):  # prometheus_client 0.26 on an OpenMetrics version that is no number
        encode, content_type = choose_encoder("")
    return encode(_Scrape(figures)), content_type


def _counter(name: str, text: str, label: str, values: Iterable[tuple[str, int]]) -> Metric:
    family: Any = CounterMetricFamily(name, text, labels=[label])
    for word, value in values:
        family.add_metric([word], value)
    result: Metric = family
    return result
