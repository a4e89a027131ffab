"""Probes of the app that ask the agent whether the app is well, and what the agent needs to know that."""

from __future__ import annotations

from collections.abc import Iterator

from drainer.commands.doctor.case import Case, Container
from drainer.commands.doctor.checks.check import Check
from drainer.commands.doctor.checks.probes import PROBES
from drainer.commands.doctor.findings import Found, Severity
from drainer.commands.doctor.shapes import Node
from drainer.target import SOURCES

HEALTH, LIVE = "/health", "/health/live"
PATIENCE = 1
"""timeoutSeconds where the spec does not say it (pkg/apis/core/v1/defaults.go)."""


def _asking(case: Case, *kinds: str) -> Iterator[tuple[Container, str, Node]]:
    """(container, kind, probe) of all that ask the agent for one of its two paths."""
    if case.given.sees("port"):
        for container in case.pod.containers:
            for kind in kinds or PROBES:
                probe = container.node[kind]
                get = probe["httpGet"]
                if get["path"].text in (HEALTH, LIVE) and container.port(get["port"]) == case.port:
                    yield container, kind, probe


def health_off(case: Case) -> Iterator[Found]:
    """Nobody answers."""
    if case.given.values["health"] == "off" and case.given.sees("health"):
        for container, kind, probe in _asking(case):
            path = probe["httpGet"]["path"]
            yield Found(
                path.path,
                f'the {kind} of "{container.name}" asks the agent for {path.text}, and health is off: the answer is '
                "404, which is a failure",
                "DRAINER_HEALTH: ping",
            )


def liveness_on_health(case: Case) -> Iterator[Found]:
    """A drain is no reason to kill."""
    for container, _, probe in _asking(case, "livenessProbe"):
        path = probe["httpGet"]["path"]
        if path.text == HEALTH:
            yield Found(
                path.path,
                f'the livenessProbe of "{container.name}" asks the agent for {HEALTH}, which fails while the pod '
                "drains and above each bound: the app is killed with its clients",
                f"path: {LIVE}, or a path of the app's own",
            )


def liveness_through_agent(case: Case) -> Iterator[Found]:
    """Two deaths for one."""
    for container, _, probe in _asking(case, "livenessProbe"):
        if container in case.ordinary and probe["httpGet"]["path"].text == LIVE:
            yield Found(
                probe.path,
                f'the livenessProbe of "{container.name}" is answered by the agent: if that hangs or is restarted, the '
                "app is killed with its clients",
                "a livenessProbe of the app's own, or none; or periodSeconds x failureThreshold of a minute",
            )


def health_port_name(case: Case) -> Iterator[Found]:
    """Names are looked up in the container that has the probe."""
    for container in case.ordinary:
        for kind in PROBES:
            get = container.node[kind]["httpGet"]
            if get["path"].text in (HEALTH, LIVE) and get["port"].text and container.port(get["port"]) is None:
                yield Found(
                    get["port"].path,
                    f'the {kind} of "{container.name}" asks port "{get["port"].text}", which is no name among the '
                    "ports of that container: it always fails",
                    f"port: {case.port}",
                )


def health_timeout(case: Case) -> Iterator[Found]:
    """The kubelet hangs up first."""
    for container, kind, probe in _asking(case):
        seconds = probe["timeoutSeconds"].number or PATIENCE
        if case.given.sees("health_latency") and seconds <= case.seconds("health_latency"):
            yield Found(
                probe["timeoutSeconds"].path,
                f'the {kind} of "{container.name}" waits {seconds} s, and the agent gives the app '
                f"{case.seconds('health_latency'):g} s: the probe has hung up before it is told what is wrong",
                f"timeoutSeconds: {int(case.seconds('health_latency')) + 1}",
            )


def usage_unseen(case: Case) -> Iterator[Found]:
    """Neither way is open."""
    sources = SOURCES[case.given.values["usage"]]
    is_open = {"processes": case.spec["shareProcessNamespace"].is_true, "metrics": case.uses_api}
    if sources and not any(is_open[source] for source in sources) and case.given.sees("usage", "kubernetes"):
        wanted = {"processes": "shareProcessNamespace: true", "metrics": "DRAINER_KUBERNETES with the Role"}
        yield Found(
            case.given.where("usage"),
            f"usage is {case.given.values['usage']}, and the agent sees neither the app's processes nor its metrics",
            ", or ".join(wanted[source] for source in sources),
        )


CHECKS = (
    Check(
        "health-off",
        Severity.ERROR,
        "A probe asks the agent for /health or /health/live, and health is off.",
        "The agent answers 404: the app never becomes ready, or is killed.",
        "DRAINER_HEALTH",
        health_off,
    ),
    Check(
        "liveness-on-health",
        Severity.ERROR,
        "A liveness probe asks the agent's /health.",
        "It is made for readiness: it fails in a drain, and above each bound that was set.",
        "/health/live",
        liveness_on_health,
    ),
    Check(
        "liveness-through-agent",
        Severity.WARNING,
        "The app's liveness probe asks the agent's /health/live.",
        "The kubelet cannot tell an agent that does not answer from an app that does not (docs/health.md).",
        "a probe of the app's own",
        liveness_through_agent,
    ),
    Check(
        "health-port-name",
        Severity.ERROR,
        "A probe for /health names a port that its container does not have.",
        "The kubelet looks a name up among the ports of the container that has the probe (pkg/probe/util.go).",
        "the agent's port as a number",
        health_port_name,
    ),
    Check(
        "health-timeout",
        Severity.WARNING,
        "A probe for /health waits no longer than the agent does.",
        "timeoutSeconds is 1 where it is not said.",
        "timeoutSeconds above health_latency",
        health_timeout,
    ),
    Check(
        "usage-unseen",
        Severity.WARNING,
        "usage is on, and neither shareProcessNamespace nor the API shows what the app takes.",
        "A sidecar sees its own processes and its own cgroup only.",
        "shareProcessNamespace, or the API",
        usage_unseen,
    ),
)
