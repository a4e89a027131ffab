"""Whom to ask: agents by their address, and pods of a cluster that have the sidecar."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from drainer.commands.answers import NoAnswerError
from drainer.commands.doctor.case import Surroundings, as_case, as_pod
from drainer.commands.doctor.kubelet import ENDED, container_status, ended_with, pod_status
from drainer.commands.pods import identity
from drainer.commands.status.asking import MOST, WITHIN, Agent, fetch
from drainer.errors import ClusterError, ConfigError
from drainer.settings import BY_NAME

if TYPE_CHECKING:
    from drainer.commands.cluster import Cluster

PORT = int(BY_NAME["port"].default or 0)
_POD = re.compile(r"(?:([a-z0-9][a-z0-9-]{0,62})/)?([a-z0-9][a-z0-9.-]{0,252})", re.ASCII)
_PASSWORD = re.compile(r"//[^/]*@")
_FOR_A_CLUSTER = ("selector", "namespace", "all_namespaces", "kubeconfig", "context")

Find = Callable[[], list[Agent]]
"""Whom to ask now; raises ClusterError."""


def find(flags: argparse.Namespace) -> Find:
    """What the flags mean. Raises ConfigError, and ClusterError where there is no cluster to ask."""
    direct, pods = _told_apart(flags.target)
    mistakes = [
        f"--{name.replace('_', '-')} cannot be used with an agent's address; allowed: with pods of a cluster"
        for name in _FOR_A_CLUSTER
        if direct and not pods and getattr(flags, name)
    ]
    mistakes += [
        f"--{name.replace('_', '-')} cannot be used together with {flags.target[0]!r}; allowed: one or the other"
        for name in ("selector", "all_namespaces")
        if flags.target and not mistakes and getattr(flags, name)
    ]
    if mistakes:
        raise ConfigError(mistakes)
    if direct and not pods:
        return lambda: direct
    from drainer.commands.cluster import Cluster  # noqa: PLC0415 - needs kubernetes

    cluster = Cluster.of(flags.kubeconfig, flags.context)
    namespace = flags.namespace or cluster.namespace
    if pods:
        named = [_pod(cluster, place or namespace, name) for place, name in pods]
        return lambda: [*direct, *named]
    everywhere = None if flags.all_namespaces else namespace
    return lambda: list(_listed(cluster, everywhere, flags.selector or ""))


def names_namespaces(flags: argparse.Namespace) -> bool:
    """Whether pods of the same name can be meant."""
    return flags.all_namespaces or any("/" in target and _POD.fullmatch(target) for target in flags.target)


def _told_apart(targets: list[str]) -> tuple[list[Agent], list[tuple[str, str]]]:
    """(agents by address, pods as (namespace or "", name))."""
    direct, pods, mistakes = [], [], []
    for target in targets:
        if match := _POD.fullmatch(target):
            pods.append((match[1] or "", match[2]))
        elif (agent := _address(target)) is not None:
            direct.append(agent)
        else:
            shown = _PASSWORD.sub("//...@", target)
            mistakes.append(
                f"{shown!r} is no agent; allowed: HOST:PORT, http://HOST:PORT, POD or NAMESPACE/POD, like chat/web-0"
            )
    if mistakes:
        raise ConfigError(mistakes)
    return direct, pods


def _address(target: str) -> Agent | None:
    try:
        parts = urlsplit(target if "://" in target else f"//{target}")
        port = parts.port or PORT
    except ValueError:
        return None
    is_text = ":" in target and target.isascii() and target.isprintable() and " " not in target
    if parts.scheme not in ("", "http") or not parts.hostname or parts.username or not is_text:
        return None
    path = parts.path if parts.path not in ("", "/") else "/status"
    return Agent("", parts.netloc, partial(fetch, parts.hostname, port, path))


def _listed(cluster: Cluster, namespace: str | None, selector: str) -> Iterator[Agent]:
    """The pods that have the sidecar, and have not ended."""
    try:
        for data in cluster.pods(namespace, selector):
            agent = _agent(cluster, data)
            if agent is not None and _phase(data) not in ENDED:
                yield agent
    except NoAnswerError as error:
        where = f"of {namespace}" if namespace else "of all namespaces"
        raise ClusterError(f"the pods {where} cannot be listed ({error})") from None


def _agent(cluster: Cluster, data: Mapping[str, Any]) -> Agent | None:
    _, namespace, name = identity("Pod", data)
    port = _port(namespace, name, data)
    return None if port is None else Agent(namespace, name, partial(_status, cluster, namespace, name, port, data))


def _pod(cluster: Cluster, namespace: str, name: str) -> Agent:
    """One pod by its name: it is looked at anew each time, for another one may have its name."""

    def look() -> Any:
        data = cluster.get(f"/api/v1/namespaces/{namespace}/pods/{name}", within=WITHIN)
        port = _port(namespace, name, data) if isinstance(data, Mapping) else None
        if port is None:
            raise NoAnswerError("the pod has no drainer")
        return _status(cluster, namespace, name, port, data)

    return Agent(namespace, name, look)


def _port(namespace: str, name: str, data: Mapping[str, Any]) -> int | None:
    """The agent's port; None for a pod without one."""
    pod = as_pod("Pod", namespace, name, data)
    return as_case(pod, Surroundings()).port if pod.agents else None


def _phase(data: Mapping[str, Any]) -> str:
    return pod_status(data)["phase"].text


def _lack(namespace: str, name: str, data: Mapping[str, Any]) -> str:
    """Why the agent's container does not run, in the kubelet's word (ErrImagePull, CrashLoopBackOff); "" if it does."""
    agent = as_pod("Pod", namespace, name, data).agents[0]
    state = container_status(data, agent.name)["state"]
    if state["terminated"]:
        return f"has ended with {ended_with(state['terminated'])}"
    reason = state["waiting"]["reason"].text or ("nobody says for what" if state["waiting"] else "")
    return reason and f"waits, {reason}"


def _status(cluster: Cluster, namespace: str, name: str, port: int, data: Mapping[str, Any]) -> Any:
    """Through the API server's proxy. Raises NoAnswerError."""
    from drainer.commands.cluster import status_path  # noqa: PLC0415 - needs kubernetes

    phase = _phase(data)
    lack = _lack(namespace, name, data) if phase else ""
    if phase != "Running" or lack:
        shown = phase or "not said to be running"
        raise NoAnswerError(f"the pod is {shown}" + (f": the agent {lack}" if lack else ""))
    return cluster.get(status_path(namespace, name, port), MOST, WITHIN)
