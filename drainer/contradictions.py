"""Settings that cannot both be meant, as far as each could be read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from drainer.addresses import parse_address
from drainer.settings import BY_NAME


def contradictions(values: Mapping[str, Any]) -> Iterable[str]:
    """A sentence for each; `values`: setting -> value, of those that could be understood."""
    yield from _of_closing(values)
    yield from _of_the_limit(values)


def _of_the_limit(values: Mapping[str, Any]) -> Iterable[str]:
    most, below = values.get("max_connections"), values.get("resume_below")
    if most is not None and below is not None and below >= most:
        yield (
            f"{BY_NAME['resume_below'].env}={below} is not below {BY_NAME['max_connections'].env}={most}; "
            "allowed: auto, or less than that"
        )
    full = values.get("full")
    if full == "label" and values.get("serving_label") is False:
        yield (
            f"{BY_NAME['full'].env}=label needs the label; allowed: with {BY_NAME['serving_label'].env}=true, "
            "or auto, readiness, metric"
        )
    if full == "readiness" and values.get("readiness") == "never":
        yield (
            f"{BY_NAME['full'].env}=readiness, and {BY_NAME['readiness'].env}=never says that /readyz never goes off; "
            "allowed: auto, label or metric, or another readiness"
        )


def _of_closing(values: Mapping[str, Any]) -> Iterable[str]:
    url = values.get("notify_url")
    if url == "" and "notify" in values.get("close", ()):
        yield (
            f"{BY_NAME['notify_url'].env} is not set, and {BY_NAME['close'].env} names notify; "
            "allowed: where the app listens, like http://127.0.0.1:9809/drain"
        )
    if url and values.get("notify_remote") is False and not _is_loopback(urlsplit(url).hostname or ""):
        yield (
            f"{BY_NAME['notify_url'].env}={url!r} leads to another host; allowed: loopback, like "
            f"http://127.0.0.1:9809/drain, or any host with {BY_NAME['notify_remote'].env}=true"
        )
    elif url and urlsplit(url).port in (*values.get("app_ports", ()), values.get("port")):
        # There the agent's own connection would be counted, and wait for itself to leave.
        yield (
            f"{BY_NAME['notify_url'].env}={url!r} is on one of the app's counted ports or the agent's own; "
            "allowed: a port of its own, like http://127.0.0.1:9809/drain"
        )
    foreign = sorted({*values.get("websocket_ports", ())}.difference(values.get("app_ports", ())))
    if foreign and "app_ports" in values:
        yield f"{BY_NAME['websocket_ports'].env}={foreign[0]}: is not a port of the app; allowed: ports of app_ports"


def _is_loopback(host: str) -> bool:
    address = parse_address(host)
    return host.lower() == "localhost" or (address is not None and address.is_loopback)
