"""What the closers need of the pod and of the agent's security context: docs/closing.md."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from drainer.commands.doctor.case import Case, Container
from drainer.commands.doctor.checks.check import Check
from drainer.commands.doctor.findings import Found, Severity
from drainer.commands.doctor.shapes import Node
from drainer.commands.wording import do

BORROWING = ("websocket", "shutdown")
"""Closers that borrow the app's descriptors."""
DEFAULT_CAPABILITIES = frozenset({
    "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "NET_RAW",
    "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
})  # fmt: skip
"""What a container of root has without asking (containerd, oci/spec.go)."""


def _context(case: Case, container: Container, *fields: str) -> Node:
    """A field of the container's security context, or of the pod's where the container has none."""
    for context in (container.node["securityContext"], case.spec["securityContext"]):
        node = context
        for field in fields:
            node = node[field]
        if node:
            return node
    return container.node["securityContext"][fields[0]]


def _user(case: Case, container: Container) -> int | None:
    return _context(case, container, "runAsUser").number


def _borrows(case: Case) -> tuple[str, ...]:
    return tuple(name for name in case.closers if name in BORROWING)


def _need(closers: Sequence[str]) -> str:
    return f"{' and '.join(closers)} {do('need', closers)}"


def _watches(case: Case) -> bool:
    """Whether it must see upgrades: not where all ports are declared to be WebSockets."""
    declared = set(case.given.values["websocket_ports"])
    return "websocket" in case.closers and not declared.issuperset(case.given.values["app_ports"])


def _is_privileged(case: Case) -> bool:
    return case.sidecar.node["securityContext"]["privileged"].is_true


def _capabilities(case: Case) -> frozenset[str]:
    """What is added and what is there by default, as for root."""
    named = case.sidecar.node["securityContext"]["capabilities"]
    dropped, added = named["drop"].texts, named["add"].texts
    start = frozenset() if "ALL" in dropped else DEFAULT_CAPABILITIES - set(dropped)
    return start | set(added)


def process_namespace(case: Case) -> Iterator[Found]:
    """The app's processes must be seen."""
    if _borrows(case) and not case.spec["shareProcessNamespace"].is_true and not case.spec["hostPID"].is_true:
        yield Found(
            case.spec["shareProcessNamespace"].path,
            f"{' and '.join(_borrows(case))} must see the app's processes, and shareProcessNamespace is not true",
            "shareProcessNamespace: true",
        )


def seccomp(case: Case) -> Iterator[Found]:
    """pidfd_getfd must be allowed."""
    profile = _context(case, case.sidecar, "seccompProfile", "type")
    allowed = _capabilities(case) & {"SYS_PTRACE", "ALL"} or _is_privileged(case)
    if _borrows(case) and profile.text == "RuntimeDefault" and _user(case, case.sidecar) != 0 and not allowed:
        yield Found(
            case.sidecar.node["securityContext"]["capabilities"].path,
            f"{_need(_borrows(case))} pidfd_getfd, which the profile RuntimeDefault allows only beside SYS_PTRACE",
            "capabilities: {drop: [ALL], add: [SYS_PTRACE]}, or a Localhost profile that allows pidfd_getfd",
        )


def other_user(case: Case) -> Iterator[Found]:
    """It must be the app's user, and in its group."""
    if not _borrows(case) or _user(case, case.sidecar) == 0 or _is_privileged(case):
        return
    for container in case.serving:
        for field in ("runAsUser", "runAsGroup"):
            mine, theirs = (_context(case, one, field).number for one in (case.sidecar, container))
            if mine is not None and theirs is not None and mine != theirs:
                yield Found(
                    case.sidecar.node["securityContext"][field].path,
                    f"{_need(_borrows(case))} the rights of the app: {field} of the agent is {mine}, of "
                    f'"{container.name}" {theirs}',
                    f"{field}: {theirs}, or runAsUser: 0 with capabilities "
                    "{drop: [ALL], add: [SYS_PTRACE, DAC_READ_SEARCH, NET_RAW]}",
                )


def unknown_user(case: Case) -> Iterator[Found]:
    """Images have users of their own."""
    mine = _user(case, case.sidecar)
    needing = [name for name in case.closers if name != "notify"]
    if needing and mine is None:
        yield Found(
            case.sidecar.node["securityContext"]["runAsUser"].path,
            f"{_need(needing)} the right user, and which one the agent runs as is up to its image",
            "runAsUser: 0, or the app's user",
        )
    for container in case.serving:
        if _borrows(case) and mine and _user(case, container) is None:
            yield Found(
                container.node["securityContext"]["runAsUser"].path,
                f"{_need(_borrows(case))} the rights of the app: the agent runs as {mine}, and which user "
                f'"{container.name}" runs as is up to its image',
                f"runAsUser: {mine} if its image runs with that, or the image's user for the agent",
            )


def needs_root(case: Case) -> Iterator[Found]:
    """Capabilities of others than root are none."""
    needing = [(name, right) for name, right in _raw_rights(case) if name in case.closers]
    if _user(case, case.sidecar) in (0, None) or not needing:
        return
    names = [name for name, _ in needing]
    rights = ", ".join(right for _, right in needing)
    declared = ", or all app ports in DRAINER_WEBSOCKET_PORTS if they serve nothing else" if _watches(case) else ""
    yield Found(
        _context(case, case.sidecar, "runAsUser").path,
        f"{_need(names)} {rights}, and the agent runs as {_user(case, case.sidecar)}: a container that is not root "
        "gets no effective capability, whatever is added",
        f"runAsUser: 0 with capabilities {{drop: [ALL], add: [{rights}]}}{declared}",
    )


def _raw_rights(case: Case) -> Iterator[tuple[str, str]]:
    if _watches(case):
        yield "websocket", "NET_RAW"
    if "reset" in case.closers:
        yield "reset", "NET_ADMIN"


def capabilities(case: Case) -> Iterator[Found]:
    """What root lacks."""
    if _user(case, case.sidecar) != 0 or _is_privileged(case) or "ALL" in _capabilities(case):
        return
    has = _capabilities(case)
    needed = [right for _, right in _raw_rights(case)]
    if _borrows(case):
        needed.append("SYS_PTRACE")
        if any(_user(case, container) != 0 for container in case.serving) and "DAC_OVERRIDE" not in has:
            needed.append("DAC_READ_SEARCH")
    missing = [right for right in needed if right not in has]
    if missing:
        add = case.sidecar.node["securityContext"]["capabilities"]["add"]
        yield Found(
            add.path,
            f"the agent lacks {', '.join(missing)} for {', '.join(case.closers)}",
            f"capabilities.add: [{', '.join([*add.texts, *missing])}]",
        )


def websocket_alone(case: Case) -> Iterator[Found]:
    """Some clients do not answer."""
    if case.closers[-1:] == ("websocket",):
        yield Found(
            case.given.where("close"),
            "nothing follows websocket: clients that do not answer a Close (OkHttp, .NET) stay until the deadline",
            "DRAINER_CLOSE: websocket,shutdown",
        )


CHECKS = (
    Check(
        "closer-process-namespace",
        Severity.ERROR,
        "websocket or shutdown without shareProcessNamespace.",
        "They borrow the app's descriptor (pidfd_getfd), and must see its process.",
        "shareProcessNamespace: true",
        process_namespace,
    ),
    Check(
        "closer-seccomp",
        Severity.ERROR,
        "websocket or shutdown under the profile RuntimeDefault, and SYS_PTRACE is not added.",
        "containerd and Docker allow pidfd_getfd by what is added, also where the process does not get it.",
        "capabilities.add: [SYS_PTRACE]",
        seccomp,
    ),
    Check(
        "closer-other-user",
        Severity.ERROR,
        "websocket or shutdown, and the agent is another user than the app, or in another group, and not root.",
        "The kernel lets only the same user, or root with SYS_PTRACE, take a descriptor (ptrace(2)).",
        "the same runAsUser and runAsGroup, or root with the capabilities",
        other_user,
    ),
    Check(
        "closer-unknown-user",
        Severity.WARNING,
        "A closer that needs rights, and a user that only the image knows.",
        "Whether it is the same as the app's, or root, cannot be seen in the spec.",
        "runAsUser",
        unknown_user,
    ),
    Check(
        "closer-needs-root",
        Severity.ERROR,
        "reset, or websocket that must watch upgrades, as another user than root.",
        "Kubernetes sets no ambient capabilities: what is added has no effect after execve as another user (KEP-2763).",
        "runAsUser: 0 with just that capability",
        needs_root,
    ),
    Check(
        "closer-capabilities",
        Severity.ERROR,
        "The agent is root and lacks a capability that its closers need.",
        "Each was left out in turn (docs/closing.md); a closer that lacks something is off.",
        "capabilities.add",
        capabilities,
    ),
    Check(
        "websocket-alone",
        Severity.NOTE,
        "websocket is the last closer.",
        "Some clients answer a Close only if their app does so itself (docs/how-websockets-end.md).",
        "shutdown after it",
        websocket_alone,
    ),
)
