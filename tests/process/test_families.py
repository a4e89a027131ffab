"""IPv4 and IPv6, on listeners of one family and of both; and the agent's own port on both."""

from __future__ import annotations

import pytest

from tests.process.apps import needs_ipv6
from tests.process.conftest import Pod


@pytest.mark.parametrize(
    ("listener", "client"),
    [
        pytest.param("::1", "::1", id="ipv6", marks=needs_ipv6),
        pytest.param("::", "127.0.0.1", id="ipv4-on-a-dual-stack-listener"),
        pytest.param("::", "::1", id="ipv6-on-a-dual-stack-listener", marks=needs_ipv6),
        pytest.param("0.0.0.0", "127.0.0.1", id="ipv4-only"),
    ],
)
def test_clients_of_either_family_are_counted_and_drained(pod: Pod, listener: str, client: str) -> None:
    app = pod.bare_app(listener)
    agent = pod.agent(app.port)
    for _ in range(3):
        app.connect(client)
    agent.counts(3)
    hook = agent.hook()
    agent.drains()
    app.all_leave()
    told = hook.answer().json()
    assert (told["outcome"], told["connections_at_start"], told["left"]) == ("drained", 3, 3)


@needs_ipv6
def test_websocket_clients_of_both_families_hold_one_drain(pod: Pod) -> None:
    app = pod.web_app("")
    agent = pod.agent(app.port)
    (ipv6,) = pod.clients(app, 1, "::1")
    (ipv4,) = pod.clients(app, 1)
    agent.counts(2)
    hook = agent.hook(host="::1")
    agent.drains()
    ipv4.close()
    agent.counts(1)
    agent.looks_again()
    assert hook.is_held()
    ipv6.close()
    told = hook.answer().json()
    assert (told["outcome"], told["left"], told["effect"]) == ("drained", 2, True)


@needs_ipv6
def test_the_agent_listens_on_the_one_address_it_is_told(pod: Pod) -> None:
    agent = pod.agent(pod.bare_app().port, host="127.0.0.1")
    assert agent.get("/livez").status == 200
    with pytest.raises(ConnectionRefusedError):
        agent.hook(host="::1")
