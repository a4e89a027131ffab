"""The sidecar is put in by the chart: by its policy, by its templates; and a strict namespace admits it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from kubernetes.client.exceptions import ApiException

from drainer.keys import INJECT, INJECTED, annotation
from drainer.sidecar import NAME, container, pre_stop
from e2e.chart import Chart, is_test, parent
from e2e.cluster import RUN, Manifest
from e2e.manifests import GENTLE, SETTINGS, Template
from e2e.pod import Pod
from e2e.scene import Scene
from e2e.waiting import stays, until

POLICIES = "admissionregistration.k8s.io/v1"

IN_ITS_OWN_CHART = """\
{{- $drainer := dict "context" $ "appPorts" 8080 "gracePeriod" 30 "settings" .Values.settings }}
apiVersion: v1
kind: Pod
metadata:
  labels: {}
spec:
  terminationGracePeriodSeconds: {{ include "drainer.gracePeriod" $drainer }}
  initContainers:
    {{- include "drainer.sidecar" $drainer | nindent 4 }}
  containers:
    - lifecycle:
        preStop:
          {{- include "drainer.preStop" $drainer | nindent 10 }}
"""


def asking(scene: Scene, **settings: str) -> Manifest:
    """A pod that asks for the sidecar by its label."""
    template = Template(
        labels={INJECT: "true"}, annotations={annotation(name): value for name, value in settings.items()}
    )
    metadata = {"name": f"{scene.name}-asking", "namespace": scene.stage.namespace}
    pod = {"apiVersion": "v1", "kind": "Pod", **template.plain(scene.stage.images)}
    return {**pod, "metadata": {**pod["metadata"], **metadata}}


def dry_run(scene: Scene, manifest: Manifest) -> Manifest:
    """What the API server would make of it."""
    path = scene.cluster.path(manifest, name=False)
    made: Manifest = scene.cluster.call("POST", path, manifest, query={"dryRun": "All"})
    return made


def sidecars(pod: Manifest) -> list[Manifest]:
    return [one for one in pod["spec"].get("initContainers", []) if one["name"] == NAME]


def install_injection(scene: Scene) -> None:
    if not scene.cluster.has(POLICIES, "MutatingAdmissionPolicy"):
        pytest.skip(f"Kubernetes {scene.cluster.version_name} has no MutatingAdmissionPolicy in {POLICIES} (1.36 has)")
    policies = scene.cluster.call("GET", f"/apis/{POLICIES}/mutatingadmissionpolicies")["items"]
    others = [one for one in policies if RUN not in one["metadata"].get("labels", {}) and INJECT in json.dumps(one)]
    if others and sidecars(dry_run(scene, asking(scene))):
        pytest.skip(f"{others[0]['metadata']['name']} puts the sidecar into every pod of this cluster that asks for it")
    here = {"matchLabels": {"kubernetes.io/metadata.name": scene.stage.namespace}}
    scene.release({"injection": {"enabled": True, "namespaceSelector": here}})
    until("the policy is in force", lambda: sidecars(dry_run(scene, asking(scene))))


def drains(scene: Scene, pod: Pod) -> None:
    """It holds the hook while a client is there, and no longer."""
    group = scene.clients(pod, 3)
    pod.delete()
    pod.phase("draining")
    stays("all clients are connected", lambda: group.open == 3, 2)
    group.leave()
    done = pod.phase("done")
    scene.saw |= {"outcome": done["outcome"], "closes": group.shown()}
    assert (done["outcome"], done["left"]) == ("drained", 3)
    assert pod.ended("app")["exitCode"] == 0


def without_defaults(made: Any, written: Any) -> Any:
    """Of what the API server has made, only what was written: it adds defaults and a token's volume."""
    if isinstance(written, dict):
        return {key: without_defaults(made.get(key), value) for key, value in written.items()}
    if isinstance(written, list):
        return [without_defaults(one, value) for one, value in zip(made, written, strict=False)]
    return made


def test_one_label_injects_the_sidecar(scene: Scene) -> None:
    install_injection(scene)
    pod = asking(scene, grace_period="40s", **SETTINGS)
    del pod["metadata"]["name"]
    made = scene.ready(scene.start(pod))
    spec, sidecar = made.now["spec"], Template(grace=40).sidecar(scene.stage.images)
    (agent,) = sidecars(made.now)
    assert without_defaults(agent, container(sidecar)) == container(sidecar)
    assert set(agent) - set(container(sidecar)) <= {
        "terminationMessagePath",
        "terminationMessagePolicy",
        "volumeMounts",
    }
    hook = spec["containers"][0]["lifecycle"]["preStop"]
    assert without_defaults(hook, pre_stop(sidecar)) == pre_stop(sidecar)
    assert spec["terminationGracePeriodSeconds"] == 40
    scene.saw["injected"] = made.now["metadata"]["annotations"][INJECTED]
    drains(scene, made)


def test_one_label_injects_into_the_pods_of_a_deployment(scene: Scene) -> None:
    install_injection(scene)
    template = asking(scene, **SETTINGS)
    del template["metadata"]["name"], template["metadata"]["namespace"]
    scene.deploy({"metadata": template["metadata"], "spec": template["spec"]}, 2)
    pods = scene.ready_pods()
    assert [len(sidecars(pod.now)) for pod in pods] == [1, 1]
    drains(scene, pods[0])


def test_apply_prints_what_would_break_a_drain(scene: Scene) -> None:
    released = scene.release({"warnings": {"enabled": True}})
    (policy,) = (one["metadata"]["name"] for one in released if one["kind"] == "ValidatingAdmissionPolicy")
    short = asking(scene, grace_period="6s", setle="2s")
    short["spec"]["terminationGracePeriodSeconds"] = 6

    def warnings(pod: Manifest) -> list[str]:
        # Other releases may warn in this namespace at the same time.
        told = scene.cluster.warnings(pod, dry_run=True)
        return [text for text in told if f"'{policy}'" in text and "drainer: " in text]

    told = until("the API server warns", lambda: warnings(short))
    scene.saw["warnings"] = [text.partition("drainer: ")[2] for text in told]
    assert any("leaves no time for a drain" in text for text in told)
    assert any(f"nobody reads the annotation {annotation('setle')}" in text for text in told)
    good = asking(scene, **SETTINGS)
    assert not warnings(good)

    kubectl = shutil.which("kubectl")
    if kubectl is None:
        scene.saw["kubectl"] = "is not here"
        return
    printed = subprocess.run(
        [kubectl, "--kubeconfig", os.environ["KUBECONFIG"], "apply", "--dry-run=server", "-f", "-"],
        input=json.dumps(short),
        capture_output=True,
        text=True,
        check=True,
    ).stderr
    assert all(f"Warning: {text}" in printed for text in told), printed


def test_the_templates_of_the_chart_give_the_same_sidecar(scene: Scene, tmp_path: Path) -> None:
    chart = Chart.or_skip(parent(tmp_path / "chat", IN_ITS_OWN_CHART))
    values = {"settings": {name.replace("_", "-"): value for name, value in SETTINGS.items()}}
    values |= {"drainer": scene.stage.images.values()}
    (rendered,) = chart.render(scene.name, scene.stage.namespace, scene.cluster.version_name, values)
    template = Template()
    by_hand, sidecar = template.plain(scene.stage.images), template.sidecar(scene.stage.images)
    assert rendered["spec"]["initContainers"] == [container(sidecar)]
    by_hand["spec"] |= {key: value for key, value in rendered["spec"].items() if key != "containers"}
    by_hand["spec"]["containers"][0] |= rendered["spec"]["containers"][0]
    drains(scene, scene.ready(scene.start(by_hand)))


A_SERVER = """
import os
from aiohttp import web

async def talk(request):
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    async for message in socket:
        pass
    return socket

app = web.Application()
app.router.add_get("/", talk)
web.run_app(app, port=int(os.environ["PORT"]))
"""


def test_the_demo_of_the_chart_passes_its_own_test(scene: Scene) -> None:
    image = scene.stage.images.values(scene.stage.images.app)["image"]
    del image["pullPolicy"]
    demo = {"enabled": True, "image": image, "command": ["python3", "-c", A_SERVER], "replicas": 1}
    objects = scene.release({"demo": demo})
    (deployment,) = (one for one in objects if one["kind"] == "Deployment")
    labels = deployment["spec"]["selector"]["matchLabels"]
    until("the demo is ready", lambda: scene.ready_pods(labels))
    *more, test = (one for one in objects if is_test(one))
    for manifest in more:
        scene.create(manifest)
    # What a cluster's DNS says of the headless Service: some clusters have none.
    (host,) = (one["metadata"]["name"] for one in objects if one.get("spec", {}).get("clusterIP") == "None")
    test["spec"]["hostAliases"] = [{"ip": pod.addresses[0], "hostnames": [host]} for pod in scene.ready_pods(labels)]
    check = scene.start(test, "-test")
    ended = check.ended("check")
    said = [line["message"] for line in check.said("check")]
    scene.saw["said"] = said
    assert ended["exitCode"] == 0, said


def test_the_doctor_finds_in_a_live_pod_what_breaks_its_drain(scene: Scene) -> None:
    pod = Template(grace=20).pod(scene.stage.images)
    pod["spec"]["terminationGracePeriodSeconds"] = 10  # and the agent believes in 20
    flawed = scene.ready(scene.start(pod))
    sound = scene.ready(scene.start(Template(settings=GENTLE).pod(scene.stage.images), "-sound"))
    found = {name: doctor(scene, one) for name, one in (("flawed", flawed), ("sound", sound))}
    scene.saw |= found
    assert "grace-overrun" in found["flawed"]
    assert "grace-overrun" not in found["sound"]


def doctor(scene: Scene, pod: Pod) -> list[str]:
    """The keys that `drainer doctor --live` finds."""
    where = f"{scene.stage.namespace}/{pod.name}"
    command = [sys.executable, "-m", "drainer", "doctor", "--output", "json", "--kubeconfig", os.environ["KUBECONFIG"]]
    printed = subprocess.run([*command, "--live", where], capture_output=True, text=True, check=False)
    assert printed.stdout, printed.stderr
    return [finding["key"] for one in json.loads(printed.stdout)["objects"] for finding in one["findings"]]


def test_a_restricted_namespace_admits_the_sidecar(scene: Scene) -> None:
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": scene.stage.namespace}}
    labels = scene.cluster.call("GET", scene.cluster.path(namespace))["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    metadata = {"name": scene.name, "namespace": scene.stage.namespace}
    pod = {"apiVersion": "v1", "kind": "Pod", **Template().pod(scene.stage.images), "metadata": metadata}
    assert sidecars(dry_run(scene, pod))
    assert not scene.cluster.warnings(pod, dry_run=True)
    # The same with one right more is refused: it is enforced.
    pod["spec"]["initContainers"][0]["securityContext"]["capabilities"]["add"] = ["NET_ADMIN"]
    with pytest.raises(ApiException) as refused:
        dry_run(scene, pod)
    scene.saw["refused with NET_ADMIN"] = refused.value.status
    assert refused.value.status == 403
