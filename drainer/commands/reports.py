"""What `drainer inject` says of each object: words that stay, for programs, and sentences for people."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from drainer.commands.pods import NoPod
from drainer.commands.terminal import printable


class Outcome(StrEnum):
    """What became of an object."""

    INJECTED = "injected"
    """It has the sidecar now; one that was put in before was brought up to date."""
    REMOVED = "removed"
    """It no longer has what inject had put in."""
    UNCHANGED = "unchanged"
    """It was as it should be already."""
    SKIPPED = "skipped"
    """It was left alone, for the reason given."""


class Skip(StrEnum):
    """Why an object that has a pod was left alone; why one has none is said by NoPod."""

    OPTED_OUT = "opted-out"
    """The pod's label drainer.dev/inject says "false"."""
    WINDOWS = "windows"
    """The pod is for Windows nodes; the agent reads the socket table of Linux."""
    NAME_TAKEN = "name-taken"
    """A container of another kind has the sidecar's name."""
    HAS_SIDECAR = "has-sidecar"
    """There is a sidecar that inject has not put in."""
    NO_APP_PORT = "no-app-port"
    """Not exactly one TCP port is declared, so the app's ports have to be given."""
    PORT_TAKEN = "port-taken"
    """A container of the pod declares the agent's port."""
    NO_GRACE = "no-grace"
    """The pod's grace period is 0 s and no longer one was asked for: nothing could be drained."""


class Hint(StrEnum):
    """What should be known of an object that has the sidecar now, or had it."""

    OWN_PRESTOP = "own-prestop"
    """A container has a preStop of its own, which was left: it gets SIGTERM when that one ends."""
    UNKNOWN_CONTAINER = "unknown-container"
    """A container that was to get the hook is not there."""
    NO_HOOK = "no-hook"
    """No container got the hook, so nothing is drained before SIGTERM."""
    GRACE_RAISED = "grace-raised"
    """terminationGracePeriodSeconds is longer now."""
    GRACE_KEPT = "grace-kept"
    """The pod's own grace period is longer than what was asked for, and stays."""
    BENT = "bent"
    """Settings that do not fit each other or have no effect."""
    UNKNOWN_ANNOTATION = "unknown-annotation"
    """An annotation with this project's prefix that means nothing."""
    HOST_NETWORK = "host-network"
    """The pod shares the node's network: its port, and the connections of the whole node."""
    PLAIN = "plain"
    """The sidecar is an ordinary container, and gets SIGTERM together with the app."""
    CLOSER_RIGHTS = "closer-rights"
    """A chosen closer needs rights that the sidecar is not given."""
    TOKEN_SHOWN = "token-shown"  # noqa: S105 - a word, not a secret
    """The token stands in the manifest: whoever can read the pod can read it."""
    HEADERS_SHOWN = "headers-shown"
    """The headers of the handshake stand in the manifest, likewise."""
    MESH_PORT = "mesh-port"
    """The agent's port was excluded from the mesh, for the kubelet calls without its certificate."""
    MESH_PROXY = "mesh-proxy"
    """The mesh's proxy cuts connections when its own drain time is over, unless it is a native sidecar."""
    SERVING_LABEL = "serving-label"
    """The pod has the label that follows the drain; the Service has to select on it."""
    READINESS_GATE = "readiness-gate"
    """The pod is not ready until the agent has reached the API once."""
    OWN_COST = "own-deletion-cost"
    """The pod's deletion cost is set by hand, and so the agent leaves it."""
    ROLE = "role"
    """The agent uses the API: the pod's service account needs rights."""
    NO_API_TOKEN = "no-api-token"  # noqa: S105 - as above
    """The agent uses the API, but the pod does not mount a service account's token."""
    LEFT = "left"
    """`--uninject` has left what looks like the sidecar's, and is not known to be what inject has put in."""
    BESIDE = "beside"
    """Objects beside the pod were made for the sidecar that is gone: a Service's selector, a Role."""


@dataclass(frozen=True, slots=True)
class Remark:
    """One hint with its sentence."""

    hint: Hint
    text: str


@dataclass(frozen=True, slots=True)
class Entry:
    """What became of one object."""

    kind: str
    namespace: str
    """Empty where the manifest names none."""
    name: str
    outcome: Outcome
    reason: Skip | NoPod | None = None
    """Of what was skipped."""
    text: str = ""
    """The same for people."""
    remarks: tuple[Remark, ...] = ()

    @property
    def title(self) -> str:
        """Kind and name as people write them."""
        return f"{self.kind or 'object without kind'} {'/'.join(filter(None, (self.namespace, self.name)))}".rstrip()


def as_text(origin: str, entries: Iterable[Entry]) -> str:
    """Lines for people: one for each object that has a pod, its remarks below, and one for all others."""
    lines: list[str] = []
    others = 0
    for entry in entries:
        if entry.reason is NoPod.OTHER_KIND:
            others += 1
            continue
        reason = f" ({entry.reason.value})" if entry.reason else ""
        lines.append(f"{origin}: {entry.title}: {entry.outcome.value}{reason}{entry.text and f': {entry.text}'}")
        lines += [f"    {remark.hint.value}: {remark.text}" for remark in entry.remarks]
    if others:
        lines.append(f"{origin}: {others} without pods: unchanged")
    return "".join(printable(line) + "\n" for line in lines)


def as_json(reports: Iterable[tuple[str, Iterable[Entry]]]) -> str:
    """All of it for programs: {"objects": [{file, kind, namespace, name, outcome, reason, text, remarks}]}."""
    objects: list[dict[str, Any]] = [
        {
            "file": origin,
            "kind": entry.kind,
            "namespace": entry.namespace,
            "name": entry.name,
            "outcome": entry.outcome.value,
            "reason": entry.reason.value if entry.reason else None,
            "text": entry.text,
            "remarks": [{"hint": remark.hint.value, "text": remark.text} for remark in entry.remarks],
        }
        for origin, entries in reports
        for entry in entries
    ]
    return json.dumps({"objects": objects}, indent=2, ensure_ascii=False) + "\n"
