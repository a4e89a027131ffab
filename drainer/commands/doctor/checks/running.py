"""What only a running pod shows: its agent's own /status, and what could not be asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from drainer.commands.doctor.checks.check import Check
from drainer.commands.doctor.findings import Found, Severity
from drainer.commands.doctor.shapes import ANY, Node, Shape, cleaned

_STATUS: Shape = {
    "closers": [{"name": str, "usable": bool, "missing": str}],
    "source": {"name": str, "blind_to": [str]},
    "connections": {"by_port": {ANY: {}}, "by_state": {"LISTEN": int}},
    "phase": str,
    ANY: {},
}


@dataclass(frozen=True, slots=True)
class Unread:
    """What could not be read."""

    what: str
    why: str
    is_forbidden: bool
    """Whether it is for lack of a right."""


@dataclass(frozen=True, slots=True)
class Running:
    """What a cluster said beside the objects."""

    status: Mapping[str, Any] | None = None
    """The answer of the agent's /status."""
    unread: tuple[Unread, ...] = ()
    silence: str = ""
    """Why there is no answer of the agent, though one may ask; empty where there is one, or nobody was asked."""
    container: Node = field(default_factory=lambda: Node(None))
    """What the kubelet says of the agent's container; nothing of a pod that is over, or is being deleted."""

    @property
    def node(self) -> Node:
        """The status in its types."""
        return Node(cleaned(self.status, _STATUS, (), []))


def closer_lacks(running: Running) -> Iterator[Found]:
    """The agent has tried."""
    for closer in running.node["closers"]:
        if closer["usable"] and not closer["usable"].is_true:
            yield Found(
                (),
                f"the agent says that its closer {closer['name'].text} is off: {closer['missing'].text}",
                "what is missing (docs/closing.md)",
            )


def source_blind(running: Running) -> Iterator[Found]:
    """It does not see all."""
    source = running.node["source"]
    if source["blind_to"].texts:
        yield Found(
            (),
            f"the agent counts by {source['name'].text}, which does not show: {', '.join(source['blind_to'].texts)}",
            "a seccomp profile or runtime that lets it use sock_diag (docs/how-a-drain-goes.md)",
        )


def not_read(running: Running) -> Iterator[Found]:
    """Checks that were left out."""
    for one in running.unread:
        yield Found(
            (),
            f"{one.what} cannot be read ({one.why}): checks that need it are left out",
            "the right to read it" if one.is_forbidden else "ask again when the API server can answer",
        )


CHECKS = (
    Check(
        "closer-lacks",
        Severity.ERROR,
        "`--live`: a closer of the running agent is off.",
        "The agent tries each closer on the app's listener, which changes nothing (docs/closing.md).",
        "what it says is missing",
        closer_lacks,
    ),
    Check(
        "source-blind",
        Severity.NOTE,
        "`--live`: the running agent reads the socket table by a way that does not show everything.",
        "Where sock_diag is refused, psutil takes over.",
        "sock_diag",
        source_blind,
    ),
    Check(
        "not-read",
        Severity.NOTE,
        "`--live`: Services, HorizontalPodAutoscalers, owners or /status could not be read.",
        "The pod alone is enough; these make the answer complete.",
        "rights, where it says 401 or 403: list services and horizontalpodautoscalers, get replicasets and pods/proxy",
        not_read,
    ),
)
