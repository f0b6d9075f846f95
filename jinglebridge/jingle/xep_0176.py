"""XEP-0176: Jingle ICE-UDP Transport Method, version 1.1.1 (2021-03).

Credentials and candidates of a content, with the DTLS fingerprint inside (XEP-0320). A candidate that cannot be used drops itself,
never its transport. J-145 … J-168, table M-4.
"""

from __future__ import annotations

from dataclasses import field
from functools import partial
from xml.etree.ElementTree import Element as XmlElement

from jinglebridge.errors import SdpError
from jinglebridge.jingle import ice, xep_0343
from jinglebridge.jingle.xep_0320 import FINGERPRINT, Fingerprint
from jinglebridge.jingle.xep_0343 import CHANNEL, SCTPMAP, Channel, Sctpmap
from jinglebridge.sdp import MediaDescription
from jinglebridge.sdp.attributes import CandidateLine, candidate, words
from jinglebridge.values import frozen, maker
from jinglebridge.xml import PRINTABLE, Attr, Child, Children, Element, Flag, Type, Unknown, attr, integer, line, one_of, same

NS = "urn:xmpp:jingle:transports:ice-udp:1"
NS_ICE = "urn:xmpp:jingle:transports:ice:0"  # the same elements in XEP-0371
NS_TRICKLE = "http://gultsch.de/xmpp/drafts/jingle/transports/ice-udp/option"
VERSION = "1.1.1"
FEATURES = (NS,)

TYPES = ("host", "prflx", "relay", "srflx")


@frozen
class Candidate:
    """One ICE candidate; fields as in RFC 8839 §5.1. `id` and `network` have no meaning in SDP."""

    component: int
    foundation: str
    ip: str
    port: int
    priority: int
    type: str
    protocol: str = "udp"
    generation: int = 0
    id: str = ""
    network: int = 0
    related_address: str | None = None
    related_port: int | None = None
    tcptype: str | None = None
    unknown: tuple[XmlElement, ...] = field(default=(), compare=False)


@frozen
class RemoteCandidate:
    """The pair that the controlling side uses: acknowledged and ignored (J-168)."""

    component: int
    ip: str
    port: int


@frozen
class IceUdpTransport:
    """`gathering_complete`: no candidate will follow (XEP-0371 §7, also read here; J-166). `sctp`: it carries data channels (XEP-0343),
    those of `channels` without asking. `ns`: the namespace it is written in, this XEP's or that of XEP-0371, which also has `ice2`.
    """

    ufrag: str | None = None
    pwd: str | None = None
    fingerprints: tuple[Fingerprint, ...] = ()
    candidates: tuple[Candidate, ...] = ()
    remote_candidates: tuple[RemoteCandidate, ...] = ()
    trickle: bool = False
    gathering_complete: bool = False
    sctp: Sctpmap | None = None
    channels: tuple[Channel, ...] = ()
    ice2: bool = False
    ns: str = NS
    unknown: tuple[XmlElement, ...] = field(default=(), compare=False)


_RELATED_PORT = Type(ice.related_port_or_none, str, plain=True, bounds=(0, 65535))
_CANDIDATE_PARTS = (
    attr("component", integer(1, 256)),
    attr("foundation", Type(ice.foundation, same, usual="{0}.isalnum() and {0}.isascii() and len({0}) <= 32")),
    attr("generation", ice.optional_number(255), default=0, always=True),
    # Older clients leave out generation, id, network, protocol; Monal insists on them. J-149, J-150
    attr("id", line, default="", always=True),
    attr("ip", Type(ice.address, same)),
    attr("network", ice.optional_number(255), default=0, always=True),
    attr("port", integer(1, 65535)),
    attr("priority", integer(1, 2**31 - 1)),
    attr("protocol", Type(ice.protocol, same, known={"udp": "udp", "tcp": "tcp"}), default="udp", always=True),
    attr("rel-addr", Type(ice.related_or_none, same), field="related_address", default=None),
    # COMPAT(Monal 6): rel_port. J-150
    attr("rel-port", _RELATED_PORT, field="related_port", default=None, alias="rel_port"),
    # Only XEP-0371 has it; towards readers of XEP-0176 the policies hold TCP back. J-161
    attr("tcptype", one_of("active", "passive", "so"), default=None),
    attr("type", one_of(*TYPES)),
    Unknown(),
)


# What could end an SDP line goes no further, not even to where it is refused.
_CREDENTIAL = Type(lambda value: value if value.isprintable() else "", same, usual=PRINTABLE)


class Tables:
    """The elements of one of the two namespaces; `extra`: an attribute of <transport/> that only this one has."""

    def __init__(self, ns: str, *extra: Attr) -> None:
        self.candidate = Element(Candidate, ns, "candidate", _CANDIDATE_PARTS)
        self.remote_candidate = Element(
            RemoteCandidate, ns, "remote-candidate", (attr("component", integer(1, 256)), attr("ip"), attr("port", integer(0, 65535)))
        )
        self.transport = Element(
            partial(IceUdpTransport, ns=ns),
            ns,
            "transport",
            (
                *extra,
                # Their grammar is checked where they are used, so that a violation ends as failed-transport (J-146).
                attr("ufrag", _CREDENTIAL, default=None),
                attr("pwd", _CREDENTIAL, default=None),
                Children(FINGERPRINT, "fingerprints", most=8, lenient=True),
                Child(SCTPMAP, "sctp", lenient=True),
                Children(CHANNEL, "channels", most=100, lenient=True),
                Children(self.candidate, "candidates", most=100, lenient=True),
                Children(self.remote_candidate, "remote_candidates", lenient=True),
                # COMPAT(Conversations 2.13+, Monal): says that we trickle; others ignore it. J-158
                Flag(NS_TRICKLE, "trickle", "trickle"),
                # COMPAT(stanza 12): writes XEP-0371's element in this namespace too. J-166
                Flag(ns, "gathering-complete", "gathering_complete"),
                Unknown(),
            ),
        )


_TABLES = Tables(NS)
CANDIDATE, REMOTE_CANDIDATE, TRANSPORT = _TABLES.candidate, _TABLES.remote_candidate, _TABLES.transport


candidate_text = CANDIDATE.writer(NS)  # as it stands in a <transport/>
_candidate = maker(Candidate)


def candidate_from_line(line: CandidateLine, id: str) -> Candidate | None:
    """None for what Jingle cannot or must not carry: a name outside .local, an address of nobody, a foreign type."""
    try:
        ip, protocol, foundation = ice.address(line.address), ice.protocol(line.protocol), ice.foundation(line.foundation)
    except ValueError:
        return None
    if line.type not in TYPES or line.component != 1:
        return None
    more = line.extensions
    related, related_port = more.get("raddr"), more.get("rport")
    if related is None or related_port is None or not _is_pair(related, related_port):
        related = related_port = None
    tcptype = more.get("tcptype") if protocol == "tcp" else None
    return _candidate(
        line.component,
        foundation,
        ip,
        line.port,
        line.priority,
        line.type,
        protocol,
        _small(more.get("generation", "0")),
        id,
        _small(more.get("network-id", "0")),
        related,
        int(related_port) if related_port is not None else None,
        tcptype if tcptype in ("active", "passive", "so") else None,
    )


_SMALL = ice.optional_number(255)


def _small(value: str) -> int:
    """A generation or a network."""
    known: int | None = _SMALL.known.get(value)
    return int(_SMALL.parse(value)) if known is None else known


def _is_pair(related: str, port: str) -> bool:
    """raddr without rport is no use; browsers refuse it. M-4"""
    try:
        ice.related(related)
    except ValueError:
        return False
    return port.isascii() and port.isdigit() and len(port) <= 5 and int(port) <= 65535


def candidate_to_line(c: Candidate) -> str:
    """The W3C form "candidate:…". Types other than host always get raddr and rport: browsers need them. M-4"""
    words = f"candidate:{c.foundation} {c.component} {c.protocol} {c.priority} {c.ip} {c.port} typ {c.type}"
    if c.related_address is not None and c.related_port is not None:
        words += f" raddr {c.related_address} rport {c.related_port}"
    elif c.type != "host":
        words += " raddr 0.0.0.0 rport 9"
    if c.protocol == "tcp":
        words += f" tcptype {c.tcptype or 'passive'}"
    return f"{words} generation {c.generation}"


def from_sdp(media: MediaDescription, fingerprints: tuple[Fingerprint, ...], ns: str = NS) -> IceUdpTransport:
    """Transport of one section, in namespace `ns`. Candidates of component 2 and unusable ones are dropped (J-128, J-162)."""
    found: list[Candidate] = []
    for value in media.all("candidate"):
        try:
            item = candidate_from_line(candidate(value), f"c{media.index}-{len(found)}")
        except SdpError:
            continue
        if item is not None:
            found.append(item)
    return IceUdpTransport(
        media.inherited("ice-ufrag"),
        media.inherited("ice-pwd"),
        fingerprints,
        tuple(found),
        gathering_complete=media.inherited("end-of-candidates") is not None,
        sctp=xep_0343.from_sdp(media),
        ice2=ns == NS_ICE and "ice2" in words(media.inherited("ice-options") or ""),
        ns=ns,
    )


def to_sdp(media: MediaDescription, transport: IceUdpTransport) -> None:
    """Candidates and credentials; every SDP says that we trickle (J-158)."""
    lines = [f"a={candidate_to_line(item)}" for item in transport.candidates if item.component == 1]
    if transport.gathering_complete:
        lines.append("a=end-of-candidates")
    lines.append(f"a=ice-ufrag:{transport.ufrag or ''}")
    lines.append(f"a=ice-pwd:{transport.pwd or ''}")
    lines.append("a=ice-options:trickle ice2" if transport.ice2 else "a=ice-options:trickle")
    media.extend(lines)
