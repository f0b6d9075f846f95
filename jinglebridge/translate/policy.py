"""What a peer can take: data, applied to whole descriptions and to single candidates.

The library's default is `NONE`. The engine uses `SAFE` unless the peer's caps say better. Each field names its reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from xml.etree.ElementTree import Element as XmlElement

from jinglebridge.jingle import Candidate, Content, Group, IceUdpTransport, PayloadType, Role, RtpDescription, Senders, xep_0176, xep_0371
from jinglebridge.jingle.private import NS as NS_PRIVATE
from jinglebridge.jingle.xep_0167 import Parameter
from jinglebridge.jingle.xep_0167_sdp import usable
from jinglebridge.jingle.xep_0339 import Source
from jinglebridge.kept import Kept
from jinglebridge.translate.described import Described
from jinglebridge.values import replace

# RFC 8852: they mean nothing without a=rid, which has no Jingle form.
RID_URIS = frozenset({"urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id", "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id"})


@dataclass(frozen=True, slots=True)
class PeerPolicy:
    """What must not be sent to a peer. The defaults hold nothing back.

    `one_candidate` and `one_content` say how many a transport-info may hold; whoever makes stanzas follows them.
    """

    name: str
    transport: str = xep_0176.NS  # namespace to offer; that of XEP-0371 only to a peer that has no other. J-176
    udp_only: bool = False  # COMPAT(Dino 0.4.2): reads a TCP candidate as UDP; Monal refuses it. J-161
    literals_only: bool = False  # COMPAT(Dino 0.4.2): cannot resolve .local names. J-160
    sha256_only: bool = False  # COMPAT(Conversations 2.12, Dino): read one fingerprint. J-179
    end_of_candidates: bool = True  # False: COMPAT(Monal 6): answers bad-request; XEP-0176 has no such element. J-165
    trickle: bool = False  # True: COMPAT(Conversations 2.13+, Monal): learn from <trickle/> that candidates follow. J-158
    reduced_size: bool = True  # False: <rtcp-reduced-size/> is in no XEP. J-137
    cname_and_msid_only: bool = False  # COMPAT(Conversations 2.12): a source parameter without value ends the call. J-199
    plain_parameters: bool = False  # COMPAT(Conversations 2.12): a blank, no value, or one of several without a name ends the call.
    one_bandwidth: bool = False  # The schema of XEP-0167 has one; AS comes first. J-126
    rid: bool = True  # False: no header extensions of simulcast. J-143
    none_senders: bool = True  # False: COMPAT(Dino 0.4.2, Monal 6): senders='none' is bad-request. Nobody need send where the peer may.
    groups: bool = True  # False: the peer knows no BUNDLE. J-192
    data: bool = True  # False: no data channels. J-224
    extensions: bool = True  # False: nothing of our private namespace, which may hold addresses
    one_candidate: bool = False  # COMPAT(Monal 6): reads the first; Movim glues them into one line. J-152
    one_content: bool = False  # COMPAT(Dino 0.4.2): refuses more than one. J-153

    def admits(self, candidate: Candidate, ns: str = xep_0176.NS) -> bool:
        """May this candidate be sent to the peer in a transport of namespace `ns`? XEP-0371 has TCP."""
        tcp = candidate.protocol != "udp" and self.udp_only and ns != xep_0371.NS
        return not tcp and not (self.literals_only and candidate.ip.endswith(".local"))

    def carries(self, content: Content) -> bool:
        """May this content be described to the peer at all?"""
        return self.data or not content.data

    def apply(self, described: Described, author: Role | None = None) -> Described:
        """The description, written by `author` (None: not known), without what the peer cannot take."""
        if self is NONE or self == NONE:
            return described
        contents, groups = described.contents, described.groups if self.groups else ()
        if not all(map(self.carries, contents)):
            contents = tuple(filter(self.carries, contents))
            groups = _of(groups, contents)
        return Described(tuple(self._content(content, author) for content in contents), groups, self._unknown(described.unknown))

    def _unknown(self, elements: tuple[XmlElement, ...]) -> tuple[XmlElement, ...]:
        if self.extensions or not elements:
            return elements
        return tuple(el for el in elements if not el.tag.startswith(f"{{{NS_PRIVATE}}}"))

    def _content(self, content: Content, author: Role | None) -> Content:
        transport, description, senders = content.transport, content.description, content.senders
        if not self.none_senders and senders is Senders.NONE and author is not None:
            senders = Senders(author.other.value)
        return replace(
            content,
            senders=senders,
            transport=None if transport is None else self._transport(transport),
            description=None if description is None else self._description(description),
            unknown=self._unknown(content.unknown),
        )

    def _transport(self, transport: IceUdpTransport) -> IceUdpTransport:
        prints, ns = transport.fingerprints, transport.ns
        if self.sha256_only:
            prints = tuple(item for item in prints if item.hash == "sha-256")[:1] or prints[:1]
        return replace(
            transport,
            fingerprints=prints,
            candidates=tuple(candidate for candidate in transport.candidates if self.admits(candidate, ns)),
            gathering_complete=transport.gathering_complete and (self.end_of_candidates or ns == xep_0371.NS),
            trickle=transport.trickle or self.trickle,
        )

    def _description(self, description: RtpDescription) -> RtpDescription:
        sources, extensions, payloads = description.sources, description.header_extensions, description.payload_types
        if self.cname_and_msid_only:
            sources = tuple([_named(source) for source in sources])
        if not self.rid:
            extensions = tuple([item for item in extensions if item.uri not in RID_URIS])
        return replace(
            description,
            payload_types=_plain(description) if self.plain_parameters else payloads,
            sources=sources,
            header_extensions=extensions,
            bandwidths=description.bandwidths[:1] if self.one_bandwidth else description.bandwidths,
            rtcp_reduced_size=description.rtcp_reduced_size and self.reduced_size,
        )


def _named(source: Source) -> Source:
    return source._replace(parameters=tuple(p for p in source.parameters if p.value and p.name in ("cname", "msid")))


def _of(groups: tuple[Group, ...], contents: tuple[Content, ...]) -> tuple[Group, ...]:
    """The groups without the names of contents that are left out."""
    names = {content.name: content.name for content in contents}
    return tuple(kept for group in groups if (kept := group.renamed(names)) is not None)


def _plain(description: RtpDescription) -> tuple[PayloadType, ...]:
    """Its payload types without format parameters that end a call of Conversations.

    A codec works without them, but for red, whose parameter names what it repeats: it is left out, and its retransmission with it.
    """
    payloads = tuple([found for payload in description.payload_types if (found := _plain_payload(payload)) is not None])
    if len(payloads) == len(description.payload_types):
        return payloads
    kept = {payload.id for payload in usable(replace(description, payload_types=payloads))}
    return tuple([payload for payload in payloads if payload.id in kept])


def _plain_payload(payload: PayloadType) -> PayloadType | None:
    parameters = payload.parameters
    if not parameters:
        return payload
    kept = _PLAIN.get(parameters)
    if kept is None:
        kept = _PLAIN.keep(parameters, _plain_parameters(parameters), sum(len(p.name) + len(p.value) for p in parameters))
    if len(kept) == len(parameters):
        return payload
    return None if payload.name.lower() == "red" else payload._replace(parameters=kept)


_PLAIN: Kept[tuple[Parameter, ...], tuple[Parameter, ...]] = Kept()


def _plain_parameters(parameters: tuple[Parameter, ...]) -> tuple[Parameter, ...]:
    kept = tuple(p for p in parameters if p.value and len(p.value.split()) == len(p.name.split() or [""]) == 1)
    return tuple(p for p in kept if p.name) if len(kept) > 1 else kept


NONE = PeerPolicy("none")
SAFE = PeerPolicy(
    "safe",
    udp_only=True,
    literals_only=True,
    sha256_only=True,
    end_of_candidates=False,
    reduced_size=False,
    cname_and_msid_only=True,
    plain_parameters=True,
    one_bandwidth=True,
    rid=False,
    none_senders=False,
    data=False,
    extensions=False,
    one_candidate=True,
    one_content=True,
)
POLICIES: dict[str, PeerPolicy] = {
    "none": NONE,
    "safe": SAFE,
    # COMPAT(Dino 0.4.2): ignores groups, so that a browser must not believe in one.
    "dino": replace(SAFE, name="dino", groups=False),
    "conversations": replace(SAFE, name="conversations", none_senders=True, trickle=True, one_content=False),
    "monal": replace(SAFE, name="monal", trickle=True),
    "movim": replace(SAFE, name="movim", none_senders=True, one_content=False),
    # A browser behind another library: it takes what a browser takes.
    "stanza": PeerPolicy("stanza", rid=False, data=False, extensions=False),
}
