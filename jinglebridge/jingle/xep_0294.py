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
    """A word behind the URI of a=extmap, or name=value."""

    name: str
    value: str | None = None


class HeaderExtension(NamedTuple):
    """`senders` None: the extension is used in every direction in which media flows. `unknown` does not count in ==."""

    id: int
    uri: str
    senders: Senders | None = None
    parameters: tuple[HdrextParameter, ...] = ()
    unknown: tuple[XmlElement, ...] = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, HeaderExtension) and self[:4] == other[:4]

    def __ne__(self, other: object) -> bool:
        return not self == other  # a tuple has its own

    def __hash__(self) -> int:
        return hash(self[:4])


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


_READ: dict[Role, Kept[str, HeaderExtension]] = {role: Kept() for role in Role}
_WRITTEN: dict[Role, Kept[int, tuple[HeaderExtension, str]]] = {role: Kept() for role in Role}


def from_sdp(media: MediaDescription, author: Role) -> tuple[HeaderExtension, ...]:
    """Extensions of one section; malformed and unusable lines are dropped, and those with the number of another."""
    found: dict[int, HeaderExtension] = {}
    known = _READ[author].get  # once: the hash of a role is slow
    for value in media.inherited_all("extmap"):
        extension = known(value) or _extension(value, author)
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
    return _READ[author].keep(value, found, len(value))


def _parameter(word: str) -> HdrextParameter:
    name, equals, value = word.partition("=")
    return HdrextParameter(name, value) if equals and name else HdrextParameter(word)


def to_sdp(media: MediaDescription, extensions: Iterable[HeaderExtension], author: Role) -> None:
    """The a=extmap lines; an id that stands twice is written once (J-139)."""
    lines: dict[int, str] = {}
    known = _WRITTEN[author].get  # once: the hash of a role is slow
    for extension in extensions:
        kept = known(id(extension))  # only usable ones are
        if kept is not None:
            lines.setdefault(extension.id, kept[1])
        elif extension.id not in lines and usable(extension.id):
            lines[extension.id] = _line(extension, author)
    media.extend(lines.values())


def _line(extension: HeaderExtension, author: Role) -> str:
    direction = f"/{senders_to_direction(extension.senders, author)}" if extension.senders else ""
    words = [f"a=extmap:{extension.id}{direction}", extension.uri]
    words += [p.name if p.value is None else f"{p.name}={p.value}" for p in extension.parameters]
    line = " ".join(words)
    if not extension.unknown:
        # By identity, which is quicker than by value: what is kept is held, so no other can have its number.
        _WRITTEN[author].keep(id(extension), (extension, line), len(line))
    return line
