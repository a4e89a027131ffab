"""The sums of a rollout. Moments are in seconds; every case is written down as both sides would have seen it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from rollout.accounts import ABNORMAL, ROUND_TRIP, Account, Life, Pace, Stop, account, bins, pace, stop_of

TOLD = 1012


def life(client: int = 1, number: int = 1, *, opened_at: float | None = 0.0, **rest: Any) -> Life:
    return Life(client, number, rest.pop("attempts", (0.0,)), opened_at, rest.pop("closed_at", None), **rest)


def stop(pushed: Mapping[str, Sequence[float]], *, killed: bool = False) -> Stop:
    return Stop("old", 0.0, 30.0, killed, pushed)


def closed(pushed: Sequence[float] = (), **rest: Any) -> Account:
    """The sums of one client whose life was ended at 10.0, and that came back."""
    return account([life(closed_at=10.0, **rest), life(number=2, opened_at=10.5)], [stop({"1.1": pushed})])


def test_nobody_is_closed() -> None:
    sums = account([life(1, received=3), life(2)], [stop({})])

    assert (sums.clients, sums.closings, sums.lost, sums.crossed, sums.never_back) == (2, 0, 0, 0, 0)
    assert (sums.peak, sums.ratio, sums.absent(0.99)) == (0, None, None)


def test_closings_are_counted_by_code_and_client() -> None:
    lives = [
        life(1, 1, closed_at=1.0, code=TOLD),
        life(1, 2, closed_at=5.0, code=ABNORMAL),
        life(1, 3),
        life(2, 1, closed_at=2.0, code=TOLD),
        life(2, 2),
    ]
    sums = account(lives, [stop({})])

    assert sums.codes == {TOLD: 2, ABNORMAL: 1}
    assert (sums.closings, sums.abnormal, sums.closings_per_client) == (3, 1, 1.5)


def test_what_the_client_has_received_is_not_lost() -> None:
    sums = closed([1.0, 2.0, 9.99], received=3, code=ABNORMAL)

    assert (sums.lost, sums.crossed) == (0, 0)


def test_a_push_without_a_receiver_is_lost_when_no_close_frame_came() -> None:
    sums = closed([1.0, 2.0, 9.99], received=1, code=ABNORMAL)

    assert (sums.lost_pushes, sums.crossed_pushes) == (2, 0)


@pytest.mark.parametrize(("at", "is_crossed"), [(10.0 - ROUND_TRIP, True), (10.4, True), (8.9, False), (11.1, False)])
def test_a_push_crosses_a_close_frame_only_near_it(at: float, is_crossed: bool) -> None:  # noqa: FBT001
    sums = closed([1.0, at], received=1, code=TOLD)

    assert (sums.crossed_pushes, sums.lost_pushes) == (int(is_crossed), int(not is_crossed))


def test_a_question_is_lost_or_has_crossed_by_the_same_rule() -> None:
    assert closed(unanswered=(9.9,), code=TOLD).crossed_questions == 1
    assert closed(unanswered=(5.0,), code=TOLD).lost_answers == 1
    assert closed(unanswered=(9.9,), code=ABNORMAL).lost_answers == 1


def test_a_question_of_a_life_that_goes_on_is_not_lost() -> None:
    assert account([life(unanswered=(5.0,))], []).lost == 0


def test_altered_messages_count_also_where_nobody_was_closed() -> None:
    assert account([life(altered=2), life(2, altered=1)], []).altered == 3


def test_the_absence_is_from_the_end_of_a_life_to_the_next() -> None:
    lives = [
        life(1, 1, closed_at=1.0),
        life(1, 2, opened_at=1.25, attempts=(1.0,), closed_at=4.0),
        life(1, 3, opened_at=6.0, attempts=(4.0, 4.05, 5.9)),
    ]
    sums = account(lives, [])

    assert sums.absences == [0.25, 2.0]
    assert (sums.absent(0.5), sums.absent(0.99)) == (0.25, 2.0)
    assert sums.failed_attempts == 2


def test_who_has_no_connection_in_the_end_did_not_come_back() -> None:
    refused = life(1, 2, opened_at=None, attempts=(1.0, 1.05))
    sums = account([life(1, 1, closed_at=1.0), refused, life(2, 1, closed_at=1.0)], [])

    assert (sums.never_back, sums.failed_attempts, sums.absences) == (2, 2, [])


def test_returns_belong_to_the_stop_of_the_replica_that_the_client_was_on() -> None:
    first, second = stop({"1.1": [], "2.1": []}), stop({"1.2": [], "2.2": []}, killed=True)
    lives = [
        life(1, 1, closed_at=10.0),
        life(1, 2, attempts=(10.0,), closed_at=50.0),
        life(1, 3, attempts=(50.0,)),
        life(2, 1, closed_at=14.0),
        life(2, 2, attempts=(14.0,), closed_at=50.5),
        life(2, 3, attempts=(50.5,)),
    ]
    sums = account(lives, [first, second])

    assert sums.paces == [Pace(1, 4.0, 2.0), Pace(2, 0.5, None)]
    assert (sums.peak, sums.ratio, sums.kills) == (2, None, 1)
    assert stop_of(lives[2], [first, second]) is None


def test_the_worst_stop_speaks_for_all() -> None:
    even, uneven = [0.0, 1.0, 2.0], [0.0, 0.5, 2.0]

    assert Account(1, returns=[even, uneven]).ratio == 2 * 2.0 / 3
    assert Account(1, returns=[even, []]).ratio is None


def test_an_even_pace_is_one_and_a_burst_is_not() -> None:
    even = [index / 10 for index in range(101)]

    assert pace(even) == Pace(10, 10.0, 10 * 10.0 / 101)
    assert pace([*even, *[5.5] * 40]) == Pace(50, 10.0, 50 * 10.0 / 141)


def test_bins_begin_with_the_first() -> None:
    assert bins([7.5, 8.4, 8.5, 10.6]) == [2, 1, 0, 1]


def test_all_at_once_has_a_peak_and_no_pace() -> None:
    assert pace([7.0] * 1000) == Pace(1000, 0.0, None)
    assert pace([]) == Pace(0, 0.0, None)
