"""Who may drain: any pod of a cluster can reach the port, and only some calls may have an effect.

A stranger is not refused: a refusal would let the kubelet go on to SIGTERM at once. It is held, without effect.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Generic, TypeVar

from drainer.addresses import Address, Network, parse_address, parse_network

T = TypeVar("T")

TOKEN_HEADER = "X-Drainer-Token"  # noqa: S105 - the name of a header
BROWSER_HEADERS = ("Origin", "Sec-Fetch-Site", "Purpose", "Sec-Purpose")
"""A page or a prefetch that comes through a port-forward shows at least one of these."""
KUBELET_AGENT = "kube-lifecycle/"
"""User-Agent of a hook (pkg/kubelet/lifecycle/handlers.go)."""
PROBE_AGENT = "kube-probe/"
"""User-Agent of a probe (pkg/probe/http/request.go)."""

LEARNED_AFTER = 3
"""Probes of /readyz after which an address counts as the node's."""
MAX_LEARNED = 4
MAX_CANDIDATES = 256
"""Addresses that are being counted: a bound for a stranger who has many."""


class Trust(StrEnum):
    """Why a call counts, or that it does not."""

    TOKEN = "token"  # noqa: S105 - a word
    """It knows the token."""
    TRUSTED = "trusted"
    """Loopback, `trusted_sources`, `node_ip` or the default gateway."""
    LEARNED = "learned"
    """Its address has been probing /readyz."""
    ANYONE = "anyone"
    """`callers = all`, or nothing is known of this IP family."""
    STRANGER = "stranger"
    """None of these: held without effect."""


LOOPBACK = (parse_address("127.0.0.1"), parse_address("::1"))
"""Exactly these: 127.0.0.6, for one, is what a mesh proxy calls from on behalf of others."""


@dataclass(frozen=True, slots=True)
class CallerPolicy:
    """Whom the settings trust."""

    token: str | None = field(default=None, repr=False)
    trust_all: bool = False
    sources: Sequence[str] = ()
    """CIDRs of `trusted_sources` and addresses of `node_ip`."""
    gateways: Sequence[str] = ()
    """Default gateways of the pod: with a bridge CNI the kubelet comes from there."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a call is worth, and what should be said about it."""

    trust: Trust
    warning: str | None = None

    @property
    def counts(self) -> bool:
        """Whether the call may have an effect."""
        return self.trust is not Trust.STRANGER


def is_hook(headers: Mapping[str, str]) -> bool:
    """Whether a call says that it is the kubelet's preStop hook. Anybody can say so."""
    return headers.get("User-Agent", "").startswith(KUBELET_AGENT)


class Callers:
    """Judges callers by token, address and headers; learns the node's addresses from its probes."""

    def __init__(self, policy: CallerPolicy) -> None:
        self._policy = policy
        self._networks: list[Network] = [parse_network(source) for source in (*policy.sources, *policy.gateways)]
        self._probes: dict[Address, int] = {}
        self._learned: dict[Address, bool] = {}
        """Address -> whether it says that it is the kubelet's probe."""
        self._warned: dict[str, set[object]] = {}
        self.calls = dict.fromkeys(Trust, 0)
        """What was judged, by how it was."""

    @property
    def known(self) -> list[str]:
        """Who is trusted beside loopback, for the log."""
        if self._policy.token is not None:
            return ["who sends the token"]
        if self._policy.trust_all:
            return ["anyone"]
        return [str(known) for known in (*self._networks, *self._learned)]

    def probed(self, peer: str, headers: Mapping[str, str]) -> Address | None:
        """`peer` has probed /readyz; returns its address when this has made it known.

        Whoever says that it is the kubelet takes the place of one who does not: a load balancer's health check must
        not keep the node out.
        """
        address = parse_address(peer)
        if address is None or self._is_trusted(address):
            return None
        is_probe = headers.get("User-Agent", "").startswith(PROBE_AGENT)
        if address in self._learned:
            self._learned[address] = self._learned[address] or is_probe
            return None
        count = self._probes.pop(address, 0) + 1
        if count >= LEARNED_AFTER and self._has_room(is_probe=is_probe):
            self._learned[address] = is_probe
            return address
        self._probes[address] = min(count, LEARNED_AFTER)
        if len(self._probes) > MAX_CANDIDATES:
            self._probes.pop(next(iter(self._probes)))
        return None

    def _has_room(self, *, is_probe: bool) -> bool:
        if len(self._learned) < MAX_LEARNED:
            return True
        others = [address for address, said_so in self._learned.items() if not said_so]
        if is_probe and others:
            del self._learned[others[0]]
            return True
        return False

    def judge(self, peer: str, headers: Mapping[str, str]) -> Verdict:
        """What a call of /drain or /resume from `peer` is worth. Headers are looked up without regard to case."""
        verdict = self._judge(peer, headers)
        self.calls[verdict.trust] += 1
        return verdict

    def _judge(self, peer: str, headers: Mapping[str, str]) -> Verdict:
        policy = self._policy
        if policy.token is not None:
            sent = headers.get(TOKEN_HEADER, "")
            if hmac.compare_digest(sent.encode("utf-8", "surrogateescape"), policy.token.encode()):
                return Verdict(Trust.TOKEN)
            return self._stranger(peer, headers, f"send the token as {TOKEN_HEADER} (httpGet.httpHeaders)")
        if any(header in headers for header in BROWSER_HEADERS):
            return self._stranger(peer, {}, "")
        return self._judge_address(peer, headers)

    def _judge_address(self, peer: str, headers: Mapping[str, str]) -> Verdict:
        address = parse_address(peer)
        if self._policy.trust_all:
            return Verdict(Trust.ANYONE)
        if address is None:
            return self._stranger(peer, headers, "")
        if self._is_trusted(address):
            return Verdict(Trust.TRUSTED)
        if address in self._learned:
            return Verdict(Trust.LEARNED)
        if not self._knows(address.version):
            return Verdict(
                Trust.ANYONE,
                self._once(
                    "family",
                    address.version,
                    f"every IPv{address.version} caller is trusted: nothing is known of the node there. "
                    "Set DRAINER_TOKEN, DRAINER_NODE_IP or DRAINER_TRUSTED_SOURCES",
                ),
            )
        return self._stranger(peer, headers, f"add {address} to DRAINER_TRUSTED_SOURCES, or set DRAINER_TOKEN")

    def _is_trusted(self, address: Address) -> bool:
        return address in LOOPBACK or any(address in network for network in self._networks)

    def _knows(self, version: int) -> bool:
        """A link-local gateway (Calico has 169.254.1.1) is trusted, but nobody calls from there: it tells nothing."""
        return any(known.version == version and not known.is_link_local for known in (*self._networks, *self._learned))

    def _stranger(self, peer: str, headers: Mapping[str, str], remedy: str) -> Verdict:
        address = parse_address(peer) or peer
        if not is_hook(headers):
            warning = f"a stranger called from {address}: held without effect"
            return Verdict(Trust.STRANGER, self._once("stranger", address, warning))
        warning = f"a call from {address} that says it is a preStop hook is held without effect; if it is: {remedy}"
        return Verdict(Trust.STRANGER, self._once("hook", address, warning))

    def _once(self, kind: str, key: object, warning: str) -> str | None:
        """The warning, if it is the first of its kind for `key`; bounded, since strangers choose the keys."""
        warned = self._warned.setdefault(kind, set())
        if key in warned or len(warned) >= MAX_CANDIDATES:
            return None
        warned.add(key)
        return warning


MAX_PASSIVE = 64
MAX_PASSIVE_PER_PEER = 4


class PassiveSlots(Generic[T]):
    """Who of the strangers is held: a bound on what they can cost, in all and for each address."""

    def __init__(self) -> None:
        self._held: dict[T, str] = {}

    def take(self, caller: T, peer: str) -> T | None:
        """Hold `caller`; returns the one that has to be answered for it, the oldest."""
        same_peer = [held for held, address in self._held.items() if address == peer]
        evicted = None
        if len(same_peer) >= MAX_PASSIVE_PER_PEER:
            evicted = same_peer[0]
        elif len(self._held) >= MAX_PASSIVE:
            evicted = next(iter(self._held))
        if evicted is not None:
            self.release(evicted)
        self._held[caller] = peer
        return evicted

    def release(self, caller: T) -> None:
        """The caller has been answered or has hung up."""
        self._held.pop(caller, None)

    def __iter__(self) -> Iterator[T]:
        return iter(list(self._held))
