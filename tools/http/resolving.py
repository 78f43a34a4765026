"""From a host to addresses that may be dialled: resolved once, every address checked."""

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable, Collection, Sequence
from ipaddress import ip_address, ip_network
from typing import TypeAlias

from cogwork.core.errors import ConfigurationError, ToolError
from cogwork.tools.http.addresses import Address, why_forbidden
from cogwork.tools.http.targets import Target, parse_host

__all__ = ["PORTS", "Reach", "Resolver", "system_resolver"]

Resolver: TypeAlias = Callable[[str, int], Awaitable[Sequence[str]]]
"""Gives the addresses of a host and port; raises `OSError` when there are none."""

PORTS = (80, 443, 8080, 8443)
"""The ports that web servers listen on."""

_MOST = 32


async def system_resolver(host: str, port: int) -> list[str]:
    """Ask the operating system, which asks `/etc/hosts` and the name servers.

    Raises:
        OSError: It knows no such host.
    """
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return list(dict.fromkeys(str(each[4][0]) for each in found))


class Reach:
    """Where requests may go.

    Args:
        allowed_domains: Domains that may be called with all that is below them; None for every
            public one.
        ports: Ports that may be called.
        permit: Addresses with ports that may be dialled although they are inside, or on another
            port, as `("10.1.2.3", 9000)`: a service of one's own.
        forbid: Networks that are forbidden besides the built-in ones, as `"203.0.113.0/24"`.
        resolver: What turns names into addresses.

    Raises:
        ConfigurationError: A domain, an address or a network is none.
    """

    def __init__(
        self,
        *,
        allowed_domains: Collection[str] | None = None,
        ports: Collection[int] = PORTS,
        permit: Collection[tuple[str, int]] = (),
        forbid: Collection[str] = (),
        resolver: Resolver = system_resolver,
    ) -> None:
        self._domains = None if allowed_domains is None else _domains(allowed_domains)
        self._ports = frozenset(ports)
        try:
            self._permit = frozenset((ip_address(address), port) for address, port in permit)
            self._forbid = tuple(map(ip_network, forbid))
        except ValueError as error:
            raise ConfigurationError(f"permit or forbid cannot be read: {error}") from error
        self._permitted_ports = frozenset(port for _, port in self._permit)
        self._resolve = resolver

    def check(self, target: Target) -> None:
        """Check what is known before a name is resolved.

        Raises:
            ToolError: Its host or port is not allowed.
        """
        if self._domains is not None and not _covers(self._domains, target.host):
            raise ToolError(
                f"'{target.host}' is not among the allowed domains: "
                f"{', '.join(sorted(self._domains)) or 'none is'}"
            )
        if target.port not in self._ports | self._permitted_ports:
            raise ToolError(
                f"port {target.port} of '{target.host}' is not called; "
                f"allowed are {', '.join(map(str, sorted(self._ports)))}"
            )

    async def addresses(self, target: Target) -> list[Address]:
        """Resolve a host once and check every address of it.

        Raises:
            ToolError: The host is not allowed, unknown, or one of its addresses is inside.
        """
        self.check(target)
        found = await self._found(target)
        for address in found:
            why = self._why_not(address, target.port)
            if why is not None:
                raise ToolError(
                    f"'{target.host}' is not called: its address {address} is {why}; "
                    "only public addresses are"
                )
        return found

    def _why_not(self, address: Address, port: int) -> str | None:
        if (address, port) in self._permit:
            return None
        if port not in self._ports:
            return f"not permitted on port {port}"
        return why_forbidden(address, self._forbid)

    async def _found(self, target: Target) -> list[Address]:
        if target.address is not None:
            return [target.address]
        try:
            answers = await self._resolve(target.host, target.port)
        except OSError as error:
            again = isinstance(error, socket.gaierror) and error.errno == socket.EAI_AGAIN
            raise ToolError(
                f"the address of '{target.host}' cannot be found; check its spelling"
                f"{', or the network' if again else ''}",
                transient=again,
            ) from error
        try:
            found = [ip_address(answer) for answer in answers[:_MOST]]
        except ValueError as error:
            raise ToolError(f"'{target.host}' resolves to no address: {error}") from error
        if not found:
            raise ToolError(f"'{target.host}' has no address; check its spelling")
        return found


def _domains(given: Collection[str]) -> frozenset[str]:
    if isinstance(given, str):
        raise ConfigurationError(f"allowed_domains is the text '{given}'; give a list of domains")
    try:
        return frozenset(parse_host(_bracketed(domain.lower()))[0] for domain in given)
    except (ToolError, AttributeError) as error:
        raise ConfigurationError(
            f"allowed_domains cannot be read: {error}; write 'example.com', which covers all "
            "below it"
        ) from error


def _bracketed(domain: str) -> str:
    return f"[{domain}]" if re.fullmatch(r"[0-9a-f.]*:[0-9a-f:.]*", domain) else domain


def _covers(domains: frozenset[str], host: str) -> bool:
    """Whether the host, or what whole labels of it end in, is among the domains."""
    if host in domains:
        return True
    labels = host.split(".")
    return any(".".join(labels[start:]) in domains for start in range(1, len(labels)))
