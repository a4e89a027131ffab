"""HorizontalPodAutoscalers: which of them wait to scale down, and what it is that they scale."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from drainer.deletion_cost import DEAF
from drainer.lenient import mapping, mappings

PATH = "/apis/autoscaling/v2/horizontalpodautoscalers"


@dataclass(frozen=True, slots=True)
class Target:
    """What an HPA scales: an object that has pods, in the HPA's namespace."""

    namespace: str
    autoscaler: str
    """The HPA's name."""
    group: str
    """Of the object's API; empty means core."""
    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


class Autoscalers:
    """Those that wait to scale down now."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[str, str], Target] = {}

    @property
    def waiting(self) -> list[Target]:
        """What they scale."""
        return list(self._waiting.values())

    def replace(self, targets: Iterable[Target | None]) -> None:
        """Of all HPAs, what `waiting` says."""
        self._waiting = {(target.namespace, target.autoscaler): target for target in targets if target is not None}

    def put(self, metadata: Mapping[str, Any], target: Target | None) -> None:
        """One HPA has changed, or is gone."""
        self._waiting.pop((str(metadata.get("namespace")), str(metadata.get("name"))), None)
        if target is not None:
            self._waiting[target.namespace, target.autoscaler] = target


def waiting(item: Any) -> Target | None:
    """What an HPA scales while it waits to scale down; None while it does not, or never will.

    It waits for the stabilization window (AbleToScale, reason ScaleDownStabilized), or for the next period of a policy
    (ScalingLimited, reason ScaleDownLimit): pkg/controller/podautoscaler/horizontal.go, normalizeDesiredReplicas and
    normalizeDesiredReplicasWithBehaviors.
    """
    metadata, spec, status = (mapping(mapping(item).get(part)) for part in ("metadata", "spec", "status"))
    target = mapping(spec.get("scaleTargetRef"))
    policies = mapping(mapping(spec.get("behavior")).get("scaleDown"))
    said = {
        (condition.get("type"), condition.get("reason"))
        for condition in mappings(status.get("conditions"))
        if condition.get("status") == "True"
    }
    is_waiting = not said.isdisjoint({("AbleToScale", "ScaleDownStabilized"), ("ScalingLimited", "ScaleDownLimit")})
    if not is_waiting or policies.get("selectPolicy") == "Disabled" or target.get("kind") in DEAF:
        return None
    found = Target(
        namespace=str(metadata.get("namespace") or ""),
        autoscaler=str(metadata.get("name") or ""),
        group=str(target.get("apiVersion") or "").rpartition("/")[0],
        kind=str(target.get("kind") or ""),
        name=str(target.get("name") or ""),
    )
    return found if all((found.namespace, found.autoscaler, found.kind, found.name)) else None
