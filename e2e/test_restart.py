"""The hook is called, and the pod is not deleted: its app is restarted."""

from __future__ import annotations

from e2e.manifests import App, Template
from e2e.pod import Pod
from e2e.scene import Scene
from e2e.waiting import until


def wait_for_the_restart(pod: Pod) -> None:
    until("the app was restarted", lambda: pod.container("app").get("restartCount") == 1)
    until("the pod serves again", lambda: pod.status()["phase"] == "serving")
    until("the pod is ready again", lambda: pod.is_ready)
    assert pod.container("drainer")["restartCount"] == 0


def test_a_liveness_kill_resumes_when_the_app_is_back_before_the_deadline(scene: Scene) -> None:
    pod = scene.pod(Template(apps=[App(liveness=True)], grace=60))
    pod.hang()
    done = pod.phase("done")
    wait_for_the_restart(pod)
    serving = pod.phase("serving")
    scene.saw |= {"outcome": done["outcome"], "drain": done["seconds"], "reason": serving["reason"]}
    assert done["outcome"] == "drained"
    assert serving["at"] - done["at"] < 60 - done["seconds"]
    # And it is as good as new: the deletion drains it once more.
    group = scene.clients(pod, 3)
    pod.delete()
    until("the clients hold the hook", lambda: pod.status()["phase"] == "draining")
    group.leave()
    assert pod.ended("app")["exitCode"] == 0


def test_a_liveness_kill_with_clients_that_stay_is_bounded_and_resumes(scene: Scene) -> None:
    pod = scene.pod(Template(apps=[App(liveness=True)], grace=90, api=True, settings={"restart_timeout": "7s"}))
    group = scene.clients(pod, 4)
    pod.hang()
    done = pod.phase("done")
    wait_for_the_restart(pod)
    scene.saw |= {"outcome": done["outcome"], "drain": done["seconds"], "closes": group.shown()}
    assert (done["outcome"], done["remaining"]) == ("deadline", 4)
    assert 7 <= done["seconds"] < 9
    assert dict(group.codes) == {1001: 4}
