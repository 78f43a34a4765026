"""Which addresses of the internet are nobody's business: one table, ours.

Python's `is_global` changes from version to version and knows no cloud's metadata service, so
it is not asked. From IPv4 everything is reachable that no line forbids; from IPv6 only what is
global unicast (2000::/3), less what a line forbids, so that forms which carry an IPv4 address
inside are refused as a whole and never unpacked.

Sources: the IANA registries of special-purpose addresses (RFC 6890 and its updates), and the
documentation of the clouds for their metadata services.
"""

from collections.abc import Iterable
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_network,
)
from typing import TypeAlias

__all__ = ["Address", "Network", "why_forbidden"]

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

# The first line that fits gives the reason, so the narrower ones stand first.
_LINES = (
    ("169.254.169.254/32", "a cloud's metadata service"),
    ("169.254.170.2/32", "a cloud's credentials service"),
    ("168.63.129.16/32", "Azure's metadata service"),
    ("192.0.0.192/32", "Oracle Cloud's metadata service"),
    ("100.100.100.200/32", "Alibaba Cloud's metadata service"),
    ("fd00:ec2::/32", "a cloud's metadata service"),
    ("fd20:ce::/32", "Google Cloud's metadata service"),
    ("0.0.0.0/8", "unspecified, or this network"),
    ("10.0.0.0/8", "private"),
    ("100.64.0.0/10", "carrier-grade NAT"),
    ("127.0.0.0/8", "loopback"),
    ("169.254.0.0/16", "link-local"),
    ("172.16.0.0/12", "private"),
    ("192.0.0.0/24", "reserved for protocols"),
    ("192.0.2.0/24", "documentation"),
    ("192.31.196.0/24", "an anycast service of the name system"),
    ("192.52.193.0/24", "a multicast relay"),
    ("192.88.99.0/24", "a 6to4 relay"),
    ("192.168.0.0/16", "private"),
    ("192.175.48.0/24", "an anycast service of the name system"),
    ("198.18.0.0/15", "benchmarking"),
    ("198.51.100.0/24", "documentation"),
    ("203.0.113.0/24", "documentation"),
    ("224.0.0.0/4", "multicast"),
    ("255.255.255.255/32", "broadcast"),
    ("240.0.0.0/4", "reserved"),
    ("::/128", "unspecified"),
    ("::1/128", "loopback"),
    ("::/96", "IPv4-compatible"),
    ("::ffff:0:0/96", "IPv4-mapped"),
    ("::ffff:0:0:0/96", "IPv4-translated"),
    ("64:ff9b::/96", "NAT64"),
    ("64:ff9b:1::/48", "NAT64"),
    ("100::/64", "discarded"),
    ("2001::/32", "Teredo"),
    ("2001:2::/48", "benchmarking"),
    ("2001::/23", "reserved for protocols"),
    ("2001:db8::/32", "documentation"),
    ("2002::/16", "6to4"),
    ("2620:4f:8000::/48", "an anycast service of the name system"),
    ("3ffe::/16", "a network that was given back"),
    ("3fff::/20", "documentation"),
    ("5f00::/16", "segment routing"),
    ("fc00::/7", "unique-local"),
    ("fe80::/10", "link-local"),
    ("fec0::/10", "site-local"),
    ("ff00::/8", "multicast"),
)
_TABLE: tuple[tuple[Network, str], ...] = tuple(
    (ip_network(network), what) for network, what in _LINES
)
_GLOBAL_UNICAST = IPv6Network("2000::/3")
_ISATAP = frozenset({0x0000_5EFE, 0x0200_5EFE})


def why_forbidden(address: Address, also: Iterable[Network] = ()) -> str | None:
    """Return what is wrong with dialling an address, or None when nothing is.

    Args:
        address: Where to.
        also: Further networks that are forbidden.
    """
    if getattr(address, "scope_id", None):
        return "bound to one link"
    for network, what in _TABLE:
        if address in network:
            return what
    if any(address in network for network in also):
        return "forbidden by configuration"
    if isinstance(address, IPv6Address):
        if address not in _GLOBAL_UNICAST:
            return "not global unicast"
        if int(address) >> 32 & 0xFFFF_FFFF in _ISATAP:
            return "ISATAP"
    return None
