"""A client that has long finished, and an app that never closes its side: nobody waits for that connection."""

from __future__ import annotations

import time

from drainer.counter import HALF_CLOSED_AFTER
from tests.process.conftest import Pod
from tests.process.waiting import PATIENCE, UNIT, until


def test_a_connection_that_the_app_leaks_holds_neither_a_drain_nor_sigterm(pod: Pod) -> None:
    """Two agents watch the one leak while it ages: the first is drained, the other only asked to go."""
    app = pod.bare_app()
    agents = [pod.agent(app.port) for _ in range(2)]
    leaked, _ = app.connect()
    last, _ = app.connect()
    for agent in agents:
        agent.counts(2)
    leaked.close()
    for agent in agents:
        until(
            lambda agent=agent: agent.status()["connections"]["excluded"],  # type: ignore[misc] # bound to this agent
            lambda excluded: bool(excluded["half_closed"] == 1),
            within=HALF_CLOSED_AFTER + PATIENCE,
        )
        agent.counts(1)
    drained, asked_to_go = agents

    hook = drained.hook()
    drained.drains()
    assert hook.is_held()
    app.leaves(last)
    left_at = time.monotonic()
    told = hook.answer().json()
    assert time.monotonic() - left_at < UNIT
    assert (told["outcome"], told["connections_at_start"], told["left"], told["remaining"]) == ("drained", 1, 1, 0)

    asked_to_go.counts(0)
    for agent in (asked_to_go, drained):
        asked_at = agent.terminate()
        agent.ended_well()
        assert time.monotonic() - asked_at < UNIT
