"""Where the kernel refuses sock_diag, psutil counts; what it cannot see is said."""

from __future__ import annotations

from typing import Any

from tests.process.apps import needs_ipv6
from tests.process.conftest import Pod
from tests.process.harness import CAN_BE_PID_1
from tests.process.waiting import until
from tests.seccomp import deny_netlink

WITHOUT_NETLINK: dict[str, Any] = {"preexec": deny_netlink, "pid_1": CAN_BE_PID_1}
"""As PID 1 for speed: psutil looks at every process that it may see, and in a container there are few."""


def test_a_drain_works_and_status_and_metrics_name_the_source(pod: Pod) -> None:
    app = pod.web_app()
    agent = pod.agent(app.port, **WITHOUT_NETLINK)
    clients = pod.clients(app, 3)
    agent.counts(3)
    source = until(agent.status, lambda status: status["source"]["name"] == "psutil")["source"]
    assert source["notified"] is False
    blind_to = "\n".join(source["blind_to"])
    assert "flushing" in blind_to
    assert "idle" in blind_to
    assert agent.metric('drainer_socket_source{source="psutil"}') == 1
    assert agent.metric('drainer_socket_source{source="sock_diag"}') == 0

    hook = agent.hook()
    agent.drains()
    for client in clients:
        assert hook.is_held()
        client.close()
    told = hook.answer().json()
    assert (told["outcome"], told["connections_at_start"], told["left"]) == ("drained", 3, 3)
    app.terminate()
    assert app.exit_code() == 0
    agent.terminate()
    agent.ended_well()


@needs_ipv6
def test_ignored_peers_and_both_families_are_told_apart_without_netlink(pod: Pod) -> None:
    app = pod.bare_app("::")
    agent = pod.agent(app.port, **WITHOUT_NETLINK, ignore_peers="127.0.0.2")
    app.connect("::1")
    app.connect("127.0.0.1")
    app.connect("127.0.0.1", source="127.0.0.2")
    agent.counts(2)
    assert agent.status()["connections"]["excluded"]["ignored_peer"] == 1
