"""What the composition root finds out about its surroundings."""

from __future__ import annotations

import logging
import resource
from pathlib import Path

import pytest

from drainer.config import Config
from drainer.log import LogObserver
from drainer.run import default_gateways, kubernetes, raise_descriptor_limit

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


# ------------------------------------------------------------------------------------------------ the Kubernetes API

IN_POD = {
    "DRAINER_APP_PORTS": "8080", "POD_NAME": "ws-0", "POD_NAMESPACE": "chat", "POD_UID": "7d1f6a52",
    "KUBERNETES_SERVICE_HOST": "192.0.2.10", "KUBERNETES_SERVICE_PORT": "443",
}  # fmt: skip


def talks(caplog: pytest.LogCaptureFixture, folder: Path, **variables: str) -> bool:
    """Whether the agent talks to the API with these variables, and a service account there."""
    caplog.set_level(logging.INFO, "drainer")
    environ = IN_POD | {"DRAINER_SERVICE_ACCOUNT": str(folder)} | variables
    return kubernetes(Config.from_env(environ), LogObserver()) is not None


async def test_the_api_is_used_where_a_service_account_is_mounted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "token").write_text("a-token")
    assert talks(caplog, tmp_path)
    assert caplog.records == []


async def test_by_itself_it_is_not_used_without_one_and_that_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert not talks(caplog, tmp_path)
    (record,) = caplog.records
    assert record.getMessage() == f"the API is not used: no service account is mounted at {tmp_path}"


async def test_who_wants_it_on_gets_it_even_before_there_is_a_token(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert talks(caplog, tmp_path, DRAINER_KUBERNETES="on")


@pytest.mark.parametrize(
    "variables", [{"DRAINER_KUBERNETES": "off"}, {"POD_NAME": "", "POD_UID": "", "POD_NAMESPACE": ""}]
)
async def test_where_nobody_asked_for_it_there_is_none_and_nothing_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, variables: dict[str, str]
) -> None:
    (tmp_path / "token").write_text("a-token")
    assert not talks(caplog, tmp_path, **variables)
    assert caplog.records == []
