"""JSON of others, where a part that is missing or is of another type counts as empty."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def mapping(value: Any) -> Mapping[str, Any]:
    """An object; empty where it is none."""
    return value if isinstance(value, Mapping) else {}


def mappings(value: Any) -> list[Mapping[str, Any]]:
    """The objects of an array; empty where it is none."""
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []
