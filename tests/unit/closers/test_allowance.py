"""What looking at other processes may cost."""

from __future__ import annotations

from drainer.closers.allowance import Allowance


def test_the_first_look_is_free_and_then_a_tenth_of_a_core_is_earned() -> None:
    now = [0.0]
    allowance = Allowance(lambda: now[0])
    assert allowance.is_left()
    allowance.spend(0.05)
    now[0] = 0.49
    assert not allowance.is_left()
    now[0] = 0.51
    assert allowance.is_left()


def test_little_can_be_saved_up() -> None:
    now = [0.0]
    allowance = Allowance(lambda: now[0])
    now[0] = 1000.0
    looks = 0
    while allowance.is_left():
        allowance.spend(0.001)
        looks += 1
    assert looks in (20, 21)
