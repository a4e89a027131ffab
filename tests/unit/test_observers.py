"""Telling never does harm, and the same trouble is not told all the time."""

from __future__ import annotations

from drainer.deletion import Deletion
from drainer.observers import TELL_AGAIN_AFTER, Observers
from drainer.phases import Announce, Phase
from tests.unit.listeners import BrokenObserver, Listener
from tests.unit.statuses import make_status


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_all_are_told_although_one_of_them_breaks() -> None:
    first, last = Listener(), Listener()
    observers = Observers([first, BrokenObserver(), last], Clock())
    announce = Announce(Phase.SETTLING, 1.0)
    observers.announced(announce, make_status())
    observers.noted("a note")
    observers.warned("a warning")
    observers.troubled("trouble")
    observers.sighted(make_status(at=2.0, deletion=Deletion.REQUESTED))
    for listener in (first, last):
        assert (listener.announcements, listener.notes, listener.warnings) == (
            [announce], ["a note"], ["a warning", "trouble"]
        )  # fmt: skip
        assert listener.sightings == [(2.0, Deletion.REQUESTED)]


def test_the_same_trouble_is_told_once_a_minute_and_other_trouble_at_once() -> None:
    clock, listener = Clock(), Listener()
    observers = Observers([listener], clock)
    for second in range(121):
        clock.now = float(second)
        observers.troubled("it hangs")
        if second in (7, 8):
            observers.troubled("it burns")
    assert listener.warnings == ["it hangs", "it burns", "it hangs", "it hangs"]
    assert TELL_AGAIN_AFTER == 60.0


def test_a_warning_is_told_every_time() -> None:
    listener = Listener()
    observers = Observers([listener], Clock())
    observers.warned("twice")
    observers.warned("twice")
    assert listener.warnings == ["twice", "twice"]


def test_trouble_that_is_long_over_is_not_remembered() -> None:
    clock = Clock()
    observers = Observers([], clock)
    for second in range(1000):
        clock.now = float(second)
        observers.troubled(f"trouble {second}")
    assert len(observers._told) == 60
