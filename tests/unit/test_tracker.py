from __future__ import annotations

from collections.abc import Iterable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drainer.model import Census, Dump, Identity, PortCount, Reason, Source, TcpState
from drainer.tracker import AGE_BOUNDS, Tracker
from tests.unit.census import APP

S = TcpState
OTHER = 9090


def dump(
    taken_at: float,
    states: Mapping[TcpState, Iterable[Identity]] | None = None,
    *,
    port: int = APP,
    idle: Iterable[Identity] = (),
    flushing: Iterable[Identity] = (),
    ignored: dict[int, int] | None = None,
    confirmed: bool = True,
) -> Dump:
    groups: dict[tuple[int, int], set[Identity]] = {(port, state): set(ids) for state, ids in (states or {}).items()}
    return Dump(groups, set(flushing), set(idle), ignored, taken_at, confirmed=confirmed)


def seen(*dumps: Dump, min_age: float = 0.0) -> Tracker:
    tracker = Tracker([APP, OTHER], min_age)
    for one in dumps:
        tracker.observe(one)
    return tracker


def count(tracker: Tracker, now: float = 0.0, port: int = APP) -> PortCount:
    return tracker.census(now).ports[port]


# ------------------------------------------------------------------------------------------ arrivals and departures


def test_who_is_new_is_opened_and_who_is_missing_is_closed() -> None:
    tracker = seen(dump(1.0, {S.ESTABLISHED: [1, 2, 3]}), dump(2.0, {S.ESTABLISHED: [2, 3, 4, 5]}))
    after = count(tracker)
    assert (after.live, after.opened, after.closed) == (4, 5, 1)


def test_a_dump_that_shows_the_same_number_of_others_is_all_new() -> None:
    after = count(seen(dump(1.0, {S.ESTABLISHED: [1, 2]}), dump(2.0, {S.ESTABLISHED: [3, 4]})))
    assert (after.live, after.opened, after.closed) == (2, 4, 2)


def test_a_connection_stays_the_same_when_its_client_closes_first() -> None:
    after = count(seen(dump(1.0, {S.ESTABLISHED: [1]}), dump(2.0, {S.CLOSE_WAIT: [1]})))
    assert (after.live, after.opened, after.closed) == (1, 1, 0)


def test_a_departure_takes_effect_at_once_but_proves_nothing() -> None:
    tracker = seen(dump(1.0, {S.ESTABLISHED: [1, 2]}))
    assert tracker.census(1.0).confirmed
    tracker.depart(APP, 1, 1.5)
    census = tracker.census(1.5)
    assert (census.live, census.closed, census.confirmed, census.taken_at) == (1, 1, False, 1.0)
    tracker.observe(dump(2.0, {S.ESTABLISHED: [2]}))
    assert tracker.census(2.0).confirmed


def test_a_cookie_destroyed_while_a_dump_is_read_does_not_come_back() -> None:
    tracker = seen(dump(1.0, {S.ESTABLISHED: [1, 2]}))
    tracker.depart(APP, 1, 2.5)
    tracker.observe(dump(2.0, {S.ESTABLISHED: [1, 2]}))
    after = count(tracker)
    assert (after.live, after.opened, after.closed) == (1, 2, 1)


def test_a_connection_that_came_and_went_while_a_dump_was_read_is_never_counted() -> None:
    tracker = seen(dump(1.0))
    tracker.depart(APP, 7, 2.5)
    tracker.observe(dump(2.0, {S.ESTABLISHED: [7], S.CLOSE_WAIT: [8]}))
    assert (count(tracker).opened, count(tracker).live) == (1, 1)


def test_what_is_delivered_while_a_dump_is_read_flushes_no_more() -> None:
    tracker = seen(dump(1.0))
    tracker.depart(APP, 7, 2.5)
    tracker.depart(APP, 8, 2.5)
    tracker.observe(dump(2.0, {S.FIN_WAIT1: [7, 8, 9]}, flushing=[7, 9]))
    assert (count(tracker).excluded[Reason.FLUSHING], count(tracker).excluded[Reason.CLOSED]) == (1, 0)


def test_a_departure_from_a_port_that_nobody_watches_has_no_effect_on_numbers() -> None:
    tracker = seen(dump(1.0, {S.ESTABLISHED: [1]}))
    tracker.depart(1234, 1, 2.0)
    assert count(tracker).live == 1


@pytest.mark.parametrize("state", [S.FIN_WAIT1, S.CLOSING, S.LAST_ACK])
def test_the_flushing_and_the_closed_leave_the_tallies_when_they_depart(state: TcpState) -> None:
    tracker = seen(dump(1.0, {state: [1, 2, 3]}, flushing=[1, 2]))
    assert (count(tracker).excluded[Reason.FLUSHING], count(tracker).excluded[Reason.CLOSED]) == (2, 1)
    tracker.depart(APP, 1, 2.0)
    tracker.depart(APP, 3, 2.0)
    assert (count(tracker).excluded[Reason.FLUSHING], count(tracker).excluded[Reason.CLOSED]) == (1, 0)


def test_who_is_seen_both_alive_and_closed_by_two_joined_walks_is_alive() -> None:
    after = count(seen(dump(1.0, {S.ESTABLISHED: [1], S.FIN_WAIT1: [1]}, flushing=[1])))
    assert (after.live, after.excluded[Reason.FLUSHING]) == (1, 0)


def test_ports_are_counted_apart() -> None:
    tracker = seen(Dump({(APP, 1): {1}, (OTHER, 1): {2, 3}, (1234, 1): {4}}))
    assert (count(tracker).live, count(tracker, port=OTHER).live) == (1, 2)
    assert set(tracker.census(0.0).ports) == {APP, OTHER}


# -------------------------------------------------------------------------------------------------- what is left out


def test_after_ten_seconds_in_close_wait_a_connection_is_half_closed() -> None:
    waits: dict[TcpState, list[Identity]] = {S.CLOSE_WAIT: [1]}
    tracker = seen(dump(100.0, waits), dump(109.9, waits))
    assert (count(tracker).live, count(tracker).excluded[Reason.HALF_CLOSED]) == (1, 0)
    tracker.observe(dump(110.0, waits, idle=[1]))
    after = count(tracker)
    assert (after.live, after.excluded[Reason.HALF_CLOSED], after.excluded[Reason.IDLE]) == (0, 1, 0)
    assert (after.opened, after.closed) == (1, 0)
    tracker.depart(APP, 1, 111.0)
    assert (count(tracker).excluded[Reason.HALF_CLOSED], count(tracker).closed) == (0, 1)


def test_the_time_in_close_wait_begins_with_close_wait_and_not_with_the_connection() -> None:
    tracker = seen(dump(0.0, {S.ESTABLISHED: [1]}), dump(100.0, {S.CLOSE_WAIT: [1]}))
    assert count(tracker).excluded[Reason.HALF_CLOSED] == 0


def test_idle_connections_are_tallied_apart_until_they_wake_up() -> None:
    tracker = seen(dump(1.0, {S.ESTABLISHED: [1, 2]}, idle=[1, 99]))
    assert (count(tracker).live, count(tracker).excluded[Reason.IDLE]) == (1, 1)
    tracker.observe(dump(2.0, {S.ESTABLISHED: [1, 2]}))
    assert (count(tracker).live, count(tracker).opened) == (2, 2)
    tracker.observe(dump(3.0, {S.ESTABLISHED: [1, 2]}, idle=[1]))
    tracker.depart(APP, 1, 4.0)
    assert (count(tracker).live, count(tracker).excluded[Reason.IDLE]) == (1, 0)


def test_the_young_are_live_but_not_shown_until_they_are_old_enough() -> None:
    tracker = seen(dump(1.0, {S.ESTABLISHED: [1]}), dump(3.0, {S.ESTABLISHED: [1, 2, 3]}, idle=[3]), min_age=2.0)
    assert [(count(tracker, now).live, count(tracker, now).shown) for now in (3.0, 4.99, 5.0)] == [
        (2, 1),
        (2, 1),
        (2, 2),
    ]


def test_everyone_may_be_young_and_without_a_minimum_nobody_is() -> None:
    everyone = dump(1.0, {S.ESTABLISHED: [1, 2]})
    assert count(seen(everyone, min_age=2.0), 1.0).excluded[Reason.YOUNG] == 2
    assert count(seen(everyone), 1.0).excluded[Reason.YOUNG] == 0


def test_the_tally_of_ignored_peers_is_kept_until_there_is_a_newer_one() -> None:
    tracker = seen(dump(1.0, ignored={APP: 4}), dump(2.0))
    assert count(tracker).excluded[Reason.IGNORED_PEER] == 4
    tracker.observe(dump(3.0, ignored={}))
    assert count(tracker).excluded[Reason.IGNORED_PEER] == 0


# ---------------------------------------------------------------------------------------------------- ages and census


def test_ages_are_observed_when_connections_leave() -> None:
    tracker = seen(dump(100.0, {S.ESTABLISHED: [1, 2, 3]}))
    tracker.depart(APP, 1, 100.5)
    tracker.depart(APP, 2, 99.0)
    assert tracker.ages.count == 2
    tracker.observe(dump(120.0))
    buckets = {bound: number for bound, number in tracker.ages.cumulative() if number}
    assert (buckets["0.1"], buckets["1.0"], buckets["15.0"], buckets["60.0"]) == (1, 2, 2, 3)
    assert tracker.ages.total == 20.5
    assert list(AGE_BOUNDS) == sorted(AGE_BOUNDS)


def test_a_census_carries_listeners_states_source_and_moment_of_the_last_dump() -> None:
    tracker = Tracker([APP])
    tracker.observe(
        Dump(
            {(APP, S.LISTEN): {10, 11}, (APP, S.ESTABLISHED): {1}, (1234, S.ESTABLISHED): {2}},
            taken_at=5.0,
            source=Source.PSUTIL,
        )
    )
    census = tracker.census(6.0)
    assert census.listeners == {10, 11}
    assert {state: number for state, number in census.states.items() if number} == {S.LISTEN: 2, S.ESTABLISHED: 1}
    assert (census.source, census.taken_at, census.confirmed) == (Source.PSUTIL, 5.0, False)


def test_before_the_first_dump_there_is_nothing_and_it_is_no_proof() -> None:
    census = Tracker([APP]).census(0.0)
    assert (census.live, census.confirmed, census.listeners) == (0, False, frozenset())
    assert isinstance(census, Census)


# ------------------------------------------------------------------------------------------------------ all stories

COOKIE = st.integers(0, 7)
COOKIES = st.frozensets(COOKIE)
DUMPS = st.tuples(COOKIES, COOKIES, COOKIES, COOKIES, COOKIES, st.sampled_from([0.5, 6.0]))


@given(st.lists(st.one_of(DUMPS, COOKIE), max_size=25))
def test_what_was_opened_and_is_not_closed_is_live_idle_or_half_closed(
    story: list[tuple[frozenset[int], frozenset[int], frozenset[int], frozenset[int], frozenset[int], float] | int],
) -> None:
    tracker, now = Tracker([APP], min_age=3.0), 0.0
    alive: set[int] = set()
    arrived = 0
    gone: set[int] = set()
    for step in story:
        if isinstance(step, int):
            tracker.depart(APP, step, now)
            alive.discard(step)
            gone.add(step)
        else:
            established, waiting, closing, idle, flushing, passes = step
            now += passes
            shown = {S.ESTABLISHED: established, S.CLOSE_WAIT: waiting, S.FIN_WAIT1: closing}
            tracker.observe(dump(now, shown, idle=idle, flushing=flushing))
            present = (established | waiting) - gone
            arrived += len(present - alive)
            alive, gone = set(present), set()
        after = count(tracker, now)
        excluded = after.excluded
        assert after.opened - after.closed == after.live + excluded[Reason.IDLE] + excluded[Reason.HALF_CLOSED]
        assert (after.opened, after.opened - after.closed) == (arrived, len(alive))
        assert tracker.ages.count == after.closed
        assert 0 <= after.shown <= after.live
