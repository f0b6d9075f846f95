"""An endpoint's SDP becomes a description for Jingle.

What cannot be carried to any peer is Refused with the Jingle reason and the rule; what merely has no Jingle form is left out.
Rejected sections of an offer, data channels for a peer that has none, and everything that is neither RTP nor a data channel are left
out as well: in the answer they come back as port 0 in their place (J-091, J-224). An SDP of which nothing is left is refused with
unsupported-applications.
"""

from __future__ import annotations

from jinglebridge.errors import Refused
from jinglebridge.jingle import (
    Content,
    Fingerprint,
    Group,
    IceUdpTransport,
    Role,
    RtpDescription,
    Senders,
    xep_0167_sdp,
    xep_0176,
    xep_0320,
    xep_0338,
)
from jinglebridge.jingle.ice import ice_chars
from jinglebridge.jingle.roles import both_allow, direction_to_senders
from jinglebridge.jingle.xep_0167 import MEDIA
from jinglebridge.sdp import MediaDescription, SessionDescription
from jinglebridge.translate.answers import fit, without_offered_ids
from jinglebridge.translate.described import Described, mids, name_of, translatable, without_mid_extension
from jinglebridge.translate.extensions import carry
from jinglebridge.translate.policy import NONE, PeerPolicy
from jinglebridge.translate.writer import to_sdp
from jinglebridge.values import replace


def from_sdp(
    sdp: SessionDescription,
    author: Role,
    *,
    creator: Role = Role.INITIATOR,
    policy: PeerPolicy = NONE,
    accept_of: Described | None = None,
    answer: bool | None = None,
    extensions: bool = False,
) -> Described:
    """Contents and groups for what an endpoint wrote.

    Args:
        author: session role of the endpoint; decides directions (M-2).
        creator: who made the contents; with `accept_of` theirs is taken.
        policy: what the peer can take.
        accept_of: the description being answered; names and creators come from it.
        answer: the SDP is an answer; default: whether `accept_of` is given.
        extensions: carry also what has no Jingle form, in private elements (`jinglebridge.translate.extensions`).

    Raises: Refused, with `reason` and `rule`: no DTLS or weak hash (security-error), bad ICE credentials (failed-transport),
        no rtcp-mux, no codec, setup holdconn, an answer without an offered codec (incompatible-parameters), nothing that can be translated
        (unsupported-applications), an answer of another kind of media than its offer (failed-application) or with the setup of its offer
        (security-error).

    Spec: XEP-0167 §5; J-109 … J-129, J-146, J-178 … J-194, table M-3.
    """
    reader = _Reader(sdp, author, accept_of, accept_of is not None if answer is None else answer, policy)
    pairs = [(media, reader.counted(media, creator)) for media in sdp.media]
    contents = tuple(content for _, content in pairs if content is not None)
    if not any(policy.carries(content) for content in contents):
        raise Refused("no audio, video or data is left to translate", reason="unsupported-applications", rule="J-224")
    described = Described(contents, reader.groups())
    if extensions:
        default = to_sdp(described, author, session_id=0, version=1, answer=reader.answer)
        described = carry(sdp, pairs, described, default)
    return policy.apply(described, author)


class _Reader:
    """The facts of one SDP that its sections share."""

    def __init__(self, sdp: SessionDescription, author: Role, offer: Described | None, answer: bool, policy: PeerPolicy) -> None:
        self.sdp, self.author, self.offer, self.answer, self.policy = sdp, author, offer, answer, policy
        self.sdp_groups = xep_0338.from_sdp(sdp)
        self.tags = _tags(sdp, self.sdp_groups)
        self.first = next((g for g in self.sdp_groups if g.semantics == "BUNDLE"), Group("BUNDLE"))
        self.bundle = self.first.names
        own = {name_of(media) for media in sdp.media}
        self.offered = {} if offer is None else dict(zip(mids(offer.contents, own), offer.contents, strict=True))
        self.tag = next((self.tags[mid] for mid in self.bundle if mid in self.tags), None)
        self.names: dict[str, str] = {}
        self.prints: dict[tuple[str | None, ...], tuple[Fingerprint, ...]] = {}

    def counted(self, media: MediaDescription, creator: Role) -> Content | None:
        """The content of a section, None if it has none."""
        if not translatable(media) or (media.kind not in MEDIA and not self.policy.data):
            return None
        return self.rejected(media) if media.rejected else self.content(media, creator)

    def counterpart(self, media: MediaDescription) -> Content | None:
        """The offered content that this section answers: by mid, or by position where the answerer wrote no mid."""
        if self.offer is None:
            return None
        if media.mid is not None:
            return self.offered.get(media.mid)
        return self.offer.contents[media.index] if media.index < len(self.offer.contents) else None

    def content(self, media: MediaDescription, creator: Role) -> Content | None:
        """The content of an accepted section; None if it answers nothing that was offered."""
        offered = self.counterpart(media)
        if self.offer is not None and offered is None:
            return None
        mid = name_of(media)
        name = mid if offered is None else offered.name
        self.names[mid] = name
        creator = creator if offered is None else offered.creator
        tag = self.tags.get(mid)
        if media.kind not in MEDIA:
            _same_kind(offered is None or offered.data, media)
            return Content(name, creator, transport=self.transport(media, offered, tag))
        _same_kind(offered is None or (offered.description is not None and offered.description.media == media.kind), media)
        description = self.description(media, offered, tag is not None)
        if name != mid:
            description = without_mid_extension(description)
        senders = direction_to_senders(media.effective_direction, self.author)
        if offered is not None:
            senders = both_allow(senders, offered.senders or Senders.BOTH)  # J-110
        return Content(
            name,
            creator,
            None if senders is Senders.BOTH else senders,
            description=description,
            transport=self.transport(media, offered, tag),
        )

    def description(self, media: MediaDescription, offered: Content | None, bundled: bool) -> RtpDescription:
        found = xep_0167_sdp.from_sdp(media, self.author)
        payloads = xep_0167_sdp.usable(found)
        if not payloads:
            raise Refused(f"section {media.index} has no usable payload type", reason="incompatible-parameters", rule="J-117")
        if not found.rtcp_mux and not bundled:
            raise Refused(f"section {media.index} has no rtcp-mux", reason="incompatible-parameters", rule="J-127")
        if self.answer:
            found = without_offered_ids(found)
        if offered is not None and offered.description is not None:
            found, payloads = fit(found, payloads, offered.description, f"section {media.index}")
            return replace(found, payload_types=xep_0167_sdp.with_ptime(media, payloads), rtcp_mux=True)
        if found.rtcp_mux and len(payloads) == len(found.payload_types):
            return found
        return replace(found, payload_types=payloads, rtcp_mux=True)

    def transport(self, media: MediaDescription, offered: Content | None, tag: MediaDescription | None) -> IceUdpTransport:
        """Credentials, fingerprints and candidates; a bundled section that lacks them has those of the tag (J-192)."""
        default, ns = "actpass", self.policy.transport
        if offered is not None and offered.transport is not None:
            ns = offered.transport.ns  # J-176
        if self.answer:
            setup = None if offered is None or offered.transport is None else xep_0320.setup_of(offered.transport.fingerprints)
            default = "passive" if setup == "active" else "active"
            xep_0320.opposite(media.inherited("setup"), setup, f"section {media.index}")
        prints = self.fingerprints(media, default)
        found = xep_0176.from_sdp(media, prints, ns)
        if tag is not None and tag is not media:
            if not prints:
                found = replace(found, fingerprints=self.fingerprints(tag, default))
            if found.ufrag is None or found.pwd is None:
                found = replace(found, ufrag=tag.inherited("ice-ufrag"), pwd=tag.inherited("ice-pwd"))
        if not found.fingerprints:
            raise Refused(f"section {media.index} has no DTLS fingerprint of sha-256 or better", reason="security-error", rule="J-183")
        if not ice_chars(found.ufrag or "", 4, 256) or not ice_chars(found.pwd or "", 22, 256):
            raise Refused(f"section {media.index} has no valid ICE credentials", reason="failed-transport", rule="J-146")
        return found

    def fingerprints(self, media: MediaDescription, default: str) -> tuple[Fingerprint, ...]:
        """Those of a section, looked at once; bundled sections mostly say the same."""
        said = (default, media.inherited("setup"), *media.inherited_all("fingerprint"))
        found = self.prints.get(said)
        if found is None:
            found = self.prints[said] = xep_0320.from_sdp(media, answer=self.answer, default=default)
        return found

    def rejected(self, media: MediaDescription) -> Content | None:
        """A section with port 0. In an answer inside a BUNDLE it stays as a content that nobody sends. J-090

        COMPAT(Conversations 2.12): ends the call unless the media of accept and offer are the same (J-089).
        """
        offered = self.counterpart(media)
        if not self.answer or offered is None or offered.description is None or self.offer is None or self.tag is None:
            return None
        if offered.name not in self.offer.bundle() or self.tag.rejected:
            return None
        try:
            transport = self.transport(self.tag, offered, self.tag)
        except Refused:
            return None
        mid = name_of(media)
        self.names[mid] = offered.name
        if mid not in self.bundle:
            self.bundle += (mid,)
        wanted = {payload.id for payload in xep_0167_sdp.from_sdp(media, self.author).payload_types}
        common = tuple(payload for payload in offered.description.payload_types if payload.id in wanted)
        description = RtpDescription(offered.description.media, common or offered.description.payload_types, rtcp_mux=True)
        return Content(
            offered.name,
            offered.creator,
            Senders.NONE,
            description=description,
            transport=replace(transport, candidates=(), gathering_complete=False, sctp=None),
        )

    def groups(self) -> tuple[Group, ...]:
        """The groups under content names, without names of sections that were left out. J-189, J-191"""
        found = []
        for group in self.sdp_groups:
            names = self.bundle if group is self.first else group.names
            renamed = Group(group.semantics, names).renamed(self.names)
            if renamed is not None:
                found.append(renamed)
        return xep_0338.distinct(found)


def _tags(sdp: SessionDescription, groups: tuple[Group, ...]) -> dict[str, MediaDescription]:
    """By mid: the section whose transport a bundled one shares, the first of its group that exists. RFC 9143 §7"""
    sections = {media.mid: media for media in sdp.media}
    found: dict[str, MediaDescription] = {}
    for group in groups:
        tag = next((sections[mid] for mid in group.names if mid in sections), None)
        if group.semantics == "BUNDLE" and tag is not None:
            for mid in group.names:
                found.setdefault(mid, tag)
    return found


def _same_kind(same: bool, media: MediaDescription) -> None:
    if not same:
        raise Refused(f"section {media.index} answers another kind of media", reason="failed-application", rule="J-089")
