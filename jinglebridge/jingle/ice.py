"""How the values of ICE candidates and credentials are spelt, in SDP and in XML alike. RFC 8839 §5; J-146, J-150, J-160 … J-162."""

from __future__ import annotations

import ipaddress
import re

from jinglebridge.xml import Type, integer

_ICE_CHARS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")


def ice_chars(value: str, low: int, high: int) -> bool:
    """RFC 8839 §5.4: letters, digits, + and /, of a certain length. J-146"""
    return low <= len(value) <= high and value.isascii() and (value.isalnum() or _ICE_CHARS.issuperset(value))


def foundation(value: str) -> str:
    """Of a candidate: RFC 8839 §5.1. Raises ValueError, as the others here do."""
    if not (value.isalnum() and value.isascii() and len(value) <= 32) and not ice_chars(value, 1, 32):
        raise ValueError("not 1 to 32 ICE characters")
    return value


# What `ipaddress` takes as well, in a tenth of the time.
_OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV4 = re.compile(rf"{_OCTET}(?:\.{_OCTET}){{3}}").fullmatch
_GROUPS = "[0-9A-Fa-f]{1,4}(?::[0-9A-Fa-f]{1,4})"
# Not those that begin with a zero, or with ff as multicast does. What is compressed must still be counted.
_IPV6 = re.compile(rf"(?!0|[Ff][Ff])(?:{_GROUPS}{{7}}|{_GROUPS}{{0,5}}::(?:{_GROUPS}{{0,5}})?)").fullmatch


def _plain_ipv6(value: str) -> bool:
    return _IPV6(value) is not None and value.count(":") <= 7


def address(value: str) -> str:
    """An IP literal that can be reached, or a name under .local. Raises ValueError. J-160, J-162."""
    if _IPV4(value) and value != "0.0.0.0" and value[:2] not in ("22", "23"):
        return value
    if value.endswith(".local"):
        if len(value) > 255 or not value.isascii() or value.strip("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-."):
            raise ValueError("not a name")
        return value
    if _plain_ipv6(value):
        return value
    if "%" in value:
        raise ValueError("has a zone")
    ip = ipaddress.ip_address(value)
    if ip.is_multicast or ip.is_unspecified:
        raise ValueError("not an address to send to")
    return value


def related(value: str) -> str:
    """raddr says nothing that anybody connects to: 0.0.0.0 and :: are how browsers blank it."""
    if not (_IPV4(value) or _plain_ipv6(value)):
        ipaddress.ip_address(value)
    if "%" in value:
        raise ValueError("has a zone")
    return value


def related_or_none(value: str) -> str | None:
    """One that is no address is as good as absent: it drops its pair, not the candidate. M-4"""
    try:
        return related(value)
    except ValueError:
        return None


_PORT = integer(0, 65535)


def related_port_or_none(value: str) -> int | None:
    """The same for its port."""
    try:
        port: int = _PORT.parse(value)
    except ValueError:
        return None
    return port


def protocol(value: str) -> str:
    """Of a candidate: udp or tcp."""
    # COMPAT(libpurple and others): upper case. J-150
    value = value.lower()
    if value not in ("udp", "tcp"):
        raise ValueError("not udp or tcp")
    return value


def optional_number(high: int) -> Type:
    """Bad numbers of attributes without a use read as 0 instead of losing the candidate. J-150"""
    strict = integer(0, high)

    def parse(value: str) -> int:
        try:
            number: int = strict.parse(value)
        except ValueError:
            return 0
        return number

    return Type(parse, str, plain=True, known=strict.known)
