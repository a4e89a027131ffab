"""Who of the strangers is held."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from drainer.callers import PassiveSlots


def fill(slots: PassiveSlots[int], number: int, *, per_peer: int = 4) -> None:
    for caller in range(number):
        assert slots.take(caller, f"peer {caller // per_peer}") is None


def test_sixty_four_strangers_are_held_and_then_the_oldest_is_answered() -> None:
    slots = PassiveSlots[int]()
    fill(slots, 64)
    assert slots.take(64, "another") == 0
    assert slots.take(65, "another") == 1
    assert list(slots) == list(range(2, 66))


def test_four_are_held_for_one_address_and_then_its_own_oldest_is_answered() -> None:
    slots = PassiveSlots[int]()
    fill(slots, 8)
    assert slots.take(8, "peer 1") == 4
    assert slots.take(9, "peer 1") == 5
    assert list(slots) == [0, 1, 2, 3, 6, 7, 8, 9]


def test_one_address_cannot_crowd_out_the_others() -> None:
    slots = PassiveSlots[int]()
    fill(slots, 63, per_peer=1)
    evicted = [slots.take(caller, "greedy") for caller in range(100, 110)]
    assert evicted == [None, 0, 1, 2, *range(100, 106)]


def test_who_has_been_answered_or_has_hung_up_frees_a_slot() -> None:
    slots = PassiveSlots[int]()
    fill(slots, 64)
    slots.release(5)
    slots.release(5)
    assert slots.take(64, "another") is None
    assert 5 not in list(slots)


def test_slots_may_be_freed_while_all_are_being_answered() -> None:
    slots = PassiveSlots[int]()
    fill(slots, 8)
    for caller in slots:
        slots.release(caller)
    assert list(slots) == []


@given(st.lists(st.tuples(st.integers(0, 20), st.booleans()), max_size=150))
def test_no_more_than_the_bounds_are_ever_held(calls: list[tuple[int, bool]]) -> None:
    slots, held = PassiveSlots[int](), dict[int, int]()
    for caller, (peer, hangs_up) in enumerate(calls):
        evicted = slots.take(caller, str(peer))
        if evicted is not None:
            same = [one for one, address in held.items() if address == peer]
            assert evicted == (same[0] if len(same) == 4 else next(iter(held)))
            assert len(same) == 4 or len(held) == 64
            del held[evicted]
        held[caller] = peer
        if hangs_up:
            slots.release(caller)
            del held[caller]
        assert list(slots) == list(held)
        assert len(held) <= 64
