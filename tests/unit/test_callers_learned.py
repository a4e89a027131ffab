"""Which addresses are taken for the node's, because the kubelet probes from there."""

from __future__ import annotations

from drainer.addresses import parse_address
from drainer.callers import MAX_CANDIDATES, MAX_LEARNED, CallerPolicy, Callers, Trust
from tests.unit.test_callers import NODE, OTHER, STRANGER, callers, judge, learn, trust


def test_an_address_is_learned_by_its_third_probe() -> None:
    who = callers(sources=["192.0.2.7"])
    learn(who, NODE, 2)
    assert trust(who, NODE) is Trust.STRANGER
    who.probed(f"::ffff:{NODE}", {})
    assert trust(who, NODE) is Trust.LEARNED
    assert trust(who, OTHER) is Trust.STRANGER


def test_a_learned_address_makes_strangers_of_the_others_of_its_family_alone() -> None:
    who = callers()
    assert trust(who, OTHER) is Trust.ANYONE
    learn(who, NODE)
    assert trust(who, NODE) is Trust.LEARNED
    assert trust(who, OTHER) is Trust.STRANGER
    assert trust(who, "fd00::9") is Trust.ANYONE


def test_four_addresses_are_learned_and_no_fifth() -> None:
    who = callers()
    for index in range(MAX_LEARNED + 1):
        learn(who, f"10.0.1.{index}", 10)
    assert [trust(who, f"10.0.1.{index}") for index in range(MAX_LEARNED + 1)] == [
        *[Trust.LEARNED] * 4,
        Trust.STRANGER,
    ]


def test_loopback_and_what_is_no_address_teach_nothing() -> None:
    who = callers()
    for peer in ("127.0.0.1", "::1", "no address"):
        learn(who, peer)
    assert trust(who, STRANGER) is Trust.ANYONE


def test_ten_thousand_probing_addresses_cost_bounded_memory_and_the_newest_is_still_learned() -> None:
    who = callers()
    for index in range(10_000):
        who.probed(f"10.{index >> 8}.{index & 255}.1", {})
    assert len(who._probes) == MAX_CANDIDATES
    learn(who, NODE)
    assert trust(who, NODE) is Trust.LEARNED


def test_a_node_that_goes_on_probing_is_learned_among_others_who_probe_once() -> None:
    who = callers()
    for index in range(1000):
        if index % 200 == 0:
            who.probed(NODE, {})
        who.probed(f"10.1.{index >> 8}.{index & 255}", {})
    assert trust(who, NODE) is Trust.LEARNED


PROBE = {"User-Agent": "kube-probe/1.36"}


def test_the_kubelets_probe_takes_the_place_of_a_load_balancers_health_check() -> None:
    who = callers(gateways=["192.0.2.1"])
    for host in range(4):
        for _ in range(3):
            who.probed(f"10.0.0.{host}", {})
    learned = [who.probed("10.9.9.9", PROBE) for _ in range(3)]
    assert learned == [None, None, parse_address("10.9.9.9")]
    trusts = [judge(who, address).trust for address in ("10.0.0.0", "10.0.0.1", "10.9.9.9")]
    assert trusts == [Trust.STRANGER, Trust.LEARNED, Trust.LEARNED]


def test_what_says_that_it_is_the_kubelet_does_not_take_the_place_of_its_like() -> None:
    who = callers(gateways=["192.0.2.1"])
    for host in range(5):
        who.probed(f"10.0.0.{host}", {})
        for _ in range(3):
            who.probed(f"10.0.0.{host}", PROBE)
    assert [judge(who, f"10.0.0.{host}").trust for host in (3, 4)] == [Trust.LEARNED, Trust.STRANGER]


def test_a_learned_address_is_told_when_it_is_learned_and_among_the_known() -> None:
    callers = Callers(CallerPolicy())
    assert [callers.probed("192.0.2.7", {}) for _ in range(4)] == [None, None, parse_address("192.0.2.7"), None]
    assert callers.known == ["192.0.2.7"]


def test_what_is_trusted_anyway_is_not_learned_and_takes_no_place() -> None:
    who = callers(sources=["10.0.0.0/24"])
    assert [who.probed(NODE, PROBE) for _ in range(5)] == [None] * 5
    assert who.known == ["10.0.0.0/24"]
