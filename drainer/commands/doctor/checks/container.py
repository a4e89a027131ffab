"""The agent's container: its place, its mode, its port and its resources."""

from __future__ import annotations

import math
from collections.abc import Iterator

from drainer.commands.doctor.case import Case
from drainer.commands.doctor.checks.check import Check
from drainer.commands.doctor.findings import Found, Severity
from drainer.quantity import quantity

LEAST_MEMORY = 64 * 2**20
"""Bytes: 37 MiB at rest, and as much again while 50,000 connections are closed (README, figures)."""


def two_agents(case: Case) -> Iterator[Found]:
    """More than one."""
    for other in case.pod.agents[1:]:
        yield Found(
            other.node.path,
            f'"{case.sidecar.name}" and "{other.name}" are both the agent: they cannot listen on one port, and the '
            "hook reaches only one",
            "keep one of them",
        )


def restart_policy(case: Case) -> Iterator[Found]:
    """An init container that never ends."""
    if case.sidecar.is_init and not case.sidecar.is_native:
        yield Found(
            case.sidecar.node["restartPolicy"].path,
            "the agent is an init container without restartPolicy: Always: the pod waits in Init for it to end, "
            "which it never does",
            "restartPolicy: Always",
        )


def container_mode(case: Case) -> Iterator[Found]:
    """What it is told to be, and what it is."""
    is_plain = not case.sidecar.is_init
    said = case.given.values["container"]
    if case.given.sees("container") and (said == "plain") != is_plain:
        wanted = "plain" if is_plain else "native"
        what = "an ordinary container" if is_plain else "an init container"
        yield Found(
            case.given.where("container"),
            f"the agent is {what}, and its setting container says {said}: it takes its own SIGTERM for something else",
            f"DRAINER_CONTAINER: {wanted}",
        )


def sidecar_plain(case: Case) -> Iterator[Found]:
    """It could be native."""
    if not case.sidecar.is_init:
        yield Found(
            case.sidecar.node.path,
            "the agent is an ordinary container: it gets SIGTERM together with the app, and may start after it",
            "on Kubernetes 1.29 or newer: the first of initContainers, with restartPolicy: Always",
        )


def sidecar_order(case: Case) -> Iterator[Found]:
    """Others start before it."""
    if case.sidecar.is_init and case.sidecar.index:
        yield Found(
            case.sidecar.node.path,
            f"the agent is the init container number {case.sidecar.index + 1}: it starts after those before it, and "
            "ends before those of them that are sidecars",
            "the first place in initContainers",
        )


def no_requests(case: Case) -> Iterator[Found]:
    """Neither asked for nor limited."""
    resources = case.sidecar.node["resources"]
    missing = [name for name in ("cpu", "memory") if not (resources["requests"][name] or resources["limits"][name])]
    if missing and not case.spec["resources"]["requests"]:
        yield Found(
            resources["requests"].path,
            f"the agent requests no {' and no '.join(missing)}: it is the first to be evicted or starved, and "
            "autoscaling by utilization stops",
            "resources.requests: {cpu: 10m, memory: 48Mi}",
        )


def memory_limit(case: Case) -> Iterator[Found]:
    """Less than it needs."""
    limit = case.sidecar.node["resources"]["limits"]["memory"]
    if limit and _bytes(str(limit.value)) < LEAST_MEMORY:
        yield Found(
            limit.path,
            f"{limit.value} is little: an agent that is killed for its memory in the middle of a drain cuts everybody",
            "96Mi, the more the more connections are closed",
        )


def _bytes(text: str) -> float:
    """More than any limit for what is no quantity: the API server says so."""
    try:
        return quantity(text)
    except ValueError:
        return math.inf


def port_taken(case: Case) -> Iterator[Found]:
    """The containers of a pod share their ports."""
    for container in case.pod.containers:
        if container in case.pod.agents:
            continue
        for number, _, path in container.ports():
            if number == case.port:
                yield Found(
                    path,
                    f'"{container.name}" declares port {number}, which is the agent\'s: only one of them can listen',
                    "another port for one of them (DRAINER_PORT, the probes and the hooks for the agent)",
                )


def host_network(case: Case) -> Iterator[Found]:
    """The node's connections."""
    if case.is_on_host:
        yield Found(
            case.spec["hostNetwork"].path,
            "hostNetwork is true: the agent counts, and closes, the connections of the whole node on the app's ports, "
            "and its own port must be free on the node",
            "no hostNetwork, or app ports that nobody else on the node uses",
        )


CHECKS = (
    Check(
        "two-agents",
        Severity.ERROR,
        "Two containers are the agent.",
        "Both want one port; it happens when a pod was injected twice in different ways.",
        "one of them",
        two_agents,
    ),
    Check(
        "restart-policy",
        Severity.ERROR,
        "The agent is an init container without restartPolicy: Always.",
        "Only that makes it a sidecar; otherwise the pod stays in Init for ever.",
        "restartPolicy: Always",
        restart_policy,
    ),
    Check(
        "container-mode",
        Severity.ERROR,
        "DRAINER_CONTAINER and the container's place differ.",
        "SIGTERM means the app's end to a native sidecar, and the beginning of a drain to an ordinary container "
        "(docs/how-a-drain-goes.md).",
        "DRAINER_CONTAINER=plain in `containers`, native (the default) in `initContainers`",
        container_mode,
    ),
    Check(
        "sidecar-plain",
        Severity.NOTE,
        "The agent is an ordinary container.",
        "A native sidecar (Kubernetes 1.29 and newer) starts before the app and outlives it.",
        "initContainers with restartPolicy: Always",
        sidecar_plain,
    ),
    Check(
        "sidecar-order",
        Severity.NOTE,
        "The agent is not the first init container.",
        "Sidecars start in order and end in reverse (kuberuntime_termination_order.go): the first one is there for all "
        "others.",
        "index 0",
        sidecar_order,
    ),
    Check(
        "no-requests",
        Severity.WARNING,
        "The agent has no requests for cpu or memory.",
        "An HPA on utilization needs them from every container (see hpa-without-requests); the kubelet evicts those "
        "without first.",
        "requests of 10m and 48Mi",
        no_requests,
    ),
    Check(
        "memory-limit",
        Severity.WARNING,
        "The agent's memory limit is less than 64Mi.",
        "26 MiB are charged to it at rest, and 35 MiB more while it closes 50,000 connections (README). When it is "
        "killed its hooks fail, and SIGTERM follows at once.",
        "a limit of 96Mi",
        memory_limit,
    ),
    Check(
        "port-taken",
        Severity.ERROR,
        "Another container declares the agent's port.",
        "All containers of a pod share one network: the second to listen fails.",
        "another DRAINER_PORT",
        port_taken,
    ),
    Check(
        "host-network",
        Severity.WARNING,
        "The pod is on the node's network.",
        "There the socket table is the whole node's.",
        "no hostNetwork",
        host_network,
    ),
)
