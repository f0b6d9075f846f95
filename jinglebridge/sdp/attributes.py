"""Values of a= attributes: each reader takes the text after the colon (of rtpmap and fmtp: behind the payload type) and raises
SdpError on anything else.

Every other attribute is carried as text or dropped.
"""

from __future__ import annotations

from typing import NamedTuple

from jinglebridge.errors import SdpError

# RFC 8866 §9, token-char.
TOKEN = frozenset("!#$%&'*+-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ^_`abcdefghijklmnopqrstuvwxyz{|}~")


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
    raise SdpError(f"{text[:20]!r} is not a number from {low} to {high}", rule="J-259")


def encoding(text: str) -> Encoding:
    """What stands behind the payload type in a=rtpmap: name/clock rate[/channels]."""
    name, _, rest = text.strip().partition("/")
    rate, slash, channels = rest.partition("/")
    if not name or " " in name:
        raise SdpError(f"not an rtpmap: {text[:60]!r}", rule="J-115")
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
    """RFC 8285 §8. Which ids may be used is decided where extensions are translated."""
    fields = value.split(None, 2)
    if len(fields) < 2:
        raise SdpError(f"not an extmap: {value[:60]!r}", rule="J-134")
    id, slash, direction = fields[0].partition("/")
    if slash and direction not in ("sendrecv", "sendonly", "recvonly", "inactive"):
        raise SdpError(f"not a direction: {direction[:20]!r}", rule="J-136")
    return Extmap(number(id, 1, 4351), direction, fields[1], fields[2].strip() if len(fields) == 3 else "")


def ssrc(value: str) -> tuple[int, str, str | None]:
    """RFC 5576 §4.1: number, attribute, its value or None."""
    id, _, rest = value.strip().partition(" ")
    name, colon, text = rest.lstrip().partition(":")
    if not name or " " in name:
        raise SdpError(f"not an ssrc: {value[:60]!r}", rule="J-198")
    return number(id, 0, 2**32 - 1), name, text.strip() if colon else None


def ssrc_group(value: str) -> tuple[str, tuple[int, ...]]:
    """RFC 5576 §4.2: semantics and its sources in order."""
    fields = value.split()
    if len(fields) < 2 or not TOKEN.issuperset(fields[0]):
        raise SdpError(f"not an ssrc-group: {value[:60]!r}", rule="J-200")
    return fields[0], tuple(number(field, 0, 2**32 - 1) for field in fields[1:])


def group(value: str) -> tuple[str, tuple[str, ...]]:
    """RFC 5888 §5: semantics and the mids, of which there may be none."""
    fields = value.split()
    if not fields or not TOKEN.issuperset(fields[0]):
        raise SdpError(f"not a group: {value[:60]!r}", rule="J-189")
    return fields[0], tuple(fields[1:])


def fingerprint(value: str) -> tuple[str, str]:
    """RFC 8122 §5: hash function in lower case, value in upper case."""
    hash, _, digest = value.strip().partition(" ")
    if not hash or not digest:
        raise SdpError("not a fingerprint", rule="J-178")
    return hash.lower(), digest.strip().upper()


def candidate(value: str) -> CandidateLine:
    """Shape and numbers only; what may be used is decided where candidates are translated."""
    fields = value.split()
    if len(fields) < 8 or fields[6] != "typ" or len(fields) % 2:
        raise SdpError(f"not a candidate: {value[:60]!r}", rule="J-148")
    foundation, component, protocol, priority, address, port, _, type = fields[:8]
    return CandidateLine(
        foundation,
        1 if component == "1" else number(component, 1, 256),
        protocol.lower(),
        number(priority, 1, 2**31 - 1),
        address,
        number(port, 1, 65535),
        type,
        dict(zip(fields[8::2], fields[9::2], strict=True)),
    )


def words(value: str) -> tuple[str, ...]:
    """Of rtcp-fb (behind the payload type), ice-options, msid: words separated by blanks."""
    return tuple(value.split())


def milliseconds(value: str) -> int:
    """RFC 8866 §6.4: ptime and maxptime."""
    return number(value.strip(), 1, 100_000)


def setup(value: str) -> str:
    """RFC 4145 §4."""
    word = value.strip()
    if word not in ("active", "passive", "actpass", "holdconn"):
        raise SdpError(f"not a setup: {word[:20]!r}", rule="J-182")
    return word


def sctp_port(value: str) -> int:
    """RFC 8841 §5.1; 0 would close the association."""
    return number(value.strip(), 1, 65535)


def sctpmap(value: str) -> tuple[int, str, int | None]:
    """The older form of it (draft-ietf-mmusic-sctp-sdp-05): port, protocol, number of streams if given."""
    fields = value.split()
    if not 2 <= len(fields) <= 3:
        raise SdpError(f"not an sctpmap: {value[:60]!r}", rule="J-225")
    return number(fields[0], 1, 65535), fields[1], number(fields[2], 1, 65535) if len(fields) == 3 else None


def content(value: str) -> tuple[str, ...]:
    """RFC 4796 §5: what the media shows, words separated by commas."""
    return tuple([word.strip() for word in value.split(",") if word.strip()])
