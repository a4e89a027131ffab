"""Manifests: the app as its owners would write it, and the sidecar as the project puts it in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from drainer.commands.asked import Options
from drainer.commands.patch import inject
from drainer.commands.rbac import Rights, rendered
from drainer.sidecar import Sidecar
from e2e.cluster import Manifest

PROGRAMS = Path(__file__).with_name("pods")
MOUNT = "/e2e"
PORT = 8080
"""The app's."""
CONTROL = 8090
"""Where an app and the clients take orders; nobody's connections are counted there."""
NOTIFY = 9809
SILENT = 8091
"""On the clients' pod: connections are accepted, and nothing is ever said."""

ACCOUNT = "drainer"
"""The service account with the rights that the agent asks for."""

RESTRICTED: Manifest = {
    "runAsNonRoot": True,
    "runAsUser": 65532,
    "runAsGroup": 65532,
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}


@dataclass(frozen=True, slots=True)
class Images:
    """What runs, and how it is pulled."""

    agent: str
    app: str
    """Any image with Python and aiohttp: the agent's own will do."""
    pull: str
    commands: str = ""
    """The one with the commands, for the adapter."""

    def of(self, image: str) -> Manifest:
        return {"image": image, "imagePullPolicy": self.pull}

    def values(self, image: str = "") -> Manifest:
        """The agent's or another one, as the chart's values say it."""
        name, _, digest = (image or self.agent).partition("@")
        repository, tag = name, ""
        if ":" in name.rpartition("/")[2]:
            repository, _, tag = name.rpartition(":")
        return {"image": {"repository": repository, "tag": tag, "digest": digest, "pullPolicy": self.pull}}


@dataclass(frozen=True, slots=True)
class App:
    """One container of the app."""

    name: str = "app"
    ports: Sequence[int] = (PORT,)
    control: int = CONTROL
    library: str = "aiohttp"
    stop_seconds: float = 0
    notify: bool = False
    """Whether it has the endpoint by which the agent closes connections."""
    liveness: bool = False
    """Whether the kubelet restarts it when it hangs."""

    def container(self, images: Images) -> Manifest:
        command = ["python3", f"{MOUNT}/server.py", *map(str, self.ports), "--library", self.library]
        command += ["--control", str(self.control), "--stop-seconds", f"{self.stop_seconds:g}"]
        if self.notify:
            command += ["--notify", str(NOTIFY)]
        health = {"httpGet": {"path": "/healthz", "port": self.control}, "periodSeconds": 1, "timeoutSeconds": 5}
        return {
            "name": self.name,
            **images.of(images.app),
            "command": command,
            "ports": [{"containerPort": port, "protocol": "TCP"} for port in self.ports],
            "startupProbe": {**health, "failureThreshold": 60},
            **({"livenessProbe": {**health, "failureThreshold": 2}} if self.liveness else {}),
            "volumeMounts": [{"name": "programs", "mountPath": MOUNT}],
            "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}},
            "securityContext": RESTRICTED,
        }


@dataclass(frozen=True, slots=True)
class Template:
    """A pod with the sidecar in it."""

    apps: Sequence[App] = (App(),)
    grace: int = 30
    settings: Mapping[str, str] = field(default_factory=dict)
    """Beside SETTINGS."""
    native: bool = True
    api: bool = False
    """Whether the agent may use the API."""
    account: str = ACCOUNT
    """The service account, where it may."""
    spec: Mapping[str, Any] = field(default_factory=dict)
    """What else the pod's spec says."""
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)

    def plain(self, images: Images) -> Manifest:
        """The pod as its owners wrote it: no sidecar yet."""
        return {
            "metadata": {"labels": dict(self.labels), "annotations": dict(self.annotations)},
            "spec": {
                "terminationGracePeriodSeconds": self.grace,
                "automountServiceAccountToken": self.api,
                **({"serviceAccountName": self.account} if self.api else {}),
                "enableServiceLinks": False,
                "containers": [app.container(images) for app in self.apps],
                "volumes": [{"name": "programs", "configMap": {"name": "programs"}}],
                **self.spec,
            },
        }

    def sidecar(self, images: Images) -> Sidecar:
        """What is put in."""
        return Sidecar(
            image=images.agent,
            app_ports=",".join(str(port) for app in self.apps for port in app.ports),
            grace_period=self.grace,
            settings={**SETTINGS, **({"kubernetes": "on"} if self.api else {}), **self.settings},
            native=self.native,
            pull_policy=images.pull,
        )

    def pod(self, images: Images) -> Manifest:
        """With the sidecar: what `drainer inject` makes of it."""
        sidecar = self.sidecar(images)
        options = Options(
            image=sidecar.image,
            pull_policy=sidecar.pull_policy,
            app_ports=sidecar.app_ports,
            settings=sidecar.settings,
            native=sidecar.native,
        )
        return inject({"apiVersion": "v1", "kind": "Pod", **self.plain(images)}, options).manifest


SETTINGS = {"settle": "2s", "app_reserve": "3s"}
"""Shorter than the defaults: most of a test is waiting."""
GENTLE = {"close": "notify", "notify_url": f"http://127.0.0.1:{NOTIFY}/drain"}
"""For an app with `notify`: who stays is closed by it."""


def workload(kind: str, name: str, template: Manifest, replicas: int) -> Manifest:
    """A Deployment or StatefulSet; it selects on `app`, and the template has it."""
    labels = {"app": name}
    pod = {"metadata": template["metadata"], "spec": template["spec"]}
    pod["metadata"]["labels"] |= labels
    spec: Manifest = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": pod}
    if kind == "StatefulSet":
        spec |= {"serviceName": name, "podManagementPolicy": "Parallel"}
    else:
        spec |= {"strategy": {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}


def service(name: str, selector: Mapping[str, str], families: Sequence[str] = ()) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {
            "selector": dict(selector),
            "ports": [{"name": "ws", "port": PORT, "targetPort": PORT}],
            **({"ipFamilies": list(families), "ipFamilyPolicy": "SingleStack"} if families else {}),
        },
    }


def clients_pod(name: str, images: Images) -> Manifest:
    """The pod that the clients run in."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {
            "terminationGracePeriodSeconds": 0,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "containers": [
                {
                    "name": "clients",
                    **images.of(images.app),
                    "command": ["python3", f"{MOUNT}/clients.py", "--control", str(CONTROL), "--silent", str(SILENT)],
                    "readinessProbe": {
                        "httpGet": {"path": "/libraries", "port": CONTROL},
                        "periodSeconds": 1,
                        "timeoutSeconds": 5,
                    },
                    "volumeMounts": [{"name": "programs", "mountPath": MOUNT}],
                    "securityContext": RESTRICTED,
                }
            ],
            "volumes": [{"name": "programs", "configMap": {"name": "programs"}}],
        },
    }


def programs() -> Manifest:
    """The programs of the pods, as a ConfigMap."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "programs"},
        "data": {path.name: path.read_text() for path in PROGRAMS.glob("[a-z]*.py")},
    }


def rights(namespace: str, account: str) -> list[Manifest]:
    """A service account with what an agent with every feature of the API needs: what `drainer inject --rbac` writes."""
    name = {"name": account, "namespace": namespace}
    every = Rights(label=True, condition=True, events=True, cost=True, others=True)
    return [{"apiVersion": "v1", "kind": "ServiceAccount", "metadata": name}, *rendered(namespace, account, every)]
