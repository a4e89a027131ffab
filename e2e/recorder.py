"""What happened in the namespace: every state of every pod, the Events, the endpoints, what the containers wrote.

All of it is kept, for pods that are gone too: a test looks at the end of a pod after it has ended.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import urllib3
from kubernetes.client.exceptions import ApiException

from e2e.cluster import Cluster, Manifest

AGAIN_AFTER = 0.3
"""Seconds after a stream that broke."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """An object as it was."""

    at: float
    """Unix seconds, when it was told to us."""
    type: str
    """ADDED, MODIFIED or DELETED."""
    object: Manifest


@dataclass
class Log:
    """What one container has written so far, from one start to one end."""

    pod: str
    """uid"""
    container: str
    lines: list[str] = field(default_factory=list)

    def parsed(self) -> Iterator[dict[str, Any]]:
        for line in list(self.lines):
            try:
                yield json.loads(line)
            except ValueError:
                yield {"message": line}


class Recorder:
    """Watches one namespace, in threads of its own."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self._cluster = cluster
        self._namespace = namespace
        self._stopped = threading.Event()
        self._followed: set[str] = set()
        self.pods: dict[str, list[Sighting]] = {}
        """uid -> its states, oldest first."""
        self.slices: list[Sighting] = []
        self.events: dict[str, Manifest] = {}
        """uid of the Event -> as it was last."""
        self.logs: list[Log] = []
        """In the order in which the containers were seen to run."""

    def start(self) -> None:
        core, discovery = f"/api/v1/namespaces/{self._namespace}", "/apis/discovery.k8s.io/v1/namespaces"
        for path, take in (
            (f"{core}/pods", self._saw_pod),
            (f"{core}/events", self._saw_event),
            (f"{discovery}/{self._namespace}/endpointslices", self.slices.append),
        ):
            self._in_thread(partial(self._watch, path, take))

    def stop(self) -> None:
        self._stopped.set()

    def log(self, pod: str, container: str) -> list[Log]:
        """Of one container, by uid of the pod: one Log for each start."""
        return [log for log in self.logs if (log.pod, log.container) == (pod, container)]

    def _watch(self, path: str, take: Callable[[Sighting], None]) -> None:
        while not self._stopped.is_set():
            try:
                for line in self._cluster.lines(path, {"watch": "true", "timeoutSeconds": 1800}):
                    change = json.loads(line)
                    if change["type"] != "ERROR":
                        take(Sighting(time.time(), change["type"], change["object"]))
            except (ApiException, urllib3.exceptions.HTTPError, ValueError):
                self._stopped.wait(AGAIN_AFTER)

    def _saw_event(self, seen: Sighting) -> None:
        self.events[seen.object["metadata"]["uid"]] = seen.object

    def _saw_pod(self, seen: Sighting) -> None:
        metadata, status = seen.object["metadata"], seen.object.get("status", {})
        self.pods.setdefault(metadata["uid"], []).append(seen)
        for container in (*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])):
            identity = container.get("containerID")
            if identity and identity not in self._followed:
                self._followed.add(identity)
                log = Log(metadata["uid"], container["name"])
                self.logs.append(log)
                self._in_thread(partial(self._follow, log, metadata["name"]))

    def _follow(self, log: Log, pod: str) -> None:
        path = f"/api/v1/namespaces/{self._namespace}/pods/{pod}/log"
        while not self._stopped.is_set():
            # Read anew from the beginning: what was read before stays until there is more.
            lines: list[str] = []
            try:
                for line in self._cluster.lines(path, {"container": log.container, "follow": "true"}):
                    lines.append(line)
                    if len(lines) >= len(log.lines):
                        log.lines = lines
            except ApiException as error:
                if error.status == 404:
                    return  # The pod has gone before its log could be read.
            except urllib3.exceptions.HTTPError:
                pass
            else:
                return
            self._stopped.wait(AGAIN_AFTER)

    def _in_thread(self, work: Callable[[], None]) -> None:
        threading.Thread(target=work, name="recorder", daemon=True).start()
