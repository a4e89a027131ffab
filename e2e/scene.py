"""The scene of one test: what it puts into the namespace, what it sees, and how all of it is removed."""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from e2e.chart import Chart, is_test
from e2e.cluster import Cluster, Manifest
from e2e.manifests import PORT, Images, Template, service, workload
from e2e.pod import Pod
from e2e.recorder import Recorder
from e2e.traffic import Group, Traffic
from e2e.waiting import until

SCENE = "e2e-scene"
"""Label of every pod of a scene."""


@dataclass(frozen=True)
class Stage:
    """What all tests of one process share."""

    cluster: Cluster
    namespace: str
    images: Images
    recorder: Recorder
    traffic: Traffic
    clients: Pod
    """The pod that the clients are in."""

    @property
    def has_ipv6(self) -> bool:
        return any(":" in address for address in self.clients.addresses)


@dataclass
class Scene:
    """One test's part of the namespace."""

    stage: Stage
    name: str
    """Of all its objects."""
    saw: dict[str, Any] = field(default_factory=dict)
    """What goes into the table: word -> what was seen."""
    _made: list[Manifest] = field(default_factory=list)

    @property
    def cluster(self) -> Cluster:
        return self.stage.cluster

    def create(self, manifest: Manifest) -> Manifest:
        """An object of this scene; it is removed with it, and at the latest with the run."""
        manifest = self.cluster.placed(manifest, self.stage.namespace)
        self._made.append(manifest)
        return self.cluster.create(manifest)

    def release(self, values: Mapping[str, Any]) -> list[Manifest]:
        """The project's chart, installed for this scene; returned are all its objects, its tests too."""
        chart = Chart.or_skip()
        # Names of what no namespace holds are the run's too.
        values = {**self.stage.images.values(), "fullnameOverride": f"{self.stage.namespace}-{self.name}", **values}
        rendered = chart.render(self.name, self.stage.namespace, self.cluster.version_name, values)
        for manifest in rendered:
            if not is_test(manifest):
                self.create(manifest)
        return rendered

    def pod(self, template: Template, name: str = "") -> Pod:
        """A pod of its own; waits until it is ready."""
        return self.ready(self.start(template.pod(self.stage.images), name))

    def start(self, pod: Manifest, name: str = "") -> Pod:
        """Create a pod from a template's manifest, without waiting."""
        pod = {"apiVersion": "v1", "kind": "Pod", **pod}
        pod["metadata"] |= {"name": f"{self.name}{name}"}
        pod["metadata"]["labels"] = {**pod["metadata"].get("labels", {}), SCENE: self.name, "app": self.name}
        uid = self.create(pod)["metadata"]["uid"]
        until(f"the watch has seen {self.name}{name}", lambda: uid in self.stage.recorder.pods)
        return Pod(self.cluster, self.stage.recorder, uid)

    def ready(self, pod: Pod) -> Pod:
        until(f"{pod.name} is ready", lambda: pod.is_ready)
        return pod

    def workload(self, kind: str, template: Template, replicas: int) -> Manifest:
        """A Deployment or StatefulSet of pods with the sidecar; waits until all are ready."""
        return self.deploy(template.pod(self.stage.images), replicas, kind)

    def deploy(self, template: Manifest, replicas: int, kind: str = "Deployment") -> Manifest:
        """The same of any pods."""
        manifest = workload(kind, self.name, template, replicas)
        manifest["spec"]["template"]["metadata"]["labels"] |= {SCENE: self.name}
        made = self.create(manifest)
        until(f"{replicas} pods of {self.name} are ready", lambda: len(self.ready_pods()) == replicas)
        return made

    def pods(self, labels: Mapping[str, str] | None = None) -> list[Pod]:
        """All there were of this scene, or with these labels; the oldest first."""
        recorder, wanted = self.stage.recorder, (labels or {SCENE: self.name}).items()
        return [
            Pod(self.cluster, recorder, uid)
            for uid, seen in list(recorder.pods.items())
            if wanted <= seen[-1].object["metadata"].get("labels", {}).items()
        ]

    def ready_pods(self, labels: Mapping[str, str] | None = None) -> list[Pod]:
        return [pod for pod in self.pods(labels) if pod.is_ready and not pod.is_terminating]

    def service(self, selector: Mapping[str, str] | None = None, families: tuple[str, ...] = ()) -> str:
        """A Service for the scene's pods, in force where the clients are; its URL by address (names need a DNS)."""
        made = self.create(service(self.name, {"app": self.name, **(selector or {})}, families))
        address = url(made["spec"]["clusterIP"])
        asked = address.replace("ws:", "http:")
        until(f"the Service {address} leads to a pod", lambda: self.stage.traffic.request(asked, seconds=2)["status"])
        return address

    def endpoints(self) -> dict[str, dict[str, bool]]:
        """Pod -> {ready, serving, terminating}, as the Service's EndpointSlices say now."""
        latest: dict[str, Manifest] = {}
        for seen in list(self.stage.recorder.slices):
            if seen.object["metadata"].get("labels", {}).get("kubernetes.io/service-name") == self.name:
                latest[seen.object["metadata"]["name"]] = seen.object if seen.type != "DELETED" else {}
        return {
            one["targetRef"]["name"]: one["conditions"]
            for found in latest.values()
            for one in found.get("endpoints") or []
        }

    def clients(self, pod: Pod, count: int, port: int = PORT) -> Group:
        """So many clients of one pod."""
        return self.stage.traffic.group(url(pod.addresses[0], port), count)

    def remove(self) -> None:
        """All that this scene made; its pods at once."""
        for manifest in reversed(self._made):
            self.cluster.delete(manifest, grace=0 if manifest["kind"] == "Pod" else None)
        for pod in self.pods():
            if not pod.is_gone:
                pod.delete(grace=0)

    def story(self) -> dict[str, str]:
        """For a test that failed: title -> text."""
        story = {}
        for pod in self.pods():
            status, name = pod.now.get("status", {}), f"{pod.name} ({pod.uid})"
            story[f"{name}: status"] = "\n".join(f"{key}: {value}" for key, value in status.items())
            story[f"{name}: Events"] = "\n".join(f"{reason}: {message}" for reason, message in pod.events().items())
            logs = [log for log in self.stage.recorder.logs if log.pod == pod.uid]
            for number, log in enumerate(logs, 1):
                story[f"{name}: log {number}, of {log.container}"] = "\n".join(log.lines)
        return story


def url(address: str, port: int = PORT) -> str:
    """Of a WebSocket server."""
    return f"ws://[{address}]:{port}/" if ":" in address else f"ws://{address}:{port}/"


def object_name(test: str) -> str:
    """A test's name as the name of Kubernetes objects: short enough to have something behind it."""
    words = re.sub(r"[^a-z0-9]+", "-", test.removeprefix("test_").lower())
    return f"{words[:28].strip('-')}-{zlib.crc32(test.encode()):08x}"
