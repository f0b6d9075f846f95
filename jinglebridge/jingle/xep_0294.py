"""XEP-0294: Jingle RTP Header Extensions Negotiation, version 1.1.2 (2022-08).

``a=extmap:2/recvonly URI attributes`` is ``<rtp-hdrext id='2' uri='URI' senders='…'><parameter name='attributes'/></rtp-hdrext>``.
Ids travel in the media and are never changed. J-134 … J-136. The XEP's example of a direction contradicts its text: table M-2 is followed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple
from xml.etree.ElementTree import Element as XmlElement

from jinglebridge.errors import SdpError
from jinglebridge.jingle.roles import Role, Senders, direction_to_senders, senders_to_direction
from jinglebridge.jingle.roles import senders as senders_type
from jinglebridge.kept import Kept
from jinglebridge.sdp import Direction, MediaDescription
from jinglebridge.sdp.attributes import extmap
from jinglebridge.xml import Children, Element, Unknown, attr, integer, line, word

NS = "urn:xmpp:jingle:apps:rtp:rtp-hdrext:0"
VERSION = "1.1.2"
FEATURES = (NS,)

MID_URI = "urn:ietf:params:rtp-hdrext:sdes:mid"


class HdrextParameter(NamedTuple):
    name: str
    value: str | None = None


class HeaderExtension(NamedTuple):
    """`senders` None: the extension is used in every direction in which media flows."""

    id: int
    uri: str
    senders: Senders | None = None
    parameters: tuple[HdrextParameter, ...] = ()
    unknown: tuple[XmlElement, ...] = ()


PARAMETER = Element(HdrextParameter, NS, "parameter", (attr("name", word), attr("value", line, default=None)), keep=True)
RTP_HDREXT = Element(
    HeaderExtension,
    NS,
    "rtp-hdrext",
    (
        attr("id", integer(1, 4351)),
        attr("uri"),
        attr("senders", senders_type, default=None),
        Children(PARAMETER, "parameters", lenient=True),
        Unknown(),
    ),
    keep=True,
)


def usable(id: int) -> bool:
    """RFC 8285: 1-255 except 15, and 4096-4351 in offers. One other id makes Chromium refuse the whole SDP. J-135."""
    return (1 <= id <= 255 and id != 15) or 4096 <= id <= 4351


_READ: Kept[tuple[str, Role], HeaderExtension | None] = Kept()
_WRITTEN: Kept[tuple[HeaderExtension, Role], str] = Kept()


def from_sdp(media: MediaDescription, author: Role) -> tuple[HeaderExtension, ...]:
    """Extensions of one section; malformed and unusable lines are dropped, and those with the number of another."""
    found: dict[int, HeaderExtension] = {}
    for value in media.inherited_all("extmap"):
        extension = _READ.get((value, author)) or _extension(value, author)
        if extension is not None:
            found.setdefault(extension.id, extension)
    return tuple(found.values())


def _extension(value: str, author: Role) -> HeaderExtension | None:
    try:
        id, direction, uri, attributes = extmap(value)
    except SdpError:
        return None
    if not usable(id):
        return None
    senders = direction_to_senders(Direction(direction), author) if direction else None
    found = HeaderExtension(id, uri, senders, tuple(_parameter(word) for word in attributes.split()))
    return _READ.keep((value, author), found, len(value))


def _parameter(word: str) -> HdrextParameter:
    name, equals, value = word.partition("=")
    return HdrextParameter(name, value) if equals and name else HdrextParameter(word)


def to_sdp(media: MediaDescription, extensions: Iterable[HeaderExtension], author: Role) -> None:
    """The a=extmap lines; an id that stands twice is written once (J-139)."""
    lines: dict[int, str] = {}
    for extension in extensions:
        if extension.id not in lines and usable(extension.id):
            lines[extension.id] = _WRITTEN.get((extension, author)) or _line(extension, author)
    media.extend(lines.values())


def _line(extension: HeaderExtension, author: Role) -> str:
    direction = f"/{senders_to_direction(extension.senders, author)}" if extension.senders else ""
    words = [f"a=extmap:{extension.id}{direction}", extension.uri]
    words += [p.name if p.value is None else f"{p.name}={p.value}" for p in extension.parameters]
    line = " ".join(words)
    return line if extension.unknown else _WRITTEN.keep((extension, author), line, len(line))
