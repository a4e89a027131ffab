"""Connections that stay are closed: by the app that is told to, and where it knows nothing, by the agent."""

from __future__ import annotations

from typing import Any

import pytest

from e2e.manifests import GENTLE, PORT, App, Template
from e2e.pod import Pod
from e2e.scene import Scene
from e2e.traffic import Group

CLIENTS = 12
GRACE = 16
"""Seconds: 3 less for the app, 2 to settle."""

AS_ROOT: dict[str, Any] = {"runAsNonRoot": False, "runAsUser": 0, "runAsGroup": 0}
BORROWING: dict[str, Any] = {
    # docs/closing.md: two ways to be allowed to borrow the app's descriptors.
    "the app's user": {"capabilities": {"drop": ["ALL"], "add": ["SYS_PTRACE"]}},
    "root": {**AS_ROOT, "capabilities": {"drop": ["ALL"], "add": ["SYS_PTRACE", "DAC_READ_SEARCH", "NET_RAW"]}},
}


def pod_with(scene: Scene, rights: dict[str, Any], **settings: str) -> Pod:
    """Its sidecar has these rights beside the usual ones."""
    pod = Template(grace=GRACE, settings=settings, spec={"shareProcessNamespace": True}).pod(scene.stage.images)
    pod["spec"]["initContainers"][0]["securityContext"] |= rights
    return scene.ready(scene.start(pod))


def spread(group: Group) -> float:
    """Seconds from the first close to the last."""
    closed = sorted(one["closed_at"] for one in group.connections)
    return float(closed[-1] - closed[0])


def test_an_app_that_is_told_closes_its_clients_one_by_one(scene: Scene) -> None:
    pod = scene.pod(Template(apps=[App(notify=True)], grace=GRACE, settings=GENTLE))
    closed_by(scene, pod, "notify", 1012)


@pytest.mark.parametrize("user", BORROWING)
def test_an_app_that_knows_nothing_has_its_clients_closed_one_by_one(privileged_scene: Scene, user: str) -> None:
    ports = {} if user == "root" else {"websocket_ports": str(PORT)}
    pod = pod_with(privileged_scene, BORROWING[user], close="websocket", **ports)
    closed_by(privileged_scene, pod, "websocket", 1012)


def test_the_last_resort_resets_one_by_one(privileged_scene: Scene) -> None:
    rights = {**AS_ROOT, "capabilities": {"drop": ["ALL"], "add": ["NET_ADMIN"]}}
    pod = pod_with(privileged_scene, rights, close="reset")
    closed_by(privileged_scene, pod, "reset", 1006)


def closed_by(scene: Scene, pod: Pod, closer: str, code: int) -> None:
    group = scene.clients(pod, CLIENTS)
    pod.delete()
    done, sigterm = pod.phase("done"), pod.tells("sigterm")
    scene.saw |= {"closes": group.shown(), "closed": done["closed"], "from first to last": spread(group)}
    assert (done["outcome"], done["closed"]) == ("drained", {closer: CLIENTS})
    assert dict(group.codes) == {code: CLIENTS}
    assert sigterm["connections"] == 0
    assert spread(group) > 4  # of some ten seconds
