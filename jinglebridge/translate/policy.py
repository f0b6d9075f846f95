"""What a peer can take: data, applied to whole descriptions and to single candidates.

The library's default is `NONE`. The engine uses `SAFE` unless the peer's caps say better. Each field names its reason.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from jinglebridge.jingle import Candidate, Content, IceUdpTransport, RtpDescription
from jinglebridge.jingle.xep_0339 import Source
from jinglebridge.translate.described import Described


@dataclass(frozen=True, slots=True)
class PeerPolicy:
    """What must not be sent to a peer."""

    name: str
    udp_only: bool = False  # COMPAT(Dino 0.4.2): reads a TCP candidate as UDP; Monal refuses it. J-161
    literals_only: bool = False  # COMPAT(Dino 0.4.2): cannot resolve .local names. J-160
    sha256_only: bool = False  # COMPAT(Conversations 2.12, Dino): read one fingerprint. J-179
    end_of_candidates: bool = True  # False: ice-udp:1 peers have no such element. J-165
    reduced_size: bool = True  # False: <rtcp-reduced-size/> is in no XEP. J-137
    source_values: bool = False  # True: COMPAT(Conversations 2.12): a parameter without value ends the call. J-199
    groups: bool = True  # False: the peer knows no BUNDLE. J-192

    def admits(self, candidate: Candidate) -> bool:
        """May this candidate be sent to the peer?"""
        return not (self.udp_only and candidate.protocol != "udp") and not (self.literals_only and candidate.ip.endswith(".local"))

    def apply(self, described: Described) -> Described:
        """The description without what the peer cannot take."""
        if self == NONE:
            return described
        return Described(tuple(map(self._content, described.contents)), described.groups if self.groups else ())

    def _content(self, content: Content) -> Content:
        transport, description = content.transport, content.description
        return replace(
            content,
            transport=None if transport is None else self._transport(transport),
            description=None if description is None else self._description(description),
        )

    def _transport(self, transport: IceUdpTransport) -> IceUdpTransport:
        prints = transport.fingerprints
        if self.sha256_only:
            prints = tuple(item for item in prints if item.hash == "sha-256")[:1] or prints[:1]
        return replace(
            transport,
            fingerprints=prints,
            candidates=tuple(filter(self.admits, transport.candidates)),
            gathering_complete=transport.gathering_complete and self.end_of_candidates,
        )

    def _description(self, description: RtpDescription) -> RtpDescription:
        sources = description.sources
        if self.source_values:
            sources = tuple(Source(item.ssrc, tuple(p for p in item.parameters if p.value)) for item in sources)
        return replace(description, sources=sources, rtcp_reduced_size=description.rtcp_reduced_size and self.reduced_size)


NONE = PeerPolicy("none")
SAFE = PeerPolicy(
    "safe",
    udp_only=True,
    literals_only=True,
    sha256_only=True,
    end_of_candidates=False,
    reduced_size=False,
    source_values=True,
)
POLICIES: dict[str, PeerPolicy] = {
    "none": NONE,
    "safe": SAFE,
    # COMPAT(Dino 0.4.2): ignores groups, so that a browser must not believe in one.
    "dino": replace(SAFE, name="dino", groups=False),
    "conversations": replace(SAFE, name="conversations"),
    "monal": replace(SAFE, name="monal"),
    "movim": replace(SAFE, name="movim"),
}
