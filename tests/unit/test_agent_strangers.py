"""Strangers in fake time: held, and without any effect."""

from __future__ import annotations

import asyncio

import pytest

from drainer.callers import CallerPolicy, Trust
from drainer.phases import Phase, Result
from drainer.status import Status
from tests.unit.fakes import NODE, STRANGER, after, serving_app, staged, until

pytestmark = pytest.mark.looptime


def effects(status: Status) -> tuple[Phase, bool, int, bool, int]:
    """All that a stranger must not change."""
    return status.phase, status.ready, status.census.live, status.notified, sum(status.drains.values())


async def test_a_stranger_changes_neither_phase_nor_readiness_nor_pace() -> None:
    table, _ = serving_app(2)
    async with staged(table) as stage:
        await until(4.5)
        before = effects(stage.agent.status())
        stage.call(STRANGER)
        await until(9.5)
        status = stage.agent.status()
        assert effects(status) == before
        assert status.passive == 1
        assert table.asked_at == pytest.approx([0, 1, 2, 3, 4, 5, 6, 7, 8, 9], abs=0.05)
        assert table.watches == []
        assert stage.listener.phases == []


async def test_a_stranger_has_a_deadline_of_its_own_from_its_own_receipt() -> None:
    table, _ = serving_app(1)
    async with staged(table) as stage:
        hook = stage.call()
        await until(7)
        moment, answer = await stage.call(STRANGER)
        assert moment == 32.0
        assert answer.outcome is not None
        assert (answer.outcome.result, answer.effect) == (Result.DEADLINE, False)
        assert (await hook)[0] == 25.0


async def test_a_stranger_has_a_settle_time_of_its_own() -> None:
    table, _ = serving_app()
    async with staged(table) as stage:
        hook = stage.call()
        await until(4.5)
        moment, answer = await stage.call(STRANGER)
        assert 9.5 <= moment <= 10.6
        assert answer.outcome is not None
        assert (answer.outcome.result, answer.effect) == (Result.DRAINED, False)
        assert (await hook)[0] == pytest.approx(5.0, abs=1e-3)


async def test_a_stranger_alone_is_answered_when_the_clients_have_left() -> None:
    table, cookies = serving_app(2)
    async with staged(table) as stage:
        after(12.5, table.leave, *cookies)
        moment, answer = await stage.call(STRANGER)
        assert 12.5 <= moment <= 13.6
        assert answer.outcome is not None
        assert answer.outcome.result is Result.DRAINED
        assert sum(stage.agent.status().drains.values()) == 0
        assert stage.agent.status().last_outcome is None


async def test_four_strangers_of_one_address_are_held_and_the_fifth_takes_the_place_of_the_first() -> None:
    table, _ = serving_app(1)
    async with staged(table) as stage:
        calls = [stage.call(STRANGER) for _ in range(4)]
        other = stage.call("198.51.100.8")
        await until(2)
        assert stage.agent.status().passive == 5
        calls.append(stage.call(STRANGER))
        moment, answer = await calls[0]
        assert (moment, answer.outcome, answer.effect) == (2.0, None, False)
        await until(3)
        assert stage.agent.status().passive == 5
        assert not any(call.done() for call in [*calls[1:], other])


async def test_sixty_four_strangers_are_held_and_one_more_takes_the_place_of_the_oldest() -> None:
    table, _ = serving_app(1)
    async with staged(table) as stage:
        calls = [stage.call(f"198.51.100.{number}") for number in range(65)]
        await until(1)
        assert stage.agent.status().passive == 64
        assert [number for number, call in enumerate(calls) if call.done()] == [0]
        assert stage.phase() is Phase.SERVING


async def test_a_stranger_that_hangs_up_frees_its_place() -> None:
    table, _ = serving_app(1)
    async with staged(table) as stage:
        calls = [stage.call(STRANGER) for _ in range(4)]
        await until(1)
        calls[2].cancel()
        await until(2)
        assert stage.agent.status().passive == 3
        calls.append(stage.call(STRANGER))
        await until(3)
        assert [number for number, call in enumerate(calls) if call.done()] == [2]


async def test_a_stranger_that_hangs_up_in_the_moment_the_agent_goes_is_no_trouble() -> None:
    table, _ = serving_app(1)
    async with staged(table) as stage:
        gone, stays = stage.call(STRANGER), stage.call(STRANGER)
        await until(1)
        gone.cancel()
        stage.agent._exit_now()
        assert (await stays)[1].outcome is None
        await stage.running


async def test_a_stranger_is_logged_once_and_counted_each_time() -> None:
    table, _ = serving_app(1)
    async with staged(table) as stage:
        calls = [stage.call(STRANGER, User_Agent="kube-lifecycle/1.36") for _ in range(3)]
        await asyncio.gather(*calls)
        [warning] = stage.listener.warnings
        assert STRANGER in warning
        assert "DRAINER_TRUSTED_SOURCES" in warning
        assert stage.agent.status().calls[Trust.STRANGER] == 3


async def test_with_a_token_only_who_sends_it_drains() -> None:
    table, _ = serving_app(1)
    async with staged(table, callers=CallerPolicy(token="open sesame")) as stage:
        node, browser = stage.call("127.0.0.1"), stage.call(NODE, X_Drainer_Token="guessed")
        await until(2)
        assert stage.phase() is Phase.SERVING
        stage.call(STRANGER, X_Drainer_Token="open sesame")
        await until(3)
        assert stage.phase() is Phase.SETTLING
        assert not node.done()
        assert not browser.done()


async def test_a_node_that_has_probed_three_times_may_drain() -> None:
    table, _ = serving_app(1)
    async with staged(table) as stage:
        for _ in range(3):
            stage.agent.probed("203.0.113.5", {})
        stage.call("203.0.113.5")
        await until(1)
        assert stage.phase() is Phase.SETTLING
        assert stage.agent.status().calls[Trust.LEARNED] == 1
        assert stage.listener.notes == ["203.0.113.5 probes /readyz: trusted from now on as the node"]
