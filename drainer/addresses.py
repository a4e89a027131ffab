"""IP addresses and networks as they should be compared: an IPv4-mapped IPv6 address is the IPv4 one."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_MAPPED = IPv6Network("::ffff:0:0/96")


def parse_address(text: str) -> Address | None:
    """The address without its zone; None if it is none."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def parse_network(text: str) -> Network:
    """The network that a CIDR means. Raises ValueError."""
    network = ip_network(text)
    if isinstance(network, IPv6Network) and network.subnet_of(_MAPPED):
        return IPv4Network((network.network_address.packed[12:], network.prefixlen - 96))
    return network


def parse_peers(text: str) -> tuple[Network, int | None]:
    """The peers that a CIDR means, or the one at an address and port, as in `[::1]:4711`.

    Raises ValueError.
    """
    if not text.startswith("["):
        return parse_network(text), None
    address, _, port = text[1:].partition("]:")
    return parse_network(address), int(port)
