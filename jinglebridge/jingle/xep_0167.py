"""XEP-0167: Jingle RTP Sessions, version 1.2.3 (2025-07).

The description of a content: codecs and what belongs to them, and the payloads of session-info; what they are in SDP is in
`xep_0167_sdp`. SDES (`<encryption/>`) is read so
far that its presence is known and is never written: with both, Dino encrypts twice and the call is noise. J-111 … J-144.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field
from typing import NamedTuple
from xml.etree.ElementTree import Element as XmlElement

from jinglebridge.jingle import xep_0294
from jinglebridge.jingle.roles import Role, role
from jinglebridge.jingle.xep_0293 import RTCP_FB, TRR_INT, RtcpFb, TrrInt
from jinglebridge.jingle.xep_0294 import RTP_HDREXT, HeaderExtension
from jinglebridge.jingle.xep_0339 import SOURCE, SSRC_GROUP, STREAM, Source, SourceGroup, Stream
from jinglebridge.jingle.xep_0507 import CATEGORY, Category
from jinglebridge.values import frozen
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

    def __ne__(self, other: object) -> bool:
        return not self == other  # a tuple has its own

    def __hash__(self) -> int:
        return hash(self[:7])

    def get(self, name: str) -> str | None:
        """Value of a format parameter."""
        return next((p.value for p in self.parameters if p.name == name), None)


class Bandwidth(NamedTuple):
    """`type` AS in kbit/s or TIAS in bit/s."""

    type: str
    value: int


@frozen
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


@frozen
class SessionInfo:
    """`kind`: active, hold, mute, ringing, unhold or unmute; `creator` and `name` say which content (none = all)."""

    kind: str
    creator: Role | None = None
    name: str | None = None
    unknown: tuple[XmlElement, ...] = field(default=(), compare=False)


_TOKEN_ONLY = frozenset("0123456789/,-")


def parameter(name: str = "", value: str | None = None) -> Parameter:
    """A token without "=" is read in all its forms: name='' or no name beside the value; alone as the name. J-118

    COMPAT(stanza 12, others): <parameter name='111/111'/>. With value='' that is a token as well if it looks like one, otherwise it
    is what "name=" says.
    """
    if value is None or (not value and _TOKEN_ONLY.issuperset(name)):
        return Parameter("", name)
    return Parameter(name, value)


def _part(value: str) -> str:
    """A part of a=fmtp, where ";" begins the next one. J-118"""
    if ";" in value:
        raise ValueError("not one parameter")
    return str(line.parse(value)).strip()


def _name(value: str) -> str:
    if "=" in value:
        raise ValueError("not the name of a parameter")
    return _part(value)


def _codec(value: str) -> str:
    """A name that can stand in a=rtpmap, where "/" begins the clock rate."""
    if "/" in value:
        raise ValueError("not the name of a codec")
    return str(word.parse(value))


# A token is written without a name, since Conversations needs every name non-empty.
PARAMETER = Element(
    parameter,
    NS,
    "parameter",
    (attr("name", Type(_name, str), default=""), attr("value", Type(_part, str), default=None, always=True)),
    keep=True,
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
BITRATE = integer(0, 2**31 - 1)
BANDWIDTH = Element(Bandwidth, NS, "bandwidth", (attr("type"), Text("value", BITRATE)))


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
