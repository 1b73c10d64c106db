"""Which addresses the studio calls on an operator's word: public ones, and those that `STUDIO_WEBHOOK_ALLOW` names.

A name is resolved once and every address it has is checked; whoever connects then connects to a checked address, so
that no second answer of a name server can lead elsewhere.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

__all__ = ["AddressGuard", "AddressRefusedError", "Allowed", "why_not_public"]

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Resolve = Callable[[str, int], list[str]]

_GLOBAL_V6 = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")
_TEREDO = IPv6Network("2001::/32")
#: Set aside since, or unknown to older Pythons' tables.
_SET_ASIDE = tuple(map(ip_network, ("192.0.0.0/24", "192.88.99.0/24", "2001::/23", "3fff::/20")))
_ISATAP = (0x00005EFE, 0x02005EFE)


class AddressRefusedError(ValueError):
    """The studio may not call this address; the text says why."""


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
    """What may be called although it is private."""

    hosts: frozenset[str] = frozenset()
    networks: tuple[Network, ...] = ()

    @classmethod
    def parse(cls, entries: Iterable[str]) -> Allowed:
        """Host names, addresses and networks, as `STUDIO_WEBHOOK_ALLOW` has them."""
        hosts, networks = set(), []
        for entry in entries:
            try:
                networks.append(ip_network(entry, strict=False))
            except ValueError:
                hosts.add(_plain(entry))
        return cls(frozenset(hosts), tuple(networks))

    def names(self, host: str) -> bool:
        """Whether the host is allowed by name, whatever its addresses are."""
        return _plain(host) in self.hosts

    def includes(self, address: Address) -> bool:
        """Whether the address is allowed."""
        spellings = (address, getattr(address, "ipv4_mapped", None))
        return any(spelling in network for network in self.networks for spelling in spellings if spelling is not None)


def _plain(host: str) -> str:
    return host.lower().rstrip(".")


def _look_up(host: str, port: int) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


@dataclass(frozen=True, slots=True)
class AddressGuard:
    """Says where a name may be called."""

    allowed: Allowed = field(default_factory=Allowed)
    resolve: Resolve = _look_up

    def addresses(self, scheme: str, host: str, port: int) -> list[str]:
        """The host's addresses, each of which may be called.

        Raises:
            AddressRefusedError: one of them may not; then none of them is used.
            OSError: the name has none.
        """
        found = self.resolve(host, port)
        if not found:
            raise OSError(f"{host} has no address")
        if not self.allowed.names(host):
            for text in found:
                self._check(scheme, host, ip_address(text.partition("%")[0]))
        return found

    def _check(self, scheme: str, host: str, address: Address) -> None:
        if self.allowed.includes(address):
            return
        subject = f"{host}" if host == str(address) else f"{host} is {address}, which"
        if reason := why_not_public(address):
            raise AddressRefusedError(f"{subject} is {reason}")
        if scheme != "https":
            raise AddressRefusedError(f"{subject} is public, and what is public is called by https only")
