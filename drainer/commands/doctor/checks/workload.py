"""The workload around the pod: how many there are, how they are replaced and scaled."""

from __future__ import annotations

from collections.abc import Iterator

from drainer.commands.doctor.case import Case, Container
from drainer.commands.doctor.checks.check import Check
from drainer.commands.doctor.findings import Found, Severity
from drainer.commands.doctor.shapes import Node


def hpa_without_requests(case: Case) -> Iterator[Found]:
    """Utilization of nothing."""
    for scaler in case.scalers:
        for resource, only in _utilized(scaler):
            if case.spec["resources"]["requests"][resource]:
                continue
            for container in case.pod.containers:
                runs_on = not container.is_init or container.is_native
                amounts = container.node["resources"]
                asked = amounts["requests"][resource] or amounts["limits"][resource]
                if runs_on and not asked and only in ("", container.name):
                    yield _without(scaler, container, resource)


def _without(scaler: Node, container: Container, resource: str) -> Found:
    amount = "10m" if resource == "cpu" else "48Mi"
    return Found(
        container.node["resources"]["requests"][resource].path,
        f'HorizontalPodAutoscaler "{scaler["metadata"]["name"].text}" goes by the utilization of {resource}, and '
        f'"{container.name}" requests none: it cannot be computed, and nothing is scaled',
        f"resources.requests.{resource}: {amount}, or what the container needs",
    )


def _utilized(scaler: Node) -> Iterator[tuple[str, str]]:
    """(resource, container) that the scaler takes the utilization of; no container means all."""
    if scaler["spec"]["targetCPUUtilizationPercentage"]:
        yield "cpu", ""
    for metric in scaler["spec"]["metrics"]:
        for field in ("resource", "containerResource"):
            if metric[field]["target"]["type"].text == "Utilization":
                yield metric[field]["name"].text, metric[field]["container"].text


def recreate(case: Case) -> Iterator[Found]:
    """All at once."""
    kind = case.pod.object["spec"]["strategy"]["type"]
    if case.pod.kind == "Deployment" and kind.text == "Recreate":
        yield Found(
            kind.path,
            "strategy Recreate ends all pods before new ones start: whoever is closed finds nobody to come back to",
            "strategy.type: RollingUpdate",
        )


def single_replica(case: Case) -> Iterator[Found]:
    """Nobody else is there."""
    replicas = case.pod.object["spec"]["replicas"]
    if replicas.number == 1 and not case.scalers:
        yield Found(
            replicas.path,
            "replicas is 1: while the pod drains no other one is ready, except where a rollout makes one first",
            "replicas: 2, or DRAINER_READINESS: after",
        )


CHECKS = (
    Check(
        "hpa-without-requests",
        Severity.ERROR,
        "An HPA goes by utilization, and a container of the pod has no request for that resource.",
        "Utilization is usage / request of all containers; with one missing the metric fails "
        "(podautoscaler/replica_calculator.go).",
        "resources.requests on every container",
        hpa_without_requests,
    ),
    Check(
        "recreate",
        Severity.WARNING,
        "The Deployment's strategy is Recreate.",
        "It scales to 0 first (deployment/recreate.go).",
        "RollingUpdate",
        recreate,
    ),
    Check(
        "single-replica",
        Severity.NOTE,
        "The workload has one replica.",
        "A Service without another ready pod turns new clients away as soon as the drain begins (README).",
        "two replicas",
        single_replica,
    ),
)
