"""What is read from the API and written to it, as plain JSON values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from drainer.deletion import Deletion, Pod, Sighting
from drainer.keys import DELETION_COST, SERVING
from drainer.lenient import mapping, mappings
from drainer.stories import Story

MAX_LINE = 4 << 20
"""Bytes of one watch event: an object in etcd has at most 1.5 MiB."""
MAX_NAME = 253
"""Characters of an object's name (apimachinery/pkg/util/validation)."""
REPORTER = "drainer"
SHORTEST_GRACE = 1.0
"""Seconds that the kubelet makes of a grace period of 0 (pkg/kubelet/pod_workers.go)."""


def sighting(pod: Mapping[str, Any], uid: str) -> Sighting | None:
    """What an object says of the deletion; None if it is another pod, or no pod at all."""
    metadata = mapping(pod.get("metadata"))
    if metadata.get("uid") != uid:
        return None
    if not metadata.get("deletionTimestamp"):
        return Sighting(Deletion.NONE)
    return Sighting(Deletion.REQUESTED, _grace(metadata.get("deletionGracePeriodSeconds")))


def version(pod: Mapping[str, Any]) -> str:
    """Where a watch goes on from."""
    return str(mapping(pod.get("metadata")).get("resourceVersion", ""))


def grace(pod: Mapping[str, Any]) -> float | None:
    """The pod's terminationGracePeriodSeconds."""
    return _grace(mapping(pod.get("spec")).get("terminationGracePeriodSeconds"))


@dataclass(frozen=True, slots=True)
class Condition:
    """The pod's condition drainer.dev/serving."""

    is_true: bool
    story: Story


@dataclass(frozen=True, slots=True)
class State:
    """What stands at the pod. None: not said, or not ours to say."""

    label: str | None = None
    condition: Condition | None = None
    cost: str | None = None
    """The annotation DELETION_COST, an int32 as text."""


def written(pod: Mapping[str, Any]) -> State:
    """What an object says of it."""
    labels = mapping(mapping(pod.get("metadata")).get("labels"))
    found = [
        Condition(one.get("status") == "True", Story(str(one.get("reason", "")), str(one.get("message", ""))))
        for one in mappings(mapping(pod.get("status")).get("conditions"))
        if one.get("type") == SERVING
    ]
    return State(labels.get(SERVING), found[0] if found else None, cost(pod))


def cost(pod: Mapping[str, Any]) -> str | None:
    """The pod's deletion cost, as it is written."""
    text = mapping(mapping(pod.get("metadata")).get("annotations")).get(DELETION_COST)
    return text if isinstance(text, str) else None


def is_own_cost(pod: Mapping[str, Any], manager: str = REPORTER) -> bool:
    """Whether it was an agent, or another manager, that wrote the deletion cost: managedFields have who did.

    A manager's name is the User-Agent's up to the slash (apiserver/pkg/endpoints/handlers, managerOrUserAgent), or
    what the request gives as fieldManager.
    """
    return (cost(pod) or "").isdecimal() and any(
        one.get("manager") == manager and f"f:{DELETION_COST}" in mapping(annotations)
        for one in mappings(mapping(pod.get("metadata")).get("managedFields"))
        for annotations in [mapping(mapping(one.get("fieldsV1")).get("f:metadata")).get("f:annotations")]
    )


def controller(pod: Mapping[str, Any]) -> str:
    """The kind of the object that made the pod and deletes it; empty where there is none."""
    owners = mappings(mapping(pod.get("metadata")).get("ownerReferences"))
    return next((str(one.get("kind", "")) for one in owners if one.get("controller") is True), "")


def patch(pod: Pod, before: State, state: State, time: str) -> dict[str, Any]:
    """A strategic merge patch of pods/status: with the uid it cannot be about another pod of that name (422).

    It may set labels and annotations too: only the spec, deletionTimestamp and ownerReferences are restored there
    (pkg/registry/core/pod/strategy.go). Conditions merge by type. `time` is RFC 3339, for lastTransitionTime.
    """
    metadata: dict[str, Any] = {"uid": pod.uid}
    if state.label is not None and state.label != before.label:
        metadata["labels"] = {SERVING: state.label}
    if state.cost is not None and state.cost != before.cost:
        metadata["annotations"] = {DELETION_COST: state.cost}
    body: dict[str, Any] = {"metadata": metadata}
    condition = state.condition
    if condition is not None and condition != before.condition:
        one = {"type": SERVING, "status": str(condition.is_true), **condition.story.as_condition()}
        if before.condition is None or before.condition.is_true is not condition.is_true:
            one["lastTransitionTime"] = time
        body["status"] = {"conditions": [one]}
    return body


def event(pod: Pod, story: Story, time: str, unique: str) -> dict[str, Any]:
    """A core/v1 Event; `kubectl describe pod` finds it by the uid."""
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"namespace": pod.namespace, "name": f"{pod.name[: MAX_NAME - len(unique) - 1]}.{unique}"},
        "involvedObject": {
            "apiVersion": "v1",
            "kind": "Pod",
            "namespace": pod.namespace,
            "name": pod.name,
            "uid": pod.uid,
        },
        "type": story.type,
        **story.as_condition(),
        "source": {"component": REPORTER},
        "reportingComponent": REPORTER,
        "reportingInstance": pod.name[:128],
        "firstTimestamp": time,
        "lastTimestamp": time,
        "count": 1,
    }


class Lines:
    """A stream of bytes, cut into lines."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that are complete now. Raises ValueError for one that is longer than any event."""
        self._rest += data
        if b"\n" not in data:
            if len(self._rest) > MAX_LINE:
                raise ValueError(f"a line of more than {MAX_LINE} bytes")
            return []
        *lines, rest = bytes(self._rest).split(b"\n")
        self._rest = bytearray(rest)
        return [line for line in lines if line]


def _grace(value: Any) -> float | None:
    """Seconds of a grace period, an int64 of the API; None if it is none."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return max(float(value), SHORTEST_GRACE) if is_number and 0 <= value < 1 << 63 else None
