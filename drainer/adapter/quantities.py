"""Numbers as Kubernetes writes them (apimachinery/pkg/api/resource): canonical, in decimal units."""

from __future__ import annotations

_SUFFIXES = ("", "k", "M", "G", "T", "P", "E")


def quantity(milli: int) -> str:
    """Of thousandths: `734m`, `12`, `12k`; no fraction, and the largest unit that leaves none."""
    whole, rest = divmod(milli, 1000)
    if rest:
        return f"{milli}m"
    power = 0
    while whole and whole % 1000 == 0 and power + 1 < len(_SUFFIXES):
        whole //= 1000
        power += 1
    return f"{whole}{_SUFFIXES[power]}"
