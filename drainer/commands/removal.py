"""Takes out of a pod what inject has put in, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from drainer.commands.mesh import ALL, without_port
from drainer.keys import FORMER, INJECTED, SERVING
from drainer.settings import BY_NAME
from drainer.sidecar import NAME

GRACE_FIELD = "terminationGracePeriodSeconds"
HOOK_PATH = "/drain"


def filled(value: dict[str, Any], *path: str) -> dict[str, Any]:
    """The mapping at a path; where there is none yet, or nothing in its place, an empty one is put there."""
    for key in path:
        if not value.get(key):
            value[key] = {}
        value = value[key]
    return value


def emptied(value: dict[str, Any], *path: str) -> None:
    """Remove what is empty at the end of a path, and what is empty then above it."""
    parents = [value]
    for key in path[:-1]:
        parents.append(parents[-1][key])
    for parent, key in zip(reversed(parents), reversed(path), strict=True):
        if key in parent and not parent[key]:
            del parent[key]


def tells_its_ports(one: dict[str, Any]) -> bool:
    """Whether a container has the variable that only the agent has."""
    return any(name == BY_NAME["app_ports"].env for name, _ in variables_of(one))


def is_agent(one: dict[str, Any]) -> bool:
    """Whether a container is the sidecar, whoever has put it in."""
    return one["name"] == NAME and tells_its_ports(one)


def variables_of(one: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """(name, value) of a container's variables; the value is empty where it comes from elsewhere."""
    for entry in one.get("env") or ():
        if isinstance(entry, dict):
            yield str(entry.get("name", "")), str(entry.get("value", ""))


@dataclass(frozen=True, slots=True)
class Removed:
    """What was taken out, as far as it was still to be known."""

    port: int
    """The agent's."""
    told: str
    """The grace period that the sidecar was told; empty where there was no sidecar."""
    uses_api: bool
    former: Mapping[str, Any] | None
    """What was there before, as keys.FORMER has it; None if somebody has made it unreadable."""


def take_out(pod: dict[str, Any]) -> Removed | None:
    """What was in it; None if inject has put in nothing.

    The sidecar is known by the annotation beside it, its hooks by path and port. The pod's former grace period comes
    back unless it was changed since: then it is no longer what the sidecar was told.
    """
    annotations = (pod.get("metadata") or {}).get("annotations") or {}
    if INJECTED not in annotations:
        return None
    spec = pod["spec"]
    variables = _remove_sidecar(spec)
    removed = Removed(
        port=_port(variables),
        told=variables.get(BY_NAME["grace_period"].env, ""),
        uses_api=variables.get(BY_NAME["kubernetes"].env, "off") != "off",
        former=_former(annotations),
    )
    for one in spec["containers"]:
        if is_drain_hook((one.get("lifecycle") or {}).get("preStop"), removed.port):
            del one["lifecycle"]["preStop"]
            emptied(one, "lifecycle")
    _restore(pod, annotations, removed)
    annotations.pop(FORMER, None)
    del annotations[INJECTED]
    emptied(pod, "metadata", "annotations")
    return removed


def _port(variables: Mapping[str, str]) -> int:
    """The agent's; the default where nothing is said, or nothing that could be one."""
    port = BY_NAME["port"]
    for text in (variables.get(port.env, ""), port.default or ""):
        with suppress(ValueError):
            return int(port.kind.parse(text))
    raise AssertionError("the default can be parsed")


def _remove_sidecar(spec: dict[str, Any]) -> dict[str, str]:
    """What its variables were; nothing if somebody has removed it already."""
    for key in ("initContainers", "containers"):
        for one in spec.get(key) or ():
            if is_agent(one):
                spec[key].remove(one)
                emptied(spec, key)
                return dict(variables_of(one))
    return {}


def is_drain_hook(hook: Any, port: int) -> bool:
    """Whether a preStop calls the sidecar."""
    get = hook.get("httpGet") if isinstance(hook, dict) else None
    return isinstance(get, dict) and get.get("path") == HOOK_PATH and get.get("port") == port


def _restore(pod: dict[str, Any], annotations: dict[str, str], removed: Removed) -> None:
    spec = pod["spec"]
    former = removed.former or {}
    if GRACE_FIELD in former and f"{spec.get(GRACE_FIELD)}s" == removed.told:
        if former[GRACE_FIELD] is None:
            del spec[GRACE_FIELD]
        else:
            spec[GRACE_FIELD] = former[GRACE_FIELD]
    for mesh in ALL:
        if mesh.excludes in former and isinstance(annotations.get(mesh.excludes), str):
            kept = without_port(annotations[mesh.excludes], removed.port)
            if kept or former[mesh.excludes] is not None:
                annotations[mesh.excludes] = kept
            else:
                del annotations[mesh.excludes]
    if SERVING in former:
        (pod["metadata"].get("labels") or {}).pop(SERVING, None)
        emptied(pod, "metadata", "labels")
    if "readinessGates" in former:
        gates = [gate for gate in spec.get("readinessGates") or () if gate != {"conditionType": SERVING}]
        spec["readinessGates"] = gates
        emptied(spec, "readinessGates")


def _former(annotations: Mapping[str, str]) -> Mapping[str, Any] | None:
    try:
        former = json.loads(annotations.get(FORMER, "{}"))
    except (ValueError, TypeError):
        return None
    return former if isinstance(former, dict) else None
