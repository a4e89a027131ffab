from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drainer.adapter.quantities import quantity

UNITS = {
    "m": Fraction(1, 1000),
    "k": Fraction(10**3),
    "M": Fraction(10**6),
    "G": Fraction(10**9),
    "T": Fraction(10**12),
    "P": Fraction(10**15),
    "E": Fraction(10**18),
}


@pytest.mark.parametrize(
    ("milli", "written"),
    [
        (0, "0"),
        (1, "1m"),
        (734, "734m"),
        (1000, "1"),
        (1500, "1500m"),
        (37_000, "37"),
        (999_000, "999"),
        (1_000_000, "1k"),
        (1_500_000, "1500"),
        (12_000_000_000, "12M"),
        (10**24, "1000E"),
    ],
)
def test_quantities_are_canonical(milli: int, written: str) -> None:
    assert quantity(milli) == written


@given(st.integers(0, 10**15))
def test_what_is_written_is_what_was_meant(milli: int) -> None:
    text = quantity(milli)
    unit = UNITS.get(text[-1], Fraction(1))

    assert Fraction(text.rstrip("mkMGTPE")) * unit * 1000 == milli
