"""XEP-0293: Jingle RTP Feedback Negotiation, version 1.0.2 (2022-08).

``a=rtcp-fb:96 ccm tmmbr smaxpr=120`` is ``<rtcp-fb type='ccm' subtype='tmmbr'><parameter name='smaxpr' value='120'/></rtcp-fb>``
in payload type 96; with ``*`` for the payload type it stands in the description. J-131 … J-133.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from jinglebridge.sdp import MediaDescription
from jinglebridge.xml import Children, Element, attr, integer, line

NS = "urn:xmpp:jingle:apps:rtp:rtcp-fb:0"
VERSION = "1.0.2"
FEATURES = (NS,)

Feedback = tuple["RtcpFb | TrrInt", ...]


class FbParameter(NamedTuple):
    name: str
    value: str = ""


class RtcpFb(NamedTuple):
    type: str
    subtype: str | None = None
    parameters: tuple[FbParameter, ...] = ()


class TrrInt(NamedTuple):
    """`value`: minimum interval of full RTCP packets in milliseconds."""

    value: int


PARAMETER = Element(FbParameter, NS, "parameter", (attr("name"), attr("value", line, default="")))
RTCP_FB = Element(RtcpFb, NS, "rtcp-fb", (attr("type"), attr("subtype", default=None), Children(PARAMETER, "parameters", lenient=True)))
# The schema's positiveInteger forbids the 0 that the text prescribes. J-133
TRR_INT = Element(TrrInt, NS, "rtcp-fb-trr-int", (attr("value", integer(0, 2**31 - 1)),))


def from_sdp(media: MediaDescription) -> dict[str, tuple[tuple[RtcpFb, ...], tuple[TrrInt, ...]]]:
    """Feedback by payload type as text, "*" for all of them. A malformed line is dropped."""
    lines: dict[str, list[str]] = {}
    for value in media.all("rtcp-fb"):
        id, _, rest = value.partition(" ")
        if id in lines:
            lines[id].append(rest)
        else:
            lines[id] = [rest]
    read: dict[tuple[str, ...], tuple[tuple[RtcpFb, ...], tuple[TrrInt, ...]]] = {}  # browsers repeat the same five for each codec
    found = {}
    for id, rests in lines.items():
        key = tuple(rests)
        if key not in read:
            items = [_feedback(rest.split()) for rest in rests]
            read[key] = (tuple([i for i in items if isinstance(i, RtcpFb)]), tuple([i for i in items if isinstance(i, TrrInt)]))
        found[id] = read[key]
    return found


def _feedback(fields: list[str]) -> RtcpFb | TrrInt | None:
    match fields:
        case []:
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
    for interval in intervals:
        media.add("rtcp-fb", f"{id} trr-int {interval.value}")
    for item in items:
        words = [id, item.type]
        if item.subtype:
            words.append(item.subtype)
        words += [f"{p.name}={p.value}" if p.value else p.name for p in item.parameters]
        media.add("rtcp-fb", " ".join(words))
