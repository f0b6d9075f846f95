"""XEP-0293: Jingle RTP Feedback Negotiation, version 1.0.2 (2022-08).

``a=rtcp-fb:96 ccm tmmbr smaxpr=120`` is ``<rtcp-fb type='ccm' subtype='tmmbr'><parameter name='smaxpr' value='120'/></rtcp-fb>``
in payload type 96; with ``*`` for the payload type it stands in the description. J-131 … J-133.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple
from xml.etree.ElementTree import Element as XmlElement

from jinglebridge.sdp import MediaDescription
from jinglebridge.sdp.attributes import words
from jinglebridge.xml import Children, Element, Unknown, attr, integer, line

NS = "urn:xmpp:jingle:apps:rtp:rtcp-fb:0"
VERSION = "1.0.2"
FEATURES = (NS,)


class FbParameter(NamedTuple):
    """A further word of a=rtcp-fb, or name=value."""

    name: str
    value: str = ""


class RtcpFb(NamedTuple):
    """`unknown` does not count in ==."""

    type: str
    subtype: str | None = None
    parameters: tuple[FbParameter, ...] = ()
    unknown: tuple[XmlElement, ...] = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RtcpFb) and self[:3] == other[:3]

    def __ne__(self, other: object) -> bool:
        return not self == other  # a tuple has its own

    def __hash__(self) -> int:
        return hash(self[:3])


class TrrInt(NamedTuple):
    """`value`: minimum interval of full RTCP packets in milliseconds."""

    value: int


Feedback = tuple[tuple[RtcpFb, ...], tuple[TrrInt, ...]]

PARAMETER = Element(FbParameter, NS, "parameter", (attr("name"), attr("value", line, default="")), keep=True)
RTCP_FB = Element(
    RtcpFb,
    NS,
    "rtcp-fb",
    (attr("type"), attr("subtype", default=None), Children(PARAMETER, "parameters", lenient=True), Unknown()),
    keep=True,
)
# The schema's positiveInteger forbids the 0 that the text prescribes. J-133
TRR_INT = Element(TrrInt, NS, "rtcp-fb-trr-int", (attr("value", integer(0, 2**31 - 1)),), keep=True)


def values_by_id(media: MediaDescription) -> dict[str, list[str]]:
    """What stands behind the payload type in the a=rtcp-fb lines, by payload type as text, "*" for all of them."""
    found: dict[str, list[str]] = {}
    for value in media.all("rtcp-fb"):
        id, _, rest = value.partition(" ")
        if id in found:
            found[id].append(rest)
        else:
            found[id] = [rest]
    return found


def feedback(values: Iterable[str]) -> Feedback:
    """What the values of `values_by_id` for one payload type say. A malformed one is dropped."""
    items = [_feedback(words(value)) for value in values]
    return tuple([item for item in items if isinstance(item, RtcpFb)]), tuple([item for item in items if isinstance(item, TrrInt)])


def _feedback(fields: tuple[str, ...]) -> RtcpFb | TrrInt | None:
    match fields:
        case ():
            return None
        case ["trr-int", value, *_]:
            return TrrInt(int(value)) if value.isascii() and value.isdigit() and len(value) < 10 else None
        case [type]:
            return RtcpFb(type)
        case [type, subtype, *more]:
            return RtcpFb(type, subtype, tuple(map(_parameter, more)))
    return None  # pragma: no cover - the cases are complete


def _parameter(field: str) -> FbParameter:
    name, equals, value = field.partition("=")
    return FbParameter(name, value) if equals and name else FbParameter(field)


def to_sdp(media: MediaDescription, id: str, items: Iterable[RtcpFb], intervals: Iterable[TrrInt]) -> None:
    """The a=rtcp-fb lines of one payload type; `id` "*" for those of the description."""
    for value in values(id, items, intervals):
        media.add("rtcp-fb", value)


def values(id: str, items: Iterable[RtcpFb], intervals: Iterable[TrrInt]) -> list[str]:
    """The values of these lines."""
    found = [f"{id} trr-int {interval.value}" for interval in intervals]
    for item in items:
        words = [id, item.type]
        if item.subtype:
            words.append(item.subtype)
        words += [f"{p.name}={p.value}" if p.value else p.name for p in item.parameters]
        found.append(" ".join(words))
    return found
