"""Connections over time stay true and stay small, however long it goes on."""

from __future__ import annotations

import sys

from hypothesis import given
from hypothesis import strategies as st

from drainer.page.curves import Course, Recent


def recent(*looks: tuple[float, int | None]) -> list[int | None]:
    record = Recent()
    for at, connections in looks:
        record.record(at, connections)
    return record.counts()


def course(*looks: tuple[float, int, int], began_at: float = 0.0) -> Course:
    made = Course(began_at)
    for look in looks:
        made.record(*look)
    return made


def test_there_is_a_number_for_each_second() -> None:
    assert recent((100.0, 3), (101.0, 4), (102.0, 4)) == [3, 4, 4]


def test_the_last_look_of_a_second_counts() -> None:
    assert recent((100.0, 3), (101.0, 4), (101.4, 9)) == [3, 9]


def test_a_timer_that_fires_a_hair_early_or_late_leaves_no_hole() -> None:
    assert recent((99.9999, 1), (101.0002, 2), (101.9998, 3), (103.0, 4)) == [1, 2, 3, 4]


def test_what_nobody_has_counted_is_unknown_and_not_zero() -> None:
    assert recent((100.0, 3), (101.0, None), (104.0, 5)) == [3, None, None, None, 5]


def test_after_ten_minutes_the_oldest_goes() -> None:
    counts = recent(*((float(second), second) for second in range(1000)))
    assert (len(counts), counts[0], counts[-1]) == (600, 400, 999)


def test_a_day_without_a_look_is_ten_minutes_of_not_knowing() -> None:
    counts = recent((0.0, 3), (86_400.0, 7))
    assert counts == [*[None] * 599, 7]


def test_both_take_a_few_kilobytes_at_most() -> None:
    record, drain = Recent(), Course(0.0)
    for second in range(10_000):
        record.record(float(second), 1_000_000)
        drain.record(float(second), 1_000_000, 1_000_000)
    arrays = [record._counts, drain._remaining, drain._left]
    assert sum(map(sys.getsizeof, arrays)) <= 6 * 1024


def test_a_drain_of_two_minutes_is_kept_in_half_seconds() -> None:
    drain = course((50.0, 100, 0), (50.5, 98, 2), (51.2, 90, 10), began_at=50.0)
    assert (drain.step, [*drain.remaining], [*drain.left]) == (0.5, [100, 98, 90], [0, 2, 10])


def test_what_was_not_looked_at_has_not_changed_as_far_as_is_known() -> None:
    drain = course((0.0, 100, 0), (2.1, 60, 40))
    assert [*drain.remaining] == [100, 100, 100, 100, 60]


def test_a_first_look_that_comes_late_stands_for_the_time_before() -> None:
    assert [*course((1.6, 7, 1)).remaining] == [7, 7, 7, 7]


def test_longer_drains_are_kept_in_longer_steps() -> None:
    looks = [(half / 2, 1000 - half, half) for half in range(241)]
    drain = course(*looks)
    assert (drain.step, len(drain.left)) == (1.0, 121)
    # The second of each two half-seconds; the last one stands alone.
    assert [*drain.left] == [*range(1, 240, 2), 240]


def test_an_hour_fits_after_a_long_silence_too() -> None:
    drain = course((0.0, 5, 0), (3600.0, 1, 4))
    assert drain.step == 16.0
    assert (drain.remaining[0], drain.remaining[-1], len(drain.left)) == (5, 1, 226)


@given(st.lists(st.floats(0.01, 500.0), min_size=1, max_size=60))
def test_whatever_the_looks_the_last_one_is_there_and_nothing_goes_back(gaps: list[float]) -> None:
    drain, at = Course(7.0), 7.0
    for left, gap in enumerate(gaps):
        at += gap
        drain.record(at, len(gaps) - left, left)
    assert [*drain.left] == sorted(drain.left)
    assert [*drain.remaining] == sorted(drain.remaining, reverse=True)
    assert (drain.left[-1], drain.remaining[-1]) == (len(gaps) - 1, 1)
    assert len(drain.left) == len(drain.remaining) <= Course.SLOTS
    assert (len(drain.left) - 1) * drain.step <= at - 7.0 < len(drain.left) * drain.step + 1e-6


@given(st.lists(st.tuples(st.floats(0.1, 400.0), st.none() | st.integers(0, 10**6)), max_size=50))
def test_whatever_the_looks_the_latest_is_last_and_there_are_ten_minutes_at_most(
    looks: list[tuple[float, int | None]],
) -> None:
    record, at = Recent(), 1000.0
    for gap, connections in looks:
        at += gap
        record.record(at, connections)
    counts = record.counts()
    assert len(counts) <= Recent.SLOTS
    assert counts[-1:] == [connections for _, connections in looks][-1:]
