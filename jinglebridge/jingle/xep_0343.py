"""XEP-0343: Signaling WebRTC datachannels in Jingle, version 0.3.1 (2020-03).

``m=application 9 UDP/DTLS/SCTP webrtc-datachannel`` with ``a=sctp-port:5000`` is ``<sctpmap number='5000'
protocol='webrtc-datachannel' streams='1024'/>`` in the transport of a content. J-224 … J-227, table M-8.

Which description such a content has is left open by the XEP: its examples carry a file transfer, which uses the channel for itself. A
channel of a page belongs to no application that Jingle knows, so the content has no <description/> at all. That is also what stanza,
the only other implementation, writes and reads; the schema of XEP-0166 allows it. A content with an unknown description stays an
unknown application, whatever its transport holds.

The size of messages (a=max-message-size) has no place here; a side that hears nothing may send 64 KiB (RFC 8841 §6.1; J-226).
"""

from __future__ import annotations

from jinglebridge.errors import SdpError
from jinglebridge.sdp import MediaDescription
from jinglebridge.sdp.attributes import sctp_port, sctpmap
from jinglebridge.values import frozen
from jinglebridge.xml import Element, Type, attr, integer, text, word

NS = "urn:xmpp:jingle:transports:dtls-sctp:1"
NS_OWN_CHANNEL = "urn:xmpp:jingle:transports:webrtc-datachannel:0"
VERSION = "0.3.1"
FEATURES: tuple[str, ...] = ()  # the engine refuses data channels, so that nothing is announced (J-020)

PROTOCOL = "webrtc-datachannel"
PROTO = "UDP/DTLS/SCTP"
LEGACY_PROTO = "DTLS/SCTP"  # draft-ietf-mmusic-sctp-sdp-05: the format is the port, a=sctpmap says the rest
PORT, STREAMS = 5000, 1024


@frozen
class Sctpmap:
    """The association that carries the channels. `streams`: how many its author takes."""

    port: int = PORT
    protocol: str = PROTOCOL
    streams: int = STREAMS


@frozen
class Channel:
    """A channel that both sides open without asking each other: the fields of RTCDataChannelInit. `max_packet_life_time` in ms."""

    id: int | None = None
    max_packet_life_time: int | None = None
    max_retransmits: int | None = None
    negotiated: bool = False
    ordered: bool = True
    protocol: str | None = None


def _boolean(value: str) -> bool:
    """xs:boolean."""
    if value.strip() not in ("true", "false", "1", "0"):
        raise ValueError("not true or false")
    return value.strip() in ("true", "1")


boolean = Type(_boolean, lambda value: "true" if value else "false")

SCTPMAP = Element(
    Sctpmap,
    NS,
    "sctpmap",
    (
        # The XEP's table says port, its schema and examples number; the schema's unsignedByte cannot hold 5000.
        attr("number", integer(1, 65535), field="port", alias="port"),
        attr("protocol", word, default=PROTOCOL, always=True),
        # COMPAT(stanza 12): leaves it out, as does everything made from a=sctp-port.
        attr("streams", integer(1, 65535), default=STREAMS, always=True),
    ),
)
_SHORT = integer(0, 65535)
CHANNEL = Element(
    Channel,
    NS_OWN_CHANNEL,
    "channel",
    (
        attr("id", _SHORT, default=None),
        attr("maxPacketLifeTime", _SHORT, field="max_packet_life_time", default=None),
        attr("maxRetransmits", _SHORT, field="max_retransmits", default=None),
        attr("negotiated", boolean, default=False),
        attr("ordered", boolean, default=True),
        attr("protocol", text, default=None),
    ),
)


def from_sdp(media: MediaDescription) -> Sctpmap | None:
    """The association of an m=application section; None if it is for something else or malformed."""
    if media.kind != "application" or not media.proto.upper().endswith(LEGACY_PROTO):
        return None
    try:
        if media.formats[0] == PROTOCOL:
            value = media.get("sctp-port")
            return Sctpmap(PORT if value is None else sctp_port(value))
        for value in media.all("sctpmap"):
            port, protocol, streams = sctpmap(value)
            if (str(port), protocol) == (media.formats[0], PROTOCOL):
                return Sctpmap(port, protocol, STREAMS if streams is None else streams)
    except SdpError:
        pass
    return None


def m_line(sctp: Sctpmap, offered: MediaDescription | None) -> tuple[str, tuple[str, ...]]:
    """Protocol and formats of the m= line; an answer repeats the protocol of its offer (RFC 3264 §6)."""
    if offered is not None and offered.proto.upper() == LEGACY_PROTO:
        return offered.proto, (str(sctp.port),)
    return PROTO if offered is None else offered.proto, (sctp.protocol,)


def to_sdp(media: MediaDescription, sctp: Sctpmap) -> None:
    """The line that names the port, in the form that fits the m= line."""
    if media.proto.upper() == LEGACY_PROTO:
        media.add("sctpmap", f"{sctp.port} {sctp.protocol} {sctp.streams}")
    else:
        media.add("sctp-port", str(sctp.port))
