"""What looks like the sidecar's and was left by uninject, because nothing says that inject has put it in, and why.

It is said and not taken out: whoever has changed it may have made it their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from drainer.callers import TOKEN_HEADER
from drainer.commands.mesh import ALL, has_port
from drainer.commands.pods import Workload
from drainer.commands.removal import GRACE_FIELD, HOOK_PATH, Removed, tells_its_ports
from drainer.commands.reports import Hint, Remark
from drainer.commands.wording import do, plural
from drainer.keys import FORMER, INJECT, INJECTED, SERVING, is_ours
from drainer.settings import BY_NAME
from drainer.sidecar import NAME

_PROBES = ("startupProbe", "livenessProbe", "readinessProbe")
_HOOKS = ("postStart", "preStop")
_STRAY = f"asks for {HOOK_PATH} at a port that its container does not declare"
"""Of a pod that has, or had, the agent: it may be its hook, with another port."""


def remains(workload: Workload, removed: Removed | None) -> tuple[Remark, ...]:
    """Of a pod out of which `removed` was taken; None: nothing was."""
    port = removed.port if removed else int(BY_NAME["port"].default or 0)
    left = (
        *_containers(workload, removed),
        *_calls(workload, port, removed),
        *(_changed(workload, removed) if removed else ()),
        *_keys(workload),
    )
    return (*(Remark(Hint.LEFT, sentence) for sentence in left), *(_beside(workload, removed) if removed else ()))


def _every_container(workload: Workload) -> list[dict[str, Any]]:
    return [*(workload.spec.get("initContainers") or ()), *workload.spec["containers"]]


def _sign(one: dict[str, Any], removed: Removed | None) -> str:
    """What shows that a container is the agent; empty if nothing does."""
    if tells_its_ports(one):
        return f"it has the variable {BY_NAME['app_ports'].env}"
    if _image_name(one) == NAME:
        return f"it runs the image {one['image']}"
    ports = [port for port in one.get("ports") or () if isinstance(port, dict)]
    if any(port.get("name") == NAME for port in ports):
        return f"it has a port named {NAME}"
    return f"it is named {NAME}" if removed and one["name"] == NAME else ""


def _image_name(one: dict[str, Any]) -> str:
    """The last part of its image's name, without tag and digest."""
    return str(one.get("image") or "").rpartition("/")[2].partition("@")[0].partition(":")[0]


def _containers(workload: Workload, removed: Removed | None) -> Iterator[str]:
    for one in _every_container(workload):
        sign = _sign(one, removed)
        if not sign:
            continue
        if removed is None:
            why = f"there is no annotation {INJECTED}"
        elif one["name"] != NAME:
            why = f"it is not named {NAME}"
        else:
            why = f"it has no variable {BY_NAME['app_ports'].env}"
        yield f"container {one['name']} stays: {sign}, but {why}"


def _calls(workload: Workload, port: int, removed: Removed | None) -> Iterator[str]:
    """Hooks and probes of the app that ask the agent."""
    why = "inject has not put it in so" if removed else f"there is no annotation {INJECTED}"
    signs = [(one, _sign(one, removed)) for one in _every_container(workload)]
    for one, sign in signs:
        if sign:
            continue
        lifecycle = one.get("lifecycle") or {}
        for key in _HOOKS:
            asks = _asks(one, lifecycle.get(key), port)
            if asks and (asks != _STRAY or removed or any(shown for _, shown in signs)):
                yield f"{key} of container {one['name']} stays: it {asks}, but {why}"
        for key in _PROBES:
            asks = _asks(one, one.get(key), port)
            if asks and asks != _STRAY:
                yield f"{key} of container {one['name']} stays: it {asks}"


def _http_get(handler: Any) -> dict[str, Any]:
    get = handler.get("httpGet") if isinstance(handler, dict) else None
    return get if isinstance(get, dict) else {}


def _asks(one: dict[str, Any], handler: Any, port: int) -> str:
    """How a hook or a probe asks the agent; empty if it does not."""
    get = _http_get(handler)
    own = [value for each in one.get("ports") or () if isinstance(each, dict) for value in each.values()]
    headers = [header for header in get.get("httpHeaders") or () if isinstance(header, dict)]
    if get.get("port") in own:
        return ""
    if get.get("port") in (port, NAME):
        return f"asks port {get['port']}, which is the agent's"
    if any(str(header.get("name")).lower() == TOKEN_HEADER.lower() for header in headers):
        return f"sends {TOKEN_HEADER}"
    if get.get("path") == HOOK_PATH:
        return _STRAY
    run = handler.get("exec") if isinstance(handler, dict) else None
    command = run.get("command") if isinstance(run, dict) else None
    words = " ".join(map(str, command)) if isinstance(command, list) else ""
    return f"runs a command with :{port}{HOOK_PATH}" if f":{port}{HOOK_PATH}" in words else ""


def _changed(workload: Workload, removed: Removed) -> Iterator[str]:
    """What inject had changed, and could not be given back."""
    now = workload.spec.get(GRACE_FIELD)
    if removed.former is None:
        yield f"what was there before stays unknown: the annotation {FORMER} could not be read ({GRACE_FIELD}: {now})"
        return
    if GRACE_FIELD in removed.former and now != removed.former[GRACE_FIELD]:
        before = removed.former[GRACE_FIELD]
        why = f"the sidecar was told {removed.told}" if removed.told else "no sidecar is there to compare with"
        yield f"{GRACE_FIELD} stays {now}: {why}; before inject it was {_said(before)}"
    for mesh in ALL:
        ports = str(workload.annotations.get(mesh.excludes) or "")
        if mesh.excludes in removed.former and has_port(ports, removed.port):
            yield f"annotation {mesh.excludes} stays {ports!r}: it was changed since, and has the agent's port"


def _said(before: Any) -> str:
    return "not there" if before is None else str(before)


def _keys(workload: Workload) -> Iterator[str]:
    """Labels, annotations and gates that are named as this project names them."""
    for key, value in workload.labels.items():
        if key == INJECT and value != "false":
            yield f"label {key} stays {value}: the chart's policy puts the sidecar in again"
        elif is_ours(key) and key != INJECT:
            yield f"label {key} stays: nothing says that inject has put it in"
    own = [key for key in workload.annotations if is_ours(key)]
    if own:
        it = "it" if len(own) == 1 else "them"
        yield f"{plural('annotation', own)} {', '.join(own)} {do('stay', own)}: inject had not put {it} in"
    if {"conditionType": SERVING} in (workload.spec.get("readinessGates") or ()):
        yield f"readiness gate {SERVING} stays: nothing says that inject has put it in, and now nobody opens it"


def _beside(workload: Workload, removed: Removed) -> Iterator[Remark]:
    """Objects beside the pod that were made for the sidecar."""
    if SERVING in (removed.former or {}):
        yield Remark(Hint.BESIDE, f"a Service that selects on {SERVING} has this pod no more: change its selector")
    if removed.uses_api:
        account = workload.spec.get("serviceAccountName") or "default"
        yield Remark(Hint.BESIDE, f"what --rbac has written for service account {account} is of no use any more")
