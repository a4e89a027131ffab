"""What is in the pod: several containers, several ports, and an agent that comes and goes."""

from __future__ import annotations

import pytest

from drainer.sidecar import NAME
from e2e.manifests import PORT, App, Template
from e2e.pod import Pod
from e2e.scene import Scene
from e2e.waiting import stays, until

SECOND = 8081
"""A second port."""
HOST_PORT = 28080
"""Of a node, with the two after it: hopefully nobody's."""

KILL_THE_AGENT = """
import os, signal
for pid in filter(str.isdecimal, os.listdir("/proc")):
    words = open(f"/proc/{pid}/cmdline").read().split("\\0")
    if any(word.endswith("/drainer") for word in words):
        os.kill(int(pid), signal.SIGKILL)
        print("killed")
"""
ONE_PID_NAMESPACE = {"shareProcessNamespace": True}
"""Lets the app's container kill the agent, as a node that is out of memory does."""


def test_two_ordinary_containers_join_one_drain(scene: Scene) -> None:
    pod = scene.pod(Template(apps=[App(), App("front", ports=[SECOND], control=8092)]))
    behind, front = scene.clients(pod, 3), scene.clients(pod, 3, SECOND)
    pod.delete()
    until("both hooks are held", lambda: pod.status()["callers"]["held"] == 2)
    front.leave()
    until("the clients in front have left", lambda: front.open == 0)
    stays("the clients behind are connected", lambda: behind.open == 3, 3)
    behind.leave()
    done = pod.phase("done")
    told = [pod.tells("sigterm", name)["at"] - done["at"] for name in ("app", "front")]
    scene.saw |= {"outcome": done["outcome"], "left": done["left"], "SIGTERM to both": max(told)}
    assert (done["outcome"], done["left"]) == ("drained", 6)
    assert all(0 <= seconds < 3 for seconds in told)
    assert {1000} == {*behind.codes, *front.codes}


def test_the_hook_reaches_the_agent_on_the_network_of_the_host_too(privileged_scene: Scene) -> None:
    scene = privileged_scene
    app = App(ports=[HOST_PORT], control=HOST_PORT + 1)
    pod = scene.pod(Template(apps=[app], settings={"port": str(HOST_PORT + 2)}, spec={"hostNetwork": True}))
    group = scene.clients(pod, 3, HOST_PORT)
    pod.delete()
    pod.phase("draining")
    stays("all clients are connected", lambda: group.open == 3, 3)
    group.leave()
    done, sigterm = pod.phase("done"), pod.tells("sigterm")
    scene.saw |= {"outcome": done["outcome"], "left": done["left"], "SIGTERM": sigterm["at"] - done["at"]}
    assert (done["outcome"], sigterm["connections"]) == ("drained", 0)
    assert "FailedPreStopHook" not in pod.events("kubelet")


def test_clients_of_a_second_port_hold_the_drain_too(scene: Scene) -> None:
    pod = scene.pod(Template(apps=[App(ports=[PORT, SECOND])]))
    first, second = scene.clients(pod, 4), scene.clients(pod, 2, SECOND)
    pod.delete()
    pod.phase("draining")
    ports = pod.status()["connections"]["by_port"]
    assert (ports[str(PORT)]["total"], ports[str(SECOND)]["total"]) == (4, 2)
    first.leave()
    stays("the clients of the second port are connected", lambda: second.open == 2, 3)
    second.leave()
    done = pod.phase("done")
    scene.saw |= {"outcome": done["outcome"], "left": done["left"]}
    assert (done["outcome"], done["left"]) == ("drained", 6)


def test_a_plain_container_drains_too(scene: Scene) -> None:
    pod = scene.pod(Template(native=False))
    group = scene.clients(pod, 10)
    pod.delete()
    pod.phase("draining")
    stays("all clients are connected", lambda: group.open == 10, 3)
    group.leave()
    done, sigterm = pod.phase("done"), pod.tells("sigterm")
    agent = pod.ended(NAME)
    scene.saw |= {"outcome": done["outcome"], "closes": group.shown(), "agent's exit code": agent["exitCode"]}
    assert (done["outcome"], sigterm["connections"]) == ("drained", 0)
    assert sigterm["at"] >= done["at"]
    assert agent["exitCode"] == 0


def other_spelling(image: str, image_id: str) -> str:
    """Another name of the same image: to the kubelet another image, and nothing needs to be pulled."""
    if "@" in image_id:
        return f"{image.partition('@')[0]}@{image_id.partition('@')[2]}"
    if image.startswith("docker.io/"):
        return image.removeprefix("docker.io/").removeprefix("library/")
    pytest.skip(f"there is no other name for {image} (imageID {image_id}); a registry gives it a digest")


def test_the_image_of_the_sidecar_alone_is_changed_and_nobody_is_cut(scene: Scene) -> None:
    pod = scene.pod(Template())
    group = scene.clients(pod, 10)
    other = other_spelling(scene.stage.images.agent, pod.container(NAME)["imageID"])
    scene.cluster.patch(pod.manifest, {"spec": {"initContainers": [{"name": NAME, "image": other}]}})
    until("the agent was restarted", lambda: pod.container(NAME).get("restartCount") == 1)
    until("the pod is ready with it", lambda: pod.container(NAME).get("ready") and pod.is_ready)
    scene.saw |= {"image": other, "closes": group.shown(), "clients": group.open}
    assert (group.open, pod.container("app")["restartCount"]) == (10, 0)
    assert "sigterm" not in [line.get("event") for line in pod.said("app")]
    # The new one counts those who came before it.
    assert pod.status()["connections"]["total"] == 10


def kill_the_agent(pod: Pod) -> None:
    assert pod.execute("app", KILL_THE_AGENT).split() == ["killed"]


def test_an_agent_killed_in_the_middle_of_a_drain_lets_the_app_say_goodbye(scene: Scene) -> None:
    pod = scene.pod(Template(spec=ONE_PID_NAMESPACE))
    group = scene.clients(pod, 5)
    pod.delete()
    draining = pod.phase("draining")
    kill_the_agent(pod)
    sigterm = pod.tells("sigterm")
    exit_code = pod.ended("app")["exitCode"]
    until("the kubelet says that the hook has failed", lambda: "FailedPreStopHook" in pod.events("kubelet"))
    scene.saw |= {"SIGTERM": sigterm["at"] - draining["at"], "closes": group.shown(), "exit code": exit_code}
    assert (exit_code, dict(group.codes)) == (0, {1001: 5})


def test_an_agent_killed_while_it_serves_comes_back_and_nobody_is_cut(scene: Scene) -> None:
    pod = scene.pod(Template(spec=ONE_PID_NAMESPACE))
    group = scene.clients(pod, 5)
    kill_the_agent(pod)
    until("the agent was restarted", lambda: pod.container(NAME).get("restartCount") == 1)
    until("the pod is ready with it", lambda: pod.container(NAME).get("ready") and pod.is_ready)
    assert (group.open, pod.container("app")["restartCount"]) == (5, 0)
    pod.delete()
    until("the clients hold the hook", lambda: pod.status()["phase"] == "draining")
    assert pod.status()["drain"]["connections_at_start"] == 5
    group.leave()
    scene.saw |= {"closes": group.shown(), "exit code": pod.ended("app")["exitCode"]}
    until("all have left by themselves", lambda: dict(group.codes) == {1000: 5})
