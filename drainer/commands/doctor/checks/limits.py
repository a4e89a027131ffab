"""What the pod wants at the most, how it says so, and which pod goes first."""

from __future__ import annotations

from collections.abc import Iterator

from drainer.cap import Signal, signal_of
from drainer.commands.doctor.case import Case
from drainer.commands.doctor.checks.check import Check
from drainer.commands.doctor.findings import Found, Severity
from drainer.deletion_cost import DEAF
from drainer.keys import DELETION_COST

_LIMITS = ("max_connections", "max_rate")
_SEEN = (*_LIMITS, "full", "serving_label", "kubernetes", "never_last")


def _signal(case: Case) -> Signal | None:
    """How full is said; None where nothing is limited, or not all of it can be seen."""
    values = case.given.values
    if not case.given.sees(*_SEEN) or all(values[name] is None for name in _LIMITS):
        return None
    return signal_of(values["full"], has_label=values["serving_label"] and case.uses_api)


def full_by_readiness(case: Case) -> Iterator[Found]:
    """The fullest pod is deleted first."""
    if _signal(case) is Signal.READINESS:
        by = f' (HorizontalPodAutoscaler "{case.scalers[0]["metadata"]["name"].text}")' if case.scalers else ""
        yield Found(
            case.given.where("full"),
            f"full is readiness: a full pod is not ready, and a scale-down{by} deletes pods that are not ready first, "
            "with all their clients",
            "DRAINER_FULL: label, with the API and DRAINER_SERVING_LABEL; or metric",
        )


def full_unsaid(case: Case) -> Iterator[Found]:
    """Nobody hears of it."""
    if _signal(case) is Signal.METRIC and case.given.values["full"] != "metric":
        name = next(name for name in _LIMITS if case.given.values[name] is not None)
        yield Found(
            case.given.where(name),
            f"{name} is set, and a full pod says so in its metrics only: its Service goes on sending to it",
            "DRAINER_SERVING_LABEL with the API, or DRAINER_FULL: metric where that is meant",
        )


def full_alone(case: Case) -> Iterator[Found]:
    """There is no other pod to send to."""
    replicas = case.pod.object["spec"]["replicas"]
    is_kept = case.given.values["never_last"] and case.uses_api
    if replicas.number == 1 and not case.scalers and not is_kept and _signal(case) in (Signal.LABEL, Signal.READINESS):
        yield Found(
            replicas.path,
            "replicas is 1, and nothing keeps the pod from saying that it is full: then its Service refuses everybody",
            "replicas: 2, or DRAINER_NEVER_LAST with the API",
        )


def deletion_cost_ignored(case: Case) -> Iterator[Found]:
    """Only a ReplicaSet looks at it."""
    if case.given.values["deletion_cost"] and case.pod.kind in DEAF:
        yield Found(
            case.given.where("deletion_cost"),
            f"deletion_cost is true, and a {case.pod.kind} does not look at it: it has an order of its own",
            "take it out",
        )


def deletion_cost_own(case: Case) -> Iterator[Found]:
    """Somebody has set it by hand."""
    if case.given.values["deletion_cost"] and DELETION_COST in case.pod.annotations:
        yield Found(
            case.pod.annotation(DELETION_COST),
            f"deletion_cost is true, and the pod has a {DELETION_COST} already: that stays, whoever is connected",
            "take the annotation out, or DRAINER_DELETION_COST",
        )


CHECKS = (
    Check(
        "full-by-readiness",
        Severity.WARNING,
        "A limit, and full=readiness.",
        "A ReplicaSet deletes pods that are not ready before all others (controller_utils.go, ActivePodsWithRanks).",
        "full=label",
        full_by_readiness,
    ),
    Check(
        "full-unsaid",
        Severity.NOTE,
        "A limit, and a full pod says so to nobody.",
        "full=auto means the label where there is one to follow, and otherwise the metrics alone.",
        "serving_label with the API, or full=metric",
        full_unsaid,
    ),
    Check(
        "full-alone",
        Severity.WARNING,
        "A limit, one replica, and nothing that keeps the last pod in its Service.",
        "A Service without endpoints refuses connections.",
        "two replicas, or never_last with the API",
        full_alone,
    ),
    Check(
        "deletion-cost-ignored",
        Severity.WARNING,
        "deletion_cost, and a workload that does not look at it.",
        "Only a ReplicaSet does (replica_set.go, getPodsToDelete); a StatefulSet deletes the highest ordinal.",
        "no deletion_cost",
        deletion_cost_ignored,
    ),
    Check(
        "deletion-cost-own",
        Severity.WARNING,
        f"deletion_cost, and the pod's template has {DELETION_COST} already.",
        "The agent never overwrites a value that it has not written.",
        "one of them",
        deletion_cost_own,
    ),
)
