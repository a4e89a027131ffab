"""What is asked of the app to see whether it is well: the settings of the family `health_`, checked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from drainer.settings import BY_NAME
from drainer.vitals import Bounds


class Ask(StrEnum):
    """What is asked."""

    HANDSHAKE = "handshake"
    """The opening handshake, and no more."""
    PING = "ping"
    """And a ping, which every WebSocket server answers by itself."""
    ECHO = "echo"
    """And a text message, which the app sends back."""


@dataclass(frozen=True, slots=True)
class Target:
    """A WebSocket server on this host, and what it wants to hear."""

    port: int
    ask: Ask = Ask.PING
    path: str = "/"
    """With the query."""
    host: str = ""
    """The header; empty: localhost and the port."""
    origin: str = ""
    subprotocols: tuple[str, ...] = ()
    """Offered; the server may choose one of them."""
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """More of them. Their values are secrets."""
    tls: bool = False
    """wss; nobody asks whose certificate it is."""


@dataclass(frozen=True, slots=True)
class HealthPlan:
    """What is looked at, and how often."""

    target: Target | None
    """None: the app is not asked."""
    interval: float
    """Seconds between two handshakes, at the least."""
    misses: int
    """So many handshakes in a row without an answer, and /health/live says no."""
    bounds: Bounds
    sources: tuple[str, ...]
    """Where the app's memory and CPU are read, in the order in which each is tried: `processes`, `metrics`."""
    usage_interval: float


SOURCES: Mapping[str, tuple[str, ...]] = {
    "off": (),
    "auto": ("processes", "metrics"),
    "processes": ("processes",),
    "metrics": ("metrics",),
}
"""Of the setting `usage`."""
_MEASURED = ("health_max_memory", "health_max_cpu", "health_max_descriptors")


def health_plan(values: Mapping[str, Any]) -> HealthPlan | None:
    """Of the settings, as values by name; None where all of it is off."""
    asks = values["health"] != "off"
    if not asks and values["usage"] == "off":
        return None
    target = Target(
        port=values["health_port"] or values["app_ports"][0],
        ask=Ask(values["health"]),
        path=values["health_path"],
        host=values["health_host"],
        origin=values["health_origin"],
        subprotocols=values["health_subprotocols"],
        headers=values["health_headers"],
        tls=values["health_tls"],
    ) if asks else None  # fmt: skip
    bounds = Bounds(
        latency=values["health_latency"],
        connections=values["health_max_connections"],
        memory=values["health_max_memory"],
        cpu=values["health_max_cpu"],
        descriptors=values["health_max_descriptors"],
    )
    return HealthPlan(
        target=target,
        interval=values["health_interval"],
        misses=values["health_misses"],
        bounds=bounds,
        sources=SOURCES[values["usage"]],
        usage_interval=values["usage_interval"],
    )


def health_mistakes(values: Mapping[str, Any]) -> Iterable[str]:
    """What cannot both be meant, as far as each setting could be read."""
    port = values.get("health_port")
    if port is not None and port not in values.get("app_ports", (port,)):
        yield f"{BY_NAME['health_port'].env}={port}: is not a port of the app; allowed: one of app_ports"
    for name in _MEASURED:
        if values.get(name) is not None and values.get("usage") == "off":
            yield (
                f"{BY_NAME[name].env}={values[name]:.12g} needs to know what the app takes, and usage is off; allowed: "
                f"off, or {BY_NAME['usage'].env} as auto, processes or metrics beside it"
            )


def health_in_vain(values: Mapping[str, Any], *, uses_api: bool) -> Iterable[str]:
    """Settings that have no effect beside the others, in sentences."""
    if values["health"] == "off":
        for name, setting in BY_NAME.items():
            if name.startswith("health_") and values[name] != setting.kind.parse(setting.default or ""):
                yield f"{name} has no effect: health is off"
    if values["usage"] == "metrics" and not uses_api:
        yield "usage=metrics has no effect: the API is not used"
