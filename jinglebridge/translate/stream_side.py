"""One side of a session in `jinglebridge translate --stream`: an endpoint that speaks SDP, and what its bridge knows of the other side.

What a side says leaves as stanzas, and what it hears comes as stanzas; nothing else passes. Offers and answers of an endpoint become the
changes that a Jingle session has (`jinglebridge.translate.changes`), and the changes of the other side become whole descriptions again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any

from jinglebridge.errors import OutOfOrder, Refused
from jinglebridge.jingle import Candidate, Content, IceUdpTransport, Jingle, Role
from jinglebridge.sdp import SessionDescription
from jinglebridge.translate.agreed import answering, as_offer, renamed, settled, with_creators, with_roles, without
from jinglebridge.translate.applied import MAX_CANDIDATES, Unknown, apply, apply_all, credentials
from jinglebridge.translate.changes import changes, reminder, transport_info
from jinglebridge.translate.described import name_of
from jinglebridge.translate.policy import NONE, PeerPolicy
from jinglebridge.translate.session import Described, from_sdp, mids, to_sdp
from jinglebridge.translate.tails import candidate_extras, candidate_with_extras
from jinglebridge.translate.trickle import candidate_from_sdp, ufrag_of

LINE = 100  # what a line costs beside its characters, when sizes are compared


@dataclass(slots=True)
class Side:
    """State of one side; it is changed only by a call that ends without an error.

    `own`: what the other side knows of our endpoint. `peer`: what we know of the other side. `said`: the endpoint's last SDP; `shown`: the
    last SDP whose sections the endpoint has, its own or one that it got. `names`: content names by the endpoint's mids. `added`: contents
    that the other side added and the endpoint has not answered. `trickled`: size of the candidates that were told one by one.
    """

    role: Role
    sid: str
    policy: PeerPolicy = NONE
    extensions: bool = False
    own: Described | None = None
    peer: Described | None = None
    said: SessionDescription | None = None
    shown: SessionDescription | None = None
    names: dict[str, str] = field(default_factory=dict)
    added: tuple[str, ...] = ()
    active: bool = False
    version: int = 0
    candidates: int = 0
    trickled: int = 0

    def offer(self, sdp: SessionDescription) -> list[Jingle]:
        """What the endpoint's offer tells the other side. Raises Refused; OutOfOrder for a first offer of the responder."""
        described = from_sdp(sdp, self.role, creator=self.role, policy=self.policy, extensions=self.extensions)
        if not self.active:
            if self.role is Role.RESPONDER:
                raise OutOfOrder("the first offer is the initiator's")
            stanzas = [_whole("session-initiate", self.sid, described)]
            self.own = described
        else:
            assert self.own is not None
            known = as_offer(self.own)
            described = with_creators(renamed(described, self.names), known)
            stanzas = list(changes(known, described, self.sid)) or [reminder(known, self.sid)]
            self.own = apply_all(known, stanzas)
        self.names = {name_of(media): self.names.get(name_of(media), name_of(media)) for media in sdp.media}
        self.said = self.shown = sdp
        return stanzas

    def hear_offer(self, stanzas: Iterable[Jingle]) -> SessionDescription:
        """The offer that the endpoint gets."""
        stanzas = list(stanzas)
        known = as_offer(self.peer) if self.active and self.peer is not None else Described(())
        peer = apply_all(known, stanzas)
        self.version += 1
        previous = self.said if self.active else None
        shown = renamed(peer, self.mids)
        sdp = to_sdp(shown, self.role.other, session_id=self.number, version=self.version, previous=previous, extensions=self.extensions)
        own = () if previous is None else {name_of(media) for media in previous.media}
        self.names = dict(zip(mids(shown.contents, own), (content.name for content in peer.contents), strict=True))
        self.peer, self.shown = peer, sdp
        self.added = tuple(content.name for jingle in stanzas if jingle.action == "content-add" for content in jingle.contents)
        return sdp

    def answer(self, sdp: SessionDescription) -> list[Jingle]:
        """What the endpoint's answer tells the other side; () where its acknowledgement is the answer. Raises Refused, OutOfOrder."""
        peer = self.peer
        if peer is None or self.shown is None or self.shown is self.said:
            raise OutOfOrder("an answer without an offer")
        described = from_sdp(sdp, self.role, accept_of=renamed(peer, self.mids), policy=self.policy, extensions=self.extensions)
        described = renamed(described, self.names)
        if not self.active or self.own is None:
            own = described
            stanzas = [_whole("session-accept", self.sid, own)]
        else:
            refused = self._refused(sdp)
            described, peer = without(with_roles(described, self.own), refused), without(peer, refused)
            stanzas = [
                Jingle("content-reject", self.sid, contents=(Content(content.name, content.creator),))
                for name in refused
                if (content := self.peer_content(name)) is not None
            ]
            known = answering(self.own, peer)
            told = changes(known, described, self.sid, answer=True)
            stanzas += told
            own = apply_all(known, told)
        self.peer, self.own = settled(peer, own)
        self.said = self.shown = sdp
        self.added, self.active = (), True
        return stanzas

    def _refused(self, sdp: SessionDescription) -> tuple[str, ...]:
        """Names of the contents that the other side added and the answer rejects. J-215"""
        rejected = {self.names.get(name_of(media)) for media in sdp.media if media.rejected}
        return tuple(name for name in self.added if name in rejected)

    def peer_content(self, name: str) -> Content | None:
        return None if self.peer is None else self.peer.content(name)

    def hear_answer(self, stanzas: Sequence[Jingle]) -> SessionDescription:
        """The answer that the endpoint gets to its last offer."""
        if self.own is None or self.said is None or self.shown is not self.said:
            raise OutOfOrder("an answer without an offer")
        own = without(self.own, [c.name for jingle in stanzas if jingle.action == "content-reject" for c in jingle.contents])
        known = answering(self.peer, own) if self.active and self.peer is not None else Described(())
        peer = apply_all(known, [jingle for jingle in stanzas if jingle.action != "content-reject"])
        self.version += 1
        sdp = to_sdp(
            renamed(peer, self.mids),
            self.role.other,
            session_id=self.number,
            version=self.version,
            offer=self.said,
            extensions=self.extensions,
        )
        self.own, self.peer = settled(own, peer)
        self.active = True
        return sdp

    def candidate(self, init: dict[str, Any]) -> Jingle | None:
        """The transport-info for an RTCIceCandidateInit; None for one that is not to be sent. J-152 … J-164

        Raises: Refused before any description or for an unknown section, SdpError for what is no candidate.
        """
        content = self._own_content(init)
        if content is None or content.transport is None or self.own is None:
            return None
        text = "" if init.get("candidate") is None else init["candidate"]
        if not isinstance(text, str):
            raise Refused("not a candidate: a string is expected", rule="J-151")
        ufrag = ufrag_of(text) or init.get("usernameFragment") or content.transport.ufrag
        if ufrag != content.transport.ufrag or len(content.transport.candidates) >= MAX_CANDIDATES:
            return None  # of a generation that is over (J-169), or one too many
        found = candidate_from_sdp(text, id=f"t{self.candidates + 1}")
        if found is None:
            ends = not text.strip() and self.policy.end_of_candidates
            return self._told(content, gathering_complete=True) if ends else None
        if not self.policy.admits(found):
            return None
        self.candidates += 1
        self.trickled += LINE + len(text)
        extras = candidate_extras(text, found, content.transport.ufrag) if self.extensions else ()
        return self._told(content, candidates=(found,), unknown=extras)

    def end(self) -> list[Jingle]:
        """The end of candidates of the whole endpoint: a transport-info for each content that has not said so. J-165"""
        if self.own is None or not self.policy.end_of_candidates:
            return []
        contents = [content for content in self.own.contents if content.transport is not None and not content.transport.gathering_complete]
        return [self._told(content, gathering_complete=True) for content in contents]

    def _told(
        self, content: Content, *, candidates: tuple[Candidate, ...] = (), gathering_complete: bool = False, unknown: Unknown = ()
    ) -> Jingle:
        assert content.transport is not None and self.own is not None
        transport = IceUdpTransport(*credentials(content.transport), candidates=candidates, gathering_complete=gathering_complete)
        jingle = Jingle("transport-info", self.sid, contents=(transport_info(content, transport, unknown),))
        self.own = apply(self.own, jingle)
        return jingle

    def hear_info(self, jingle: Jingle) -> list[dict[str, Any]]:
        """What the endpoint gets for a transport-info: RTCIceCandidateInit, "" for the end; nothing for an unknown or old transport."""
        if self.peer is None or self.shown is None:
            raise Refused("a candidate before any description", rule="J-155")
        found, kept, mids = [], [], self.mids
        for content in jingle.contents:
            known, transport = self.peer.content(content.name), content.transport
            if known is None or known.transport is None or transport is None or credentials(transport) != credentials(known.transport):
                continue
            mid = mids.get(content.name, content.name)
            index = next((media.index for media in self.shown.media if name_of(media) == mid), 0)
            texts = [candidate_with_extras(item, content.unknown, transport.ufrag) for item in transport.candidates]
            texts += [""] if transport.gathering_complete else []
            found += [{"candidate": text, "sdpMid": mid, "sdpMLineIndex": index, "usernameFragment": transport.ufrag} for text in texts]
            kept.append(content)
        self.peer = apply(self.peer, replace(jingle, contents=tuple(kept)))
        return found

    def complete(self) -> bool:
        """Has the other side said of every content that no candidate will follow?"""
        contents = () if self.peer is None else self.peer.contents
        return contents != () and all(content.transport is None or content.transport.gathering_complete for content in contents)

    @property
    def size(self) -> int:
        """How much SDP this state holds, in characters and `LINE` for each line: what the endpoint said, what it got, its candidates.

        All else in the state is made of these.
        """
        sdps = [sdp for sdp in (self.said, None if self.shown is self.said else self.shown) if sdp is not None]
        sections = [section for sdp in sdps for section in (sdp, *sdp.media)]
        return self.trickled + sum(LINE * len(section.lines) + sum(map(len, section.lines)) for section in sections)

    @property
    def mids(self) -> dict[str, str]:
        """The endpoint's mids by content names."""
        return {name: mid for mid, name in self.names.items()}

    @property
    def number(self) -> int:
        """Session id of the o= lines, the same for the whole call."""
        return int.from_bytes(sha256(self.sid.encode("utf-8", "replace")).digest()[:8], "big") >> 1

    def _own_content(self, init: dict[str, Any]) -> Content | None:
        """The content of a candidate: by mid, else by index. None if its section is no content; Refused if there is no such section."""
        if self.said is None or self.own is None:
            raise Refused("a candidate before any description", rule="J-155")
        mid, index = init.get("sdpMid"), init.get("sdpMLineIndex")
        for media in self.said.media:
            if media.mid == mid if mid else media.index == index:
                return self.own.content(self.names.get(name_of(media), name_of(media)))
        raise Refused("a candidate of an unknown section", rule="J-164")


def _whole(action: str, sid: str, described: Described) -> Jingle:
    return Jingle(action, sid, contents=described.contents, groups=described.groups, unknown=described.unknown)
