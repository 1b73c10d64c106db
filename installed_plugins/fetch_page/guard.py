"""Which addresses may be read: those of the public internet, and what the operator allows.

A name is resolved once, every address it has is checked, and one of these is connected to: no second answer of a name
server can lead elsewhere. It is asked for each connection, so a redirect is checked as the first address was.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

import httpcore

from plugins_app.sdk import PluginError

__all__ = ["AddressRefused", "Allowed", "GuardedBackend", "why_not_public"]

Address = IPv4Address | IPv6Address
Resolve = Callable[[str, int], Awaitable[list[str]]]

_GLOBAL_V6, _NAT64, _TEREDO = IPv6Network("2000::/3"), IPv6Network("64:ff9b::/96"), IPv6Network("2001::/32")
#: Set aside since, or unknown to older Pythons' tables.
_SET_ASIDE = tuple(map(ip_network, ("192.0.0.0/24", "192.88.99.0/24", "2001::/23", "3fff::/20", "100.64.0.0/10")))
_ISATAP = (0x00005EFE, 0x02005EFE)


class AddressRefused(PluginError):
    """The address may not be read; the text says why."""

    code = "address_refused"


def why_not_public(address: Address) -> str | None:
    """What is special about an address that is not the public internet's; None when it is."""
    inner = _embedded(address)
    if inner is not None:
        reason = why_not_public(inner)
        return f"another spelling of {inner}, which is {reason}" if reason else None
    checks = (
        (address.is_unspecified, "no address at all"),
        (address.is_loopback, "this machine itself"),
        (address.is_link_local, "link-local"),
        (address.is_multicast, "multicast"),
        (address.is_private, "private"),
        (address.is_reserved or any(address in network for network in _SET_ASIDE), "reserved"),
        (not address.is_global, "not public"),
        (isinstance(address, IPv6Address) and address not in _GLOBAL_V6, "not public"),
    )
    return next((reason for wrong, reason in checks if wrong), None)


def _embedded(address: Address) -> IPv4Address | None:
    """The IPv4 address that a gateway on the way would make of an IPv6 address."""
    if not isinstance(address, IPv6Address):
        return None
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address in _TEREDO:
        return IPv4Address(~int(address) & 0xFFFFFFFF)
    isatap = int(address) >> 32 & 0xFFFFFFFF in _ISATAP
    return IPv4Address(int(address) & 0xFFFFFFFF) if isatap or address in _NAT64 else None


@dataclass(frozen=True, slots=True)
class Allowed:
    """What may be read although it is private."""

    hosts: frozenset[str] = frozenset()
    networks: tuple[IPv4Network | IPv6Network, ...] = ()

    @classmethod
    def parse(cls, entries: Iterable[str]) -> Allowed:
        """Host names, addresses and networks."""
        hosts, networks = set(), []
        for entry in entries:
            try:
                networks.append(ip_network(entry.strip(), strict=False))
            except ValueError:
                hosts.add(_plain(entry))
        return cls(frozenset(hosts), tuple(networks))

    def check(self, host: str, addresses: Iterable[str]) -> None:
        """Raise AddressRefused unless every one of the host's addresses may be read."""
        if _plain(host) in self.hosts:
            return
        for text in addresses:
            address = ip_address(text.partition("%")[0])
            spellings = (address, getattr(address, "ipv4_mapped", None))
            if any(spelling in network for network in self.networks for spelling in spellings if spelling is not None):
                continue
            if reason := why_not_public(address):
                subject = host if host == str(address) else f"{host} is {address}, which"
                raise AddressRefused(f"{subject} is {reason}; an operator can allow it in allow_private")


def _plain(host: str) -> str:
    return host.strip().lower().rstrip(".")


async def _look_up(host: str, port: int) -> list[str]:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """Connects to an address that was checked, never to a name."""

    def __init__(self, allowed: Allowed, resolve: Resolve = _look_up) -> None:
        self._allowed, self._resolve = allowed, resolve
        self._sockets = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Resolve, check, connect."""
        try:
            addresses = await self._resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(f"{host} is not known to the name servers") from error
        self._allowed.check(host, addresses)
        problem: Exception = httpcore.ConnectError(f"{host} has no address")
        for address in addresses:
            try:
                return await self._sockets.connect_tcp(address, port, timeout, local_address)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                problem = error  # the next address may answer
        raise problem

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)
