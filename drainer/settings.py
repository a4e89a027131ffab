"""The table of settings: one row for each, with its default and the reason for the default.

Everything else that lists settings (--help, docs/settings.md) is made from this table.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Any

PREFIX = "DRAINER_"
MAX_PORTS = 256
"""More ports than this are more series and more byte-code than anyone can mean."""

MAX_NETWORKS = 256
"""Byte-code has 16 bits for a jump: some 2,000 networks would not fit, and every one is looked at for every row."""

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "": 1.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|)", re.ASCII)
MAX_DURATION = 7 * 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Kind:
    """How a value is written: `parse` raises ValueError, `allowed` says what would be right."""

    allowed: str
    parse: Callable[[str], Any]


def _duration(text: str) -> float:
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError(text)
    seconds = float(match[1]) * _UNITS[match[2]]
    if seconds > MAX_DURATION:
        raise ValueError(text)
    return seconds


def _positive_duration(text: str) -> float:
    seconds = _duration(text)
    if seconds < 0.01:  # noqa: PLR2004 - a hundredth of a second is as good as nothing
        raise ValueError(text)
    return seconds


def _optional_duration(text: str) -> float | None:
    return None if text == "off" else _positive_duration(text)


def _number(lowest: int, highest: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) <= 10 and lowest <= int(text) <= highest):  # noqa: PLR2004
            raise ValueError(text)
        return int(text)

    return parse


_port = _number(1, 65535)


def _items(text: str) -> list[str]:
    return [item for item in re.split(r"[,\s]+", text) if item]


def _ports(text: str) -> tuple[int, ...]:
    ports: set[int] = set()
    for item in _items(text):
        lowest, _, highest = item.partition("-")
        first = _port(lowest)
        last = _port(highest) if "-" in item else first
        if first > last:
            raise ValueError(text)
        ports.update(range(first, last + 1))
    if not 1 <= len(ports) <= MAX_PORTS:
        raise ValueError(text)
    return tuple(sorted(ports))


def _cidrs(text: str) -> tuple[str, ...]:
    networks = tuple(str(ip_network(item)) for item in _items(text))
    if len(networks) > MAX_NETWORKS:
        raise ValueError(text)
    return networks


def _addresses(text: str) -> tuple[str, ...]:
    return tuple(str(ip_address(item)) for item in _items(text))


def _host(text: str) -> str:
    return str(ip_address(text)) if text else ""


def _secret(text: str) -> str:
    if not (text.isascii() and text.isprintable() and text == text.strip()):
        raise ValueError("not printable")
    return text


def _choice(*words: str) -> Kind:
    def parse(text: str) -> str:
        if text not in words:
            raise ValueError(text)
        return text

    return Kind("one of " + ", ".join(words), parse)


DURATION = Kind("a length of time up to 168h, like 30s, 2m, 500ms, or a number of seconds", _duration)
POSITIVE = Kind("a length of time of 10ms to 168h, like 30s, 2m, 500ms, or a number of seconds", _positive_duration)
OPTIONAL = Kind("off, or a length of time of 10ms to 168h, like 30s, 2m, 500ms", _optional_duration)
PORT = Kind("a port from 1 to 65535", _port)
PORTS = Kind(f"1 to {MAX_PORTS} ports and ranges from 1 to 65535, like 8080 or 8080,9000-9010", _ports)
CIDRS = Kind(
    f"up to {MAX_NETWORKS} networks and addresses, like 10.0.0.0/8,fd00::/8,192.0.2.7 (no bits set beyond the prefix)",
    _cidrs,
)
ADDRESSES = Kind("IP addresses, like 192.0.2.7,2001:db8::7", _addresses)
HOST = Kind("an IP address of this pod, or nothing for all addresses", _host)
COUNT = Kind("a whole number from 0 to 1000000", _number(0, 1_000_000))
SECRET = Kind("printable ASCII without blanks at the ends", _secret)
PATH = Kind("the path of a file that can be read", str)


@dataclass(frozen=True, slots=True)
class Setting:
    """One row: the environment variable is PREFIX + name in capitals, the flag --name with dashes."""

    name: str
    kind: Kind
    default: str | None
    """As it would be written; None where there is no default."""
    help: str
    why: str
    """Why this default."""
    secret: bool = False

    @property
    def env(self) -> str:
        """The environment variable."""
        return PREFIX + self.name.upper()

    @property
    def flag(self) -> str:
        """The flag of `drainer run`."""
        return "--" + self.name.replace("_", "-")


# fmt: off
SETTINGS: tuple[Setting, ...] = (
    Setting("app_ports", PORTS, None, "The app's ports, whose connections are counted.",
            "No port can be guessed: a wrong one would end every drain at once."),
    Setting("host", HOST, "", "The address to listen on.",
            "The kubelet calls the pod's address, never loopback; empty means all, IPv4 and IPv6."),
    Setting("port", PORT, "9808", "The port to listen on.",
            "Needs no privilege; one number for hook, probes and scrapes."),
    Setting("container", _choice("native", "plain"), "native",
            "native: an init container with restartPolicy Always, its SIGTERM comes after the app's end. "
            "plain: an ordinary container, its SIGTERM comes at once and begins a drain.",
            "Native sidecars are on since Kubernetes 1.29 and outlive the app by themselves."),
    Setting("grace_period", POSITIVE, "30s", "The pod's terminationGracePeriodSeconds.",
            "The default of Kubernetes."),
    Setting("app_reserve", DURATION, "5s", "What the app keeps of the grace period for its own SIGTERM.",
            "A hook that uses up the grace period leaves the app 2 s, whatever it needs."),
    Setting("timeout", OPTIONAL, "off", "The longest drain; shortens the time until the deadline, never prolongs it.",
            "The grace period is the user's word already."),
    Setting("settle", DURATION, "5s", "For how long zero connections do not end a drain.",
            "Endpoint changes take 1-3 s to reach every node's proxy, load balancers a little more."),
    Setting("readiness", _choice("auto", "now", "after", "never"), "auto",
            "When /readyz goes off: now, after the settle time, or never.",
            "auto is now: without the API nobody else takes the pod out when it is not being deleted."),
    Setting("max_remaining", COUNT, "0", "With so many connections left a drain is over.",
            "Every client counts."),
    Setting("flush", DURATION, "2s", "How long to wait for the last bytes of connections that the app has closed.",
            "A few round trips of a slow client; a dead one must not hold the pod."),
    Setting("ignore_peers", CIDRS, "", "Clients that are not counted.",
            "A proxy on loopback carries real clients, so nobody is ignored unasked."),
    Setting("idle_after", OPTIONAL, "off", "Connections without data for so long do not hold a drain.",
            "A silent WebSocket is somebody's."),
    Setting("min_age", DURATION, "0s", "Connections younger than this are not in the gauges (probes).",
            "An exact count first."),
    Setting("interval", POSITIVE, "1s", "The time between two censuses at rest; stretched so that they cost "
            "at most 0.5 % of a core.",
            "A restarted app is seen within a second, and the walk costs milliseconds."),
    Setting("callers", _choice("known", "all"), "known",
            "Whose /drain has an effect: known (token, node, trusted sources) or all.",
            "Any pod of the cluster can reach the port."),
    Setting("trusted_sources", CIDRS, "", "Networks whose calls have an effect.",
            "The node is learned from its probes."),
    Setting("node_ip", ADDRESSES, "", "The node's addresses: status.hostIPs by the downward API.",
            "Only the pod spec can tell."),
    Setting("token", SECRET, "", "Who sends it as X-Drainer-Token is trusted, and nobody else.",
            "A token is yours to make; it is the only thing that keeps an impostor in the cluster out.", secret=True),
    Setting("token_file", PATH, "", "A file with the token.",
            "For tokens that come from a mounted Secret."),
    Setting("log_level", _choice("debug", "info", "warning", "error"), "info", "The least that is logged.",
            "A drain is a handful of lines; at rest there are none."),
    Setting("log_format", _choice("json", "text"), "json", "How a line is written.",
            "What log collectors read without being told how."),
)
# fmt: on

BY_NAME = {setting.name: setting for setting in SETTINGS}
