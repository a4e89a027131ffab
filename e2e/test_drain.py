"""A pod is deleted: how its drain goes."""

from __future__ import annotations

from e2e.manifests import App, Template
from e2e.scene import Scene
from e2e.waiting import stays, until

NOW = 3.0
"""Seconds within which "at once" has happened on a busy node."""


def test_a_drain_with_no_clients_ends_after_the_settle_time(scene: Scene) -> None:
    pod = scene.pod(Template(settings={"settle": "4s"}))
    pod.delete()
    done, sigterm = pod.phase("done"), pod.tells("sigterm")
    scene.saw |= {"outcome": done["outcome"], "drain": done["seconds"]}
    assert done["outcome"] == "drained"
    assert 4 <= done["seconds"] < 4 + NOW
    assert 0 <= sigterm["at"] - done["at"] < NOW


def test_the_hook_holds_while_clients_are_there_and_the_app_gets_sigterm_only_then(scene: Scene) -> None:
    pod = scene.pod(Template())
    group = scene.clients(pod, 20)
    pod.delete()
    pod.phase("draining")
    stays("all clients are connected", lambda: group.open == 20, 4)
    group.leave(19)
    until("one client is left", lambda: group.open == 1)
    stays("the app was not told to end", lambda: "sigterm" not in [line.get("event") for line in pod.said("app")], 2)
    group.leave()
    done, sigterm = pod.phase("done"), pod.tells("sigterm")
    scene.saw |= {"closes": group.shown(), "drain": done["seconds"], "SIGTERM": sigterm["at"] - done["at"]}
    assert (done["outcome"], done["left"], done["remaining"]) == ("drained", 20, 0)
    assert sigterm["connections"] == 0
    assert 0 <= sigterm["at"] - done["at"] < NOW
    assert pod.ended("app")["exitCode"] == 0


def test_the_deadline_leaves_the_app_its_reserve(scene: Scene) -> None:
    pod = scene.pod(Template(apps=[App(stop_seconds=4)], grace=14, settings={"app_reserve": "6s"}))
    group = scene.clients(pod, 5)
    pod.delete()
    done, sigterm, stopped = pod.phase("done"), pod.tells("sigterm"), pod.tells("stopped")
    exit_code = pod.ended("app")["exitCode"]
    scene.saw |= {
        "outcome": done["outcome"],
        "drain": done["seconds"],
        "app's end": stopped["at"] - sigterm["at"],
        "exit code": exit_code,
        "closes": group.shown(),
    }
    assert (done["outcome"], done["remaining"]) == ("deadline", 5)
    assert 8 <= done["seconds"] < 8.5
    # It got all the time that it needs, and said goodbye.
    assert exit_code == 0
    assert dict(group.codes) == {1001: 5}
