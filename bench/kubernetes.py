"""What the Kubernetes API costs the agent: memory after many watch events, requests at rest and in a drain."""

from __future__ import annotations

import time
from collections.abc import Callable

from bench.agent import Call, agent, resident_mib
from bench.memory import bare_imports
from bench.report import Figures, Table
from bench.sockets import connections
from tests.kube_api import NAME, NAMESPACE, UID, KubeApi, kube_api

EVENTS, QUICK_EVENTS = 10_000, 1_000
CONNECTIONS = 100
MANAGED = 4096
"""Bytes of managedFields that a real pod carries with every event, about."""
AT_REST = 10.0
MOST_MIB, MOST_REQUESTS = 10.0, 8
PATIENCE = 300.0
EVERYTHING = ("--kubernetes=on", "--serving-label=true", "--readiness-gate=true", "--grace-period=1h", "--settle=1s")


def run(*, quick: bool) -> list[Table]:
    """The agent with every feature of the API on, beside an API server that speaks TLS."""
    events = QUICK_EVENTS if quick else EVENTS
    figures = Figures()
    with bare_imports() as (process, _):
        bare = resident_mib(process.pid)
    with kube_api() as api, connections(CONNECTIONS) as port:
        api.create(labels={})
        with agent(port, *EVERYTHING, f"--service-account={api.folder}", variables=variables(api)) as one:
            wait_for(lambda: one.status()["kubernetes"]["requests"]["patch"] == {"ok": 1})
            first = len(api.requests)
            time.sleep(AT_REST)
            figures.add(f"requests at rest, {AT_REST:g} s", len(api.requests) - first, "", most=0)
            figures.add("resident: with the API, more than the imports", resident_mib(one.pid) - bare, " MiB")
            hook = Call(one.port, "/drain", "POST")
            one.await_phase("draining")
            for number in range(events):
                api.change(annotations={"number": str(number)}, managedFields=[{"fieldsV1": "f" * MANAGED}])
            api.delete(grace=3600)
            wait_for(lambda: one.status()["kubernetes"]["deletion"] == "requested")
            more = resident_mib(one.pid) - bare
            figures.add(f"resident: after {events:,} watch events, more", more, " MiB", most=MOST_MIB)
            one.call("/resume", "POST")
            hook.answer()
            wait_for(lambda: len(api.events) == 2)
            drain = len(api.requests) - first
            figures.add("requests in a drain", drain, "", most=MOST_REQUESTS)
    return [figures.table("The Kubernetes API", f"{CONNECTIONS} connections; GET, watch, patches and Events over TLS.")]


def variables(api: KubeApi) -> dict[str, str]:
    """What the kubelet gives a container."""
    return {
        "POD_NAME": NAME,
        "POD_NAMESPACE": NAMESPACE,
        "POD_UID": UID,
        "KUBERNETES_SERVICE_HOST": "127.0.0.1",
        "KUBERNETES_SERVICE_PORT": str(api.port),
    }


def wait_for(happens: Callable[[], bool]) -> None:
    """Until it is so."""
    until = time.monotonic() + PATIENCE
    while not happens():
        if time.monotonic() > until:
            raise RuntimeError("waited in vain")
        time.sleep(0.1)
