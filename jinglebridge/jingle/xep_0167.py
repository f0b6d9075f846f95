"""XEP-0167: Jingle RTP Sessions, version 1.2.3 (2025-07).

The description of a content: codecs and what belongs to them, and the payloads of session-info. SDES (`<encryption/>`) is read so
far that its presence is known and is never written: with both, Dino encrypts twice and the call is noise. J-111 … J-144.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple
from xml.etree.ElementTree import Element as XmlElement

from jinglebridge.errors import SdpError
from jinglebridge.jingle import xep_0293, xep_0294, xep_0339, xep_0507
from jinglebridge.jingle.roles import Role, role
from jinglebridge.jingle.xep_0293 import RTCP_FB, TRR_INT, RtcpFb, TrrInt
from jinglebridge.jingle.xep_0294 import RTP_HDREXT, HeaderExtension
from jinglebridge.jingle.xep_0339 import SOURCE, SSRC_GROUP, STREAM, Source, SourceGroup, Stream
from jinglebridge.jingle.xep_0507 import CATEGORY, Category
from jinglebridge.kept import Kept
from jinglebridge.sdp import MediaDescription
from jinglebridge.sdp.attributes import encoding, milliseconds, parameters
from jinglebridge.xml import Children, Element, Flag, Part, Text, Type, Unknown, attr, integer, line, word

NS = "urn:xmpp:jingle:apps:rtp:1"
NS_INFO = "urn:xmpp:jingle:apps:rtp:info:1"
NS_ERRORS = "urn:xmpp:jingle:apps:rtp:errors:1"
VERSION = "1.2.3"
AUDIO = "urn:xmpp:jingle:apps:rtp:audio"
VIDEO = "urn:xmpp:jingle:apps:rtp:video"
FEATURES = (NS,)

MEDIA = ("audio", "video")

# RFC 3551 §6: payload types whose meaning needs no rtpmap. J-116
STATIC = {
    0: ("PCMU", 8000),
    3: ("GSM", 8000),
    8: ("PCMA", 8000),
    9: ("G722", 8000),
    13: ("CN", 8000),
    18: ("G729", 8000),
    26: ("JPEG", 90000),
    31: ("H261", 90000),
    34: ("H263", 90000),
}
# Formats that carry other formats: kept only with them. J-120
_CARRIERS = frozenset({"rtx", "red", "ulpfec", "flexfec-03"})
_NO_PTIME = frozenset({"cn", "red", "telephone-event"})


class Parameter(NamedTuple):
    """One format parameter. `name` is "" for a token without "=", such as the events of telephone-event."""

    name: str
    value: str = ""


class PayloadType(NamedTuple):
    """One codec. `clockrate` in Hz, `ptime` and `maxptime` in milliseconds; `name` "" only before `usable`.

    A tuple, since an offer has thirty of them and a frozen dataclass takes four times as long to make. `unknown` does not count in ==.
    """

    id: int
    name: str = ""
    clockrate: int | None = None
    channels: int = 1
    ptime: int | None = None
    maxptime: int | None = None
    parameters: tuple[Parameter, ...] = ()
    feedback: tuple[RtcpFb, ...] = ()
    trr_int: tuple[TrrInt, ...] = ()
    unknown: tuple[XmlElement, ...] = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PayloadType) and self[:-1] == other[:-1]

    def __hash__(self) -> int:
        return hash(self[:7])

    def get(self, name: str) -> str | None:
        """Value of a format parameter."""
        return next((p.value for p in self.parameters if p.name == name), None)


class Bandwidth(NamedTuple):
    """`type` AS in kbit/s or TIAS in bit/s."""

    type: str
    value: int


@dataclass(frozen=True, slots=True)
class RtpDescription:
    """`media` is audio or video for what we take, any word on the wire. `ptime` here only as Movim writes it."""

    media: str
    payload_types: tuple[PayloadType, ...] = ()
    bandwidths: tuple[Bandwidth, ...] = ()
    rtcp_mux: bool = False
    rtcp_reduced_size: bool = False
    encryption: bool = field(default=False, compare=False)
    feedback: tuple[RtcpFb, ...] = ()
    trr_int: tuple[TrrInt, ...] = ()
    header_extensions: tuple[HeaderExtension, ...] = ()
    extmap_allow_mixed: bool = False
    source_groups: tuple[SourceGroup, ...] = ()
    sources: tuple[Source, ...] = ()
    ssrc: str | None = None
    ptime: int | None = None
    maxptime: int | None = None
    categories: tuple[Category, ...] = ()
    streams: tuple[Stream, ...] = ()
    unknown: tuple[XmlElement, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """`kind`: active, hold, mute, ringing, unhold or unmute; `creator` and `name` say which content (none = all)."""

    kind: str
    creator: Role | None = None
    name: str | None = None
    unknown: tuple[XmlElement, ...] = field(default=(), compare=False)


_TOKEN_ONLY = frozenset("0123456789/,-")


def _parameter(name: str = "", value: str | None = None) -> Parameter:
    """A token without "=" is read in all its forms: name='' or no name beside the value; alone as the name. J-118

    COMPAT(stanza 12, others): <parameter name='111/111'/>. With value='' that is a token as well if it looks like one, otherwise it
    is what "name=" says.
    """
    if value is None or (not value and _TOKEN_ONLY.issuperset(name)):
        return Parameter("", name)
    return Parameter(name, value)


def _codec(value: str) -> str:
    """A name that can stand in a=rtpmap, where "/" begins the clock rate."""
    if "/" in value:
        raise ValueError("not the name of a codec")
    return str(word.parse(value))


# A token is written without a name, since Conversations needs every name non-empty.
PARAMETER = Element(
    _parameter, NS, "parameter", (attr("name", line, default=""), attr("value", line, default=None, always=True)), keep=True
)
_MILLISECONDS = integer(1, 100_000)
_TIMES = (attr("ptime", _MILLISECONDS, default=None), attr("maxptime", _MILLISECONDS, default=None))
PAYLOAD_TYPE = Element(
    PayloadType,
    NS,
    "payload-type",
    (
        attr("id", integer(0, 127)),
        attr("name", Type(_codec, str), default=""),
        attr("clockrate", integer(1, 2**31 - 1), default=None),
        attr("channels", integer(0, 255), default=1),
        *_TIMES,
        Children(PARAMETER, "parameters", most=100, lenient=True),
        Children(RTCP_FB, "feedback", lenient=True),
        Children(TRR_INT, "trr_int", lenient=True),
        Unknown(),
    ),
    keep=True,
)
_BANDWIDTH = integer(0, 2**31 - 1)
BANDWIDTH = Element(Bandwidth, NS, "bandwidth", (attr("type"), Text("value", _BANDWIDTH)))


def _description(parts: tuple[Part, ...]) -> Element[RtpDescription]:
    return Element(RtpDescription, NS, "description", parts)


DESCRIPTION = _description(
    (
        attr("media"),
        attr("ssrc", word, default=None),
        *_TIMES,
        Children(CATEGORY, "categories", lenient=True),
        Children(PAYLOAD_TYPE, "payload_types", lenient=True),
        Children(BANDWIDTH, "bandwidths", lenient=True),
        Flag(NS, "rtcp-mux", "rtcp_mux"),
        # COMPAT(stanza 12): its own invention for a=rtcp-rsize, which no XEP carries. J-137
        Flag(NS, "rtcp-reduced-size", "rtcp_reduced_size"),
        # COMPAT(Dino 0.4.2): offers SDES beside DTLS; echoing it makes the media undecodable. J-129
        Flag(NS, "encryption", "encryption", write=False),
        Children(RTCP_FB, "feedback", lenient=True),
        Children(TRR_INT, "trr_int", lenient=True),
        Children(RTP_HDREXT, "header_extensions", lenient=True),
        Flag(xep_0294.NS, "extmap-allow-mixed", "extmap_allow_mixed"),
        Children(SSRC_GROUP, "source_groups", lenient=True),
        Children(SOURCE, "sources", lenient=True),
        Children(STREAM, "streams", lenient=True),
        Unknown(),
    )
)


def _info(kind: str) -> Callable[..., SessionInfo]:
    def make(creator: Role | None = None, name: str | None = None, unknown: tuple[XmlElement, ...] = ()) -> SessionInfo:
        return SessionInfo(kind, creator, name, unknown)

    return make


_INFO_PARTS = (attr("creator", role, default=None), attr("name", line, default=None), Unknown())
INFO: dict[str, Element[SessionInfo]] = {
    kind: Element(_info(kind), NS_INFO, kind, _INFO_PARTS) for kind in ("active", "hold", "mute", "ringing", "unhold", "unmute")
}


def usable(description: RtpDescription) -> tuple[PayloadType, ...]:
    """The payload types that an SDP may list, names and rates completed. J-115 … J-117, J-120.

    Dropped: an id that stands twice or collides with RTCP (64-95, RFC 5761 §4), a dynamic id without a name, an audio codec
    without a clock rate, and a carrier (rtx, red, …) of something dropped.
    """
    found: dict[int, PayloadType] = {}
    carriers: list[PayloadType] = []
    for payload in description.payload_types:
        id = payload.id
        if id in found or 64 <= id <= 95:
            continue
        name = payload.name.lower()
        if payload.clockrate is None or name == "" or name == "opus":
            complete = _complete(payload, description.media)
            if complete is None:
                continue
            payload = complete
        found[id] = payload
        if name in _CARRIERS:
            carriers.append(payload)
    if carriers:
        lost = set()
        if len(found) < len(description.payload_types):
            lost = {str(payload.id) for payload in description.payload_types if payload.id not in found}
        for id in [payload.id for payload in carriers if not _carried(payload, found, lost)]:
            del found[id]
    return tuple(found.values())


def _complete(payload: PayloadType, media: str) -> PayloadType | None:
    name, rate = payload.name, payload.clockrate
    if not name or rate is None:
        static = STATIC.get(payload.id)
        if static is not None and name.upper() in ("", static[0]):
            name, rate = name or static[0], rate or static[1]
        elif media == "video":
            rate = rate or 90000
        if not name or rate is None:
            return None
    # COMPAT(Gajim 1.7): Opus without channels; RFC 7587 §7 always writes two.
    channels = 2 if name.lower() == "opus" else payload.channels
    if (name, rate, channels) == payload[1:4]:
        return payload
    return payload._replace(name=name, clockrate=rate, channels=channels)


def _carried(payload: PayloadType, found: dict[int, PayloadType], lost: set[str]) -> bool:
    """False for a carrier whose target was dropped or never was there."""
    for name, value in payload.parameters:
        if name == "apt":
            return value.isascii() and value.isdigit() and len(value) < 4 and int(value) in found
    named = {part for p in payload.parameters if not p.name for part in p.value.split("/")}
    return payload.name.lower() != "rtx" and named.isdisjoint(lost)


def from_sdp(media: MediaDescription, author: Role) -> RtpDescription:
    """Description of one m= section. Malformed attribute lines are dropped, never raised."""
    maps, formats = _by_id(media.all("rtpmap")), _by_id(media.all("fmtp"))
    feedback = xep_0293.values_by_id(media)
    payloads = []
    for id in dict.fromkeys(media.formats):
        lines = (id, maps.get(id), formats.get(id), feedback.get(id, ()))
        payload = _READ.get(lines) or _READ.keep(lines, _payload(lines), len(str(lines)))
        if payload is not None:
            payloads.append(payload)
    everywhere = xep_0293.feedback(feedback.get("*", ()))
    sources, groups = xep_0339.from_sdp(media)
    return RtpDescription(
        media.kind,
        _with_ptime(media, payloads),
        tuple(_bandwidths(media.values("b"))),
        "rtcp-mux" in media or "rtcp-mux-only" in media,
        "rtcp-rsize" in media,
        False,
        *everywhere,
        xep_0294.from_sdp(media, author),
        media.inherited("extmap-allow-mixed") is not None,
        groups,
        sources,
        categories=xep_0507.from_sdp(media),
    )


def _by_id(values: Iterable[str]) -> dict[str, str]:
    """Rest of each value by its payload type; of two for one the first counts (J-139)."""
    found: dict[str, str] = {}
    for value in values:
        id, _, rest = value.partition(" ")
        if id not in found:
            found[id] = rest.strip()
    return found


# What an SDP says about one payload type: its number, and the values of its rtpmap, fmtp and rtcp-fb lines behind the number.
_Lines = tuple[str, str | None, str | None, tuple[str, ...]]
# Browsers write the same thirty codecs into every offer.
_READ: Kept[_Lines, PayloadType | None] = Kept()
_WRITTEN: Kept[PayloadType, tuple[str, ...]] = Kept()


def _payload(lines: _Lines) -> PayloadType | None:
    """One codec; None for a number that is none or has no meaning."""
    id, described, format, feedback = lines
    if not (id.isascii() and id.isdigit() and len(id) < 4 and int(id) < 128):
        return None
    number = int(id)
    if described is not None:
        try:
            name, rate, channels = encoding(described)
        except SdpError:
            return None
    elif number in STATIC:
        (name, rate), channels = STATIC[number], 1
    else:
        return None
    pairs = () if format is None else tuple(map(Parameter._make, parameters(format)))
    return PayloadType(number, name, rate, channels, None, None, pairs, *xep_0293.feedback(feedback))


def _with_ptime(media: MediaDescription, payloads: list[PayloadType]) -> tuple[PayloadType, ...]:
    """SDP has one ptime per section: it goes to the first real audio codec. J-121"""
    ptime, maxptime = (_milliseconds(media.get(name)) for name in ("ptime", "maxptime"))
    if ptime is not None or maxptime is not None:
        for index, p in enumerate(payloads):
            if p.name.lower() not in _NO_PTIME:
                payloads[index] = p._replace(ptime=ptime, maxptime=maxptime)
                break
    return tuple(payloads)


def _milliseconds(value: str | None) -> int | None:
    try:
        return None if value is None else milliseconds(value)
    except SdpError:
        return None


def _bandwidths(values: Iterable[str]) -> Iterable[Bandwidth]:
    """AS before TIAS, one each; other types and non-numbers are dropped. J-126"""
    found = {}
    for value in values:
        type, _, number = value.partition(":")
        try:
            if type in ("AS", "TIAS"):
                found[type] = Bandwidth(type, _BANDWIDTH.parse(number))
        except ValueError:
            continue
    return (found[type] for type in ("AS", "TIAS") if type in found)


def to_sdp(media: MediaDescription, description: RtpDescription, payloads: Iterable[PayloadType]) -> None:
    """The codec lines of one section: rtpmap, rtcp-fb, fmtp, ptime."""
    found: list[str] = []
    for payload in payloads:
        lines = _WRITTEN.get(payload)
        if lines is None:
            lines = _lines(payload)
            _WRITTEN.keep(payload, lines, sum(map(len, lines)))
        found += lines
    media.extend(found)
    xep_0293.to_sdp(media, "*", description.feedback, description.trr_int)
    # COMPAT(Movim 0.2x): writes them on the description.
    ptimes = [*[p.ptime for p in payloads if p.ptime is not None], description.ptime]
    maxptimes = [*[p.maxptime for p in payloads if p.maxptime is not None], description.maxptime]
    for name, value in (("ptime", ptimes[0]), ("maxptime", maxptimes[0])):
        if value is not None:
            media.add(name, str(value))


def _lines(payload: PayloadType) -> tuple[str, ...]:
    """The lines of one codec."""
    channels = f"/{payload.channels}" if payload.channels > 1 else ""
    lines = [f"a=rtpmap:{payload.id} {payload.name}/{payload.clockrate}{channels}"]
    lines += [f"a=rtcp-fb:{value}" for value in xep_0293.values(str(payload.id), payload.feedback, payload.trr_int)]
    format = ";".join([f"{p.name}={p.value}" if p.name else p.value for p in payload.parameters if p.name or p.value])
    if format:
        lines.append(f"a=fmtp:{payload.id} {format}")
    return tuple(lines)
