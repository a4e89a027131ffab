"""What the checks look at: a pod with its workload, the agent's container in it, and the objects around it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from drainer.commands.doctor.findings import Found, Path
from drainer.commands.doctor.given import IDENTITY, Given, given
from drainer.commands.doctor.shapes import POD, SCALER, SERVICE, WORKLOAD, Node, Shape, cleaned
from drainer.commands.mesh import ALL as MESHES
from drainer.config import DEFAULT_GRACE
from drainer.keys import CONTAINER
from drainer.settings import BY_NAME
from drainer.sidecar import NAME

PROXIES = (*(mesh.proxy for mesh in MESHES), "kuma-sidecar")
"""Containers that a mesh puts in; they are the mesh's to configure."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Objects beside the workload: of the same files, or of the same namespace of a cluster. Plain mappings."""

    services: Sequence[Mapping[str, Any]] = ()
    scalers: Sequence[Mapping[str, Any]] = ()
    """HorizontalPodAutoscalers."""
    owners: Sequence[tuple[str, str]] = ()
    """(kind, name) of what the pod belongs to, beside the object itself."""


@dataclass(frozen=True)
class Container:
    """A container of the pod."""

    node: Node
    is_init: bool
    index: int

    @property
    def name(self) -> str:
        """Its name."""
        return self.node["name"].text

    @property
    def is_native(self) -> bool:
        """Whether it is an init container that goes on running."""
        return self.is_init and self.node["restartPolicy"].text == "Always"

    @property
    def is_proxy(self) -> bool:
        """Whether a mesh has put it in."""
        return self.name in PROXIES

    @property
    def image(self) -> str:
        """The last part of its image's name, without tag and digest."""
        return self.node["image"].text.rpartition("/")[2].partition("@")[0].partition(":")[0]

    def ports(self) -> Iterator[tuple[int, str, Path]]:
        """(number, name, place) of each declared TCP port."""
        for port in self.node["ports"]:
            number = port["containerPort"].number
            if number is not None and port["protocol"].text in ("", "TCP"):
                yield number, port["name"].text, port["containerPort"].path

    def port(self, wanted: Node) -> int | None:
        """The number of a port that is given as a number or as the name of one of this container's ports."""
        text = wanted.text
        if not text:
            return wanted.number
        if text.isascii() and text.isdigit() and len(text) <= len("65535"):
            return int(text)
        return next((number for number, name, _ in self.ports() if name == text), None)


@dataclass(frozen=True)
class Pod:
    """A pod, or the template of a workload's pods."""

    kind: str
    namespace: str
    name: str
    object: Node
    """The workload, or the pod itself."""
    pod: Node
    """The part that has `metadata` and `spec` of the pod."""
    faults: tuple[Found, ...] = ()
    """Fields that are not of their type, and were left out."""

    @property
    def spec(self) -> Node:
        """The PodSpec."""
        return self.pod["spec"]

    @property
    def labels(self) -> Mapping[str, str]:
        """Of the pod."""
        return self._strings("labels")

    @property
    def annotations(self) -> Mapping[str, str]:
        """Of the pod."""
        return self._strings("annotations")

    def _strings(self, key: str) -> Mapping[str, str]:
        return {name: text for name, text in self.pod["metadata"][key].keys.items() if isinstance(text, str)}

    def annotation(self, key: str) -> Path:
        """The place of an annotation."""
        return self.pod["metadata"]["annotations"][key].path

    @cached_property
    def containers(self) -> tuple[Container, ...]:
        """All of them, init containers first, as they start."""
        return tuple(
            Container(node, is_init, index)
            for key, is_init in (("initContainers", True), ("containers", False))
            for index, node in enumerate(self.spec[key])
            if node
        )

    @cached_property
    def agents(self) -> tuple[Container, ...]:
        """Those that are the agent: by the variable that only the agent has, or by name and image or command."""
        return tuple(
            one
            for one in self.containers
            if any(variable["name"].text == BY_NAME["app_ports"].env for variable in one.node["env"])
            or (one.name == NAME and (one.image == NAME or "run" in one.node["args"].texts))
        )

    @property
    def grace(self) -> int:
        """TerminationGracePeriodSeconds."""
        number = self.spec["terminationGracePeriodSeconds"].number
        return int(DEFAULT_GRACE) if number is None else number


@dataclass(frozen=True)
class Case:
    """A pod that has the agent's container, and what is around it."""

    pod: Pod
    sidecar: Container
    given: Given
    services: tuple[Node, ...]
    """Those that select the pod."""
    scalers: tuple[Node, ...]
    """Those that scale it."""

    @property
    def spec(self) -> Node:
        """The PodSpec."""
        return self.pod.spec

    @cached_property
    def ordinary(self) -> tuple[Container, ...]:
        """The containers that the kubelet stops at once, without the agent's and those of a mesh."""
        return tuple(
            one for one in self.pod.containers if not one.is_init and one is not self.sidecar and not one.is_proxy
        )

    @cached_property
    def serving(self) -> tuple[Container, ...]:
        """The ordinary containers that have clients.

        Those that declare one of the app's ports; where none does, those that the annotation names; or all of them.
        """
        ports = set(self.given.values["app_ports"])
        named = set(re.split(r"[,\s]+", self.pod.annotations.get(CONTAINER, "")))
        declaring = tuple(one for one in self.ordinary if any(number in ports for number, _, _ in one.ports()))
        return declaring or tuple(one for one in self.ordinary if one.name in named) or self.ordinary

    @property
    def port(self) -> int:
        """The agent's port."""
        port: int = self.given.values["port"]
        return port

    @property
    def closers(self) -> tuple[str, ...]:
        """In the order in which they are tried."""
        closers: tuple[str, ...] = self.given.values["close"]
        return closers

    @property
    def has_token(self) -> bool:
        """Whether only the token counts."""
        return self.given.has("token") or self.given.has("token_file")

    @property
    def is_on_host(self) -> bool:
        """Whether the pod shares the node's network."""
        return self.spec["hostNetwork"].is_true

    @property
    def uses_api(self) -> bool:
        """Whether the agent asks the API about its pod."""
        choice = self.given.values["kubernetes"]
        return bool(choice == "on" or (choice == "auto" and set(self.given.identity) == set(IDENTITY)))

    @property
    def grace_period(self) -> float:
        """The grace period that the agent goes by, in seconds."""
        period: float | None = self.given.values["grace_period"]
        if period is None:
            return self.pod.grace if self.uses_api else DEFAULT_GRACE
        return period

    def seconds(self, name: str) -> float:
        """A setting that is a length of time."""
        length: float = self.given.values[name]
        return length


def as_pod(kind: str, namespace: str, name: str, data: Mapping[str, Any]) -> Pod:
    """The pod of an object of one of the kinds that have pods, whatever is in it."""
    faults: list[Found] = []
    node = Node(cleaned(dict(data), POD if kind == "Pod" else WORKLOAD, (), faults))
    return Pod(kind, namespace, name, node, node if kind == "Pod" else node["spec"]["template"], tuple(faults))


def as_case(pod: Pod, around: Surroundings) -> Case:
    """A pod with at least one container of the agent, beside what is around it."""
    sidecar = pod.agents[0]
    return Case(
        pod=pod,
        sidecar=sidecar,
        given=given(sidecar.node, pod.grace, pod.annotations),
        services=tuple(one for one in _nodes(around.services, SERVICE) if _selects(one, pod)),
        scalers=tuple(one for one in _nodes(around.scalers, SCALER) if _scales(one, pod, around.owners)),
    )


def _nodes(objects: Sequence[Mapping[str, Any]], shape: Shape) -> Iterator[Node]:
    for data in objects:
        # What is wrong with the types of these is said by whoever takes them.
        yield Node(cleaned(dict(data), shape, (), []))


def _selects(service: Node, pod: Pod) -> bool:
    selector = service["spec"]["selector"].keys
    return bool(
        selector and _may_share(service, pod) and all(pod.labels.get(key) == value for key, value in selector.items())
    )


def _scales(scaler: Node, pod: Pod, owners: Sequence[tuple[str, str]]) -> bool:
    target = scaler["spec"]["scaleTargetRef"]
    wanted = (target["kind"].text, target["name"].text)
    return _may_share(scaler, pod) and wanted in ((pod.kind, pod.name), *owners)


def _may_share(other: Node, pod: Pod) -> bool:
    """Whether both are in one namespace; a manifest that names none goes wherever it is applied."""
    namespace = other["metadata"]["namespace"].text
    return not namespace or not pod.namespace or namespace == pod.namespace
