"""A pod of a cluster that `drainer doctor --live` looks at."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from drainer.cli import Exit, main
from tests.sockets.cluster import ApiServer, api_server
from tests.unit.doctor.pods import World, made

PODS = "/api/v1/namespaces/chat/pods"
POD = f"{PODS}/web-0"
SERVICES = "/api/v1/namespaces/chat/services"
SCALERS = "/apis/autoscaling/v2/namespaces/chat/horizontalpodautoscalers"
STATUS = f"{PODS}/web-0:9808/proxy/status"
WELL = {"closers": [{"name": "notify", "usable": True, "missing": None}], "source": {"blind_to": []}}


def pod(world: World, **metadata: Any) -> dict[str, Any]:
    """As the API server shows it."""
    data = world.template
    data["metadata"] |= {"name": "web-0", "namespace": "chat"} | metadata
    return {"apiVersion": "v1", "kind": "Pod", **data, "status": {"phase": "Running"}}


@contextmanager
def a_good_pod() -> Iterator[ApiServer]:
    """An API server that has one."""
    with api_server() as running:
        running.answers = {POD: pod(made()), SERVICES: {"items": []}, SCALERS: {"items": []}, STATUS: WELL}
        yield running


def live(kubeconfig: str, *arguments: str, name: str = "chat/web-0") -> Exit:
    return main(["doctor", "--live", name, "--kubeconfig", kubeconfig, *arguments], [])
