"""A Deployment without any finding, and edits that make it a worse one."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from drainer.commands.doctor.case import Surroundings
from drainer.commands.doctor.checks.running import Running, Unread
from drainer.commands.doctor.examine import examine
from drainer.commands.doctor.findings import Finding
from drainer.commands.doctor.kubelet import container_status
from drainer.sidecar import Sidecar, container, pre_stop

SETTINGS = {"close": "notify", "notify_url": "http://127.0.0.1:9809/drain", "token": "s3cret"}
SIDECAR = Sidecar("registry.example/drainer:1", "8080", 30, SETTINGS)


class World:
    """What an edit may change."""

    def __init__(self, kind: str = "Deployment") -> None:
        self.kind = kind
        self.object: dict[str, Any] = {
            "metadata": {"name": "web", "namespace": "chat"},
            "spec": {
                "replicas": 3,
                "selector": {"matchLabels": {"app": "web"}},
                "template": {
                    "metadata": {"labels": {"app": "web"}},
                    "spec": {
                        "terminationGracePeriodSeconds": 30,
                        "initContainers": [container(SIDECAR)],
                        "containers": [
                            {
                                "name": "app",
                                "image": "registry.example/app:1",
                                "ports": [{"containerPort": 8080}],
                                "lifecycle": {"preStop": pre_stop(SIDECAR)},
                                "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}},
                            }
                        ],
                    },
                },
            },
        }
        self.object = copy.deepcopy(self.object)  # Nothing is shared with what the next one gets.
        self.services: list[dict[str, Any]] = []
        self.scalers: list[dict[str, Any]] = []
        self.running: Running | None = None

    @property
    def template(self) -> dict[str, Any]:
        found: dict[str, Any] = self.object["spec"]["template"]
        return found

    @property
    def sidecar(self) -> dict[str, Any]:
        """Wherever it is by now."""
        spec = self.template["spec"]
        everywhere = (one for key in ("initContainers", "containers") for one in spec.get(key, []))
        found: dict[str, Any] = next(one for one in everywhere if one["name"] == "drainer")
        return found

    def findings(self) -> tuple[Finding, ...]:
        around = Surroundings(self.services, self.scalers)
        if self.kind == "Pod":
            return examine("Pod", "chat", "web", self.template, around, self.running)
        return examine(self.kind, "chat", "web", self.object, around, self.running)

    def as_pod(self) -> None:
        """From now on a pod of a cluster."""
        self.kind = "Pod"
        self.template["metadata"]["uid"] = "7d1f6a52"

    def found(self) -> set[str]:
        """The keys of all findings."""
        return {finding.key for finding in self.findings()}


Edit = Callable[[World], None]
GONE = object()


def _set(target: Any, steps: list[str], value: Any) -> None:
    for step in steps[:-1]:
        target = target[int(step)] if isinstance(target, list) else target.setdefault(step, {})
    last = steps[-1]
    if isinstance(target, list):
        if value is GONE:
            del target[int(last)]
        elif int(last) == len(target):
            target.append(value)
        else:
            target[int(last)] = value
    elif value is GONE:
        target.pop(last, None)
    else:
        target[last] = value


def put(path: str, value: Any = GONE) -> Edit:
    """Set or remove a field of the pod; the steps have blanks between them, for keys have dots and slashes."""
    return lambda world: _set(world.template, path.split(" "), value)


def app(path: str, value: Any = GONE) -> Edit:
    """A field of the app's container."""
    return put(f"spec containers 0 {path}", value)


def side(path: str, value: Any = GONE) -> Edit:
    """A field of the agent's container."""
    return lambda world: _set(world.sidecar, path.split(" "), value)


def workload(path: str, value: Any) -> Edit:
    """A field of the Deployment."""
    return lambda world: _set(world.object, path.split(" "), value)


def env(name: str, value: Any = None, source: Any = None) -> Edit:
    """A variable of the agent: a literal, `valueFrom`, or none."""

    def edit(world: World) -> None:
        variables = [one for one in world.sidecar["env"] if one["name"] != name]
        if source is not None:
            variables.append({"name": name, "valueFrom": source})
        elif value is not None:
            variables.append({"name": name, "value": value})
        world.sidecar["env"] = variables

    return edit


def annotate(key: str, value: str) -> Edit:
    return put(f"metadata annotations {key}", value)


def label(key: str, value: str) -> Edit:
    return put(f"metadata labels {key}", value)


def beside(name: str, **fields: Any) -> Edit:
    """One more ordinary container."""

    def edit(world: World) -> None:
        world.template["spec"]["containers"].append(
            {"name": name, "image": "registry.example/other", "resources": {"limits": {"cpu": 1, "memory": "1Gi"}}}
            | fields
        )

    return edit


def init(name: str, at: int, **fields: Any) -> Edit:
    """One more init container."""
    return lambda world: world.template["spec"]["initContainers"].insert(at, {"name": name, "image": "x"} | fields)


def service(ports: list[dict[str, Any]], selector: dict[str, str] | None = None, **spec: Any) -> Edit:
    def edit(world: World) -> None:
        world.services.append(
            {
                "metadata": {"name": "web", "namespace": "chat"},
                "spec": {"selector": {"app": "web"} if selector is None else selector, "ports": ports} | spec,
            }
        )

    return edit


def scaler(**spec: Any) -> Edit:
    def edit(world: World) -> None:
        target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
        world.scalers.append({"metadata": {"name": "by-cpu"}, "spec": {"scaleTargetRef": target} | spec})

    return edit


def resource(name: str, kind: str = "Utilization") -> dict[str, Any]:
    return {"type": "Resource", "resource": {"name": name, "target": {"type": kind}}}


def runs(status: Any = None, *unread: Unread) -> Edit:
    def edit(world: World) -> None:
        world.running = Running(status, unread)

    return edit


def kubelet(silence: str = "", **says: Any) -> Edit:
    """What the kubelet says of the agent's container."""
    said = {"status": {"initContainerStatuses": [{"name": "drainer"} | says]}}

    def edit(world: World) -> None:
        world.running = Running(silence=silence, container=container_status(said, "drainer"))

    return edit


def plain(world: World) -> None:
    """The agent as an ordinary container, set up as one."""
    spec = world.template["spec"]
    sidecar = spec["initContainers"].pop(0)
    del sidecar["restartPolicy"]
    spec["containers"].append(sidecar)
    env("DRAINER_CONTAINER", "plain")(world)


def no_agent(world: World) -> None:
    del world.template["spec"]["initContainers"]


def no_token(world: World) -> None:
    """Neither set nor sent."""
    env("DRAINER_TOKEN")(world)
    app("lifecycle preStop httpGet httpHeaders")(world)


def with_api(world: World) -> None:
    env("DRAINER_KUBERNETES", "on")(world)
    for name, field in (
        ("POD_NAME", "metadata.name"),
        ("POD_NAMESPACE", "metadata.namespace"),
        ("POD_UID", "metadata.uid"),
    ):
        env(name, source={"fieldRef": {"fieldPath": field}})(world)


def with_label(world: World) -> None:
    """The Service's label as it should be."""
    with_api(world)
    env("DRAINER_SERVING_LABEL", "true")(world)
    label("drainer.dev/serving", "true")(world)


def closing(close: str, user: int | None = 1000, app_user: int | None = 1000, **capabilities: list[str]) -> Edit:
    """Closers, with all that they need but for what the arguments say."""

    def edit(world: World) -> None:
        env("DRAINER_CLOSE", close)(world)
        if "notify" not in close:
            env("DRAINER_NOTIFY_URL")(world)
        put("spec shareProcessNamespace", value=True)(world)
        context = {"seccompProfile": {"type": "RuntimeDefault"}, "capabilities": {"drop": ["ALL"]} | capabilities}
        side("securityContext", context | ({} if user is None else {"runAsUser": user}))(world)
        if app_user is not None:
            app("securityContext runAsUser", app_user)(world)

    return edit


def made(*edits: Edit, kind: str = "Deployment") -> World:
    world = World(kind)
    for edit in edits:
        edit(world)
    return world


Edits = tuple[Edit, ...]
HIDDEN = {"secretKeyRef": {"name": "drainer", "key": "token"}}
SENT = [{"name": "X-Drainer-Token", "value": "s3cret"}]
DRAIN: dict[str, Any] = {"httpGet": {"path": "/drain", "port": 9808, "httpHeaders": SENT}}
PROBE = {"httpGet": {"path": "/health", "port": 8080}}
HOOK = "lifecycle preStop"
GET = f"{HOOK} httpGet"
GRACE = "spec terminationGracePeriodSeconds"


def grace(seconds: int) -> Edit:
    """Of the pod and of the agent."""

    def edit(world: World) -> None:
        put(GRACE, seconds)(world)
        env("DRAINER_GRACE_PERIOD", f"{seconds}s")(world)

    return edit
