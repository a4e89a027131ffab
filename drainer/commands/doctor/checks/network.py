"""What stands between the clients, the kubelet and the pod: Services, meshes, TLS, proxies."""

from __future__ import annotations

from collections.abc import Iterator

from drainer.commands.doctor.case import Case
from drainer.commands.doctor.checks.check import Check
from drainer.commands.doctor.checks.hooks import Aim, aim
from drainer.commands.doctor.findings import Found, Path, Severity
from drainer.commands.doctor.shapes import Node
from drainer.commands.mesh import ALL, ISTIO, LINKERD, Mesh, has_port, shows

INCLUDE = "traffic.sidecar.istio.io/includeInboundPorts"
REWRITE = "sidecar.istio.io/rewriteAppHTTPProbers"
NATIVE_PROXY = {mesh.proxy: f'the annotation {mesh.native[0]}: "true"' for mesh in ALL}
TLS_PORTS = (443, 8443)
TLS_NAMES = ("https", "wss", "tls", "ssl")
PROXY_IMAGES = ("nginx", "envoy", "haproxy", "traefik", "caddy", "httpd", "openresty", "nginx-unprivileged")


def port_exposed(case: Case) -> Iterator[Found]:
    """The agent's port, open to the outside."""
    for service in case.services:
        spec = service["spec"]
        kind = spec["type"].text
        if kind not in ("NodePort", "LoadBalancer") and not spec["externalIPs"].texts:
            continue
        for port in spec["ports"]:
            if _target(case, port) == case.port:
                yield Found(
                    (),
                    f'Service "{service["metadata"]["name"].text}" ({kind or "externalIPs"}) leads to the agent\'s '
                    f"port {case.port}: through it anybody outside looks like the node, and may drain",
                    "take that port out of the Service, or put it into one of type ClusterIP",
                )


def _target(case: Case, port: Node) -> int | None:
    wanted = port["targetPort"] or port["port"]
    numbers = (one.port(wanted) for one in case.pod.containers)
    return next((number for number in numbers if number is not None), None)


def local_readiness_now(case: Case) -> Iterator[Found]:
    """Unready at once, with no other endpoint on the node."""
    readiness = case.given.values["readiness"]
    at_once = readiness == "now" or (readiness == "auto" and not case.uses_api)
    if not at_once or not case.given.sees("readiness", "kubernetes"):
        return
    for service in case.services:
        if service["spec"]["externalTrafficPolicy"].text == "Local":
            yield Found(
                case.given.where("readiness"),
                f'Service "{service["metadata"]["name"].text}" has externalTrafficPolicy: Local and readiness is '
                f"{readiness}: until the load balancer has noticed, new clients are sent to this node and dropped",
                'DRAINER_READINESS: after, or DRAINER_KUBERNETES: "on"',
            )


def publish_not_ready(case: Case) -> Iterator[Found]:
    """Ready for ever."""
    for service in case.services:
        if service["spec"]["publishNotReadyAddresses"].is_true and not case.given.values["serving_label"]:
            yield Found(
                (),
                f'Service "{service["metadata"]["name"].text}" has publishNotReadyAddresses: true: new clients come '
                "until the pod is gone",
                "take it out, or use DRAINER_SERVING_LABEL",
            )


def _is_in(case: Case, mesh: Mesh) -> bool:
    marks = {**case.pod.labels, **case.pod.annotations}
    return shows(mesh, marks, [one.name for one in case.pod.containers])


def istio_port(case: Case) -> Iterator[Found]:
    """The kubelet's call goes through the proxy."""
    annotations = case.pod.annotations
    included = annotations.get(INCLUDE, "*")
    passed_by = has_port(annotations.get(ISTIO.excludes, ""), case.port) or (
        included.strip() != "*" and not has_port(included, case.port)
    )
    if _is_in(case, ISTIO) and not passed_by:
        yield Found(
            case.pod.annotation(ISTIO.excludes),
            f"Istio's proxy takes the calls to port {case.port}: with STRICT mTLS it refuses the kubelet's, otherwise "
            "they come from 127.0.0.6, a stranger",
            f'the annotation {ISTIO.excludes}: "{case.port}"',
        )


def istio_rewrite(case: Case) -> Iterator[Found]:
    """The hook is made by Istio's agent."""
    asked = case.pod.annotations.get(REWRITE, "true").lower() not in ("false", "0", "f")
    if _is_in(case, ISTIO) and asked and not case.has_token:
        yield Found(
            case.pod.annotation(REWRITE),
            "Istio's injector turns httpGet hooks into calls by its own agent, which come from 127.0.0.6: "
            "a stranger, whose call has no effect",
            f'the annotation {REWRITE}: "false", or a token (DRAINER_TOKEN and the header in the hooks)',
        )


def linkerd_port(case: Case) -> Iterator[Found]:
    """Everybody's call comes from loopback."""
    if _is_in(case, LINKERD) and not has_port(case.pod.annotations.get(LINKERD.excludes, ""), case.port):
        yield Found(
            case.pod.annotation(LINKERD.excludes),
            f"Linkerd's proxy takes the calls to port {case.port}: the agent cannot tell the kubelet from a stranger",
            f'the annotation {LINKERD.excludes}: "{case.port}"',
        )


def mesh_proxy(case: Case) -> Iterator[Found]:
    """The proxy ends before the clients do."""
    for container in case.pod.containers:
        if container.is_proxy and not container.is_init and aim(case, container) not in (Aim.AGENT, Aim.ISTIO):
            yield Found(
                container.node.path,
                f'the mesh\'s proxy "{container.name}" is an ordinary container: it gets SIGTERM at once and cuts all '
                "connections after its own drain time",
                NATIVE_PROXY.get(container.name, "run the proxy as a native sidecar"),
            )


def websocket_tls(case: Case) -> Iterator[Found]:
    """A frame cannot be written into TLS."""
    if "websocket" not in case.closers:
        return
    ports = case.given.values["app_ports"]
    for number, why, path in _tls(case):
        if number in ports:
            yield Found(
                path,
                f"port {number} looks like TLS ({why}): the closer websocket leaves encrypted connections alone",
                "DRAINER_CLOSE: notify, or end TLS before the pod",
            )
            return


def _tls(case: Case) -> Iterator[tuple[int, str, Path]]:
    for container in case.ordinary:
        for name in ("readinessProbe", "livenessProbe", "startupProbe"):
            get = container.node[name]["httpGet"]
            number = container.port(get["port"])
            if number is not None and get["scheme"].text.upper() == "HTTPS":
                yield number, f"the {name} says HTTPS", get["scheme"].path
        for number, name, path in container.ports():
            if name.lower().startswith(TLS_NAMES):
                yield number, f'its name is "{name}"', path
            elif number in TLS_PORTS:
                yield number, "by its number", path


def websocket_proxy(case: Case) -> Iterator[Found]:
    """A proxy may be in the middle of a message."""
    if "websocket" not in case.closers:
        return
    for container in case.serving:
        if container.image in PROXY_IMAGES:
            yield Found(
                container.node["image"].path,
                f'"{container.name}" looks like a proxy ({container.image}), which may pass on half a message: '
                "a Close frame could land in the middle",
                "count and close on the port of the app behind it, or leave websocket out of DRAINER_CLOSE",
            )


CHECKS = (
    Check(
        "port-exposed",
        Severity.ERROR,
        "A Service of type NodePort or LoadBalancer, or with externalIPs, leads to the agent's port.",
        "The node's address translation makes callers from outside look like the node (docs/endpoints-and-metrics.md).",
        "not that port in that Service",
        port_exposed,
    ),
    Check(
        "local-readiness-now",
        Severity.WARNING,
        "externalTrafficPolicy: Local, and readiness goes off at once.",
        "kube-proxy sends new clients to serving endpoints of its own node only, also to those that are terminating, "
        "but not to unready ones (topology.go); load balancers need seconds to see it.",
        "DRAINER_READINESS=after, or the API, which knows a deletion",
        local_readiness_now,
    ),
    Check(
        "publish-not-ready",
        Severity.WARNING,
        "A Service has publishNotReadyAddresses: true.",
        "Its endpoints are ready also when the pod is not, and while it terminates (endpointslice/utils.go).",
        "not that field, or the label that the Service selects on",
        publish_not_ready,
    ),
    Check(
        "istio-port",
        Severity.ERROR,
        "The pod is in Istio's mesh, and the agent's port is not excluded.",
        "The kubelet speaks plain HTTP; a proxy between it and the agent refuses that, or hides who calls.",
        "the annotation excludeInboundPorts",
        istio_port,
    ),
    Check(
        "istio-rewrite",
        Severity.WARNING,
        "The pod is in Istio's mesh, its hooks may be rewritten, and there is no token.",
        "Recent injectors point httpGet hooks at /app-lifecycle/... of Istio's agent (pkg/kube/inject/app_probe.go).",
        'the annotation rewriteAppHTTPProbers "false", or a token',
        istio_rewrite,
    ),
    Check(
        "linkerd-port",
        Severity.ERROR,
        "The pod is in Linkerd's mesh, and the agent's port is not skipped.",
        "What the proxy passes on comes from the pod itself, not from the kubelet.",
        "the annotation skip-inbound-ports",
        linkerd_port,
    ),
    Check(
        "mesh-proxy",
        Severity.WARNING,
        "A mesh's proxy is an ordinary container.",
        "It gets SIGTERM with the app's hook, drains for seconds of its own (5 s in Istio), and ends.",
        "the proxy as a native sidecar",
        mesh_proxy,
    ),
    Check(
        "websocket-tls",
        Severity.WARNING,
        "The closer websocket, and a port that looks like TLS.",
        "It writes a frame into the app's stream, which TLS would break; the connections are skipped (verdict tls).",
        "notify, or TLS that ends before the pod",
        websocket_tls,
    ),
    Check(
        "websocket-proxy",
        Severity.WARNING,
        "The closer websocket on a proxy's port.",
        "A proxy that passes frames on while they arrive looks quiet between two halves (docs/closing.md).",
        "the app's own port",
        websocket_proxy,
    ),
)
