"""Service meshes, as far as they come between the kubelet and the agent, or between the clients and the app."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from drainer.commands.pods import Workload
from drainer.commands.reports import Hint, Remark

_RANGE = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?", re.ASCII)
MESHES = ("auto", "istio", "linkerd", "none")
"""What --mesh allows. auto: what labels, annotations and containers of the pod show."""


@dataclass(frozen=True, slots=True)
class Mesh:
    """What has to be known of one mesh."""

    name: str
    proxy: str
    """The name of its container."""
    marks: Mapping[str, tuple[str, ...]]
    """Labels or annotations of a pod that ask for it -> the values that do; empty: any value."""
    excludes: str
    """Annotation: ports that do not pass the proxy on their way in, with commas between them."""
    native: tuple[str, ...]
    """Annotations that make the proxy a native sidecar, the newest first."""


ISTIO = Mesh(
    "istio",
    "istio-proxy",
    {"sidecar.istio.io/inject": ("true",), "istio.io/rev": ()},
    "traffic.sidecar.istio.io/excludeInboundPorts",
    ("sidecar.istio.io/nativeSidecar",),
)
LINKERD = Mesh(
    "linkerd",
    "linkerd-proxy",
    {"linkerd.io/inject": ("enabled", "ingress")},
    "config.linkerd.io/skip-inbound-ports",
    ("config.beta.linkerd.io/proxy-enable-native-sidecar", "config.alpha.linkerd.io/proxy-enable-native-sidecar"),
)
ALL = (ISTIO, LINKERD)


def meshes_of(workload: Workload, chosen: str) -> tuple[Mesh, ...]:
    """The meshes that the pod is in, or the one that was chosen."""
    if chosen != "auto":
        return tuple(mesh for mesh in ALL if mesh.name == chosen)
    containers = {one["name"] for key in ("containers", "initContainers") for one in workload.spec.get(key) or ()}
    marks = {**workload.labels, **workload.annotations}
    return tuple(mesh for mesh in ALL if shows(mesh, marks, containers))


def shows(mesh: Mesh, marks: Mapping[str, str], containers: Collection[str]) -> bool:
    """Whether a pod with these labels and annotations, and containers of these names, is in the mesh."""
    asked = any(key in marks and (not values or marks[key] in values) for key, values in mesh.marks.items())
    return asked or mesh.proxy in containers


def has_port(ports: str, port: int) -> bool:
    """Whether a list of ports and ranges, as both meshes write it, has a port."""
    for item in ports.split(","):
        match = _RANGE.fullmatch(item.strip())
        if match and int(match[1]) <= port <= int(match[2] or match[1]):
            return True
    return False


def with_port(ports: str, port: int) -> str:
    """The list with one port more, unless it is among them."""
    if has_port(ports, port):
        return ports
    return f"{ports},{port}" if ports.strip() else str(port)


def without_port(ports: str, port: int) -> str:
    """The list without a port that `with_port` has added, however it was changed since."""
    kept = ports.removesuffix(f",{port}")
    return kept if kept != ports else ",".join(item for item in ports.split(",") if item.strip() != str(port))


def proxy_remarks(workload: Workload, mesh: Mesh) -> Iterator[Remark]:
    """Whether the mesh's proxy will cut the connections that are drained."""
    spec = workload.spec
    if any(one["name"] == mesh.proxy for one in spec.get("initContainers") or ()):
        return
    is_present = any(one["name"] == mesh.proxy for one in spec["containers"])
    if not is_present and any(workload.annotations.get(key) == "true" for key in mesh.native):
        return
    where = "here" if is_present else "unless the mesh makes it a native sidecar"
    yield Remark(
        Hint.MESH_PROXY,
        f"{mesh.proxy} is a plain container {where}: without the hook it gets SIGTERM at once, and cuts all "
        f'connections when its own drain time is over; {mesh.native[0]}: "true" makes it a native sidecar',
    )
