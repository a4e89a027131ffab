"""The preStop hooks: whether each container's hook reaches the agent, and counts there."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum, auto

from drainer.callers import TOKEN_HEADER
from drainer.commands.doctor.case import Case, Container
from drainer.commands.doctor.checks.check import Check
from drainer.commands.doctor.findings import Found, Severity
from drainer.commands.doctor.shapes import Node

DRAIN = "/drain"
LOOPBACK = "127.0.0.1"
ISTIO_PATH = "/app-lifecycle/"
"""What Istio's injector writes in place of a hook's path: its own agent then makes the call."""


class Aim(Enum):
    """Where a container's preStop goes."""

    NOWHERE = auto()
    """There is none."""
    AGENT = auto()
    MISSED = auto()
    """It means the agent, and does not get there."""
    ISTIO = auto()
    """Istio's agent, which passes it on."""
    ELSEWHERE = auto()
    """It is about something else."""


def hook(container: Container) -> Node:
    """A container's preStop."""
    return container.node["lifecycle"]["preStop"]


def aim(case: Case, container: Container) -> Aim:
    """Where the hook goes, as far as the spec tells."""
    handler = hook(container)
    if not handler.keys:
        return Aim.NOWHERE
    get = handler["httpGet"]
    if not get:
        said = " ".join(handler["exec"]["command"].texts)
        return Aim.AGENT if DRAIN in said and str(case.port) in said else Aim.ELSEWHERE
    if get["path"].text.startswith(ISTIO_PATH):
        return Aim.ISTIO
    at_port = container.port(get["port"]) == case.port
    at_path = _path(get) == DRAIN
    if (at_port or not case.given.sees("port")) and at_path:
        return Aim.AGENT
    if at_port or at_path or get["port"].text in {name for _, name, _ in case.sidecar.ports() if name}:
        return Aim.MISSED
    return Aim.ELSEWHERE


def _path(get: Node) -> str:
    return "/" + get["path"].text.partition("?")[0].lstrip("/")


def hooks(case: Case) -> Iterator[tuple[Container, Node]]:
    """(container, httpGet) for the ordinary containers whose hook is a request that means the agent."""
    for container in case.ordinary:
        get = hook(container)["httpGet"]
        if get and aim(case, container) in (Aim.AGENT, Aim.MISSED):
            yield container, get


def _wanted(case: Case) -> str:
    host = f", host: {LOOPBACK}" if case.is_on_host else ""
    header = f", httpHeaders: [{{name: {TOKEN_HEADER}, value: <the token>}}]" if case.has_token else ""
    return f"lifecycle.preStop.httpGet: {{path: {DRAIN}, port: {case.port}{host}{header}}}"


def _lacks(case: Case, container: Container) -> Iterator[Found]:
    where = aim(case, container)
    if where is Aim.NOWHERE:
        yield Found(
            container.node.path,
            f'container "{container.name}" has no preStop: it gets SIGTERM as soon as the pod is deleted',
            f"add {_wanted(case)}",
        )
    elif where is Aim.ELSEWHERE:
        kind = next(iter(hook(container).keys))
        yield Found(
            hook(container).path,
            f'"{container.name}" has a preStop of its own ({kind}) that does not call the agent: '
            "SIGTERM comes when it ends, whoever is connected",
            f"put {_wanted(case)} in its place (a container has one handler; the settle time does what a sleep does)",
        )


def no_hook(case: Case) -> Iterator[Found]:
    """Containers with clients."""
    for container in case.serving:
        yield from _lacks(case, container)


def container_without_hook(case: Case) -> Iterator[Found]:
    """Containers beside them."""
    for container in case.ordinary:
        if container not in case.serving:
            yield from _lacks(case, container)


def hook_port_name(case: Case) -> Iterator[Found]:
    """A name that the hook's own container does not have."""
    for container, get in hooks(case):
        name = get["port"].text
        if name and container.port(get["port"]) is None:
            yield Found(
                get["port"].path,
                f'"{name}" is looked up among the ports of "{container.name}", which has none of that name: '
                "the hook fails at once",
                f"port: {case.port}",
            )


def hook_port(case: Case) -> Iterator[Found]:
    """Another port than the agent's."""
    for container, get in hooks(case):
        number = container.port(get["port"])
        if number is not None and number != case.port and case.given.sees("port"):
            yield Found(
                get["port"].path,
                f'the hook of "{container.name}" calls port {number}, the agent listens on {case.port}',
                f"port: {case.port}",
            )


def hook_path(case: Case) -> Iterator[Found]:
    """The agent's port, but not /drain."""
    for container, get in hooks(case):
        if _path(get) != DRAIN:
            yield Found(
                get["path"].path,
                f'the hook of "{container.name}" asks the agent for "{get["path"].text}", which drains nothing: '
                "the answer comes at once, and then SIGTERM",
                f"path: {DRAIN}",
            )


def hook_scheme(case: Case) -> Iterator[Found]:
    """TLS, which the agent does not speak."""
    for container, get in hooks(case):
        if get["scheme"].text.upper() == "HTTPS":
            yield Found(
                get["scheme"].path,
                f'the hook of "{container.name}" says HTTPS, the agent speaks HTTP: '
                "the kubelet tries again without TLS, with a Warning event each time",
                "scheme: HTTP, or no scheme",
            )


def hook_host_missing(case: Case) -> Iterator[Found]:
    """On the node's network."""
    for container, get in hooks(case):
        if case.is_on_host and not get["host"].text:
            yield Found(
                get.path,
                f'hostNetwork is true and the hook of "{container.name}" has no host: the kubelet finds no address '
                "for the pod, and the hook fails",
                f"host: {LOOPBACK}",
            )


def hook_host(case: Case) -> Iterator[Found]:
    """Not on the node's network."""
    for container, get in hooks(case):
        if get["host"].text and not case.is_on_host:
            yield Found(
                get["host"].path,
                f'the hook of "{container.name}" goes to host {get["host"].text} and not to the pod',
                "take host out",
            )


def hook_on_sidecar(case: Case) -> Iterator[Found]:
    """The agent's container itself."""
    if hook(case.sidecar):
        yield Found(
            hook(case.sidecar).path,
            "the agent's own container has a preStop: it runs beside the app's hooks, and also when only this "
            "container is replaced",
            "take it out; the hooks are on the ordinary containers",
        )


CHECKS = (
    Check(
        "no-hook",
        Severity.ERROR,
        "A container that has clients does not call the agent when it is stopped.",
        "The kubelet sends SIGTERM to a container when its own hook ends; without one, at once "
        "(kuberuntime_container.go, killContainer).",
        "preStop httpGet /drain with the agent's port, as a number",
        no_hook,
    ),
    Check(
        "container-without-hook",
        Severity.WARNING,
        "A container beside the app's does not call the agent.",
        "It ends at the beginning of the drain: a proxy or a cache that the clients need goes before they do. "
        "All hooks join one drain.",
        "the same preStop on every ordinary container",
        container_without_hook,
    ),
    Check(
        "hook-port-name",
        Severity.ERROR,
        "The hook's port is a name that its own container does not have.",
        "The kubelet looks a name up among the ports of the container that has the hook (pkg/probe/util.go); "
        "seen: FailedPreStopHook and SIGTERM at once.",
        "the port as a number",
        hook_port_name,
    ),
    Check(
        "hook-port",
        Severity.ERROR,
        "The hook goes to /drain on another port than the agent's.",
        "Nobody listens there, so the hook fails, and SIGTERM follows at once.",
        "the agent's port",
        hook_port,
    ),
    Check(
        "hook-path",
        Severity.ERROR,
        "The hook calls the agent, but not /drain.",
        "The kubelet does not look at the status of the answer (lifecycle/handlers.go): the hook is over at once.",
        "path /drain",
        hook_path,
    ),
    Check(
        "hook-scheme",
        Severity.WARNING,
        "The hook says HTTPS.",
        "The agent speaks plain HTTP; the kubelet falls back to it, with two requests and the event "
        "LifecycleHTTPFallback.",
        "scheme HTTP",
        hook_scheme,
    ),
    Check(
        "hook-host-missing",
        Severity.ERROR,
        "hostNetwork, and the hook has no host.",
        "The sandbox has no address of its own there, and the hook fails (kubernetes#134285).",
        "host 127.0.0.1",
        hook_host_missing,
    ),
    Check(
        "hook-host",
        Severity.ERROR,
        "The hook has a host, and the pod is not on the node's network.",
        "The kubelet calls that host from the node, not from the pod; Pod Security *baseline* forbids the field since "
        "Kubernetes 1.34.",
        "no host",
        hook_host,
    ),
    Check(
        "hook-on-sidecar",
        Severity.ERROR,
        "The agent's own container has a preStop.",
        "It does not hold the app, whose SIGTERM depends on its own hook; and it runs when only the agent's image "
        "changes.",
        "no preStop there",
        hook_on_sidecar,
    ),
)
