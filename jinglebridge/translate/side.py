"""One side of a session: an endpoint that speaks SDP, and what its bridge knows of the other side.

What a side says leaves as stanzas, and what it hears comes as stanzas; nothing else passes. Offers and answers of an endpoint become the
changes that a Jingle session has (`jinglebridge.translate.changes`), and the changes of the other side become whole descriptions again.
The call engine has one side of each call, `jinglebridge translate --stream` has both. Candidates are in `side_trickle`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, fields
from hashlib import sha256
from operator import attrgetter
from typing import NamedTuple

from jinglebridge.errors import OutOfOrder, Refused
from jinglebridge.jingle import Content, Jingle, Role
from jinglebridge.sdp import SessionDescription
from jinglebridge.sdp.grammar import MAX_BYTES, MAX_LINES
from jinglebridge.translate.agreed import answering, as_offer, renamed, settled, with_creators, with_roles, without
from jinglebridge.translate.applied import apply_all
from jinglebridge.translate.changes import changes, reminder
from jinglebridge.translate.described import name_of, without_candidates
from jinglebridge.translate.policy import NONE, PeerPolicy
from jinglebridge.translate.session import Described, from_sdp, media_of, mids, to_sdp

LINE = 100  # what a line costs beside its characters, when sizes are compared

# Which of the stanzas that would tell a change are said to this peer, perhaps in another form: (planned, what the peer knows) -> said.
Take = Callable[[list[Jingle], Described], list[Jingle]]


def everything(planned: list[Jingle], known: Described) -> list[Jingle]:
    return planned


class Offer(NamedTuple):
    """An endpoint's first offer, and what it says to a peer that takes everything."""

    sdp: SessionDescription
    described: Described

    @property
    def media(self) -> tuple[str, ...]:
        """What a propose names; () for data alone."""
        return media_of(self.described)


def first_offer(sdp: SessionDescription) -> Offer:
    """Raises Refused if not all of it can be translated for some peer."""
    return Offer(sdp, from_sdp(sdp, Role.INITIATOR))


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

    def __copy__(self) -> Side:
        return Side(*_fields(self))  # a fifth of the time of the usual one

    def offer(self, sdp: SessionDescription, take: Take | None = None, *, addresses: bool = True) -> list[Jingle]:
        """What the endpoint's offer tells the other side.

        Args:
            take: what of it the peer can take; the default says everything, and at least one stanza, since an offer wants an answer.
            addresses: the first offer tells candidates; without, the caller keeps them for later (`side_trickle.withheld`).

        Raises: Refused; OutOfOrder for a first offer of the responder.
        """
        described = from_sdp(sdp, self.role, creator=self.role, policy=self.policy, extensions=self.extensions)
        if not self.active:
            if self.role is Role.RESPONDER:
                raise OutOfOrder("the first offer is the initiator's")
            return [self._begin(sdp, described if addresses else without_candidates(described))]
        assert self.own is not None
        known = as_offer(self.own)
        described = with_creators(renamed(described, self.names), known)
        planned = list(changes(known, described, self.sid))
        stanzas = (planned or [reminder(known, self.sid)]) if take is None else take(planned, known)
        self.own = apply_all(known, stanzas)
        self._drop(planned, stanzas)
        self._say(sdp)
        return stanzas

    def first(self, offer: Offer, *, addresses: bool = True) -> Jingle:
        """`offer` for the first one, which is read already. Raises Refused."""
        same = not self.extensions and self.policy.transport == NONE.transport
        if not same or any(not self.policy.carries(content) for content in offer.described.contents):
            (jingle,) = self.offer(offer.sdp, addresses=addresses)
            return jingle
        described = self.policy.apply(offer.described, self.role)
        return self._begin(offer.sdp, described if addresses else without_candidates(described))

    def _begin(self, sdp: SessionDescription, described: Described) -> Jingle:
        self.own = described
        self._say(sdp)
        return _whole("session-initiate", self.sid, described)

    def _say(self, sdp: SessionDescription) -> None:
        self.names = {name_of(media): self.names.get(name_of(media), name_of(media)) for media in sdp.media}
        self.said = self.shown = sdp

    def _drop(self, planned: list[Jingle], said: list[Jingle]) -> None:
        """Contents that the endpoint removed are gone, also where the other side cannot be told."""
        gone = [name for name in _removed(planned) if name not in _removed(said)]
        if gone and self.own is not None and self.peer is not None:
            self.own, self.peer = without(self.own, gone), without(self.peer, gone)

    def hear_offer(self, stanzas: Iterable[Jingle]) -> SessionDescription:
        """The offer that the endpoint gets."""
        stanzas = list(stanzas)
        known = as_offer(self.peer) if self.active and self.peer is not None else Described(())
        peer = apply_all(known, stanzas)
        self.version += 1
        previous = self.said if self.active else None
        shown = renamed(peer, self.mids)
        sdp = to_sdp(shown, self.role.other, session_id=self.number, version=self.version, previous=previous, extensions=self.extensions)
        _fits(sdp)
        own = () if previous is None else {name_of(media) for media in previous.media}
        self.names = dict(zip(mids(shown.contents, own), (content.name for content in peer.contents), strict=True))
        self.peer, self.shown = peer, sdp
        self.added = tuple(content.name for jingle in stanzas if jingle.action == "content-add" for content in jingle.contents)
        return sdp

    def answer(self, sdp: SessionDescription, take: Take = everything) -> list[Jingle]:
        """What the endpoint's answer tells the other side; [] where its acknowledgement is the answer. `take` as for `offer`.

        Raises: Refused, OutOfOrder.
        """
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
            planned = list(changes(known, described, self.sid, answer=True))
            told = take(planned, known)
            stanzas += told
            own = without(apply_all(known, told), _removed(planned))
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
        _fits(sdp)
        self.own, self.peer = settled(own, peer)
        self.active = True
        return sdp

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


def _fits(sdp: SessionDescription) -> None:
    """Stanza by stanza a peer can tell more than a description may hold that is read again. Raises Refused. J-244"""
    sections = (sdp, *sdp.media)
    lines = sum(len(section.lines) for section in sections)
    if lines > MAX_LINES or 2 * lines + sum(len("".join(section.lines).encode()) for section in sections) > MAX_BYTES:
        raise Refused("the other side describes more than an SDP can hold", rule="J-244")


def _whole(action: str, sid: str, described: Described) -> Jingle:
    return Jingle(action, sid, contents=described.contents, groups=described.groups, unknown=described.unknown)


def _removed(stanzas: Iterable[Jingle]) -> list[str]:
    return [content.name for jingle in stanzas if jingle.action == "content-remove" for content in jingle.contents]


_fields = attrgetter(*(item.name for item in fields(Side)))
