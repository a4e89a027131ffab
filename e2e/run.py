"""One run of the suite in a cluster: its namespace, what all its tests share, and the removal of both."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from e2e.cluster import RUN, SYSTEM, Cluster, Manifest
from e2e.manifests import ACCOUNT, Images, clients_pod, programs, rights
from e2e.pod import Pod
from e2e.recorder import Recorder
from e2e.scene import Stage
from e2e.traffic import Traffic
from e2e.waiting import until

POLICIES = "admissionregistration.k8s.io/v1"
CLUSTER_WIDE = (
    (POLICIES, "MutatingAdmissionPolicyBinding", "mutatingadmissionpolicybindings"),
    (POLICIES, "MutatingAdmissionPolicy", "mutatingadmissionpolicies"),
    (POLICIES, "ValidatingAdmissionPolicyBinding", "validatingadmissionpolicybindings"),
    (POLICIES, "ValidatingAdmissionPolicy", "validatingadmissionpolicies"),
    ("apiregistration.k8s.io/v1", "APIService", "apiservices"),
    ("rbac.authorization.k8s.io/v1", "RoleBinding", f"namespaces/{SYSTEM}/rolebindings"),
    ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "clusterrolebindings"),
    ("rbac.authorization.k8s.io/v1", "ClusterRole", "clusterroles"),
)
"""Bindings first: a binding without its policy makes the API server complain."""
REMOVAL_SECONDS = 90.0


@dataclass(frozen=True)
class Run:
    """A namespace, from its creation to its removal."""

    cluster: Cluster
    namespace: str
    standard: str = "restricted"
    """The Pod Security Standard that is enforced: the strictest, but for closers that need rights."""

    @property
    def _namespace(self) -> Manifest:
        labels = {f"pod-security.kubernetes.io/{mode}": self.standard for mode in ("enforce", "warn")}
        return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace, "labels": labels}}

    def begin(self) -> None:
        """Make the namespace, with what every test needs."""
        self.cluster.create(self._namespace)
        for manifest in (programs(), *rights(self.namespace, ACCOUNT)):
            self._create(manifest)

    def end(self) -> None:
        """Remove whatever a test of this run has made, pods at once; says so when it could not."""
        for group, kind, plural in CLUSTER_WIDE:
            if self.cluster.has(group, kind):
                path = f"/apis/{group}/{plural}"
                self.cluster.call("DELETE", path, query={"labelSelector": f"{RUN}={self.namespace}"})
        pods = f"/api/v1/namespaces/{self.namespace}/pods"
        self.cluster.delete(self._namespace)
        self.cluster.call("DELETE", pods, query={"gracePeriodSeconds": 0})
        every = f"metadata.name={self.namespace}"
        until(
            f"the namespace {self.namespace} is gone (`kubectl delete namespace {self.namespace}` does it by hand)",
            lambda: not self.cluster.call("GET", "/api/v1/namespaces", query={"fieldSelector": every})["items"],
            REMOVAL_SECONDS,
        )

    @contextlib.contextmanager
    def stage(self, images: Images, name: str) -> Iterator[Stage]:
        """What the tests of one process share: a recorder, and a pod with clients."""
        recorder = Recorder(self.cluster, self.namespace)
        recorder.start()
        uid = self._create(clients_pod(f"clients-{name}", images))["metadata"]["uid"]
        clients = Pod(self.cluster, recorder, uid)
        until("the clients' pod is ready", lambda: uid in recorder.pods and clients.is_ready)
        traffic = Traffic(self.cluster, self.namespace, clients.name)
        yield Stage(self.cluster, self.namespace, images, recorder, traffic, clients)
        recorder.stop()

    def _create(self, manifest: Manifest) -> Manifest:
        return self.cluster.create(self.cluster.placed(manifest, self.namespace))


def runs(cluster: Cluster, name: str) -> tuple[Run, Run]:
    """The run's namespace, and one for closers that need rights."""
    return Run(cluster, name), Run(cluster, f"{name}-privileged", "privileged")
