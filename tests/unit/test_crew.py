"""The closers at work: one order at a time for each, what comes meanwhile as one, and nothing after the end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from dataclasses import replace

import pytest

from drainer.attempt import Attempt, Verdict
from drainer.crew import Crew, InThread
from drainer.model import Identity
from drainer.observers import Observers
from drainer.phases import Close
from drainer.worker import Worker
from tests.unit.fake_closers import FakeBlockingCloser, FakeCloser
from tests.unit.fakes import now, until
from tests.unit.listeners import Listener

SENT = Attempt(Verdict.SENT)
PATIENCE = 10.0


class Answers:
    """What the crew reports, with its moment."""

    def __init__(self) -> None:
        self.heard: list[tuple[float, str, Mapping[Identity, Attempt]]] = []

    def __call__(self, closer: str, attempts: Mapping[Identity, Attempt]) -> None:
        self.heard.append((now(), closer, attempts))


def order(closer: str, *connections: Identity, remaining: int = 9, rate: float = 1.0) -> Close:
    return Close(closer, connections, remaining, 10.0, rate)


def crew_of(**closers: FakeCloser) -> tuple[Crew, Answers, Listener]:
    answers, listener = Answers(), Listener()
    return Crew(closers, answers, Observers([listener], now)), answers, listener


# ------------------------------------------------------------------------------------------------- at work


@pytest.mark.looptime
async def test_what_came_of_an_order_is_reported() -> None:
    reset = FakeCloser()
    reset.takes = 0.5
    crew, answers, listener = crew_of(reset=reset)
    crew.close(order("reset", 1, 2))
    await until(1)
    assert reset.orders == [(0.0, order("reset", 1, 2))]
    assert answers.heard == [(0.5, "reset", {1: SENT, 2: SENT})]
    assert listener.warnings == []


@pytest.mark.looptime
async def test_what_is_ordered_while_a_closer_works_becomes_one_order_with_the_latest_pace() -> None:
    reset = FakeCloser()
    reset.takes = 1.0
    crew, answers, _ = crew_of(reset=reset)
    crew.close(order("reset", 1))
    await until(0.5)
    crew.close(order("reset", 2, 3, remaining=7, rate=2.0))
    crew.close(order("reset", 3, 4, remaining=6, rate=3.0))
    await until(9)
    assert reset.orders == [(0.0, order("reset", 1)), (1.0, order("reset", 2, 3, 4, remaining=6, rate=3.0))]
    assert [moment for moment, *_ in answers.heard] == [1.0, 2.0]
    crew.close(order("reset", 5))
    await until(10.5)
    assert answers.heard[-1] == (10.0, "reset", {5: SENT})


@pytest.mark.looptime
async def test_who_has_gone_on_to_the_next_closer_is_not_tried_by_the_one_before() -> None:
    reset, gone_on = FakeCloser(), {2, 3}
    answers = Answers()

    def narrow(order: Close) -> Close:
        return replace(order, connections=tuple(one for one in order.connections if one not in gone_on))

    crew = Crew({"reset": reset}, answers, Observers([], now), narrow)
    crew.close(order("reset", 1, 2))
    await until(1)
    crew.close(order("reset", 3))
    await until(2)
    assert reset.tried == [1]
    crew.close(order("reset", 4))
    await until(3)
    assert reset.tried == [1, 4]


@pytest.mark.looptime
async def test_a_closer_that_hangs_does_not_hold_up_the_others() -> None:
    notify, reset = FakeCloser(), FakeCloser()
    notify.takes = 1000.0
    crew, answers, _ = crew_of(notify=notify, reset=reset)
    crew.close(order("notify", 1))
    await until(1)
    crew.close(order("reset", 2))
    await until(2)
    assert answers.heard == [(1.0, "reset", {2: SENT})]
    crew.stop()


@pytest.mark.looptime
async def test_a_closer_that_fails_has_failed_for_each_and_goes_on_with_the_next_order() -> None:
    reset = FakeCloser()
    reset.failure = OSError("netlink is gone")
    crew, answers, listener = crew_of(reset=reset)
    crew.close(order("reset", 1, 2))
    await until(1)
    failed = Attempt(Verdict.FAILED, "OSError")
    assert answers.heard == [(0.0, "reset", {1: failed, 2: failed})]
    assert listener.warnings[0] == "closer reset has failed: OSError: netlink is gone"
    reset.failure = None
    crew.close(order("reset", 3))
    await until(2)
    assert answers.heard[-1] == (1.0, "reset", {3: SENT})


@pytest.mark.looptime
async def test_what_could_not_be_done_is_told_once_in_a_drain_for_each_kind() -> None:
    websocket = FakeCloser()
    crew, _, listener = crew_of(websocket=websocket)
    told: list[str] = []
    for attempt in (
        Attempt(Verdict.SENT), Attempt(Verdict.GONE), Attempt(Verdict.BUSY), Attempt(Verdict.UNACCEPTED),
        Attempt(Verdict.NOT_WEBSOCKET), Attempt(Verdict.REFUSED, "EPERM"), Attempt(Verdict.REFUSED, "EPERM"),
        Attempt(Verdict.REFUSED, "ESRCH"), Attempt(Verdict.NOT_WEBSOCKET)
    ):  # fmt: skip
        websocket.attempt = attempt
        crew.close(order("websocket", 1, 2))
        await until(now() + 1)
        told += listener.warnings[len(told) :]
    end = "; such connections go on to the next closer, if any"
    assert told == [
        f"closer websocket: not_websocket{end}",
        f"closer websocket: refused (EPERM){end}",
        f"closer websocket: refused (ESRCH){end}",
    ]
    crew.stop()
    crew.close(order("websocket", 3))
    await until(now() + 1)
    assert listener.warnings[3:] == [f"closer websocket: not_websocket{end}"]


# ---------------------------------------------------------------------------------------------- the end


@pytest.mark.looptime
async def test_after_the_end_nobody_is_closed_and_nothing_is_reported() -> None:
    reset = FakeCloser()
    reset.takes = 1.0
    crew, answers, _ = crew_of(reset=reset)
    crew.close(order("reset", 1))
    await until(0.5)
    crew.close(order("reset", 2))
    crew.stop()
    await until(9)
    assert (reset.orders, answers.heard) == ([(0.0, order("reset", 1))], [])
    assert (reset.answered, reset.finished) == (0, 1)


@pytest.mark.looptime
async def test_an_answer_in_the_very_moment_of_the_end_is_not_reported() -> None:
    reset = FakeCloser()
    crew, answers, _ = crew_of(reset=reset)
    reset.on_close = lambda order: crew.stop()
    crew.close(order("reset", 1))
    await until(1)
    assert (reset.answered, answers.heard, crew._at_work) == (1, [], {})


@pytest.mark.looptime
async def test_the_next_drain_does_not_wait_for_what_the_last_one_left_hanging() -> None:
    reset = FakeCloser()
    reset.takes = 1000.0
    crew, answers, _ = crew_of(reset=reset)
    crew.close(order("reset", 1))
    await until(1)
    crew.stop()
    reset.takes = 0.0
    crew.close(order("reset", 2))
    await until(2000)
    assert answers.heard == [(1.0, "reset", {2: SENT})]


@pytest.mark.looptime
async def test_a_closer_that_is_cancelled_late_does_not_touch_its_successor() -> None:
    class Stubborn(FakeCloser):
        async def close(self, order: Close) -> Mapping[Identity, Attempt]:
            try:
                return await super().close(order)
            except asyncio.CancelledError:
                return {}

    reset = Stubborn()
    reset.takes = 5.0
    crew, answers, _ = crew_of(reset=reset)
    crew.close(order("reset", 1))
    await until(1)
    crew.stop()
    crew.close(order("reset", 2))
    await until(3)
    crew.close(order("reset", 3))
    await until(20)
    assert [moment for moment, _ in reset.orders] == [0.0, 1.0, 6.0]
    assert answers.heard == [(6.0, "reset", {2: SENT}), (11.0, "reset", {3: SENT})]


# ---------------------------------------------------------------------------------------- who can work here


@pytest.mark.looptime
async def test_who_can_work_is_said_when_it_is_another_answer_than_before() -> None:
    reset, notify = FakeCloser(missing="CAP_NET_ADMIN is missing"), FakeCloser()
    crew, _, listener = crew_of(notify=notify, reset=reset)
    assert crew.unusable == {"notify", "reset"}
    for _ in range(3):
        await crew.examine()
    assert crew.unusable == {"reset"}
    assert crew.missing == {"notify": None, "reset": "CAP_NET_ADMIN is missing"}
    assert listener.notes == ["closer notify can work here"]
    assert listener.warnings == ["closer reset is off: CAP_NET_ADMIN is missing"]
    reset.lacks = None
    await crew.examine()
    assert listener.notes[1:] == ["closer reset can work here"]
    assert crew.unusable == frozenset()


@pytest.mark.looptime
async def test_a_closer_that_cannot_be_examined_is_off_and_the_next_one_is_examined() -> None:
    websocket, reset = FakeCloser(missing=PermissionError(13, "Permission denied")), FakeCloser()
    crew, _, listener = crew_of(websocket=websocket, reset=reset)
    await crew.examine()
    assert crew.unusable == {"websocket"}
    assert listener.warnings == ["closer websocket is off: PermissionError: [Errno 13] Permission denied"]


# ------------------------------------------------------------------------------------------------ in a thread


async def test_a_blocking_closer_gets_the_cookies_and_the_others_cannot_be_reached() -> None:
    blocking = FakeBlockingCloser()
    closer = InThread(blocking, Worker("close"))
    async with asyncio.timeout(PATIENCE):
        assert await closer.missing() == "a right"
        answer = await closer.close(order("shutdown", 7, ("192.0.2.7", 40_000), 8))
    assert blocking.tried == [7, 8]
    assert answer == {7: SENT, 8: SENT, ("192.0.2.7", 40_000): Attempt(Verdict.UNREACHABLE)}


async def test_at_the_end_of_a_drain_a_call_stops_between_two_connections() -> None:
    began, goes_on = threading.Event(), threading.Event()

    def between() -> None:
        began.set()
        assert goes_on.wait(PATIENCE)

    blocking = FakeBlockingCloser(between)
    closer = InThread(blocking, Worker("close"))
    closing = asyncio.create_task(closer.close(order("shutdown", 1, 2, 3)))
    assert await asyncio.to_thread(began.wait, PATIENCE)
    closer.finish()
    goes_on.set()
    async with asyncio.timeout(PATIENCE):
        assert await closing == {1: SENT}
        assert await closer.close(order("shutdown", 4)) == {4: SENT}
    assert blocking.tried == [1, 4]
