"""What the composition root finds out about its surroundings."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest

from drainer.run import default_gateways, raise_descriptor_limit

NOWHERE = Path("/nowhere/route")

IPV4 = """\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t0101F40A\t0003\t0\t0\t0\t00000000\t0\t0\t0
eth0\t0000F40A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
eth1\t0000A8C0\t0101F40A\t0003\t0\t0\t0\t0000FFFF\t0\t0\t0
tun0\t00000000\t00000000\t0001\t0\t0\t0\t00000000\t0\t0\t0
"""
ZERO = "0" * 32
IPV6 = f"""\
fd000000000000000000000000000000 40 {ZERO} 00 {ZERO} 00000100 00000001 00000000 00000001     eth0
{ZERO} 00 {ZERO} 00 fe800000000000000000000000000001 00000400 00000002 00000000 00000003     eth0
{ZERO} 00 {ZERO} 00 {ZERO} ffffffff 00000001 00000000 00200200       lo
"""


def routes(tmp_path: Path, ipv4: str | bytes = "", ipv6: str | bytes = "") -> list[str]:
    for name, text in (("route", ipv4), ("ipv6_route", ipv6)):
        (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return default_gateways(tmp_path / "route", tmp_path / "ipv6_route")


def test_the_gateways_of_the_default_routes_are_found_in_both_families(tmp_path: Path) -> None:
    assert routes(tmp_path, IPV4, IPV6) == ["10.244.1.1", "fe80::1"]


def test_a_route_to_a_network_is_not_the_default_one(tmp_path: Path) -> None:
    assert routes(tmp_path, IPV4.splitlines(keepends=True)[3], IPV6.splitlines(keepends=True)[0]) == []


def test_no_route_files_are_no_gateways() -> None:
    assert default_gateways(NOWHERE, NOWHERE) == []


@pytest.mark.parametrize(
    ("ipv4", "ipv6"),
    [
        ("eth0 00000000 0101F40A xyz 0 0 0 00000000\n", f"{ZERO} 00 {ZERO} 00 fe80 0 0 0 3 eth0\n"),
        ("eth0 00000000 FFFFFFFFFF 0003 0 0 0 00000000\n", f"{ZERO} 00 {ZERO} 00 {'z' * 32} 0 0 0 3 eth0\n"),
        ("eth0 00000000 gateway 0003 0 0 0 00000000\n", f"{ZERO} 00 {ZERO} 00 {ZERO} 0 0 0 flags eth0\n"),
        ("eth0 00000000\n\n", "\n00 00\n"),
        (b"\xff\xfe eth0 00000000 \xff\n", b"\xff\xfe\n"),
    ],
)
def test_lines_that_are_no_routes_are_passed_over(tmp_path: Path, ipv4: str | bytes, ipv6: str | bytes) -> None:
    assert routes(tmp_path, ipv4, ipv6) == []


def test_a_broken_line_does_not_hide_the_good_ones(tmp_path: Path) -> None:
    broken4 = "eth9 00000000 gateway 0003 0 0 0 00000000\n"
    broken6 = f"{ZERO} 00 {ZERO} 00 fe80 0 0 0 3 eth9\n"
    assert routes(tmp_path, broken4 + IPV4, broken6 + IPV6) == ["10.244.1.1", "fe80::1"]


def test_the_descriptor_limit_is_raised_to_the_hard_one() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(256, hard), hard))
    try:
        assert raise_descriptor_limit() == hard
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
