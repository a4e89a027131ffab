"""Quantities as Kubernetes writes them: `512Mi`, `1.5Gi`, `250m`, `1234567n` (apimachinery, pkg/api/resource)."""

from __future__ import annotations

import re

_UNITS = {
    "": 1,
    "n": 1e-9,
    "u": 1e-6,
    "m": 0.001,
    "k": 1e3,
    "M": 1e6,
    "G": 1e9,
    "T": 1e12,
    "Ki": 2**10,
    "Mi": 2**20,
    "Gi": 2**30,
    "Ti": 2**40,
}
_QUANTITY = re.compile(r"(\d{1,19}(?:\.\d{1,9})?)(n|u|m|k|M|G|T|Ki|Mi|Gi|Ti|)", re.ASCII)


def quantity(text: str) -> float:
    """Bytes, or cores, or whatever it is of. Raises ValueError."""
    match = _QUANTITY.fullmatch(text)
    if match is None:
        raise ValueError(text)
    return float(match[1]) * _UNITS[match[2]]
