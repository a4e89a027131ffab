"""A pod of a test: what it is now, what it was, what its containers wrote."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from drainer.keys import DELETION_COST
from drainer.sidecar import NAME
from e2e.cluster import Cluster, Manifest
from e2e.manifests import CONTROL
from e2e.recorder import Recorder, containers
from e2e.waiting import PATIENCE, until

AGENT_PORT = 9808


class Pod:
    """By uid: one of the same name that comes after it is another one."""

    def __init__(self, cluster: Cluster, recorder: Recorder, uid: str) -> None:
        self._cluster = cluster
        self._recorder = recorder
        self.uid = uid

    @property
    def now(self) -> Manifest:
        """As it was last."""
        return self.history[-1]

    @property
    def history(self) -> list[Manifest]:
        """All that it was, oldest first."""
        return [seen.object for seen in self._recorder.pods[self.uid]]

    @property
    def name(self) -> str:
        return str(self.now["metadata"]["name"])

    @property
    def manifest(self) -> Manifest:
        """What stands for it in calls of the API."""
        namespace = self.now["metadata"]["namespace"]
        return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": self.name, "namespace": namespace}}

    @property
    def addresses(self) -> list[str]:
        return [address["ip"] for address in self.now["status"].get("podIPs", [])]

    @property
    def is_ready(self) -> bool:
        return self.condition("Ready").get("status") == "True"

    @property
    def is_terminating(self) -> bool:
        return "deletionTimestamp" in self.now["metadata"]

    @property
    def is_gone(self) -> bool:
        return self._recorder.pods[self.uid][-1].type == "DELETED"

    @property
    def gone_at(self) -> float:
        """When that was told to us, in Unix seconds."""
        return self._recorder.pods[self.uid][-1].at

    def label(self, key: str) -> str | None:
        value: str | None = self.now["metadata"].get("labels", {}).get(key)
        return value

    def labels(self, key: str) -> list[str | None]:
        """Every value that a label has had."""
        return [value for value, _ in itertools.groupby(one["metadata"]["labels"].get(key) for one in self.history)]

    @property
    def costs(self) -> list[str]:
        """Every deletion cost that it has had."""
        found = [one["metadata"].get("annotations", {}).get(DELETION_COST) for one in self.history]
        return list(dict.fromkeys(cost for cost in found if cost is not None))

    def condition(self, kind: str) -> Mapping[str, Any]:
        conditions = self.now.get("status", {}).get("conditions", [])
        return next((one for one in conditions if one["type"] == kind), {})

    def conditions(self, kind: str) -> list[tuple[str, str]]:
        """Every (status, reason) that it went through."""
        passed: list[tuple[str, str]] = []
        for state in self.history:
            for one in state.get("status", {}).get("conditions", []):
                said = (one["status"], one.get("reason", ""))
                if one["type"] == kind and said != (passed[-1] if passed else None):
                    passed.append(said)
        return passed

    def container(self, name: str) -> Mapping[str, Any]:
        """Its status: restartCount, state, lastState."""
        return next((one for one in containers(self.now) if one["name"] == name), {})

    def ended(self, name: str) -> Mapping[str, Any]:
        """How a container ended: exitCode, message, finishedAt; waits for it."""
        return until(
            f"{name} of {self.uid} has ended", lambda: self.container(name).get("state", {}).get("terminated", {})
        )

    def events(self, source: str = "") -> dict[str, str]:
        """reason -> message of the Events about it, of one source or of all."""
        return {
            event["reason"]: event.get("message", "")
            for event in list(self._recorder.events.values())
            if event["involvedObject"].get("uid") == self.uid
            and source in ("", event.get("source", {}).get("component") or event.get("reportingComponent"))
        }

    def said(self, container: str) -> Iterator[dict[str, Any]]:
        """What a container wrote, in all its starts: the JSON of each line."""
        for log in self._recorder.log(self.uid, container):
            yield from log.parsed()

    def tells(self, event: str, container: str = "app") -> dict[str, Any]:
        """The first time that the app told of `event`; waits for it."""
        return until(
            f"{container} tells of {event!r}",
            lambda: next((line for line in self.said(container) if line.get("event") == event), {}),
        )

    def phase(self, phase: str, within: float = PATIENCE) -> dict[str, Any]:
        """The agent's first line of this phase, with `at` in Unix seconds; waits for it."""
        line = until(
            f"the agent is in the phase {phase!r}",
            lambda: next((line for line in self.said(NAME) if line.get("phase") == phase), {}),
            within,
        )
        return {**line, "at": datetime.fromisoformat(line["time"]).timestamp()}

    def status(self) -> dict[str, Any]:
        """The agent's /status, through the API server's proxy."""
        status: dict[str, Any] = self._cluster.call("GET", f"{self._proxy(AGENT_PORT)}/status")
        return status

    def metric(self, sample: str) -> float:
        """One sample of the agent's /metrics, spelled as it is there."""
        return self.samples(sample)[sample]

    def samples(self, beginning: str) -> dict[str, float]:
        """All samples of the agent's /metrics that begin so."""
        lines = self._cluster.text(f"{self._proxy(AGENT_PORT)}/metrics").splitlines()
        return {
            name: float(value)
            for name, _, value in (line.rpartition(" ") for line in lines if line.startswith(beginning))
        }

    def hang(self, control: int = CONTROL) -> None:
        """From now on the app fails its probes."""
        self._cluster.call("POST", f"{self._proxy(control)}/hang")

    def delete(self, grace: int | None = None) -> None:
        """As `kubectl delete pod --grace-period`, without waiting."""
        self._cluster.delete(self.manifest, grace)

    def execute(self, container: str, program: str) -> str:
        """Run a Python program in one of its containers; what it printed."""
        return self._cluster.execute(
            self.manifest["metadata"]["namespace"], self.name, container, ["python3", "-c", program]
        )

    def call_agent(self, method: str, path: str) -> str:
        """A call of the agent out of the pod itself: it comes from loopback. Does not wait for an answer of /drain."""
        return self.execute(
            "app",
            "import urllib.request as u\n"
            f"q = u.Request('http://127.0.0.1:{AGENT_PORT}{path}', method='{method}')\n"
            "try:\n    print(u.urlopen(q, timeout=1).read().decode())\n"
            "except TimeoutError:\n    print('held')\n",
        )

    def _proxy(self, port: int) -> str:
        metadata = self.manifest["metadata"]
        return f"/api/v1/namespaces/{metadata['namespace']}/pods/{self.name}:{port}/proxy"
