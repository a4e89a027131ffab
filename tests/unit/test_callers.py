from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from drainer.addresses import parse_address
from drainer.callers import (
    KUBELET_AGENT,
    LEARNED_AFTER,
    MAX_CANDIDATES,
    CallerPolicy,
    Callers,
    Trust,
    Verdict,
)

NODE, OTHER, STRANGER = "10.0.0.1", "10.0.0.2", "10.9.9.9"
HOOK = {"User-Agent": "kube-lifecycle/1.36"}


def callers(
    *,
    token: str | None = None,
    trust_all: bool = False,
    sources: Sequence[str] = (),
    gateways: Sequence[str] = (),
) -> Callers:
    return Callers(CallerPolicy(token, trust_all, sources, gateways))


def judge(who: Callers, peer: str, **headers: str) -> Verdict:
    return who.judge(peer, CIMultiDict({name.replace("_", "-"): value for name, value in headers.items()}))


def trust(who: Callers, peer: str, **headers: str) -> Trust:
    verdict = judge(who, peer, **headers)
    assert verdict.counts is (verdict.trust is not Trust.STRANGER)
    return verdict.trust


def learn(who: Callers, peer: str, probes: int = LEARNED_AFTER) -> None:
    for _ in range(probes):
        who.probed(peer, {})


# ------------------------------------------------------------------------------------------------------- the address


@pytest.mark.parametrize("peer", ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
def test_loopback_is_trusted(peer: str) -> None:
    assert trust(callers(sources=["192.0.2.1", "2001:db8::1"]), peer) is Trust.TRUSTED


@pytest.mark.parametrize("peer", ["127.0.0.6", "127.0.0.2", "127.1.0.1", "::2", "::ffff:127.0.0.6"])
def test_loopback_is_exactly_two_addresses_because_a_mesh_proxy_uses_the_others(peer: str) -> None:
    assert trust(callers(sources=["192.0.2.1", "2001:db8::1"]), peer) is Trust.STRANGER


@pytest.mark.parametrize(
    ("peer", "expected"),
    [
        ("10.1.2.3", Trust.TRUSTED),
        ("::ffff:10.1.2.3", Trust.TRUSTED),
        ("192.0.2.7", Trust.TRUSTED),
        ("192.0.2.8", Trust.STRANGER),
        ("fd00::1", Trust.TRUSTED),
        ("fe80::1%eth0", Trust.TRUSTED),
        ("2001:db8::1", Trust.STRANGER),
        ("172.17.0.1", Trust.TRUSTED),
        ("172.17.0.2", Trust.STRANGER),
    ],
)
def test_sources_node_addresses_and_gateways_are_trusted(peer: str, expected: Trust) -> None:
    known = callers(sources=["10.0.0.0/8", "192.0.2.7", "fd00::/8", "fe80::1"], gateways=["172.17.0.1"])
    assert trust(known, peer) is expected


@pytest.mark.parametrize(
    ("known", "ipv4", "ipv6"),
    [
        ([], Trust.ANYONE, Trust.ANYONE),
        (["192.0.2.7"], Trust.STRANGER, Trust.ANYONE),
        (["2001:db8::/64"], Trust.ANYONE, Trust.STRANGER),
        (["192.0.2.7", "2001:db8::/64"], Trust.STRANGER, Trust.STRANGER),
    ],
)
@pytest.mark.parametrize("kind", ["sources", "gateways"])
def test_a_family_in_which_nothing_is_known_trusts_everyone(
    kind: str, known: list[str], ipv4: Trust, ipv6: Trust
) -> None:
    who = callers(sources=known) if kind == "sources" else callers(gateways=known)
    assert (trust(who, STRANGER), trust(who, f"::ffff:{STRANGER}"), trust(who, "fd00::9")) == (ipv4, ipv4, ipv6)


def test_trusting_everyone_is_said_once_for_each_family() -> None:
    who = callers()
    warnings = [judge(who, peer).warning or "" for peer in (STRANGER, "fd00::9", OTHER, "fd00::8")]
    assert warnings[0].startswith("every IPv4 caller is trusted")
    assert warnings[1].startswith("every IPv6 caller is trusted")
    assert warnings[2:] == ["", ""]
    assert all("DRAINER_TOKEN, DRAINER_NODE_IP or DRAINER_TRUSTED_SOURCES" in warning for warning in warnings[:2])


def test_callers_all_trusts_everyone_without_a_warning() -> None:
    who = callers(trust_all=True, sources=["192.0.2.7", "fd00::1"])
    for peer in (STRANGER, "2001:db8::1", "no address"):
        assert judge(who, peer) == Verdict(Trust.ANYONE)


@pytest.mark.parametrize("peer", ["", "no address", "10.0.0.256", "/run/agent.sock"])
def test_a_peer_without_an_address_is_a_stranger(peer: str) -> None:
    assert parse_address(peer) is None
    assert trust(callers(), peer) is Trust.STRANGER


# ---------------------------------------------------------------------------------------------------------- learning


# -------------------------------------------------------------------------------------------------- browsers, tokens


@pytest.mark.parametrize("header", ["Origin", "Sec-Fetch-Site", "Purpose", "Sec-Purpose", "origin", "SEC-FETCH-SITE"])
@pytest.mark.parametrize("peer", ["127.0.0.1", NODE, STRANGER])
def test_a_browser_is_a_stranger_wherever_it_calls_from(header: str, peer: str) -> None:
    for who in (callers(), callers(trust_all=True), callers(sources=[NODE])):
        learn(who, NODE)
        assert trust(who, peer, **{header: ""}) is Trust.STRANGER


@pytest.mark.parametrize("header", ["X-Drainer-Token", "x-drainer-token", "X-DRAINER-TOKEN"])
def test_who_sends_the_token_is_trusted_from_anywhere(header: str) -> None:
    who = callers(token="opensesame")
    for peer in (STRANGER, "fd00::9", "no address"):
        assert judge(who, peer, **{header: "opensesame"}) == Verdict(Trust.TOKEN)
    assert trust(who, STRANGER, Origin="https://example.org", **{header: "opensesame"}) is Trust.TOKEN


@pytest.mark.parametrize("sent", ["", "opensesam", "opensesame ", "OPENSESAME", "öpensesame", "\udcff\udc80", "💧"])
def test_with_a_token_nobody_else_is_trusted_whatever_is_sent(sent: str) -> None:
    who = callers(token="opensesame", trust_all=True, sources=[NODE], gateways=[OTHER])
    learn(who, "10.0.0.3")
    for peer in ("127.0.0.1", "::1", NODE, OTHER, "10.0.0.3", STRANGER):
        assert trust(who, peer, X_Drainer_Token=sent) is Trust.STRANGER
        assert trust(who, peer) is Trust.STRANGER


@given(st.text())
def test_no_header_but_the_token_itself_opens(sent: str) -> None:
    # As aiohttp hands a header over: bytes that are not UTF-8 come as lone surrogates.
    as_read = sent.encode("utf-8", "surrogatepass").decode("utf-8", "surrogateescape")
    assert trust(callers(token="a"), STRANGER, X_Drainer_Token=as_read) is (
        Trust.TOKEN if sent == "a" else Trust.STRANGER
    )


def test_a_token_is_in_no_repr_and_in_no_warning() -> None:
    policy = CallerPolicy(token="opensesame")
    assert "opensesame" not in repr(policy)
    verdict = Callers(policy).judge(STRANGER, CIMultiDict({**HOOK, "X-Drainer-Token": "opensesamE"}))
    assert "opensesam" not in repr(verdict)


# ---------------------------------------------------------------------------------------------------------- warnings


def test_a_stranger_is_logged_once_for_each_address_however_it_is_written() -> None:
    who = callers(sources=[NODE])
    warnings = [judge(who, peer).warning for peer in (STRANGER, f"::ffff:{STRANGER}", OTHER)]
    assert warnings == [
        f"a stranger called from {STRANGER}: held without effect",
        None,
        f"a stranger called from {OTHER}: held without effect",
    ]


@pytest.mark.parametrize(
    ("who", "remedy"),
    [
        (callers(sources=[NODE]), f"add {STRANGER} to DRAINER_TRUSTED_SOURCES, or set DRAINER_TOKEN"),
        (callers(token="opensesame"), "send the token as X-Drainer-Token (httpGet.httpHeaders)"),
    ],
)
def test_a_hook_without_effect_is_a_warning_that_names_the_setting_to_use(who: Callers, remedy: str) -> None:
    assert HOOK["User-Agent"].startswith(KUBELET_AGENT)
    warning = judge(who, STRANGER, **HOOK).warning or ""
    assert "preStop hook" in warning
    assert warning.endswith(remedy)


def test_a_hook_is_warned_of_even_if_its_address_was_logged_as_a_plain_stranger() -> None:
    callers = Callers(CallerPolicy(sources=("192.0.2.0/24",)))
    assert callers.judge("198.51.100.7", {}).warning is not None

    warning = callers.judge("198.51.100.7", {"User-Agent": "kube-lifecycle/1.36"}).warning

    assert warning is not None
    assert "DRAINER_TRUSTED_SOURCES" in warning


def test_a_source_written_as_ipv4_mapped_is_the_ipv4_one() -> None:
    callers = Callers(CallerPolicy(sources=("::ffff:192.0.2.0/120",)))

    assert callers.judge("192.0.2.7", {}).trust is Trust.TRUSTED
    assert callers.judge("198.51.100.7", {}).trust is Trust.STRANGER


def test_ten_thousand_strangers_cost_bounded_memory_and_no_other_warning() -> None:
    who = callers(sources=[NODE])
    warned = sum(judge(who, f"10.{index >> 8}.{index & 255}.7").warning is not None for index in range(10_000))
    assert warned == sum(map(len, who._warned.values())) == MAX_CANDIDATES
    assert judge(who, "10.200.0.1", **{"User-Agent": "kube-lifecycle/1.36"}).warning is not None


def test_a_link_local_gateway_is_trusted_but_does_not_make_strangers_of_the_others() -> None:
    who = callers(gateways=["169.254.1.1", "fe80::1"])
    assert judge(who, "169.254.1.1").trust is Trust.TRUSTED
    assert judge(who, "10.0.0.5").trust is judge(who, "fd00::5").trust is Trust.ANYONE


@pytest.mark.parametrize(
    ("policy", "known"),
    [
        (CallerPolicy(token="t", sources=("192.0.2.7",)), ["who sends the token"]),
        (CallerPolicy(trust_all=True), ["anyone"]),
        (CallerPolicy(sources=("192.0.2.7",), gateways=("fd00::1",)), ["192.0.2.7/32", "fd00::1/128"]),
        (CallerPolicy(), []),
    ],
)
def test_who_is_trusted_can_be_told(policy: CallerPolicy, known: list[str]) -> None:
    assert Callers(policy).known == known
