"""What is said to a question: documents, or metrics of the fleet, or a Status."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from drainer.adapter.failures import AnswerError
from drainer.adapter.fleet import Fleet
from drainer.adapter.pods import Pod
from drainer.adapter.quantities import quantity
from drainer.adapter.questions import CUSTOM, EXTERNAL, Api, Question
from drainer.adapter.readings import Metric
from drainer.adapter.selectors import Selector, SelectorError, parse


@dataclass(frozen=True, slots=True)
class Moment:
    """Now, by the loop and by the wall: readings have loop time, and whoever asks wants a time of day."""

    loop: float
    wall: float

    def said(self, at: float) -> str:
        """RFC 3339, in whole seconds as meta/v1 writes it."""
        moment = dt.datetime.fromtimestamp(self.wall - (self.loop - at), dt.UTC)
        return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def metrics(
    question: Question, query: Mapping[str, str], fleet: Fleet, now: Moment, apis: Sequence[Api]
) -> dict[str, Any]:
    """The list that is asked for. Raises AnswerError."""
    if question.api not in apis:
        raise _not_found(question)
    if question.verb not in ("get", "list"):
        raise AnswerError(HTTPStatus.METHOD_NOT_ALLOWED, f"metrics are only read here, not {question.verb}")
    if not fleet.is_known:
        raise AnswerError(HTTPStatus.SERVICE_UNAVAILABLE, "the pods are not known yet")
    selector = _selector(query, "labelSelector")
    if question.api == CUSTOM:
        return _custom(question, selector, _selector(query, "metricLabelSelector"), fleet, now)
    return _external(question, selector, fleet, now)


def _custom(question: Question, selector: Selector, of_metric: Selector, fleet: Fleet, now: Moment) -> dict[str, Any]:
    """Of pods: of all that are selected, or of one by its name."""
    metric = _metric(question.subresource)
    if question.resource != "pods" or not question.namespace or metric is None:
        raise _not_found(question)
    if question.name == "*":
        pods = fleet.selected(question.namespace, selector)
    else:
        pod = fleet.named(question.namespace, question.name)
        pods = [pod] if pod is not None and selector.matches(pod.labels) else []
    # The metrics have no labels of their own: a selector of some finds nothing.
    values = [value for pod in pods if (value := _value(pod, metric, fleet, now))] if of_metric.matches({}) else []
    if not values and question.name != "*":
        raise AnswerError(
            HTTPStatus.NOT_FOUND, f"there is no {metric} of the pod {question.namespace}/{question.name} now"
        )
    return {"kind": "MetricValueList", "apiVersion": CUSTOM.group_version, "metadata": {}, "items": values}


def _value(pod: Pod, metric: Metric, fleet: Fleet, now: Moment) -> dict[str, Any] | None:
    reading = fleet.reading(pod, now.loop)
    milli = None if reading is None else reading.milli(metric)
    if reading is None or milli is None:
        return None
    return {
        "describedObject": {"kind": "Pod", "namespace": pod.namespace, "name": pod.name, "apiVersion": "v1"},
        "metric": {"name": metric, "selector": None},
        "timestamp": now.said(reading.taken_at),
        # Of one instant: not calculated over a time.
        "windowSeconds": 0,
        "value": quantity(milli),
    }


def _external(question: Question, selector: Selector, fleet: Fleet, now: Moment) -> dict[str, Any]:
    """The sum over the selected pods that are replicas."""
    metric = _metric(question.resource)
    if metric is None or question.name or not question.namespace:
        raise _not_found(question)
    replicas = [pod for pod in fleet.selected(question.namespace, selector) if pod.is_replica]
    readings = [reading for pod in replicas if (reading := fleet.reading(pod, now.loop))]
    if 2 * len(readings) < len(replicas):
        # An autoscaler that gets no answer leaves the replicas as they are.
        raise AnswerError(
            HTTPStatus.SERVICE_UNAVAILABLE, f"only {len(readings)} of {len(replicas)} pods have answered lately"
        )
    values = [milli for reading in readings if (milli := reading.milli(metric)) is not None]
    items = []
    if values:
        # Who does not answer is missing, not empty: counted as the mean of the others, it moves nothing.
        silent = len(replicas) - len(readings)
        items.append(
            {
                "metricName": metric,
                "metricLabels": {},
                "timestamp": now.said(min(reading.taken_at for reading in readings)),
                "window": 0,
                "value": quantity(sum(values) + round(silent * sum(values) / len(readings))),
            }
        )
    return {"kind": "ExternalMetricValueList", "apiVersion": EXTERNAL.group_version, "metadata": {}, "items": items}


def _metric(name: str) -> Metric | None:
    return Metric(name) if name in set(Metric) else None


def _selector(query: Mapping[str, str], name: str) -> Selector:
    try:
        return parse(query.get(name, ""))
    except SelectorError as error:
        raise AnswerError(HTTPStatus.BAD_REQUEST, f"unable to parse {name}: {error}") from None


def _not_found(question: Question) -> AnswerError:
    return AnswerError(HTTPStatus.NOT_FOUND, f"there is nothing at {question.path}")
