from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest

from drainer.addresses import parse_address, parse_network


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
        ("::ffff:10.0.0.1/128", "10.0.0.1/32"),
        ("::ffff:0:0/96", "0.0.0.0/0"),
        ("::/0", "::/0"),
        ("::fffe:0:0/95", "::fffe:0:0/95"),
        ("fd00::/8", "fd00::/8"),
        ("10.0.0.0/8", "10.0.0.0/8"),
    ],
)
def test_only_what_is_all_ipv4_mapped_is_meant_as_ipv4(written: str, meant: str) -> None:
    assert parse_network(written) == ip_network(meant)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("192.0.2.7", "192.0.2.7"),
        ("fe80::1%eth0", "fe80::1"),
        ("2001:db8::7", "2001:db8::7"),
    ],
)
def test_an_address_is_compared_without_zone_and_mapping(written: str, meant: str) -> None:
    assert parse_address(written) == ip_address(meant)


@pytest.mark.parametrize("text", ["", "somewhere", "10.0.0.0/8", "%eth0"])
def test_what_is_no_address_is_none(text: str) -> None:
    assert parse_address(text) is None
