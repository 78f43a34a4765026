from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cogwork.tools.http.addresses import why_forbidden

FORBIDDEN = {
    "loopback": ["127.0.0.1", "127.255.255.254", "::1"],
    "private": ["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.0.1"],
    "link-local": ["169.254.0.1", "fe80::1", "febf::1"],
    "metadata": ["169.254.169.254", "168.63.129.16", "fd00:ec2::254", "fd20:ce::254"],
    "Oracle": ["192.0.0.192"],
    "Alibaba": ["100.100.100.200"],
    "credentials service": ["169.254.170.2"],
    "carrier-grade": ["100.64.0.1", "100.127.255.255"],
    "multicast": ["224.0.0.1", "239.255.255.255", "ff02::1"],
    "reserved": ["240.0.0.1", "192.0.0.1", "2001:1::1"],
    "broadcast": ["255.255.255.255"],
    "unspecified": ["0.0.0.0", "0.1.2.3", "::"],
    "benchmarking": ["198.18.0.1", "198.19.255.255", "2001:2::1"],
    "documentation": ["192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1", "3fff::1"],
    "IPv4-mapped": ["::ffff:127.0.0.1", "::ffff:8.8.8.8"],
    "IPv4-translated": ["::ffff:0:127.0.0.1"],
    "IPv4-compatible": ["::127.0.0.1", "::8.8.8.8"],
    "6to4": ["2002:7f00:1::", "2002:a9fe:a9fe::1", "192.88.99.1"],
    "Teredo": ["2001:0:4136:e378:8000:63bf:3fff:fdd2"],
    "NAT64": ["64:ff9b::7f00:1", "64:ff9b:1::a00:1"],
    "ISATAP": ["2a00::5efe:a00:1", "2a00::200:5efe:a9fe:a9fe"],
    "unique-local": ["fc00::1", "fdff::1"],
    "site-local": ["fec0::1"],
    "not global unicast": ["4000::1", "200::1", "e000::1"],
    "bound to one link": ["2606:4700::1111%eth0"],
}
PUBLIC = ["1.1.1.1", "8.8.8.8", "93.184.216.34", "172.15.255.255", "172.32.0.1", "100.63.255.255"]
PUBLIC += ["100.128.0.0", "198.20.0.1", "223.255.255.255", "2606:4700::1111", "2a00:1450::5"]


@pytest.mark.parametrize(
    ("address", "reason"),
    [(each, reason) for reason, addresses in FORBIDDEN.items() for each in addresses],
)
def test_an_address_inside_is_forbidden_and_the_reason_said(address, reason):
    assert reason in (why_forbidden(ip_address(address)) or "")


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_not(address):
    assert why_forbidden(ip_address(address)) is None


def test_further_networks_can_be_forbidden():
    ours = [ip_network("93.184.216.0/24")]
    assert why_forbidden(ip_address("93.184.216.34"), ours) == "forbidden by configuration"
    assert why_forbidden(ip_address("93.184.217.34"), ours) is None


@given(st.ip_addresses())
def test_whatever_python_calls_inside_is_forbidden(address: IPv4Address | IPv6Address):
    inside = (
        address.is_private
        or address.is_loopback
        or address.is_link_local
        or address.is_multicast
        or address.is_unspecified
        or address.is_reserved
    )
    assert why_forbidden(address) is not None or not inside


@given(st.ip_addresses(v=4))
def test_no_form_that_carries_an_ipv4_address_is_dialled(four: IPv4Address):
    number = int(four)
    for prefix in (0, 0xFFFF << 32, 0xFFFF << 48, 0x64FF9B << 96, 0x20010000 << 96):
        assert why_forbidden(IPv6Address(prefix | number)) is not None
    assert why_forbidden(IPv6Address(0x2002 << 112 | number << 80)) is not None
