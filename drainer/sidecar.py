"""The sidecar as it stands in a pod spec. inject writes this; the chart, the policy and the component write the same.

Values are plain JSON (dict, list, str, int, bool), keys in the order in which people like to read them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from drainer.callers import TOKEN_HEADER
from drainer.settings import BY_NAME, SETTINGS

NAME = "drainer"
"""Of the container and of its port."""
USER = 65532
"""Uid and gid: nobody's, and the same as in the image."""
IMAGE = "ghcr.io/drainer/drainer"
RESOURCES = {"requests": {"cpu": "10m", "memory": "48Mi"}, "limits": {"memory": "96Mi"}}
"""What the container asks for and may take where nothing else is said."""

FIXED = ("app_ports", "grace_period", "container")
"""Settings that have a place of their own in the list, or that follow from the pod."""
UNFIT = ("host", "node_ip", "token_file", "service_account")
"""Settings that nobody can give for pods yet to come: they differ from one to the next, or need a mount."""
CHOOSABLE = tuple(setting.name for setting in SETTINGS if setting.name not in (*FIXED, *UNFIT))
"""Settings that flags, values and annotations pass on as they are, in this order."""


@dataclass(frozen=True, slots=True)
class Sidecar:
    """What is to be put into a pod."""

    image: str
    app_ports: str
    """As the setting is written: `8080,9000-9010`."""
    grace_period: int
    """The pod's terminationGracePeriodSeconds."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """Setting -> value as it is written, for settings that are CHOOSABLE; what is not here keeps its default."""
    native: bool = True
    """An init container with restartPolicy Always; otherwise an ordinary container."""
    pull_policy: str = ""
    """Always, IfNotPresent or Never; empty means what Kubernetes does by itself."""
    resources: Mapping[str, Mapping[str, str]] = field(default_factory=lambda: RESOURCES)
    """`requests` and `limits`: resource -> quantity."""

    @property
    def port(self) -> int:
        """The agent's port."""
        return int(self.settings.get("port") or BY_NAME["port"].default or 0)

    @property
    def uses_api(self) -> bool:
        """Whether the agent is told which pod it is in: only that lets it talk to the API."""
        return self.settings.get("kubernetes", "off") != "off"


def container(sidecar: Sidecar) -> dict[str, Any]:
    """The container that counts, answers the hook, and says whether the pod is ready."""
    return {
        "name": NAME,
        "image": sidecar.image,
        **({"imagePullPolicy": sidecar.pull_policy} if sidecar.pull_policy else {}),
        "args": ["run"],
        # This makes it a native sidecar: it starts before the app, and outlives it.
        **({"restartPolicy": "Always"} if sidecar.native else {}),
        "env": environment(sidecar),
        "ports": [{"name": NAME, "containerPort": sidecar.port, "protocol": "TCP"}],
        # The hook's target listens before the app starts. The kubelet's first look comes too early for any process, and
        # would leave an Event "Unhealthy" on every pod; the second is a second later in any case.
        "startupProbe": {
            "httpGet": {"path": "/livez", "port": sidecar.port},
            "initialDelaySeconds": 1,
            "periodSeconds": 1,
            "failureThreshold": 60,
        },
        "readinessProbe": {
            "httpGet": {"path": "/readyz", "port": sidecar.port},
            "periodSeconds": 2,
            "timeoutSeconds": 2,
            "failureThreshold": 1,
        },
        "resources": {group: {**amounts} for group, amounts in sidecar.resources.items()},
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "readOnlyRootFilesystem": True,
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }


def environment(sidecar: Sidecar) -> list[dict[str, Any]]:
    """The agent's variables: what every pod has, what was chosen in the order of the settings' table, who it is."""
    given = {
        "app_ports": sidecar.app_ports,
        "grace_period": f"{sidecar.grace_period}s",
        **({} if sidecar.native else {"container": "plain"}),
        **{name: sidecar.settings[name] for name in CHOOSABLE if sidecar.settings.get(name)},
    }
    fields = {BY_NAME["node_ip"].env: "status.hostIPs"}
    if sidecar.uses_api:
        fields |= {"POD_NAME": "metadata.name", "POD_NAMESPACE": "metadata.namespace", "POD_UID": "metadata.uid"}
    return [
        *({"name": BY_NAME[name].env, "value": value} for name, value in given.items()),
        *({"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}} for name, path in fields.items()),
    ]


def pre_stop(sidecar: Sidecar, *, host_network: bool = False) -> dict[str, Any]:
    """The hook of an ordinary container.

    The port is a number: the kubelet looks a name up among the ports of the container that has the hook
    (pkg/probe/util.go). On the host's network the sandbox has no address of its own (kubernetes#134285), so the hook
    needs `host`; everywhere else Pod Security *baseline* forbids it since 1.34.
    """
    get: dict[str, Any] = {"path": "/drain", "port": sidecar.port}
    if host_network:
        get["host"] = "127.0.0.1"
    if sidecar.settings.get("token"):
        get["httpHeaders"] = [{"name": TOKEN_HEADER, "value": sidecar.settings["token"]}]
    return {"httpGet": get}
