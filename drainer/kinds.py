"""How the values of settings are written, and what is allowed."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Any
from urllib.parse import urlsplit

from drainer.quantity import quantity

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


def choice(*words: str) -> Kind:
    """One of these words."""

    def parse(text: str) -> str:
        if text not in words:
            raise ValueError(text)
        return text

    return Kind("one of " + ", ".join(words), parse)


CLOSERS = ("notify", "websocket", "shutdown", "reset")
CLOSE_CODES = (1001, 1012)
MAX_REASON = 123
"""Bytes: a control frame carries 125, two of them for the code (RFC 6455, section 5.5)."""


def _closers(text: str) -> tuple[str, ...]:
    closers = tuple(_items(text))
    if set(closers) - set(CLOSERS) or len(set(closers)) < len(closers) or "reset" in closers[:-1]:
        raise ValueError(text)
    return closers


def _close_code(text: str) -> int:
    code = _number(1000, 4999)(text)
    if code not in CLOSE_CODES and code < 4000:  # noqa: PLR2004 - RFC 6455, section 7.4.2: private use
        raise ValueError(text)
    return code


def _reason(text: str) -> str:
    # What is no UTF-8 in the environment comes as surrogates, which cannot be encoded: a ValueError too.
    if len(text.encode()) > MAX_REASON:
        raise ValueError(text)
    return text


def _rate(text: str) -> float | None:
    if text == "off":
        return None
    if not re.fullmatch(r"\d{1,6}(\.\d{1,3})?", text, re.ASCII) or not float(text):
        raise ValueError(text)
    return float(text)


def _url(text: str) -> str:
    url = urlsplit(text)
    is_plain = text.isascii() and text.isprintable() and " " not in text and url.username is None and not url.fragment
    if text and not (is_plain and url.scheme == "http" and url.hostname and url.port != 0):
        raise ValueError(text)
    return text


def _flag(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError(text)
    return text == "true"


def _auto_duration(text: str) -> float | None:
    return None if text == "auto" else _positive_duration(text)


def _limit(text: str) -> int | None:
    return None if text == "off" else _some(text)


def _auto_limit(text: str) -> int | None:
    return None if text == "auto" else _some(text)


_some = _number(1, 1_000_000)


def _optional_port(text: str) -> int | None:
    return _port(text) if text else None


_PRINTABLE = re.compile(r"[!-~]*", re.ASCII)
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", re.ASCII)
"""RFC 9110, section 5.6.2: names of fields and of subprotocols."""
_OURS = re.compile(r"host|origin|connection|upgrade|content-length|transfer-encoding|sec-websocket-.*", re.IGNORECASE)
"""Fields that the handshake has by itself, or must not have."""
MAX_FIELDS = 8192
"""Bytes: servers take about as much."""


def _target_path(text: str) -> str:
    if not (text.startswith("/") and _PRINTABLE.fullmatch(text)) or "#" in text:
        raise ValueError(text)
    return text


def _printable(text: str) -> str:
    if not _PRINTABLE.fullmatch(text):
        raise ValueError(text)
    return text


def _host_field(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._~%\[\]:-]*", text, re.ASCII):
        raise ValueError(text)
    urlsplit(f"//{text}").port  # noqa: B018 - raises ValueError
    return text


def _tokens(text: str) -> tuple[str, ...]:
    tokens = tuple(_items(text))
    if not all(_TOKEN.fullmatch(token) for token in tokens) or len(set(tokens)) < len(tokens):
        raise ValueError(text)
    return tokens


def _fields(text: str) -> tuple[tuple[str, str], ...]:
    fields = []
    for line in filter(None, map(str.strip, text.splitlines())):
        name, colon, value = line.partition(":")
        if not colon or not _TOKEN.fullmatch(name) or _OURS.fullmatch(name):
            raise ValueError("not a field")
        fields.append((name, _secret(value.strip())))
    if len(text) > MAX_FIELDS:
        raise ValueError("too long")
    return tuple(fields)


def _quantity(lowest: float) -> Callable[[str], float | None]:
    def parse(text: str) -> float | None:
        if text == "off":
            return None
        amount = quantity(text)
        if amount < lowest:
            raise ValueError(text)
        return amount

    return parse


def _optional_ports(text: str) -> tuple[int, ...]:
    return _ports(text) if text else ()


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
CLOSE = Kind(f"some of {', '.join(CLOSERS)} in the order wished, each once, reset last; or nothing", _closers)
CODE = Kind("1001, 1012, or 4000 to 4999", _close_code)
REASON = Kind(f"UTF-8 of at most {MAX_REASON} bytes", _reason)
RATE = Kind("off, or connections per second from 0.001 to 999999", _rate)
AUTO = Kind("auto, or a length of time of 10ms to 168h, like 30s, 2m, 500ms", _auto_duration)
LIMIT = Kind("off, or a whole number from 1 to 1000000", _limit)
AUTO_LIMIT = Kind("auto, or a whole number from 1 to 1000000", _auto_limit)
SOME_COUNT = Kind("a whole number from 1 to 1000000", _some)
SOME_PORT = Kind("a port from 1 to 65535; or nothing", _optional_port)
TARGET_PATH = Kind(
    "a path that begins with /, with or without a query, in printable ASCII without blanks", _target_path
)
HOST_FIELD = Kind("a host name or address, with or without a port; or nothing", _host_field)
ORIGIN = Kind("an origin like https://chat.example, in printable ASCII without blanks; or nothing", _printable)
SUBPROTOCOLS = Kind("names of subprotocols, like v2.chat,v1.chat, each once; or nothing", _tokens)
FIELDS = Kind(
    f"lines like `Authorization: Bearer abc` in printable ASCII, {MAX_FIELDS} bytes in all, without the fields of the "
    "handshake itself; or nothing",
    _fields,
)
MEMORY = Kind("off, or bytes as Kubernetes writes them, like 512Mi or 1.5Gi, at least 1Mi", _quantity(2**20))
CORES = Kind("off, or cores as Kubernetes writes them, like 1.5 or 500m, at least 1m", _quantity(0.001))
URL = Kind("an http:// URL without user and fragment", _url)
FLAG = Kind("true or false", _flag)
SOME_PORTS = Kind(f"up to {MAX_PORTS} ports and ranges from 1 to 65535; or nothing", _optional_ports)
PATH = Kind("the path of a file that can be read", str)
FOLDER = Kind("the path of a folder", str)
