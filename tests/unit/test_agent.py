"""The agent in fake time: from the hook to its answer."""

from __future__ import annotations

import asyncio

import pytest

from drainer.callers import CallerPolicy, Trust
from drainer.errors import RefusedError, SocketTableError
from drainer.model import TcpState
from drainer.phases import Phase, Result
from drainer.plan import DrainPlan
from drainer.policy import Policy, Readiness
from tests.unit.fakes import NODE, STRANGER, FakeTable, after, now, serving_app, staged, until

pytestmark = pytest.mark.looptime


async def test_a_hook_is_answered_in_the_moment_the_last_client_leaves() -> None:
    table, cookies = serving_app(3)
    async with staged(table) as stage:
        await until(10)
        hook = stage.call()
        for moment, cookie in zip((12.0, 16.5, 17.3), cookies, strict=True):
            after(moment, table.leave, cookie)
        moment, answer = await hook
        assert moment == pytest.approx(17.3, abs=1e-3)
        assert answer.effect
        assert answer.outcome is not None
        tally = answer.outcome.tally
        assert (answer.outcome.result, tally.at_start, tally.arrived, tally.left, tally.remaining) == (
            Result.DRAINED, 3, 0, 3, 0
        )  # fmt: skip
        assert tally.seconds == pytest.approx(7.3, abs=1e-3)
        assert stage.listener.phases == [
            (10.0, Phase.SETTLING), (15.0, Phase.DRAINING), (pytest.approx(17.3, abs=1e-3), Phase.DONE)
        ]  # fmt: skip


async def test_zero_connections_while_settling_end_nothing_and_afterwards_at_once() -> None:
    table, _ = serving_app()
    async with staged(table, DrainPlan(settle=5.0)) as stage:
        await until(1.5)
        moment, answer = await stage.call()
        assert moment == pytest.approx(6.5, abs=1e-3)
        assert answer.outcome is not None
        assert answer.outcome.result is Result.DRAINED


async def test_a_client_that_comes_while_settling_is_waited_for() -> None:
    table, _ = serving_app()
    async with staged(table) as stage:
        await until(10)
        hook = stage.call()
        await until(14)
        late = table.open()
        after(18.0, table.leave, late)
        moment, answer = await hook
        assert moment == pytest.approx(18.0, abs=1e-3)
        assert answer.outcome is not None
        assert answer.outcome.tally.arrived == 1


async def test_the_deadline_comes_exactly_one_window_after_the_receipt() -> None:
    table, _ = serving_app(2)
    async with staged(table, DrainPlan(window=25.0)) as stage:
        await until(10.25)
        moment, answer = await stage.call()
        assert moment == 35.25
        assert answer.outcome is not None
        assert answer.outcome.result is Result.DEADLINE
        assert answer.outcome.tally.seconds == 25.0
        assert answer.outcome.tally.remaining == 2


async def test_the_last_bytes_get_the_flush_time_and_no_more() -> None:
    table, [cookie] = serving_app(1)
    async with staged(table, DrainPlan(flush=2.0)) as stage:
        hook = stage.call()
        await until(8)
        table.leave(cookie)
        table.open(TcpState.FIN_WAIT1, unsent=5000)
        moment, answer = await hook
        assert moment == pytest.approx(10.0, abs=0.01)
        assert answer.outcome is not None
        assert answer.outcome.result is Result.DRAINED


@pytest.mark.parametrize("trouble", ["hangs", "fails", "never answered at all"])
async def test_counting_that_hangs_or_fails_for_ever_does_not_stop_the_deadline(trouble: str) -> None:
    table, _ = serving_app(1)
    async with staged(table) as stage:
        if trouble != "never answered at all":
            await until(3)
        table.hangs = trouble != "fails"
        table.failure = SocketTableError("dump", 5)
        await until(10)
        moment, answer = await stage.call()
        assert moment == 35.0
        assert answer.outcome is not None
        assert answer.outcome.result is Result.DEADLINE


async def test_a_thousand_callers_get_one_outcome() -> None:
    table, [cookie] = serving_app(1)
    async with staged(table) as stage:
        calls = [stage.call() for _ in range(999)]
        await until(3)
        calls.append(stage.call(NODE))
        await until(4)
        assert stage.agent.status().held == 1000
        after(9.0, table.leave, cookie)
        answers = await asyncio.gather(*calls)
        assert [moment for moment, _ in answers] == [pytest.approx(9.0, abs=1e-3)] * 1000
        assert len({id(answer.outcome) for _, answer in answers}) == 1
        assert stage.agent.status().held == 0
        assert stage.agent.status().drains[Result.DRAINED] == 1
        assert stage.agent.status().calls[Trust.TRUSTED] == 1000


async def test_a_caller_that_hangs_up_changes_nothing() -> None:
    table, [cookie] = serving_app(1)
    async with staged(table) as stage:
        first, second = stage.call(), stage.call()
        await until(2)
        first.cancel()
        await until(3)
        assert stage.agent.status().held == 1
        second.cancel()
        await until(4)
        assert stage.phase() is Phase.SETTLING
        after(8.0, table.leave, cookie)
        await until(9)
        assert stage.listener.phases[-1][0] == pytest.approx(8.0, abs=1e-3)
        assert stage.phase() is Phase.DONE


async def test_a_hook_within_a_minute_of_the_end_is_answered_at_once_and_a_later_one_begins_anew() -> None:
    table, _ = serving_app()
    async with staged(table) as stage:
        _, first = await stage.call()
        await until(65)
        moment, again = await stage.call()
        assert moment == 65.0
        assert again.outcome is first.outcome
        await until(65.5)
        late = stage.call()
        await until(66)
        assert stage.phase() is Phase.SETTLING
        moment, answer = await late
        assert moment == pytest.approx(70.5, abs=1e-3)
        assert answer.outcome is not first.outcome


async def test_a_caller_that_hangs_up_in_the_moment_of_the_outcome_takes_it_from_nobody() -> None:
    table, _ = serving_app(1)
    async with staged(table) as stage:
        gone, stays = stage.call(), stage.call()
        await until(2)
        gone.cancel()
        stage.agent.resume("127.0.0.1", {})
        assert (await stays)[0] == 2.0


@pytest.mark.parametrize("moment", [3.0, 12.0])
async def test_a_resume_by_hand_answers_the_callers_and_serves_again(moment: float) -> None:
    table, _ = serving_app(1)
    async with staged(table) as stage:
        hook = stage.call()
        await until(moment)
        assert stage.agent.probed(NODE, {}) == (False, stage.phase())
        assert stage.agent.resume("127.0.0.1", {}) is True
        assert stage.agent.probed(NODE, {}) == (True, Phase.SERVING)
        answered_at, answer = await hook
        assert answered_at == moment
        assert answer.outcome is not None
        assert answer.outcome.result is Result.RESUMED
        await until(100)
        assert stage.listener.phases[-1] == (moment, Phase.SERVING)


async def test_a_resume_after_the_end_serves_again_and_without_a_drain_there_is_nothing_to_resume() -> None:
    table, _ = serving_app()
    async with staged(table) as stage:
        assert stage.agent.resume("127.0.0.1", {}) is False
        await stage.call()
        assert stage.agent.resume("127.0.0.1", {}) is True
        assert stage.phase() is Phase.SERVING
        assert stage.agent.resume("127.0.0.1", {}) is False
        last = stage.agent.status().last_outcome
        assert last is not None
        assert last.result is Result.DRAINED


async def test_a_stranger_may_not_resume() -> None:
    table, _ = serving_app(1)
    async with staged(table) as stage:
        stage.call()
        await until(2)
        assert stage.agent.resume(STRANGER, {}) is None
        assert stage.phase() is Phase.SETTLING


@pytest.mark.parametrize(("moment", "phase"), [(2.5, "settling"), (7.5, "draining"), (40.0, "done")])
async def test_an_app_that_was_restarted_is_served_again_from_every_phase(moment: float, phase: str) -> None:
    table = FakeTable()
    listener, client = table.listen(), table.open()
    async with staged(table) as stage:
        hook = stage.call()
        await until(moment)
        assert stage.phase() == phase
        table.leave_silently(listener, client)
        await until(moment + 1.2)
        assert stage.phase() == phase or phase == "draining"
        table.listen()
        await until(moment + 2.5)
        assert stage.phase() is Phase.SERVING
        assert hook.done()


async def test_a_worker_that_is_replaced_while_another_listens_is_no_restart() -> None:
    table = FakeTable()
    first, _ = table.listen(), table.listen()
    table.open()
    async with staged(table) as stage:
        stage.call()
        await until(2)
        table.leave_silently(first)
        table.listen()
        await until(10)
        assert stage.phase() is Phase.DRAINING


@pytest.mark.parametrize(
    ("readiness", "settling", "draining"),
    [
        (Readiness.AUTO, False, False),
        (Readiness.NOW, False, False),
        (Readiness.AFTER, True, False),
        (Readiness.NEVER, True, True),
    ],
)
async def test_readiness_goes_off_when_the_policy_says(*, readiness: Readiness, settling: bool, draining: bool) -> None:
    table, _ = serving_app(1)
    async with staged(table, policy=Policy(readiness=readiness)) as stage:
        assert stage.agent.probed(NODE, {}) == (True, Phase.SERVING)
        stage.call()
        await until(3)
        assert stage.agent.probed(NODE, {}) == (settling, Phase.SETTLING)
        await until(8)
        assert stage.agent.probed(NODE, {}) == (draining, Phase.DRAINING)
        await until(30)
        assert stage.agent.probed(NODE, {}) == (draining, Phase.DONE)


async def test_an_observer_that_raises_changes_nothing_and_keeps_nothing_from_the_others() -> None:
    table, _ = serving_app()
    async with staged(table, broken_observer=True, callers=CallerPolicy()) as stage:
        moment, answer = await stage.call(STRANGER)
        assert moment == pytest.approx(5.0, abs=1e-3)
        assert answer.effect
        assert [phase for _, phase in stage.listener.phases] == [Phase.SETTLING, Phase.DRAINING, Phase.DONE]
        [warning] = stage.listener.warnings
        assert "every IPv4 caller is trusted" in warning


async def test_the_same_trouble_is_told_once() -> None:
    table, _ = serving_app()
    async with staged(table) as stage:
        table.failure = SocketTableError("dump", 105, "ENOBUFS")
        await until(10)
        assert len([warning for warning in stage.listener.warnings if "ENOBUFS" in warning]) == 1
        table.failure = ValueError()
        await until(20)
        assert len(stage.listener.warnings) == 2
        assert "ValueError" in stage.listener.warnings[-1]


async def test_a_drain_without_notifications_sees_the_last_close_within_a_fifth_of_a_second() -> None:
    table, [cookie] = serving_app(1)
    table.watch_failure = RefusedError("notifications", 1)
    async with staged(table) as stage:
        hook = stage.call()
        after(12.05, table.leave, cookie)
        moment, _ = await hook
        assert 12.05 <= moment <= 12.3
        assert not stage.agent.status().notified


async def test_a_status_is_never_older_than_five_seconds() -> None:
    table, _ = serving_app(2)
    async with staged(table, policy=Policy(interval=60.0)) as stage:
        await until(30)
        status = await stage.agent.fresh_status()
        assert now() - status.census.taken_at <= 5.0
        assert status.census.live == 2
        assert status.drain is None
