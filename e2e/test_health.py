"""Is the WebSocket server well, and what it takes: what the agent says of an app that it only knows from outside."""

from __future__ import annotations

from e2e.cluster import Manifest
from e2e.manifests import Template
from e2e.pod import AGENT_PORT, Pod
from e2e.scene import Scene
from e2e.waiting import stays, until

ASKING = {"health": "ping", "health_interval": "1s", "usage": "auto", "usage_interval": "1s"}
SIGNAL = """
import os, pathlib, signal
for entry in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
    if b"server.py\\0" in entry.read_bytes():
        os.kill(int(entry.parent.name), signal.{name})
"""
RESIDENT = """
import pathlib
for entry in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
    if b"server.py\\0" in entry.read_bytes():
        print(int((entry.parent / "statm").read_text().split()[1]) * 4096)
"""


def probed(template: Template, scene: Scene, path: str = "/health") -> Manifest:
    """A pod whose app is ready when the agent says that it is well."""
    pod = template.pod(scene.stage.images)
    pod["spec"]["containers"][0]["readinessProbe"] = {
        "httpGet": {"path": path, "port": AGENT_PORT},
        "periodSeconds": 1,
        "timeoutSeconds": 2,
        "failureThreshold": 2,
    }
    return pod


def shared() -> Template:
    """The containers see each other's processes."""
    return Template(settings=ASKING, spec={"shareProcessNamespace": True})


def connections(pod: Pod) -> tuple[int, int]:
    """(live, ever seen)."""
    (port,) = pod.status()["connections"]["by_port"].values()
    return port["total"], port["opened"]


def test_a_server_that_hangs_is_not_ready_and_keeps_its_clients_until_it_goes_on(scene: Scene) -> None:
    pod = scene.ready(scene.start(probed(shared(), scene)))
    group = scene.clients(pod, 5)
    until("the clients are counted", lambda: connections(pod) == (5, 5))
    pod.execute("app", SIGNAL.format(name="SIGSTOP"))
    until("the pod is not ready", lambda: not pod.is_ready)
    (handshake,) = [check for check in pod.status()["health"]["checks"] if check["name"] == "handshake"]
    scene.saw |= {"said": handshake["detail"]}
    assert "no answer within 0.8 s" in handshake["detail"]
    stays("nobody is counted but the clients", lambda: connections(pod) == (5, 5), 3)
    pod.execute("app", SIGNAL.format(name="SIGCONT"))
    until("the pod is ready", lambda: pod.is_ready)
    assert (group.open, connections(pod)) == (5, (5, 5))


def test_the_agents_own_handshakes_hold_no_drain(scene: Scene) -> None:
    template = Template(settings={**ASKING, "health_interval": "100ms", "readiness": "never"})
    pod = scene.ready(scene.start(probed(template, scene)))
    group = scene.clients(pod, 3)
    until("the clients are counted", lambda: connections(pod)[0] == 3)
    pod.delete()
    pod.phase("draining")
    group.leave()
    done = pod.phase("done")
    scene.saw |= {"drain": done["seconds"], "outcome": done["outcome"]}
    assert (done["outcome"], done["left"], done["arrived"], done["remaining"]) == ("drained", 3, 0, 0)


def test_what_the_app_takes_is_seen_where_containers_share_their_processes(scene: Scene) -> None:
    pod = scene.ready(scene.start(probed(shared(), scene)))
    until("there is a reading", lambda: pod.status()["usage"]["memory_bytes"] is not None)
    usage, resident = pod.status()["usage"], int(pod.execute("app", RESIDENT))
    scene.saw |= {"agent": usage["memory_bytes"], "app": resident, "of": usage["of"]}
    assert usage["source"] == "processes"
    assert usage["of"].startswith("1 processes: python")
    assert abs(usage["memory_bytes"] - resident) < 0.2 * resident
    assert pod.metric("drainer_app_memory_bytes") > 0


def test_what_the_app_takes_is_said_not_to_be_seen_where_they_do_not(scene: Scene) -> None:
    pod = scene.ready(scene.start(probed(Template(settings=ASKING), scene)))

    def why() -> str:
        """It may be another reason at first: that nobody listens yet."""
        return str(pod.status()["usage"]["missing"])

    until("the reason is the pod's", lambda: "shareProcessNamespace is not true" in why())
    scene.saw |= {"said": why()}
    assert pod.samples("drainer_app_") == {}
