"""XEP-0320: Use of DTLS-SRTP in Jingle Sessions, version 1.0.0 (2020-05).

``a=fingerprint:sha-256 AA:BB`` and ``a=setup:actpass`` are ``<fingerprint hash='sha-256' setup='actpass'>AA:BB</fingerprint>`` in the
transport. The value reaches the other side byte for byte. J-178 … J-187, table M-5.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import field
from xml.etree.ElementTree import Element as XmlElement

from jinglebridge.errors import Refused, SdpError
from jinglebridge.sdp import MediaDescription
from jinglebridge.sdp.attributes import fingerprint
from jinglebridge.sdp.attributes import setup as setup_word
from jinglebridge.values import frozen
from jinglebridge.xml import Element, Text, Type, Unknown, attr, one_of

NS = "urn:xmpp:jingle:apps:dtls:0"
VERSION = "1.0.0"
FEATURES = (NS,)

# Bytes of the digests that count as secure; anything else is refused (J-183).
HASHES = {"sha-256": 32, "sha-384": 48, "sha-512": 64}


@frozen
class Fingerprint:
    """`value` is upper-case hex pairs with colons; `setup` None where absent."""

    hash: str
    setup: str | None
    value: str
    unknown: tuple[XmlElement, ...] = field(default=(), compare=False)


_HEX_PAIRS = re.compile("[0-9A-F:]+").fullmatch


def _hex_pairs(value: str) -> str:
    # The XEP's own examples break the text over lines. J-178
    if not _HEX_PAIRS(value):
        value = "".join(value.split()).upper()
        if not _HEX_PAIRS(value):
            raise ValueError("not hex pairs")
    return value


FINGERPRINT = Element(
    Fingerprint,
    NS,
    "fingerprint",
    (
        attr("hash", Type(str.lower, str)),
        attr("setup", one_of("active", "passive", "actpass", "holdconn"), default=None),
        Text("value", Type(_hex_pairs, str)),
        Unknown(),
    ),
)


def strong(item: Fingerprint) -> bool:
    """A hash that we trust, with a value of its length."""
    size, value = HASHES.get(item.hash, 0), item.value
    shape = len(value) == 3 * size - 1 and value.count(":") == size - 1 == value[2::3].count(":")
    return size > 0 and shape and _HEX_PAIRS(value) is not None


def setup_of(items: Iterable[Fingerprint]) -> str | None:
    """What a transport says of its DTLS role: holdconn if any fingerprint does (J-182), else what the first says that says something."""
    found = [item.setup for item in items if item.setup is not None]
    return "holdconn" if "holdconn" in found else found[0] if found else None


def opposite(answered: str | None, offered: str | None, where: str) -> None:
    """Raises Refused if both sides of an exchange take the same DTLS role. Table M-5; J-181"""
    if answered == offered and answered in ("active", "passive"):
        raise Refused(f"{where} answers setup {answered} to setup {offered}", reason="security-error", rule="J-181")


def from_sdp(media: MediaDescription, *, answer: bool, default: str) -> tuple[Fingerprint, ...]:
    """Fingerprints of one section, the session's ones if it has none (Firefox). J-179.

    Args:
        answer: actpass is repaired to `default` (J-181).
        default: setup where the line is missing.

    Raises: Refused for a=setup:holdconn and for what is no setup (J-182).
    """
    word = media.inherited("setup")
    try:
        setup = default if word is None else setup_word(word)
    except SdpError as problem:
        raise Refused(f"section {media.index} has no known setup", reason="incompatible-parameters", rule=problem.rule) from None
    if setup == "holdconn":
        raise Refused(f"section {media.index} says setup holdconn", reason="incompatible-parameters", rule="J-182")
    if answer and setup == "actpass":
        setup = default
    found = []
    for value in media.inherited_all("fingerprint"):
        try:
            hash, digest = fingerprint(value)
        except SdpError:
            continue
        found.append(Fingerprint(hash, setup, digest))
    return tuple(item for item in found if strong(item))


def to_sdp(media: MediaDescription, items: Iterable[Fingerprint], setup: str) -> None:
    """The a=fingerprint lines and the one a=setup line."""
    media.extend([*[f"a=fingerprint:{item.hash} {item.value}" for item in items], f"a=setup:{setup}"])
