"""What happened in the namespace: every state of every pod, the Events, the endpoints, what the containers wrote.

All of it is kept, for pods that are gone too: a test looks at the end of a pod after it has ended.
"""

from __future__ import annotations

import json
import re
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
STAMP = re.compile(r"\d{4}-\d\d-\d\dT\S+Z ")
"""What the kubelet puts before each line of a container, if it is asked to; not before what it says itself."""


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
    identity: str
    """containerID: another one after a restart."""
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
        metadata = seen.object["metadata"]
        self.pods.setdefault(metadata["uid"], []).append(seen)
        for container in containers(seen.object):
            identity = container.get("containerID")
            if identity and identity not in self._followed:
                self._followed.add(identity)
                log = Log(metadata["uid"], container["name"], identity)
                self.logs.append(log)
                self._in_thread(partial(self._follow, log, metadata["name"]))

    def _follow(self, log: Log, pod: str) -> None:
        """Reads until a reading that began after the container's end.

        One that ends sooner has broken, or the node had no inotify instance left for it (fs.inotify.max_user_instances:
        `too many open files`): such a stream ends with what there is, and so the log is read again and again.
        """
        path = f"/api/v1/namespaces/{self._namespace}/pods/{pod}/log"
        query = {"container": log.container, "follow": "true", "timestamps": "true"}
        known: list[str] = []
        while not self._stopped.is_set():
            runs, read = self._runs(log), []
            try:
                for line in filter(STAMP.match, self._cluster.lines(path, query)):
                    read.append(line)
                    # Each reading is from the beginning; after a restart it is another container's.
                    if read[:-1] == known:
                        known.append(line)
                        log.lines.append(STAMP.sub("", line, count=1))
            except ApiException as error:
                if error.status == 404:
                    return  # The pod has gone before its log could be read.
            except urllib3.exceptions.HTTPError:
                pass
            else:
                if not runs:
                    return
            self._stopped.wait(AGAIN_AFTER)

    def _runs(self, log: Log) -> bool:
        """As far as we were told."""
        latest = self.pods[log.pod][-1]
        return latest.type != "DELETED" and any(
            one.get("containerID") == log.identity and "terminated" not in one["state"]
            for one in containers(latest.object)
        )

    def _in_thread(self, work: Callable[[], None]) -> None:
        threading.Thread(target=work, name="recorder", daemon=True).start()


def containers(pod: Manifest) -> list[Manifest]:
    """The status of each container; of the init containers first."""
    status = pod.get("status", {})
    return [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]
