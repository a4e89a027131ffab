"""What the sidecar asks for and may take, as it is given: `cpu=50m,memory=64Mi`, for requests and for limits."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from drainer.quantity import quantity

GROUPS = ("requests", "limits")
"""Of a container's resources; flags and annotations are named so."""
AMOUNTS = (
    "some of cpu, memory and ephemeral-storage, each once, with quantities as Kubernetes writes them, at least 1m of "
    "cpu and 1Mi of the others, like cpu=50m,memory=64Mi; 0 takes one out"
)
"""What is allowed, in words."""
_LEAST = MappingProxyType({"cpu": 0.001, "memory": 2.0**20, "ephemeral-storage": 2.0**20})
"""In cores and bytes: with less somebody has forgotten a unit."""

Resources = Mapping[str, Mapping[str, str]]
"""Group -> resource -> quantity."""


def amounts(text: str) -> dict[str, str]:
    """Resource -> quantity as it is written. Raises ValueError."""
    found: dict[str, str] = {}
    for item in re.split(r"[,\s]+", text.strip(", \t\r\n")):
        name, _, amount = item.partition("=")
        if name not in _LEAST or name in found or 0 < quantity(amount) < _LEAST[name]:
            raise ValueError(text)
        found[name] = amount
    return found


def written(of_one_group: Mapping[str, str]) -> str:
    """As `amounts` reads it."""
    return ",".join(f"{name}={text}" for name, text in of_one_group.items())


def merged(*given: Resources) -> dict[str, dict[str, str]]:
    """The last word on each resource, without what is taken out."""
    said = {group: {name: text for one in given for name, text in one.get(group, {}).items()} for group in GROUPS}
    kept = {group: {name: text for name, text in of_one.items() if quantity(text)} for group, of_one in said.items()}
    return {group: of_one for group, of_one in kept.items() if of_one}


def contradictions(resources: Resources) -> Iterator[str]:
    """What the API server would refuse."""
    limits = resources.get("limits", {})
    for name, text in resources.get("requests", {}).items():
        if name in limits and quantity(text) > quantity(limits[name]):
            yield f"requests {name}={text} is more than limits {name}={limits[name]}; allowed: at most as much"
