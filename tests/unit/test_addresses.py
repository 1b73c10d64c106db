"""Where webhooks may go: public addresses, and what STUDIO_WEBHOOK_ALLOW names; however an address is spelled."""

from ipaddress import ip_address

import pytest

from plugins_app.services.addresses import AddressGuard, AddressRefusedError, Allowed, why_not_public

PUBLIC = "93.184.216.34"
PUBLIC_V6 = "2606:2800:220:1::1"


def guard(*answers: str, allow: tuple[str, ...] = ()) -> AddressGuard:
    """A guard whose name server gives these answers."""
    return AddressGuard(Allowed.parse(allow), lambda host, port: list(answers))


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",
        "10.0.0.1",
        "100.64.0.1",  # between a provider and its customers
        "127.0.0.1",
        "127.255.255.254",
        "169.254.169.254",  # where clouds keep their machines' credentials
        "172.16.0.1",
        "192.0.0.8",
        "192.0.2.1",
        "192.168.1.1",
        "198.18.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::10.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:192.168.1.1",
        "64:ff9b::10.0.0.1",
        "64:ff9b:1::808:808",
        "100::1",
        "2001:0:4136:e378:8000:63bf:f5ff:fffe",  # Teredo: 10.0.0.1
        "2001:db8::1",
        "2002:7f00:1::",  # 6to4: 127.0.0.1
        "2002:a00:1::1",
        "2a00::5efe:c0a8:101",  # ISATAP: 192.168.1.1
        "3fff::1",
        "5f00::1",
        "fc00::1",
        "fd12:3456::1",
        "fe80::1",
        "fec0::1",
        "ff02::1",
    ],
)
def test_what_is_not_public_is_refused(address: str) -> None:
    assert why_not_public(ip_address(address))
    with pytest.raises(AddressRefusedError):
        guard(address).addresses("https", "example.com", 443)


@pytest.mark.parametrize(
    "address", [PUBLIC, "8.8.8.8", PUBLIC_V6, "64:ff9b::808:808", "2002:808:808::1", "::ffff:8.8.8.8"]
)
def test_what_is_public_is_not(address: str) -> None:
    assert why_not_public(ip_address(address)) is None
    assert guard(address).addresses("https", "example.com", 443) == [address]


def test_one_private_address_among_public_ones_is_enough() -> None:
    with pytest.raises(AddressRefusedError, match=r"example\.com is 10\.0\.0\.1, which is private"):
        guard(PUBLIC, PUBLIC_V6, "10.0.0.1").addresses("https", "example.com", 443)


def test_a_zone_does_not_hide_an_address() -> None:
    with pytest.raises(AddressRefusedError, match="link-local"):
        guard("fe80::1%lo").addresses("https", "example.com", 443)


@pytest.mark.parametrize("spelling", ["127.0.0.1", "127.1", "2130706433", "0x7f000001", "017700000001", "localhost"])
def test_the_real_resolver_sees_through_every_spelling_of_this_machine(spelling: str) -> None:
    with pytest.raises(AddressRefusedError, match="this machine itself"):
        AddressGuard().addresses("https", spelling, 443)


def test_plain_http_is_for_allowed_addresses_only() -> None:
    with pytest.raises(AddressRefusedError, match="https only"):
        guard(PUBLIC).addresses("http", "example.com", 80)
    assert guard(PUBLIC, allow=("example.com",)).addresses("http", "example.com", 80) == [PUBLIC]
    assert guard(PUBLIC, allow=("93.184.0.0/16",)).addresses("http", "example.com", 80) == [PUBLIC]


@pytest.mark.parametrize("allow", ["10.0.0.0/8", "10.1.2.3", "inner.example", "INNER.example."])
def test_what_is_allowed_may_be_private(allow: str) -> None:
    assert guard("10.1.2.3", allow=(allow,)).addresses("http", "inner.example", 80) == ["10.1.2.3"]


def test_an_allowed_network_counts_for_the_mapped_spelling_too() -> None:
    assert guard("::ffff:10.1.2.3", allow=("10.0.0.0/8",)).addresses("https", "x", 443)


@pytest.mark.parametrize("allow", ["10.2.0.0/16", "10.1.2.4", "example", "sub.inner.example", "fd00::/8"])
def test_what_is_near_by_is_not(allow: str) -> None:
    with pytest.raises(AddressRefusedError):
        guard("10.1.2.3", allow=(allow,)).addresses("https", "inner.example", 443)


def test_an_allowed_name_does_not_open_other_names_of_the_same_address() -> None:
    with pytest.raises(AddressRefusedError):
        guard("10.1.2.3", allow=("inner.example",)).addresses("https", "other.example", 443)


def test_a_name_without_an_address_is_no_refusal() -> None:
    with pytest.raises(OSError, match="has no address"):
        guard().addresses("https", "example.com", 443)
