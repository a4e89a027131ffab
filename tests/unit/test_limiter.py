"""A limit at work in fake time: when the other pods are asked for, and that pods do not flap together."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from itertools import pairwise

import pytest

from drainer.cap import Room, View
from drainer.kube.slices import SERVICE_NAME, view
from drainer.limiter import LONGEST, Limiter
from tests.unit.fakes import now, until
from tests.unit.limits import FakeNeighbours, plan
from tests.unit.test_cap import counted

pytestmark = pytest.mark.looptime


class Pod:
    """A limiter, what it told, and the connections that it counts."""

    def __init__(self, neighbours: FakeNeighbours | None = None, chance: Callable[[], float] = lambda: 0.5) -> None:
        self.limiter = Limiter(plan(never_last=neighbours is not None), neighbours, chance)
        self.limiter.begin(lambda: self.told.append((now(), self.room)))
        self.told: list[tuple[float, Room]] = []

    @property
    def room(self) -> Room:
        return self.limiter.status.room

    def is_in(self, room: Room) -> bool:
        return self.room is room

    def counts(self, connections: int) -> None:
        self.limiter.observe(counted(now() + 1.0, connections))


async def test_without_others_to_ask_for_full_is_said_in_the_moment_it_is_counted() -> None:
    pod = Pod()
    await until(5)
    pod.counts(10)
    await until(6)
    pod.counts(3)
    assert pod.told == [(5.0, Room.FULL), (6.0, Room.TAKING)]


async def test_nobody_is_asked_before_the_limit_is_reached_and_after_it() -> None:
    neighbours = FakeNeighbours()
    pod = Pod(neighbours)
    pod.counts(9)
    await until(1000)
    assert neighbours.asked == []
    pod.counts(10)
    await until(1010)
    assert (pod.room, bool(neighbours.asked)) == (Room.FULL, True)
    pod.counts(7)
    asked = len(neighbours.asked)
    await until(5000)
    assert (pod.room, len(neighbours.asked)) == (Room.TAKING, asked)


async def test_full_is_said_when_it_is_the_pods_turn_and_looked_at_again_less_and_less_often() -> None:
    neighbours = FakeNeighbours(turn=0.5)
    pod = Pod(neighbours)
    pod.counts(10)
    await until(400)
    assert pod.told == [(0.0, Room.ASKING), (3.5, Room.FULL)]
    moments = [at for at, _ in neighbours.asked]
    assert moments[:7] == [0.5, 3.5, 6.0, 11.0, 21.0, 41.0, 81.0]
    assert all(later - earlier == 50.0 for earlier, later in pairwise(moments[7:]))
    # The Services of a pod that is out of them are remembered.
    assert [anew for _, anew in neighbours.asked] == [True, True] + [False] * (len(moments) - 2)
    pod.limiter.stop()


async def test_a_pod_whose_turn_comes_when_all_others_have_left_stays() -> None:
    neighbours = FakeNeighbours(turn=1.0)
    pod = Pod(neighbours)
    pod.counts(10)
    await until(5)
    neighbours.says = 0
    await until(20)
    assert pod.told == [(0.0, Room.ASKING), (6.5, Room.LAST)]
    pod.limiter.stop()


@pytest.mark.parametrize("taking", [0, None])
async def test_the_last_pod_takes_on_and_asks_again_until_there_is_another(taking: int | None) -> None:
    neighbours = FakeNeighbours(taking)
    pod = Pod(neighbours)
    pod.counts(10)
    await until(300)
    assert pod.told == [(0.0, Room.ASKING), (0.5, Room.LAST)]
    moments = [at for at, _ in neighbours.asked]
    assert moments[:4] == [0.5, 6.75, 19.25, 44.25]
    assert all(later - earlier <= 1.5 * LONGEST for earlier, later in pairwise(moments))
    neighbours.says = 1
    await until(400)
    assert pod.is_in(Room.FULL)
    pod.limiter.stop()


async def test_a_full_pod_comes_back_when_the_others_are_gone() -> None:
    neighbours = FakeNeighbours()
    pod = Pod(neighbours)
    pod.counts(10)
    await until(20)
    assert pod.is_in(Room.FULL)
    neighbours.says = 0
    await until(20 + 1.5 * LONGEST)
    assert pod.is_in(Room.LAST)
    pod.limiter.stop()


async def test_a_drain_stops_the_questions_and_what_was_said_stays_said() -> None:
    neighbours = FakeNeighbours()
    pod = Pod(neighbours)
    pod.counts(10)
    await until(5)
    pod.limiter.stop()
    pod.limiter.stop()
    asked = len(neighbours.asked)
    await until(500)
    assert (pod.room, len(neighbours.asked)) == (Room.FULL, asked)
    # It serves again, with as many.
    pod.counts(10)
    await until(510)
    assert (pod.room, len(neighbours.asked)) == (Room.FULL, asked + 3)
    pod.limiter.stop()


async def test_a_pod_that_cannot_be_counted_takes_again() -> None:
    pod = Pod(FakeNeighbours())
    pod.limiter.observe(counted(0.0, 10))
    await until(10)
    pod.limiter.miss()
    assert pod.is_in(Room.FULL)
    await until(31)
    pod.limiter.miss()
    assert pod.told[-1] == (31.0, Room.TAKING)


class Fleet:
    """Pods of one Service, whose slices follow what they say after a while."""

    LAG = 1.5

    def __init__(self, count: int, seed: int) -> None:
        chance = random.Random(seed)
        self.pods = [Pod(FakeNeighbours(self._seen_by(index)), chance.random) for index in range(count)]
        self._changes: list[tuple[float, int, Room]] = []
        for index, pod in enumerate(self.pods):
            pod.limiter.begin(lambda index=index, pod=pod: self._changes.append((now(), index, pod.room)))  # type: ignore[misc]

    def _seen_by(self, own: int) -> Callable[[], View]:
        def look() -> View:
            in_slices = self.taking(now() - self.LAG)
            endpoints = [
                {"targetRef": {"uid": f"{index:03}"}, "conditions": {"ready": True}} for index in sorted(in_slices)
            ]
            slices = [{"metadata": {"labels": {SERVICE_NAME: "ws"}}, "endpoints": endpoints}]
            return view(slices, f"{own:03}", {"ws"})

        return look

    def taking(self, at: float) -> set[int]:
        """Who was in the Service at this moment."""
        found = set(range(len(self.pods)))
        for moment, index, room in self._changes:
            if moment <= at:
                (found.discard if room is Room.FULL else found.add)(index)
        return found

    def changes_since(self, at: float) -> int:
        return sum(moment >= at for moment, _, _ in self._changes)


@pytest.mark.parametrize("count", [1, 2, 3, 20, 200])
@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("within", [0, 30])
async def test_when_all_pods_reach_their_limits_some_go_on_taking_and_nobody_flaps(
    count: int, seed: int, within: int
) -> None:
    fleet = Fleet(count, seed)
    late = random.Random(seed)
    reached_at = [late.uniform(0, within) for _ in fleet.pods]
    for _ in range(300):
        for pod, at in zip(fleet.pods, reached_at, strict=True):
            pod.counts(10 if at <= now() else 9)
        await asyncio.sleep(1)
    # All at once they go in turns. One after the other it may happen that two go in the same second: that is noticed.
    empty = [at / 10 for at in range(3000) if not fleet.taking(at / 10)]
    assert len(empty) / 10 <= (4.0 if within else 0.0)
    assert count // 8 * (not within) <= len(fleet.taking(300.0)) <= 1 + count / 4
    assert fleet.changes_since(100.0) == 0
    for pod in fleet.pods:
        pod.limiter.stop()


@pytest.mark.parametrize("seed", range(4))
async def test_when_the_last_one_goes_others_come_back_and_all_but_one_leave_again(seed: int) -> None:
    fleet = Fleet(5, seed)
    for second in range(600):
        for index, pod in enumerate(fleet.pods):
            # The pod that is the last by its turn loses its clients for a while, then has as many again.
            pod.counts(0 if index == 4 and 60 <= second < 70 else 10)
        await asyncio.sleep(1)
    assert [at / 10 for at in range(6000) if not fleet.taking(at / 10)] == []
    assert len(fleet.taking(600.0)) == 1
    for pod in fleet.pods:
        pod.limiter.stop()


async def test_of_many_pods_a_quarter_goes_on_so_that_not_one_gets_all() -> None:
    neighbours = FakeNeighbours(11)
    pod = Pod(neighbours)
    pod.counts(10)
    await until(20)
    assert pod.is_in(Room.FULL)
    neighbours.says = 0
    await until(100)
    assert pod.is_in(Room.LAST)
    neighbours.says = 2
    await until(200)
    assert pod.is_in(Room.LAST)
    neighbours.says = 3
    await until(300)
    assert pod.is_in(Room.FULL)
    # Others may have left in the same moment: as long as there are some, nobody comes back for that.
    neighbours.says = 1
    await until(400)
    assert pod.is_in(Room.FULL)
    pod.limiter.stop()
