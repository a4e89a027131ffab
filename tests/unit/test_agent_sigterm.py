"""What SIGTERM means in fake time: to a native sidecar and to a plain container, before, during and after a drain."""

from __future__ import annotations

import pytest

from drainer.errors import SocketTableError
from drainer.model import TcpState
from drainer.phases import Phase, Result
from drainer.plan import DrainPlan
from drainer.policy import Container, Policy
from tests.unit.fakes import LISTENER, STRANGER, FakeTable, Stage, after, serving_app, staged, until

pytestmark = pytest.mark.looptime

PLAIN = Policy(container=Container.PLAIN)


def app_with(connections: int = 0) -> tuple[FakeTable, list[int]]:
    """(table, the cookies of listener and clients)."""
    table, clients = serving_app(connections)
    return table, [LISTENER, *clients]


def soon(moment: float, within: float = 0.01) -> object:
    """Equal to what comes at `moment` or a hair later."""
    return pytest.approx(moment + within / 2, abs=within / 2 + 1e-6)


async def terminated(stage: Stage, moment: float) -> float:
    """Send SIGTERM then; returns when the agent has gone."""
    await until(moment)
    gone = stage.gone_at()
    stage.agent.terminate()
    return await gone


# ------------------------------------------------------------------------------------------------ native


@pytest.mark.parametrize("connections", [0, 3])
async def test_a_native_sidecar_without_a_drain_goes_at_once_and_begins_none(connections: int) -> None:
    table, _ = app_with(connections)
    async with staged(table) as stage:
        assert await terminated(stage, 10.0) == soon(10.0, within=0.2)
        assert stage.listener.phases == []


async def test_a_native_sidecar_gives_flushing_connections_a_second_and_a_half() -> None:
    table, _ = app_with()
    table.open(TcpState.FIN_WAIT1, unsent=9000)
    async with staged(table) as stage:
        assert await terminated(stage, 10.0) == 11.5


@pytest.mark.parametrize("connections", [0, 3])
async def test_a_native_sidecar_goes_when_the_last_bytes_are_out(connections: int) -> None:
    table, _ = app_with(connections)
    flushing = table.open(TcpState.LAST_ACK, unsent=9000)
    async with staged(table) as stage:
        after(10.6, table.leave, flushing)
        assert await terminated(stage, 10.0) == soon(10.6, within=0.2)


async def test_an_unacknowledged_fin_alone_keeps_nobody() -> None:
    table, _ = app_with()
    table.open(TcpState.FIN_WAIT1, unsent=1)
    async with staged(table) as stage:
        assert await terminated(stage, 10.0) == soon(10.0, within=0.2)


@pytest.mark.parametrize("moment", [3.0, 10.0])
async def test_a_native_sidecar_goes_on_to_the_end_of_its_drain(moment: float) -> None:
    table, [_, client] = app_with(1)
    async with staged(table) as stage:
        hook = stage.call()
        after(17.0, table.leave, client)
        gone = await terminated(stage, moment)
        assert gone == soon(17.0)
        answered_at, answer = await hook
        assert answered_at <= gone
        assert answer.outcome is not None
        assert answer.outcome.result is Result.DRAINED


async def test_a_native_sidecar_in_a_drain_that_hangs_goes_at_the_deadline() -> None:
    table, _ = app_with(1)
    async with staged(table) as stage:
        hook = stage.call()
        table.hangs = True
        assert await terminated(stage, 3.0) == 25.0
        _, answer = await hook
        assert answer.outcome is not None
        assert answer.outcome.result is Result.DEADLINE


@pytest.mark.parametrize("moment", [3.0, 10.0])
async def test_an_app_that_has_gone_ends_the_drain_and_the_sidecar(moment: float) -> None:
    table, cookies = app_with(2)
    async with staged(table) as stage:
        hook = stage.call()
        await until(moment - 0.5)
        table.leave(*cookies)
        gone = await terminated(stage, moment)
        assert gone == soon(moment)
        answered_at, answer = await hook
        assert answered_at <= gone
        assert answer.outcome is not None
        assert answer.outcome.result is Result.DRAINED


async def test_an_app_that_goes_after_sigterm_ends_the_drain_while_settling() -> None:
    table, cookies = app_with(2)
    async with staged(table) as stage:
        stage.call()
        after(3.5, table.leave, *cookies)
        assert await terminated(stage, 2.0) == soon(3.5)
        assert [phase for _, phase in stage.listener.phases] == [Phase.SETTLING, Phase.DONE]


async def test_after_the_drain_a_native_sidecar_goes_at_once() -> None:
    table, _ = app_with(1)
    async with staged(table, DrainPlan(window=8.0)) as stage:
        await stage.call()
        assert await terminated(stage, 9.0) == soon(9.0, within=0.2)


async def test_a_native_sidecar_that_cannot_count_goes_all_the_same() -> None:
    table, _ = app_with()
    async with staged(table) as stage:
        await until(5)
        table.failure = SocketTableError("dump", 5)
        assert await terminated(stage, 10.0) == 11.5


async def test_a_hook_that_comes_after_sigterm_is_answered_before_the_sidecar_goes() -> None:
    table, _ = app_with()
    flushing = table.open(TcpState.FIN_WAIT1, unsent=9000)
    async with staged(table) as stage:
        await until(10)
        gone = stage.gone_at()
        stage.agent.terminate()
        await until(10.5)
        hook = stage.call()
        after(16.0, table.leave, flushing)
        answered_at, answer = await hook
        assert answer.outcome is not None
        assert answer.outcome.result is Result.DRAINED
        assert answered_at == soon(16.0)
        assert await gone == soon(16.0)


async def test_a_second_sigterm_changes_nothing() -> None:
    table, _ = app_with()
    table.open(TcpState.FIN_WAIT1, unsent=9000)
    async with staged(table) as stage:
        after(11.0, stage.agent.terminate)
        assert await terminated(stage, 10.0) == 11.5


async def test_strangers_are_answered_when_the_sidecar_goes() -> None:
    table, _ = app_with(1)
    async with staged(table) as stage:
        stranger = stage.call(STRANGER)
        gone = await terminated(stage, 3.0)
        answered_at, answer = await stranger
        assert answered_at <= gone
        assert (answer.outcome, answer.effect) == (None, False)


# ------------------------------------------------------------------------------------------------- plain


async def test_a_plain_container_begins_a_drain_and_goes_when_the_app_has_gone() -> None:
    table, [listener, client] = app_with(1)
    async with staged(table, policy=PLAIN) as stage:
        after(18.0, table.leave, client)
        after(20.0, table.leave, listener)
        assert await terminated(stage, 10.0) == soon(20.0)
        assert stage.listener.phases == [
            (10.0, Phase.SETTLING), (15.0, Phase.DRAINING), (soon(18.0), Phase.DONE)
        ]  # fmt: skip


async def test_a_plain_container_waits_for_the_last_bytes_of_an_app_that_has_gone() -> None:
    table, [listener] = app_with()
    flushing = table.open(TcpState.FIN_WAIT1, unsent=9000)
    async with staged(table, policy=PLAIN) as stage:
        after(11.0, table.leave, listener)
        after(13.0, table.leave, flushing)
        assert await terminated(stage, 10.0) == soon(13.0)


async def test_the_hook_of_the_app_joins_the_drain_that_sigterm_began() -> None:
    table, [listener, client] = app_with(1)
    async with staged(table, policy=PLAIN) as stage:
        await until(10)
        gone = stage.gone_at()
        stage.agent.terminate()
        await until(11)
        hook = stage.call()
        after(17.0, table.leave, client)
        after(18.0, table.leave, listener)
        answered_at, answer = await hook
        assert answered_at == soon(17.0)
        assert answer.outcome is not None
        assert answer.outcome.tally.began_at == 10.0
        assert await gone == soon(18.0)


@pytest.mark.parametrize("hook_at", [8.0, 11.0])
async def test_a_plain_container_goes_at_the_deadline_with_held_callers_answered_first(hook_at: float) -> None:
    table, _ = app_with(1)
    async with staged(table, policy=PLAIN) as stage:
        after(10.0, stage.agent.terminate)
        gone = stage.gone_at()
        await until(hook_at)
        answered_at, answer = await stage.call()
        began_at = min(hook_at, 10.0)
        assert answered_at == began_at + 25.0
        assert answer.outcome is not None
        assert answer.outcome.result is Result.DEADLINE
        assert await gone == began_at + 25.0


@pytest.mark.parametrize(("app_goes", "gone_at"), [(24.0, 24.0), (None, 45.0)])
async def test_sigterm_after_a_drain_waits_for_the_app_a_window_at_most(app_goes: float | None, gone_at: float) -> None:
    table, [listener] = app_with()
    async with staged(table, policy=PLAIN) as stage:
        await stage.call()
        if app_goes is not None:
            after(app_goes, table.leave, listener)
        assert await terminated(stage, 20.0) == soon(gone_at)
        assert [phase for _, phase in stage.listener.phases].count(Phase.SETTLING) == 1


async def test_a_plain_container_stays_while_the_app_listens_on_a_port_without_clients() -> None:
    table, _ = app_with()
    async with staged(table, policy=PLAIN) as stage:
        assert await terminated(stage, 10.0) == 35.0


async def test_a_hook_that_outlives_the_first_deadline_is_answered_before_a_plain_container_goes() -> None:
    table, [listener] = app_with()
    async with staged(table, DrainPlan(window=100.0), PLAIN) as stage:
        await until(10)
        gone = stage.gone_at()
        stage.agent.terminate()
        await until(90)
        table.open()
        answered_at, answer = await stage.call()
        assert answer.outcome is not None
        assert answered_at == 190.0
        assert await gone == 190.0
        assert listener in table.rows


async def test_clients_that_the_app_takes_with_it_after_the_grace_period_were_cut() -> None:
    table, (listener, *clients) = app_with(3)
    async with staged(table) as stage:
        hook = stage.call()
        await until(6.0)
        table.leave(clients.pop())
        for cookie in (listener, *clients):
            after(6.6, table.leave, cookie)
        assert await terminated(stage, 6.5) == soon(6.6, within=1.2)
        outcome = (await hook)[1].outcome
        assert outcome is not None
        assert (outcome.result, outcome.tally.left, outcome.tally.remaining) == (Result.DEADLINE, 1, 2)
