"""What inject puts into a pod, piece by piece, and what is to be said of each piece.

Each function changes the pod and gives its remarks. `former` takes what uninject has to know (keys.FORMER).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from drainer.commands.asked import Asked
from drainer.commands.mesh import meshes_of, proxy_remarks, with_port
from drainer.commands.pods import NoPod, Workload
from drainer.commands.rbac import rights_of
from drainer.commands.removal import GRACE_FIELD, filled, is_drain_hook, tells_its_ports
from drainer.commands.reports import Hint, Remark, Skip
from drainer.commands.wording import do
from drainer.config import DEFAULT_GRACE
from drainer.keys import DELETION_COST, INJECT, SERVING, annotation
from drainer.kinds import CLOSERS
from drainer.sidecar import NAME, Sidecar, container, pre_stop


def unfit(workload: Workload, wanted: Asked) -> tuple[Skip | NoPod, str] | None:
    """Why a pod without a sidecar of ours cannot have one, and what to do."""
    spec = workload.spec
    agent = next((one for one in _containers(workload) if tells_its_ports(one)), None)
    grace = spec.get(GRACE_FIELD)
    if workload.labels.get(INJECT) == "false":
        return Skip.OPTED_OUT, f'its label {INJECT} is "false"'
    if "windows" in ((spec.get("os") or {}).get("name"), (spec.get("nodeSelector") or {}).get("kubernetes.io/os")):
        return Skip.WINDOWS, "the agent reads the socket table of Linux"
    if agent is not None:
        return Skip.HAS_SIDECAR, f"container {agent['name']} is a sidecar, and not as inject has put it in"
    if any(one["name"] == NAME for one in _containers(workload)):
        return Skip.NAME_TAKEN, f"it has a container named {NAME} that is something else"
    if grace is not None and not (type(grace) is int and grace >= 0):
        return NoPod.MALFORMED, f"{GRACE_FIELD}={grace!r} is not a whole number of seconds"
    if not (own_grace(workload) or wanted.grace_period):
        return Skip.NO_GRACE, f"{GRACE_FIELD} is 0; give --grace-period"
    return _unfit_ports(workload, wanted)


def _unfit_ports(workload: Workload, wanted: Asked) -> tuple[Skip, str] | None:
    ports = tcp_ports(workload)
    if not wanted.app_ports and len(ports) != 1:
        declared = f"{len(ports)} TCP ports are" if ports else "no TCP port is"
        return Skip.NO_APP_PORT, f"{declared} declared; give --app-ports or {annotation('app_ports')}"
    for one in _containers(workload):
        if wanted.port in _ports(one):
            return Skip.PORT_TAKEN, f"container {one['name']} has port {wanted.port}; give another with --port"
    return None


def own_grace(workload: Workload) -> int:
    """The pod's own grace period in seconds."""
    grace = workload.spec.get(GRACE_FIELD)
    return int(DEFAULT_GRACE) if grace is None else int(grace)


def tcp_ports(workload: Workload) -> list[int]:
    """Those that the ordinary containers declare."""
    return [port for one in workload.spec["containers"] for port in _ports(one)]


def _containers(workload: Workload) -> list[dict[str, Any]]:
    return [*(workload.spec.get("initContainers") or ()), *workload.spec["containers"]]


def _ports(one: dict[str, Any]) -> Iterator[int]:
    for port in one.get("ports") or ():
        if (
            isinstance(port, dict)
            and port.get("protocol", "TCP") == "TCP"
            and isinstance(port.get("containerPort"), int)
        ):
            yield port["containerPort"]


def add_grace(workload: Workload, sidecar: Sidecar, wanted: Asked, former: dict[str, Any]) -> Iterator[Remark]:
    """Raise the grace period to what was asked for; it is never lowered."""
    own = own_grace(workload)
    if sidecar.grace_period > own:
        former[GRACE_FIELD] = workload.spec.get(GRACE_FIELD)
        _set_before(workload.spec, "containers", GRACE_FIELD, sidecar.grace_period)
        yield Remark(Hint.GRACE_RAISED, f"{GRACE_FIELD} is {sidecar.grace_period} now, it was {own}")
    elif wanted.grace_period is not None and wanted.grace_period < own:
        yield Remark(Hint.GRACE_KEPT, f"{GRACE_FIELD} is {own}, longer than what was asked for ({wanted.grace_period})")


def add_hooks(workload: Workload, sidecar: Sidecar, wanted: Asked) -> Iterator[Remark]:
    """The hook for each container that shall have it and has none; before the sidecar is there."""
    hook = pre_stop(sidecar, host_network=bool(workload.spec.get("hostNetwork")))
    names = [one["name"] for one in workload.spec["containers"]]
    for name in wanted.containers:
        if name not in names:
            yield Remark(Hint.UNKNOWN_CONTAINER, f"there is no container {name}; there are {', '.join(names)}")
    count = 0
    for one in workload.spec["containers"]:
        if wanted.containers and one["name"] not in wanted.containers:
            continue
        own = (one.get("lifecycle") or {}).get("preStop")
        if not own:
            filled(one, "lifecycle")["preStop"] = {**hook}
        elif not is_drain_hook(own, sidecar.port):
            yield Remark(
                Hint.OWN_PRESTOP,
                f"container {one['name']} has a preStop of its own, which stays: it gets SIGTERM when that one ends, "
                f"whoever is still connected; let it wait for GET http://127.0.0.1:{sidecar.port}/drain",
            )
            continue
        count += 1
    if not count:
        yield Remark(Hint.NO_HOOK, "no container has the hook: every one gets SIGTERM before the drain")


def add_container(workload: Workload, sidecar: Sidecar) -> None:
    """A native one as the first init container: it starts first and stops last. A plain one as the last container."""
    spec = workload.spec
    if not sidecar.native:
        spec["containers"].append(container(sidecar))
    elif spec.get("initContainers"):
        spec["initContainers"].insert(0, container(sidecar))
    else:
        _set_before(spec, "containers", "initContainers", [container(sidecar)])


def _set_before(mapping: dict[str, Any], anchor: str, key: str, value: Any) -> None:
    """Set a key; one that is new stands before the anchor."""
    if key in mapping:
        mapping[key] = value
        return
    items = list(mapping.items())
    mapping.clear()
    for name, item in items:
        if name == anchor:
            mapping[key] = value
        mapping[name] = item


def add_mesh(workload: Workload, sidecar: Sidecar, chosen: str, former: dict[str, Any]) -> Iterator[Remark]:
    """Let the kubelet's calls pass the mesh's proxy: they carry no certificate of the mesh."""
    for mesh in meshes_of(workload, chosen):
        annotations = filled(workload.pod, "metadata", "annotations")
        own = annotations.get(mesh.excludes)
        ports = with_port(own or "", sidecar.port)
        if ports != own:
            former[mesh.excludes] = own
            annotations[mesh.excludes] = ports
            yield Remark(
                Hint.MESH_PORT, f"{mesh.excludes} is {ports!r} now: the kubelet has no certificate of the mesh"
            )
        yield from proxy_remarks(workload, mesh)


def add_api(workload: Workload, sidecar: Sidecar, former: dict[str, Any], *, renders_role: bool) -> Iterator[Remark]:
    """Label and readiness gate, where the settings ask for them."""
    if sidecar.settings.get("serving_label") == "true":
        labels = filled(workload.pod, "metadata", "labels")
        if SERVING not in labels:
            former[SERVING] = None
            labels[SERVING] = "true"
        yield Remark(
            Hint.SERVING_LABEL,
            f'the Service has to select on {SERVING}: "true" too, the selector of the workload must not',
        )
    if sidecar.settings.get("readiness_gate") == "true":
        gates = workload.spec.get("readinessGates") or []
        if {"conditionType": SERVING} not in gates:
            former["readinessGates"] = None
            workload.spec["readinessGates"] = [*gates, {"conditionType": SERVING}]
        yield Remark(Hint.READINESS_GATE, "the pod is not ready until the agent has reached the API once")
    if not sidecar.uses_api:
        return
    if not renders_role:
        account = workload.spec.get("serviceAccountName") or "default"
        yield Remark(
            Hint.ROLE, f"service account {account} needs: {rights_of(sidecar.settings)}; --rbac writes the Role"
        )
    if sidecar.settings.get("deletion_cost") == "true" and DELETION_COST in workload.annotations:
        yield Remark(Hint.OWN_COST, f"{DELETION_COST} is set by hand: it stays, and the agent does not keep it")
    if workload.spec.get("automountServiceAccountToken") is False:
        yield Remark(Hint.NO_API_TOKEN, "automountServiceAccountToken is false: mount a token, or the API is not used")


def about(workload: Workload, sidecar: Sidecar) -> Iterator[Remark]:
    """What else should be known."""
    if workload.spec.get("hostNetwork"):
        yield Remark(
            Hint.HOST_NETWORK,
            f"port {sidecar.port} is one of the node: pods that share a node need different ones (--port); connections "
            "of all processes of the node to the app's ports are counted",
        )
    if not sidecar.native:
        yield Remark(Hint.PLAIN, "it gets SIGTERM together with the app, and waits for the drain by itself")
    closers = [name for name in CLOSERS[1:] if name in sidecar.settings.get("close", "")]
    if closers:
        yield Remark(
            Hint.CLOSER_RIGHTS,
            f"{' and '.join(closers)} {do('need', closers)} rights that the sidecar is not given; see docs/closing.md",
        )
    if sidecar.settings.get("token"):
        yield Remark(Hint.TOKEN_SHOWN, "the token stands in the manifest: who can read the pod can read it")
    if sidecar.settings.get("health_headers"):
        yield Remark(Hint.HEADERS_SHOWN, "health_headers stand in the manifest: who can read the pod can read them")
