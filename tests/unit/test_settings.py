from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drainer.kinds import (
    ADDRESSES,
    AUTO_LIMIT,
    CIDRS,
    CORES,
    COUNT,
    DURATION,
    FIELDS,
    HOST,
    HOST_FIELD,
    LIMIT,
    MAX_NETWORKS,
    MAX_PORTS,
    MEMORY,
    OPTIONAL,
    ORIGIN,
    PATH,
    PORT,
    PORTS,
    POSITIVE,
    SECRET,
    SOME_COUNT,
    SOME_PORT,
    SUBPROTOCOLS,
    TARGET_PATH,
    Kind,
)
from drainer.settings import BY_NAME, SETTINGS
from drainer.sockets.bytecode import dump_filter

REFUSED: list[tuple[Kind, list[str]]] = [
    (DURATION, ["", "5 s", "-1", "1e3", ".5", "5.", "1d", "1m30s", "infs", "nan", "169h", "604801", "٣s", "9" * 400]),
    (POSITIVE, ["0", "0s", "9ms", "0.009"]),
    (OPTIONAL, ["0", "9ms", "never", ""]),
    (SOME_PORT, ["0", "65536", "http"]),
    (LIMIT, ["", "0", "1000001", "many"]),
    (SOME_COUNT, ["0", "off"]),
    (TARGET_PATH, ["", "ws", "/a b", "/#a", "/ä", "/\n", "http://x/"]),
    (HOST_FIELD, ["a b", "chat.example:http", "chat.example:70000", "a\nb", "a/b", "[::1"]),
    (ORIGIN, ["https://a b", "ä", "a\nb"]),
    (SUBPROTOCOLS, ["a,a", "ä", "a/b", "a;b"]),
    (FIELDS, ["Authorization", "A b: c", ": c", "A: ä", "Host: x", "sec-websocket-key: x", "A: b\nConnection: close"]),
    (FIELDS, ["A: " + "b" * 8200]),
    (MEMORY, ["", "0", "1Ki", "512MiB", "-1Mi", "1e9", "lots"]),
    (CORES, ["0", "0.0001", "500mm", "1 core"]),
    (PORT, ["", "0", "65536", "-1", "+80", "8 0", "0x50", "8080.0", "http", "٣", "²", "1" * 5000]),
    (PORTS, ["", ",", " ", "0", "65536", "80,0", "80-", "-80", "90-80", "80-90-100", "a", "1-65535", "1-257"]),
    (CIDRS, ["10.0.0.1/8", "10.0.0.0/33", "300.0.0.0/8", "example.org", "fd00::/129", "10", "/8"]),
    (ADDRESSES, ["10.0.0.0/8", "example.org", "10.0.0"]),
    (HOST, ["localhost", "10.0.0.0/8", "*"]),
    (COUNT, ["-1", "1000001", "1.0", "many"]),
    (LIMIT, ["0", "1000001", "auto", "", "-1"]),
    (AUTO_LIMIT, ["0", "off", ""]),
    (SECRET, [" a", "a ", "a\nb", "ä", "a\0b", "a\x7f"]),
    (BY_NAME["container"].kind, ["Native", "sidecar", ""]),
]

UNDERSTOOD: list[tuple[Kind, str, Any]] = [
    (DURATION, "30", 30.0),
    (DURATION, "30s", 30.0),
    (DURATION, "2m", 120.0),
    (DURATION, "500ms", 0.5),
    (DURATION, "1.5h", 5400.0),
    (DURATION, "0", 0.0),
    (DURATION, "168h", 604800.0),
    (POSITIVE, "10ms", 0.01),
    (OPTIONAL, "off", None),
    (OPTIONAL, "90", 90.0),
    (PORT, "1", 1),
    (PORT, "65535", 65535),
    (PORTS, "8080", (8080,)),
    (PORTS, "9000-9002, 80,80 443", (80, 443, 9000, 9001, 9002)),
    (PORTS, "65535", (65535,)),
    (PORTS, "80-80", (80,)),
    (PORTS, "1-256", tuple(range(1, 257))),
    (CIDRS, "", ()),
    (CIDRS, "10.0.0.0/8, fd00::/8 192.0.2.7", ("10.0.0.0/8", "fd00::/8", "192.0.2.7/32")),
    (CIDRS, "10.0.0.0/255.0.0.0", ("10.0.0.0/8",)),
    (ADDRESSES, "192.0.2.7,2001:DB8::7", ("192.0.2.7", "2001:db8::7")),
    (HOST, "", ""),
    (HOST, "::", "::"),
    (SOME_PORT, "", None),
    (SOME_PORT, "8080", 8080),
    (LIMIT, "off", None),
    (LIMIT, "1000000", 1_000_000),
    (SOME_COUNT, "3", 3),
    (TARGET_PATH, "/ws?token=a%20b", "/ws?token=a%20b"),
    (HOST_FIELD, "", ""),
    (HOST_FIELD, "[fd00::1]:8080", "[fd00::1]:8080"),
    (ORIGIN, "https://chat.example", "https://chat.example"),
    (SUBPROTOCOLS, "v2.chat, v1.chat", ("v2.chat", "v1.chat")),
    (FIELDS, "Authorization: Bearer a:b\r\n\n  X-A:1 ", (("Authorization", "Bearer a:b"), ("X-A", "1"))),
    (FIELDS, "", ()),
    (MEMORY, "off", None),
    (MEMORY, "1.5Gi", 1.5 * 2**30),
    (CORES, "500m", 0.5),
    (COUNT, "1000000", 1_000_000),
    (LIMIT, "off", None),
    (LIMIT, "1000000", 1_000_000),
    (AUTO_LIMIT, "auto", None),
    (AUTO_LIMIT, "1", 1),
    (SECRET, "open sesame~", "open sesame~"),
    (SECRET, "", ""),
    (PATH, "/run/secrets/token", "/run/secrets/token"),
    (BY_NAME["container"].kind, "plain", "plain"),
]


@pytest.mark.parametrize(("kind", "text", "value"), UNDERSTOOD)
def test_values_are_understood_as_they_are_written(kind: Kind, text: str, value: object) -> None:
    assert kind.parse(text) == value


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, texts in REFUSED for text in texts])
def test_what_cannot_be_meant_is_refused(kind: Kind, text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the contract is the type; `config` writes the message
        kind.parse(text)


@given(st.text(), st.sampled_from(SETTINGS))
def test_any_text_is_understood_or_a_value_error(text: str, setting: Any) -> None:
    try:
        setting.kind.parse(text)
    except ValueError:
        assert setting.kind.allowed


@given(st.integers(0, 10**9), st.sampled_from(["ms", "s", "m", "h", ""]))
def test_a_length_of_time_is_its_number_in_its_unit_up_to_a_week(number: int, unit: str) -> None:
    milliseconds = number * {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "": 1000}[unit]
    text = f"{number}{unit}"
    if milliseconds <= 7 * 24 * 3_600_000:
        assert DURATION.parse(text) == pytest.approx(milliseconds / 1000)
    else:
        with pytest.raises(ValueError, match=text):
            DURATION.parse(text)


def test_the_most_ports_and_networks_that_are_allowed_fit_into_one_filter() -> None:
    ports = PORTS.parse(",".join(str(port) for port in range(1, 2 * MAX_PORTS, 2)))
    networks = CIDRS.parse(",".join(f"fd00:{index:x}::/32" for index in range(MAX_NETWORKS)))
    assert (len(ports), len(networks)) == (MAX_PORTS, MAX_NETWORKS)
    # The attribute's length has 16 bits, as has each jump.
    assert len(dump_filter(ports, networks)) < 1 << 16
    with pytest.raises(ValueError, match="fd01"):
        CIDRS.parse(",".join([*networks, "fd01::/16"]))


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_every_setting_has_a_default_that_can_be_used_and_its_reason(setting: Any) -> None:
    if setting.default is None:
        assert setting.name == "app_ports"
    else:
        setting.kind.parse(setting.default)
    for sentence in (setting.help, setting.why):
        assert sentence.endswith(".")
        assert sentence[0].isalnum()
    assert len(setting.help) > 15
    assert setting.env == f"DRAINER_{setting.name.upper()}"
    assert setting.flag == f"--{setting.name.replace('_', '-')}"


def test_the_defaults_are_those_that_the_documents_promise() -> None:
    defaults = {setting.name: setting.kind.parse(setting.default) for setting in SETTINGS if setting.default}
    assert defaults == {
        "port": 9808,
        "container": "native",
        "grace_period": None,
        "app_reserve": 5.0,
        "timeout": None,
        "settle": 5.0,
        "readiness": "auto",
        "max_remaining": 0,
        "flush": 2.0,
        "close_code": 1012,
        "patience": 0.0,
        "straggler_time": None,
        "escalate_after": 2.0,
        "close_rate": None,
        "notify_mode": "batch",
        "notify_remote": False,
        "websocket_unproven": False,
        "idle_after": None,
        "min_age": 0.0,
        "interval": 1.0,
        "max_connections": None,
        "resume_below": None,
        "max_rate": None,
        "full": "auto",
        "never_last": True,
        "health": "off",
        "health_path": "/",
        "health_tls": False,
        "health_interval": 5.0,
        "health_latency": 0.8,
        "health_misses": 3,
        "health_max_connections": None,
        "health_max_memory": None,
        "health_max_cpu": None,
        "health_max_descriptors": None,
        "usage": "off",
        "usage_interval": 15.0,
        "callers": "known",
        "kubernetes": "auto",
        "restart_timeout": 30.0,
        "serving_label": False,
        "readiness_gate": False,
        "condition": True,
        "events": True,
        "deletion_cost": False,
        "page": True,
        "service_account": "/var/run/secrets/kubernetes.io/serviceaccount",
        "log_level": "info",
        "log_format": "json",
    }


def test_names_are_unique_and_only_the_token_and_headers_are_secrets() -> None:
    assert len(BY_NAME) == len(SETTINGS) == 65
    assert [setting.name for setting in SETTINGS if setting.secret] == ["health_headers", "token"]


@given(st.lists(st.ip_addresses(), max_size=5))
def test_networks_come_out_as_they_can_be_compared(addresses: list[Any]) -> None:
    assert [ip_network(network) for network in CIDRS.parse(",".join(map(str, addresses)))] == [
        ip_network(address) for address in addresses
    ]
