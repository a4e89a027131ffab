"""The driver: a Drain on the event loop's clock, with one timer."""

from __future__ import annotations

import asyncio

import pytest

from drainer.drain import Drain
from drainer.driver import Driver
from drainer.model import PortCount, Reason
from drainer.phases import Announce, Phase, Result
from drainer.plan import DrainPlan
from tests.unit.fakes import PORT, now, until
from tests.unit.statuses import make_census

pytestmark = pytest.mark.looptime


def driving(**plan: float) -> tuple[Driver, list[Announce]]:
    heard: list[Announce] = []
    return Driver(Drain(DrainPlan(**plan)), heard.append), heard  # type: ignore[arg-type] # max_remaining is not among them


async def test_time_alone_moves_a_drain_from_phase_to_phase_to_its_deadline() -> None:
    driver, heard = driving(window=25.0, settle=5.0)
    await until(10)
    driver.begin()
    await until(1000)
    assert [(announce.at, announce.phase) for announce in heard] == [
        (10.0, Phase.SETTLING), (15.0, Phase.DRAINING), (35.0, Phase.DONE)
    ]  # fmt: skip


async def test_no_timer_is_left_when_the_drain_has_ended() -> None:
    driver, heard = driving(settle=5.0)
    driver.begin()
    driver.conclude()
    assert driver._timer is None
    await until(100)
    assert [announce.phase for announce in heard] == [Phase.SETTLING, Phase.DONE]


async def test_resume_ends_the_drain_at_once_and_its_deadline_never_comes() -> None:
    driver, heard = driving()
    driver.begin()
    await until(7)
    driver.resume()
    await until(100)
    assert heard[-1].phase is Phase.SERVING
    assert heard[-1].at == 7.0
    assert heard[-1].outcome is not None
    assert heard[-1].outcome.result is Result.RESUMED


async def test_a_census_that_comes_late_cannot_outrun_the_deadline() -> None:
    driver, heard = driving(window=25.0)
    driver.begin()
    await until(6)
    driver.stop()  # as if the loop were busy for as long
    await until(26)
    driver.observe(make_census(taken_at=24.0, confirmed=True))
    assert heard[-1].outcome is not None
    assert heard[-1].outcome.result is Result.DEADLINE


async def test_an_observed_end_of_the_flushing_is_waited_for_by_the_timer() -> None:
    driver, heard = driving(window=25.0, settle=5.0, flush=2.0)
    driver.begin()
    await until(6)
    still_flushing = {PORT: PortCount(excluded={Reason.FLUSHING: 1})}
    driver.observe(make_census(still_flushing, taken_at=6.0, confirmed=True))
    await until(20)
    assert (heard[-1].phase, heard[-1].at) == (Phase.DONE, 8.0)


async def test_a_timer_that_fires_a_hair_early_acts_all_the_same() -> None:
    driver, heard = driving(window=25.0, settle=5.0)
    driver.begin()
    await until(24.9)
    driver._on_time(25.0)
    assert heard[-1].at == 25.0
    assert now() == 24.9


async def test_a_driver_that_is_stopped_twice_stays_silent() -> None:
    driver, heard = driving()
    driver.begin()
    driver.stop()
    driver.stop()
    await asyncio.sleep(100)
    assert [announce.phase for announce in heard] == [Phase.SETTLING]
