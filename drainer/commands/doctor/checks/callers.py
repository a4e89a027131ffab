"""Whether the agent knows the kubelet: by a token, or by its address."""

from __future__ import annotations

from collections.abc import Iterator

from drainer.callers import TOKEN_HEADER
from drainer.commands.doctor.case import Case
from drainer.commands.doctor.checks.check import Check
from drainer.commands.doctor.checks.hooks import hooks
from drainer.commands.doctor.findings import Found, Severity
from drainer.commands.doctor.shapes import Node


def hook_token_missing(case: Case) -> Iterator[Found]:
    """A token that the hook does not send."""
    but = " unless the API shows a deletion" if case.uses_api else ""
    for container, get in hooks(case):
        if case.has_token and not _sent(get):
            yield Found(
                get.path,
                f'a token is set and the hook of "{container.name}" does not send it: the kubelet is a stranger, '
                f"whose call has no effect{but}",
                f"httpHeaders: [{{name: {TOKEN_HEADER}, value: <the token>}}]",
            )


def hook_token_wrong(case: Case) -> Iterator[Found]:
    """Another token than the agent's."""
    token = case.given.texts.get("token", "")
    place = "DRAINER_TOKEN" if case.given.has("token") else "the token's file"
    for container, get in hooks(case):
        for header in _sent(get):
            sent = header["value"].text
            if sent.startswith("$("):
                why = "a variable, which nobody expands in a hook"
            elif token and sent != token:
                why = "another one than the agent's"
            else:
                continue
            yield Found(
                header["value"].path,
                f'the token that the hook of "{container.name}" sends is {why}',
                f"the same value as in {place}",
            )


def hook_token_unneeded(case: Case) -> Iterator[Found]:
    """A token that nobody asks for."""
    for container, get in hooks(case):
        for header in _sent(get):
            if not case.has_token and case.given.sees("token", "token_file"):
                yield Found(
                    header["name"].path,
                    f'the hook of "{container.name}" sends a token and the agent has none: any trusted address may '
                    "drain without it",
                    "set DRAINER_TOKEN to the same value",
                )


def _sent(get: Node) -> list[Node]:
    return [header for header in get["httpHeaders"] if header["name"].text.lower() == TOKEN_HEADER.lower()]


def node_unknown(case: Case) -> Iterator[Found]:
    """Who is the kubelet?"""
    if not case.given.has("node_ip") and not case.has_token and case.given.sees("node_ip", "token", "callers"):
        known = case.given.values["callers"] == "all" or case.given.has("trusted_sources")
        if not known:
            yield Found(
                case.given.where("node_ip"),
                "the agent is not told the node's addresses: where the kubelet does not come from the default gateway, "
                "its hook has no effect until three probes have been seen",
                "DRAINER_NODE_IP with valueFrom.fieldRef.fieldPath: status.hostIPs",
            )


def no_token(case: Case) -> Iterator[Found]:
    """Whoever may drain may have connections closed."""
    if case.closers and not case.has_token and case.given.sees("token", "token_file", "close"):
        yield Found(
            case.given.where("close"),
            "connections are closed and there is no token: a pod of the cluster that learns to look like the node can "
            "have all of them closed",
            "DRAINER_TOKEN, and the header X-Drainer-Token in the hooks",
        )


CHECKS = (
    Check(
        "hook-token-missing",
        Severity.ERROR,
        "The agent has a token, and the hook does not send it.",
        "Then the kubelet is a stranger, and its call changes nothing (docs/endpoints-and-metrics.md).",
        "the header X-Drainer-Token",
        hook_token_missing,
    ),
    Check(
        "hook-token-wrong",
        Severity.ERROR,
        "The hook sends another token than the agent's.",
        "As without one. Variables are not expanded in httpHeaders.",
        "the same value in both places",
        hook_token_wrong,
    ),
    Check(
        "hook-token-unneeded",
        Severity.WARNING,
        "The hook sends a token, and the agent has none.",
        "The header does nothing: whoever has a trusted address may drain.",
        "DRAINER_TOKEN",
        hook_token_unneeded,
    ),
    Check(
        "node-unknown",
        Severity.NOTE,
        "The agent is not told the node's addresses, and there is no token.",
        "From which address the kubelet comes differs between CNIs; it is learned from probes otherwise "
        "(docs/endpoints-and-metrics.md).",
        "DRAINER_NODE_IP from status.hostIPs",
        node_unknown,
    ),
    Check(
        "no-token",
        Severity.NOTE,
        "There are closers and no token.",
        "Only a token keeps an impostor in the cluster out (docs/closing.md).",
        "DRAINER_TOKEN",
        no_token,
    ),
)
