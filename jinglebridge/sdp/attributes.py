"""Values of a= attributes: each reader takes the text after the colon (of rtpmap and fmtp: behind the payload type) and raises
SdpError on anything else.

`READERS` has one line per attribute whose value is looked into; every other attribute is carried as text or dropped.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from jinglebridge.errors import SdpError


class Encoding(NamedTuple):
    """RFC 8866 §6.6, behind the payload type. `channels` is 1 where the third field is absent."""

    name: str
    clockrate: int
    channels: int


class Extmap(NamedTuple):
    """RFC 8285 §8. `direction` and `attributes` are "" where absent."""

    id: int
    direction: str
    uri: str
    attributes: str


class CandidateLine(NamedTuple):
    """RFC 8839 §5.1. `extensions` are the name-value pairs behind the type, raddr and rport among them."""

    foundation: str
    component: int
    protocol: str
    priority: int
    address: str
    port: int
    type: str
    extensions: dict[str, str]


def number(text: str, low: int, high: int) -> int:
    """A decimal number in the range. Raises SdpError."""
    if text.isdigit() and text.isascii() and len(text) <= 10:
        value = int(text)
        if low <= value <= high:
            return value
    raise SdpError(f"{text[:20]!r} is not a number from {low} to {high}")


def encoding(text: str) -> Encoding:
    """What stands behind the payload type in a=rtpmap: name/clock rate[/channels]."""
    name, _, rest = text.partition("/")
    rate, slash, channels = rest.partition("/")
    if not name or " " in name:
        raise SdpError(f"not an rtpmap: {text[:60]!r}")
    return Encoding(name, number(rate, 1, 2**31 - 1), number(channels, 1, 255) if slash else 1)


def parameters(text: str) -> list[tuple[str, str]]:
    """What stands behind the payload type in a=fmtp, as (name, value); a token without "=" has the name "". J-118."""
    found = []
    for token in text.split(";"):
        name, equals, value = token.partition("=")
        name = name.strip()
        if equals and name:
            found.append((name, value.strip()))
        elif token := token.strip():
            found.append(("", token))
    return found


def extmap(value: str) -> Extmap:
    fields = value.split(" ", 2)
    if len(fields) < 2 or not fields[1]:
        raise SdpError(f"not an extmap: {value[:60]!r}")
    id, slash, direction = fields[0].partition("/")
    if slash and direction not in ("sendrecv", "sendonly", "recvonly", "inactive"):
        raise SdpError(f"not a direction: {direction[:20]!r}")
    return Extmap(number(id, 1, 4351), direction, fields[1], fields[2].strip() if len(fields) == 3 else "")


def ssrc(value: str) -> tuple[int, str, str | None]:
    """RFC 5576 §4.1: number, attribute, its value or None."""
    id, _, rest = value.partition(" ")
    name, colon, text = rest.partition(":")
    if not name:
        raise SdpError(f"not an ssrc: {value[:60]!r}")
    return number(id, 0, 2**32 - 1), name, text if colon else None


def ssrc_group(value: str) -> tuple[str, tuple[int, ...]]:
    """RFC 5576 §4.2: semantics and its sources in order."""
    fields = value.split()
    if len(fields) < 2:
        raise SdpError(f"not an ssrc-group: {value[:60]!r}")
    return fields[0], tuple(number(field, 0, 2**32 - 1) for field in fields[1:])


def group(value: str) -> tuple[str, tuple[str, ...]]:
    """RFC 5888 §5: semantics and the mids, of which there may be none."""
    fields = value.split()
    if not fields:
        raise SdpError("empty group")
    return fields[0], tuple(fields[1:])


def fingerprint(value: str) -> tuple[str, str]:
    """RFC 8122 §5: hash function in lower case, value in upper case."""
    hash, _, digest = value.strip().partition(" ")
    if not hash or not digest:
        raise SdpError("not a fingerprint")
    return hash.lower(), digest.strip().upper()


def candidate(value: str) -> CandidateLine:
    """Shape and numbers only; what may be used is decided where candidates are translated."""
    fields = value.split()
    if len(fields) < 8 or fields[6] != "typ" or len(fields) % 2:
        raise SdpError(f"not a candidate: {value[:60]!r}", rule="J-148")
    return CandidateLine(
        fields[0],
        number(fields[1], 1, 256),
        fields[2].lower(),
        number(fields[3], 1, 2**31 - 1),
        fields[4],
        number(fields[5], 1, 65535),
        fields[7],
        dict(zip(fields[8::2], fields[9::2], strict=True)),
    )


READERS: dict[str, Callable[[str], Any]] = {
    "candidate": candidate,
    "extmap": extmap,
    "fingerprint": fingerprint,
    "fmtp": parameters,
    "group": group,
    "rtpmap": encoding,
    "ssrc": ssrc,
    "ssrc-group": ssrc_group,
}
