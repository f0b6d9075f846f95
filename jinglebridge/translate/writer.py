"""A peer's description becomes the SDP that an endpoint gets.

Everything that the media path shows is kept as it is (payload types, SSRCs, extension ids, mids, addresses, fingerprints). What a
browser would refuse is refused here first, with the Jingle reason; what it would choke on is left out.
"""

from __future__ import annotations

from typing import NamedTuple

from jinglebridge.errors import Refused
from jinglebridge.jingle import (
    Content,
    Fingerprint,
    Group,
    IceUdpTransport,
    PayloadType,
    Role,
    RtpDescription,
    xep_0167_sdp,
    xep_0176,
    xep_0294,
    xep_0320,
    xep_0338,
    xep_0339,
    xep_0343,
    xep_0507,
)
from jinglebridge.jingle.ice import ice_chars
from jinglebridge.jingle.roles import both_allow, direction_to_senders, senders_to_direction
from jinglebridge.jingle.xep_0167 import MEDIA
from jinglebridge.jingle.xep_0320 import strong
from jinglebridge.sdp import Direction, MediaDescription, SessionDescription
from jinglebridge.sdp.grammar import MAX_MEDIA, within_limits
from jinglebridge.translate.answers import fit, without_offered_ids
from jinglebridge.translate.bundles import clash
from jinglebridge.translate.described import Described, mids, name_of, without_mid_extension
from jinglebridge.translate.restore import restore
from jinglebridge.values import replace

PROTO = "UDP/TLS/RTP/SAVPF"
_DIRECTION_LINES = {direction: f"a={direction}" for direction in Direction}
_SENDING = (Direction.SENDRECV, Direction.SENDONLY)


class _Slot(NamedTuple):
    """One m= section to write: what it was before or in the offer, and the content that fills it (None: port 0)."""

    old: MediaDescription | None
    content: Content | None
    mid: str


def to_sdp(
    described: Described,
    author: Role,
    *,
    session_id: int,
    version: int,
    offer: SessionDescription | None = None,
    answer: bool | None = None,
    previous: SessionDescription | None = None,
    extensions: bool = False,
) -> SessionDescription:
    """The SDP that `author` would have written.

    Args:
        author: session role of the peer whose media this is; decides directions (M-2).
        session_id, version: for the o= line: constant per call, and one more for each SDP given to the endpoint (J-220).
        offer: the endpoint's own offer; then this is its answer, section for section (J-091).
        answer: it is an answer; default: whether `offer` is given (stateless callers have no offer at hand).
        previous: for a further offer: an earlier SDP of the call; its sections keep their places, missing ones get port 0.
        extensions: use private elements for what has no Jingle form (`jinglebridge.translate.extensions`).

    Raises: Refused, with `reason` and `rule`.

    Spec: XEP-0167 §6, RFC 8829 §5; J-090 … J-129, J-157, J-178 … J-203, table M-1.
    """
    contents = _usable(described)
    slots = _answered(contents, offer) if offer is not None else _offered(contents, previous)
    filled = [slot for slot in slots if slot.content is not None]
    if not filled:
        raise Refused("no content of the answer belongs to the offer", reason="incompatible-parameters", rule="J-091")
    writer = _Writer(author, session_id, offer is not None if answer is None else answer, offer, previous is not None)
    sdp = SessionDescription()
    sdp.part.extend(("v=0", f"o=- {session_id} {version} IN IP4 0.0.0.0", "s=-", "t=0 0"))
    writer.write(sdp, slots, described.groups)
    if extensions:
        fixed = MAX_MEDIA if offer is not None else 0 if previous is None else len(previous.media)
        return restore(sdp, described, {slot.mid: slot.content for slot in filled if slot.content is not None}, fixed)
    return within_limits(sdp)


def _usable(described: Described) -> list[Content]:
    """The contents that can be m= sections. The first of two with one name and creator wins (J-104)."""
    found: dict[tuple[str, Role], Content] = {}
    reason = "unsupported-applications"
    for content in described.contents:
        if content.disposition != "session":
            continue  # J-101
        if content.security:
            raise Refused(f"content {content.name[:40]} demands a security precondition", reason="security-error", rule="J-102")
        if not content.data and (content.description is None or content.description.media not in MEDIA):
            continue
        if content.transport is None:
            reason = "unsupported-transports"
            continue
        found.setdefault((content.name, content.creator), content)
    if not found:
        raise Refused("no content that can be translated", reason=reason, rule="J-082")
    return list(found.values())


def _answered(contents: list[Content], offer: SessionDescription) -> list[_Slot]:
    by_name = {content.name: content for content in reversed(contents)}
    return [_Slot(media, by_name.get(name_of(media)), name_of(media)) for media in offer.media]


def _offered(contents: list[Content], previous: SessionDescription | None) -> list[_Slot]:
    """Sections keep their places; a new one takes a place that was rejected before, else it is the last. RFC 8829 §5.2.2, J-220"""
    own = () if previous is None else {name_of(media) for media in previous.media}
    by_mid = dict(zip(mids(contents, own), contents, strict=True))
    slots = []
    if previous is not None:
        slots = [_Slot(media, by_mid.pop(name_of(media), None), name_of(media)) for media in previous.media]
    new = [_Slot(None, content, mid) for mid, content in by_mid.items()]
    for at, slot in enumerate(slots):
        if new and slot.content is None and slot.old is not None and slot.old.rejected:
            slots[at] = new.pop(0)
    return slots + new


def _as_written(content: Content, mid: str) -> Content:
    """A content under another name loses the extension that would carry it. J-195"""
    if content.name == mid or content.description is None:
        return content
    return replace(content, description=without_mid_extension(content.description))


def _rejected(sdp: SessionDescription, slot: _Slot) -> None:
    """Port 0 in its place. RFC 3264 §6, J-091"""
    assert slot.old is not None
    media = sdp.add_media(slot.old.kind, 0, slot.old.proto, slot.old.formats)
    media.line("c=IN IP4 0.0.0.0")
    media.add("mid", slot.mid)
    media.add("inactive")


class _Writer:
    """What the sections of one SDP share."""

    def __init__(self, author: Role, session_id: int, answer: bool, offer: SessionDescription | None, later: bool) -> None:
        self.author, self.session_id, self.answer, self.offer, self.later = author, session_id, answer, offer, later
        self.tags: dict[str, IceUdpTransport] = {}
        self.prints: dict[tuple[str, str], bool] = {}
        self.credentials: set[tuple[str, str]] = set()

    def write(self, sdp: SessionDescription, slots: list[_Slot], groups: tuple[Group, ...]) -> None:
        """The groups and all sections."""
        filled = [slot for slot in slots if slot.content is not None]
        grouped = self.groups(groups, filled)
        xep_0338.to_sdp(sdp.part, grouped)
        self.bundle(grouped, filled)
        for slot in slots:
            if slot.content is None:
                _rejected(sdp, slot)
            else:
                self.section(sdp, slot, slot.content)

    def groups(self, groups: tuple[Group, ...], filled: list[_Slot]) -> list[Group]:
        """Groups under mids, of sections that exist, of what the offer grouped. J-190, J-191, J-196"""
        # Of two contents with one name a group means the first (part 3 row 16).
        names = {slot.content.name: slot.mid for slot in reversed(filled) if slot.content is not None}
        renamed = filter(None, [group.renamed(names) for group in groups])
        found = [group for group in xep_0338.distinct(renamed) if self.answer or not self._clash(group, filled)]
        if self.offer is None:
            return found
        own = {name: name for name in map(name_of, self.offer.media)}
        offered = list(filter(None, [group.renamed(own) for group in xep_0338.from_sdp(self.offer)]))
        return list(filter(None, [xep_0338.common(group, offered) for group in found]))

    def _clash(self, group: Group, filled: list[_Slot]) -> bool:
        members = [_as_written(slot.content, slot.mid) for slot in filled if slot.content is not None and slot.mid in group.names]
        return group.semantics == "BUNDLE" and clash(members, self.author)

    def bundle(self, groups: list[Group], filled: list[_Slot]) -> None:
        """Note which mids are bundled and whose transport they share."""
        transports = {slot.mid: slot.content.transport for slot in filled if slot.content is not None}
        for group in groups:
            tag = transports[group.names[0]]
            if group.semantics == "BUNDLE" and tag is not None:
                self.tags |= dict.fromkeys(group.names, tag)  # a mid is in one of them

    def section(self, sdp: SessionDescription, slot: _Slot, content: Content) -> None:
        """One accepted m= section."""
        description = content.description
        assert content.transport is not None
        kind = "application" if description is None else description.media
        if slot.old is not None and slot.old.kind != kind and (self.offer is not None or not slot.old.rejected):
            raise Refused(f"content {content.name[:40]} is no {slot.old.kind} any more", reason="security-error", rule="J-089")
        transport, setup = self._checked(slot, content.transport)
        if description is None:
            self._data(sdp, slot, transport, setup)
            return
        payloads = xep_0167_sdp.usable(description)
        if not description.rtcp_mux and slot.mid not in self.tags:
            raise Refused(f"content {content.name[:40]} has no rtcp-mux", reason="incompatible-parameters", rule="J-127")
        if self.answer:
            description = without_offered_ids(description)
        if self.offer is not None and slot.old is not None:
            offered = xep_0167_sdp.from_sdp(slot.old, self.author.other)
            description, payloads = fit(description, payloads, offered, f"content {content.name[:40]}")
        if not payloads:
            raise Refused(f"content {content.name[:40]} has no usable payload type", reason="incompatible-parameters", rule="J-117")
        if content.name != slot.mid:
            description = without_mid_extension(description)
        media = sdp.add_media(description.media, 9, PROTO, tuple([str(payload.id) for payload in payloads]))
        media.line("c=IN IP4 0.0.0.0")
        for bandwidth in description.bandwidths:
            if bandwidth.type in ("AS", "TIAS"):
                media.line(f"b={bandwidth.type}:{bandwidth.value}")
        xep_0176.to_sdp(media, transport)
        xep_0320.to_sdp(media, transport.fingerprints, setup)
        media.add("mid", slot.mid)
        self._media(media, slot, content, description, payloads)

    @staticmethod
    def _data(sdp: SessionDescription, slot: _Slot, transport: IceUdpTransport, setup: str) -> None:
        """A section for data channels. XEP-0343"""
        assert transport.sctp is not None
        proto, formats = xep_0343.m_line(transport.sctp, slot.old)
        media = sdp.add_media("application", 9, proto, formats)
        media.line("c=IN IP4 0.0.0.0")
        xep_0176.to_sdp(media, transport)
        xep_0320.to_sdp(media, transport.fingerprints, setup)
        media.add("mid", slot.mid)
        xep_0343.to_sdp(media, transport.sctp)

    def _media(
        self, media: MediaDescription, slot: _Slot, content: Content, description: RtpDescription, payloads: tuple[PayloadType, ...]
    ) -> None:
        xep_0294.to_sdp(media, description.header_extensions, self.author)
        lines = ["a=extmap-allow-mixed"] if description.extmap_allow_mixed else []
        direction = self._direction(slot, content)
        lines.append(_DIRECTION_LINES[direction])
        if direction in _SENDING:
            # One stream for all that the peer sends, so that audio and video play in step. J-203
            lines.append(f"a=msid:{xep_0339.msid(description.sources, description.streams) or f'call-{self.session_id} {slot.mid}'}")
        media.extend(lines)
        xep_0507.to_sdp(media, description.categories)
        media.extend(("a=rtcp-mux", "a=rtcp-rsize") if description.rtcp_reduced_size else ("a=rtcp-mux",))
        xep_0167_sdp.to_sdp(media, description, payloads)
        xep_0339.to_sdp(media, *xep_0339.heard(description.sources, description.source_groups, direction))

    def _direction(self, slot: _Slot, content: Content) -> Direction:
        """As the peer says; an answer never wider than the offer, and without senders as offered. J-110"""
        senders = content.senders
        if self.offer is not None and slot.old is not None:
            offered = direction_to_senders(slot.old.effective_direction, self.author.other)
            senders = offered if senders is None else both_allow(senders, offered)
        return senders_to_direction(senders, self.author)

    def _checked(self, slot: _Slot, transport: IceUdpTransport) -> tuple[IceUdpTransport, str]:
        """The transport as it will be used, with what it shares with its bundle, and its setup.

        Looked at before the codecs: a peer without DTLS (Gajim, QXmpp) lacks much else, but this is why there can be no call (J-129).
        """
        tag = self.tags.get(slot.mid)
        if tag is not None and (transport.ufrag is None or transport.pwd is None or (self.answer and transport.ufrag != tag.ufrag)):
            transport = replace(transport, ufrag=tag.ufrag, pwd=tag.pwd)  # J-193
        prints = tuple([item for item in transport.fingerprints or (tag.fingerprints if tag is not None else ()) if self._strong(item)])
        if not prints:
            raise Refused(f"content {slot.mid} has no DTLS fingerprint of sha-256 or better", reason="security-error", rule="J-129")
        if not self._usable_credentials(transport.ufrag or "", transport.pwd or ""):
            raise Refused(f"content {slot.mid} has no valid ICE credentials", reason="failed-transport", rule="J-146")
        setup = self._setup(slot, xep_0320.setup_of(prints))
        return transport if len(prints) == len(transport.fingerprints) else replace(transport, fingerprints=prints), setup

    def _usable_credentials(self, ufrag: str, pwd: str) -> bool:
        """Looked at once; bundled sections mostly say the same."""
        if (ufrag, pwd) not in self.credentials:
            if not ice_chars(ufrag, 4, 256) or not ice_chars(pwd, 22, 256):
                return False
            self.credentials.add((ufrag, pwd))
        return True

    def _strong(self, item: Fingerprint) -> bool:
        """Looked at once; bundled sections mostly say the same."""
        said = item.hash, item.value
        if said not in self.prints:
            self.prints[said] = strong(item)
        return self.prints[said]

    def _setup(self, slot: _Slot, setup: str | None) -> str:
        """Table M-5: an offer defaults to actpass, a later one always says it (J-184); an answer is active or passive."""
        if setup == "holdconn":
            raise Refused(f"content {slot.mid} says setup holdconn", reason="incompatible-parameters", rule="J-182")
        if not self.answer:
            return "actpass" if setup is None or self.later else setup
        offered = None if slot.old is None else slot.old.inherited("setup")
        xep_0320.opposite(setup, offered, f"content {slot.mid}")
        if setup in ("active", "passive"):
            return setup
        return "passive" if offered == "active" else "active"
