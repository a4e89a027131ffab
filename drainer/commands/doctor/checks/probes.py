"""Probes: those of the agent's container, and those of others that call the agent."""

from __future__ import annotations

from collections.abc import Iterator

from drainer.commands.doctor.case import Case
from drainer.commands.doctor.checks.check import Check
from drainer.commands.doctor.checks.hooks import DRAIN
from drainer.commands.doctor.checks.times import LEAST_SETTLE
from drainer.commands.doctor.findings import Found, Severity

PROBES = ("startupProbe", "livenessProbe", "readinessProbe")
READY = "/readyz"
PERIOD = 10
"""periodSeconds where the spec does not say it (pkg/apis/core/v1/defaults.go)."""
THRESHOLD = 3
"""failureThreshold, likewise."""


def liveness_on_sidecar(case: Case) -> Iterator[Found]:
    """A restart of the agent is a cut."""
    probe = case.sidecar.node["livenessProbe"]
    if probe:
        yield Found(
            probe.path,
            "the agent's own container has a liveness probe: when it fails in the middle of a drain the agent is "
            "restarted, its hooks fail, and everybody is cut",
            "take it out",
        )


def no_startup_probe(case: Case) -> Iterator[Found]:
    """The app may be first."""
    if case.sidecar.is_native and not case.sidecar.node["startupProbe"]:
        yield Found(
            case.sidecar.node["startupProbe"].path,
            "the agent has no startup probe: an app that is stopped before the agent listens is stopped at once",
            f"startupProbe: {{httpGet: {{path: /livez, port: {case.port}}}, periodSeconds: 1, failureThreshold: 60}}",
        )


def no_readiness_probe(case: Case) -> Iterator[Found]:
    """Nobody sees that it drains."""
    if not case.sidecar.node["readinessProbe"]:
        yield Found(
            case.sidecar.node["readinessProbe"].path,
            "the agent has no readiness probe: while it drains without a deletion new clients go on coming, and it "
            "does not learn from where the kubelet calls",
            f"readinessProbe: {{httpGet: {{path: {READY}, port: {case.port}}}, periodSeconds: 2, timeoutSeconds: 2, "
            "failureThreshold: 1}",
        )


def readiness_not_http(case: Case) -> Iterator[Found]:
    """Exec probes stop working when a pod ends."""
    probe = case.sidecar.node["readinessProbe"]
    if probe and not probe["httpGet"]:
        kind = next((name for name in ("exec", "tcpSocket", "grpc") if probe[name]), "nothing")
        yield Found(
            probe.path,
            f"the agent's readiness probe is {kind}, not httpGet: it does not show that the pod drains",
            f"httpGet: {{path: {READY}, port: {case.port}}}",
        )


def readiness_elsewhere(case: Case) -> Iterator[Found]:
    """It asks for something else."""
    get = case.sidecar.node["readinessProbe"]["httpGet"]
    if get and case.given.sees("port"):
        number, path = case.sidecar.port(get["port"]), get["path"].text
        # With a mesh the probe may be one of the mesh's agent, which passes it on.
        if (number == case.port and path != READY) or (number != case.port and path == READY):
            yield Found(
                get.path,
                f'the agent\'s readiness probe asks port {number} for "{path}"',
                f"{{path: {READY}, port: {case.port}}}",
            )


def readiness_slow(case: Case) -> Iterator[Found]:
    """Slower than the settle time."""
    probe = case.sidecar.node["readinessProbe"]
    period, threshold = probe["periodSeconds"].number or PERIOD, probe["failureThreshold"].number or THRESHOLD
    if probe and case.given.sees("settle") and period * threshold > max(case.seconds("settle"), LEAST_SETTLE):
        yield Found(
            probe.path,
            f"the pod goes unready {period * threshold} s after the agent says so (periodSeconds {period} x "
            f"failureThreshold {threshold}), and settle is {case.seconds('settle'):g} s",
            "periodSeconds: 2, failureThreshold: 1",
        )


def probe_drains(case: Case) -> Iterator[Found]:
    """A probe that asks for a drain."""
    for container in case.pod.containers:
        for name in PROBES:
            get = container.node[name]["httpGet"]
            if container.port(get["port"]) == case.port and get["path"].text == DRAIN:
                yield Found(
                    get["path"].path,
                    f'the {name} of "{container.name}" asks for {DRAIN}: each probe of the kubelet is a hook',
                    f"path: {READY if name == 'readinessProbe' else '/livez'}",
                )


def liveness_on_readyz(case: Case) -> Iterator[Found]:
    """The app is killed because it drains."""
    for container in case.ordinary:
        for name in ("startupProbe", "livenessProbe"):
            get = container.node[name]["httpGet"]
            if container.port(get["port"]) == case.port and get["path"].text == READY:
                yield Found(
                    get["path"].path,
                    f'the {name} of "{container.name}" asks the agent for {READY}, which fails while it drains: '
                    "the app is killed in the middle",
                    "a path of the app's own",
                )


CHECKS = (
    Check(
        "liveness-on-sidecar",
        Severity.WARNING,
        "The agent's container has a liveness probe.",
        "A restarted agent has lost its hooks: the kubelet sees a failed hook and sends SIGTERM.",
        "no liveness probe there",
        liveness_on_sidecar,
    ),
    Check(
        "no-startup-probe",
        Severity.NOTE,
        "The agent has no startup probe.",
        "A native sidecar's startup probe holds the containers after it until the hook's target listens.",
        "startupProbe httpGet /livez",
        no_startup_probe,
    ),
    Check(
        "no-readiness-probe",
        Severity.WARNING,
        "The agent has no readiness probe.",
        "It takes the pod out of its Services when it drains, and is how the agent learns the node's address.",
        "readinessProbe httpGet /readyz",
        no_readiness_probe,
    ),
    Check(
        "readiness-not-http",
        Severity.WARNING,
        "The agent's readiness probe is not httpGet.",
        "exec probes are broken during termination in Kubernetes 1.35 and from 1.36.3 on (kubernetes#140882); a TCP "
        "probe succeeds while the agent drains.",
        "httpGet /readyz",
        readiness_not_http,
    ),
    Check(
        "readiness-elsewhere",
        Severity.WARNING,
        "The agent's readiness probe asks for another path or port.",
        "Only /readyz of the agent fails while it drains.",
        "httpGet /readyz at the agent's port",
        readiness_elsewhere,
    ),
    Check(
        "readiness-slow",
        Severity.WARNING,
        "periodSeconds x failureThreshold is longer than settle.",
        "Where the pod is not being deleted, only the probe takes it out: until then new clients come, and settle is "
        "there to wait for them.",
        "periodSeconds 2, failureThreshold 1",
        readiness_slow,
    ),
    Check(
        "probe-drains",
        Severity.ERROR,
        "A probe asks for /drain.",
        "It comes from the node, so it begins a drain as the hook does.",
        "/readyz or /livez",
        probe_drains,
    ),
    Check(
        "liveness-on-readyz",
        Severity.ERROR,
        "The app's liveness or startup probe asks the agent's /readyz.",
        "It fails while the pod drains, and a failed liveness probe is a kill.",
        "a path of the app's own",
        liveness_on_readyz,
    ),
)
