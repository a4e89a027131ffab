from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest

from drainer.addresses import parse_address, parse_network, parse_peers


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


@pytest.mark.parametrize(
    ("written", "network", "port"),
    [
        ("10.0.0.0/8", "10.0.0.0/8", None), ("::1", "::1/128", None), ("[::1]:4711", "::1/128", 4711),
        ("[127.0.0.1]:1", "127.0.0.1/32", 1), ("[::ffff:127.0.0.1]:1", "127.0.0.1/32", 1),
    ],
)  # fmt: skip
def test_peers_are_a_network_or_one_address_and_port(written: str, network: str, port: int | None) -> None:
    assert parse_peers(written) == (ip_network(network), port)


@pytest.mark.parametrize("written", ["[::1]", "[::1]:http", "[::1", "::1]:80", "[]:80"])
def test_what_is_neither_is_refused(written: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the contract is the type
        parse_peers(written)
