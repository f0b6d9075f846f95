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
from jinglebridge.jingle import xep_0293, xep_0294, xep_0339
from jinglebridge.jingle.roles import Role, role
from jinglebridge.jingle.xep_0293 import RTCP_FB, TRR_INT, RtcpFb, TrrInt
from jinglebridge.jingle.xep_0294 import RTP_HDREXT, HeaderExtension
from jinglebridge.jingle.xep_0339 import SOURCE, SSRC_GROUP, Source, SourceGroup
from jinglebridge.sdp import MediaDescription
from jinglebridge.sdp.attributes import encoding, parameters
from jinglebridge.xml import Attr, Children, Element, Flag, Part, Text, Unknown, attr, integer, line, word

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
        return hash(self[:-1])

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
    unknown: tuple[XmlElement, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """`kind`: active, hold, mute, ringing, unhold or unmute; `creator` and `name` say which content (none = all)."""

    kind: str
    creator: Role | None = None
    name: str | None = None


# COMPAT(all older clients): a bare value has name='' or no name; we write none, since Conversations needs every name non-empty.
PARAMETER = Element(Parameter, NS, "parameter", (attr("name", line, default=""), attr("value", line, default="", always=True)))
_MILLISECONDS = integer(1, 100_000)
_TIMES = (attr("ptime", _MILLISECONDS, default=None), attr("maxptime", _MILLISECONDS, default=None))
PAYLOAD_TYPE = Element(
    PayloadType,
    NS,
    "payload-type",
    (
        attr("id", integer(0, 127)),
        attr("name", word, default=""),
        attr("clockrate", integer(1, 2**31 - 1), default=None),
        attr("channels", integer(0, 255), default=1),
        *_TIMES,
        Children(PARAMETER, "parameters", most=100, lenient=True),
        Children(RTCP_FB, "feedback", lenient=True),
        Children(TRR_INT, "trr_int", lenient=True),
        Unknown(),
    ),
)
BANDWIDTH = Element(Bandwidth, NS, "bandwidth", (attr("type"), Text("value", integer(0, 2**31 - 1))))


def _description(parts: tuple[Part, ...]) -> Element[RtpDescription]:
    return Element(RtpDescription, NS, "description", parts)


DESCRIPTION = _description(
    (
        attr("media"),
        attr("ssrc", word, default=None),
        *_TIMES,
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
        Unknown(),
    )
)


def _info(kind: str) -> Callable[..., SessionInfo]:
    def make(creator: Role | None = None, name: str | None = None) -> SessionInfo:
        return SessionInfo(kind, creator, name)

    return make


_INFO_ATTRS: tuple[Attr, ...] = (attr("creator", role, default=None), attr("name", line, default=None))
INFO: dict[str, Element[SessionInfo]] = {
    kind: Element(_info(kind), NS_INFO, kind, _INFO_ATTRS) for kind in ("active", "hold", "mute", "ringing", "unhold", "unmute")
}


def usable(description: RtpDescription) -> tuple[PayloadType, ...]:
    """The payload types that an SDP may list, names and rates completed. J-115 … J-117, J-120.

    Dropped: an id that stands twice or collides with RTCP (64-95, RFC 5761 §4), a dynamic id without a name, an audio codec
    without a clock rate, and a carrier (rtx, red, …) of something dropped.
    """
    found: dict[int, PayloadType] = {}
    for payload in description.payload_types:
        if payload.id not in found and not 64 <= payload.id <= 95:
            complete = _complete(payload, description.media)
            if complete is not None:
                found[payload.id] = complete
    lost = {payload.id for payload in description.payload_types if payload.id not in found}
    return tuple([payload for payload in found.values() if payload.name.lower() not in _CARRIERS or _carried(payload, found, lost)])


def _complete(payload: PayloadType, media: str) -> PayloadType | None:
    name, rate = payload.name, payload.clockrate
    if not name or rate is None:
        static = STATIC.get(payload.id)
        if static is not None and name in ("", static[0]):
            name, rate = static[0], rate or static[1]
        elif media == "video":
            rate = rate or 90000
        if not name or rate is None:
            return None
    # COMPAT(Gajim 1.7): Opus without channels; RFC 7587 §7 always writes two.
    channels = 2 if name.lower() == "opus" else payload.channels
    if name is payload.name and rate is payload.clockrate and channels == payload.channels:
        return payload
    return payload._replace(name=name, clockrate=rate, channels=channels)


def _carried(payload: PayloadType, found: dict[int, PayloadType], lost: set[int]) -> bool:
    """False for a carrier whose target was dropped or never was there."""
    apt = payload.get("apt")
    if apt is not None:
        return apt.isascii() and apt.isdigit() and len(apt) < 4 and int(apt) in found
    named = {part for p in payload.parameters if not p.name for part in p.value.split("/")}
    return payload.name.lower() != "rtx" and named.isdisjoint(map(str, lost))


def from_sdp(media: MediaDescription, author: Role) -> RtpDescription:
    """Description of one m= section. Malformed attribute lines are dropped, never raised."""
    maps, formats = _by_id(media.all("rtpmap")), _by_id(media.all("fmtp"))
    feedback = xep_0293.from_sdp(media)
    payloads = []
    for text in dict.fromkeys(media.formats):
        payload = _payload(text, maps.get(text), formats.get(text), feedback.get(text, ((), ())))
        if payload is not None:
            payloads.append(payload)
    everywhere = feedback.get("*", ((), ()))
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
    )


def _by_id(values: Iterable[str]) -> dict[str, str]:
    """Rest of each value by its payload type; of two for one the first counts (J-139)."""
    found: dict[str, str] = {}
    for value in values:
        id, _, rest = value.partition(" ")
        if id not in found:
            found[id] = rest
    return found


def _payload(
    id: str, described: str | None, format: str | None, feedback: tuple[tuple[RtcpFb, ...], tuple[TrrInt, ...]]
) -> PayloadType | None:
    """One codec; None for a number that is none or has no meaning."""
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
    return PayloadType(number, name, rate, channels, None, None, pairs, *feedback)


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
        number: int | None = _MILLISECONDS.parse(value) if value else None
    except ValueError:
        return None
    return number


def _bandwidths(values: Iterable[str]) -> Iterable[Bandwidth]:
    """AS before TIAS, one each; other types and non-numbers are dropped. J-126"""
    found = {}
    for value in values:
        type, _, number = value.partition(":")
        if type in ("AS", "TIAS") and number.isascii() and number.isdigit() and len(number) < 11:
            found[type] = Bandwidth(type, int(number))
    return (found[type] for type in ("AS", "TIAS") if type in found)


def to_sdp(media: MediaDescription, description: RtpDescription, payloads: Iterable[PayloadType]) -> None:
    """The codec lines of one section: rtpmap, rtcp-fb, fmtp, ptime."""
    for p in payloads:
        channels = f"/{p.channels}" if p.channels > 1 else ""
        media.add("rtpmap", f"{p.id} {p.name}/{p.clockrate}{channels}")
        if p.feedback or p.trr_int:
            xep_0293.to_sdp(media, str(p.id), p.feedback, p.trr_int)
        format = ";".join([f"{q.name}={q.value}" if q.name else q.value for q in p.parameters if q.name or q.value])
        if format:
            media.add("fmtp", f"{p.id} {format}")
    xep_0293.to_sdp(media, "*", description.feedback, description.trr_int)
    for name in ("ptime", "maxptime"):
        # COMPAT(Movim 0.2x): writes them on the description.
        values = [getattr(p, name) for p in (*payloads, description)]
        value = next((v for v in values if v is not None), None)
        if value is not None:
            media.add(name, str(value))
