"""XEP-0294: Jingle RTP Header Extensions Negotiation, version 1.1.2 (2022-08).

``a=extmap:2/recvonly URI attributes`` is ``<rtp-hdrext id='2' uri='URI' senders='…'><parameter name='attributes'/></rtp-hdrext>``.
Ids travel in the media and are never changed. J-134 … J-136. The XEP's example of a direction contradicts its text: table M-2 is followed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from jinglebridge.errors import SdpError
from jinglebridge.jingle.roles import Role, Senders, direction_to_senders, senders_to_direction
from jinglebridge.jingle.roles import senders as senders_type
from jinglebridge.sdp import Direction, MediaDescription
from jinglebridge.sdp.attributes import extmap
from jinglebridge.xml import Children, Element, attr, integer, line, word

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


PARAMETER = Element(HdrextParameter, NS, "parameter", (attr("name", word), attr("value", line, default=None)))
RTP_HDREXT = Element(
    HeaderExtension,
    NS,
    "rtp-hdrext",
    (
        attr("id", integer(1, 4351)),
        attr("uri"),
        attr("senders", senders_type, default=None),
        Children(PARAMETER, "parameters", lenient=True),
    ),
)


def usable(id: int) -> bool:
    """RFC 8285: 1-255 except 15, and 4096-4351 in offers. One other id makes Chromium refuse the whole SDP. J-135."""
    return (1 <= id <= 255 and id != 15) or 4096 <= id <= 4351


def from_sdp(media: MediaDescription, author: Role) -> tuple[HeaderExtension, ...]:
    """Extensions of one section; malformed and unusable lines are dropped."""
    found: list[HeaderExtension] = []
    for value in media.inherited_all("extmap"):
        try:
            id, direction, uri, attributes = extmap(value)
        except SdpError:
            continue
        if usable(id):
            senders = direction_to_senders(Direction(direction), author) if direction else None
            found.append(HeaderExtension(id, uri, senders, tuple(_parameter(word) for word in attributes.split())))
    return tuple(found)


def _parameter(word: str) -> HdrextParameter:
    name, equals, value = word.partition("=")
    return HdrextParameter(name, value) if equals and name else HdrextParameter(word)


def to_sdp(media: MediaDescription, extensions: Iterable[HeaderExtension], author: Role) -> None:
    """The a=extmap lines; an id that stands twice is written once (J-139)."""
    seen: set[int] = set()
    for extension in extensions:
        if not usable(extension.id) or extension.id in seen:
            continue
        seen.add(extension.id)
        direction = f"/{senders_to_direction(extension.senders, author)}" if extension.senders else ""
        words = [f"{extension.id}{direction}", extension.uri]
        words += [p.name if p.value is None else f"{p.name}={p.value}" for p in extension.parameters]
        media.add("extmap", " ".join(words))
