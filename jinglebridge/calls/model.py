"""What a call remembers, and what the engine knows about the two sides.

`CallState` is the whole of a call: saving it saves the call, loading it brings the call back (`to_json`, `from_json`).
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from functools import lru_cache
from operator import attrgetter
from typing import Any, Literal

from jinglebridge.calls import stored
from jinglebridge.calls.kinds import KINDS, UNKNOWN, Kind, kind_of
from jinglebridge.calls.reasons import EndReason
from jinglebridge.calls.states import Joint, Ringing, Session, Signalling, joint, over
from jinglebridge.jingle import Role
from jinglebridge.translate.outline import Outline
from jinglebridge.translate.side import Side

JMI = "urn:xmpp:jingle-message:0"
BUNDLE = "urn:ietf:rfc:5888"
CALLABLE = frozenset(
    {"urn:xmpp:jingle:1", "urn:xmpp:jingle:apps:rtp:1", "urn:xmpp:jingle:transports:ice-udp:1", "urn:xmpp:jingle:apps:dtls:0"}
)
AUDIO = "urn:xmpp:jingle:apps:rtp:audio"
VIDEO = "urn:xmpp:jingle:apps:rtp:video"


FORMAT = 1  # of a row of the journal; to be raised when a field of a named tuple in a description changes its place

GUEST = "guest-"  # how the names of those begin who come by a guest link


def is_guest(jid: str) -> bool:
    """Came this user of ours by a guest link? Nobody else has such a name but the XMPP user ``guest-…@…``, whose address is escaped."""
    return jid.startswith(GUEST) and "\\40" not in jid.partition("@")[0]


def bare(jid: str) -> str:
    """The JID without its resource. JIDs reach the engine already prepared (J-012)."""
    return jid.partition("/")[0]


@dataclass(frozen=True, slots=True)
class Timers:
    """Seconds. DESIGN §5."""

    ring: float = 60.0
    initiate: float = 10.0  # from proceed to session-initiate
    accept: float = 60.0  # from a peer's proceed to its session-accept; its person may have to allow a camera first
    connect: float = 45.0  # from session-accept to media, for clients that report stats
    finish: float = 2.0  # from a peer's finish to its session-terminate
    gone: float = 10.0  # from a peer's unavailable to the end, while no media is reported
    back: float = 4.0  # from the word of a page that it is gone to its return, where a call can go on as another one
    again: float = 15.0  # and from its return until its person calls again
    change: float = 10.0  # from an offer in a running call to its answer, on either side
    page: float = 150.0  # to the endpoint's answer after that: longer than any page has to come back
    add: float = 30.0  # the same where the peer's person may be asked: content-add
    probe: float = 12.0  # to answer that; a page reports its media every 10 s meanwhile
    owed: float = 3600.0  # how long the end of a call is still told to a peer that could not be reached
    remember: float = 60.0  # how long an ended session's key is known
    longest: float = 0.0  # a running call, before the credentials of its relay end; 0: no limit
    longest_guest: float = 0.0  # the same for a guest
    alive: float = 60.0  # of silence in a running session, until an empty session-info asks whether it is still there


@dataclass(frozen=True, slots=True)
class Limits:
    """Counts. DESIGN §5."""

    calls_per_identity: int = 8
    ringing_per_callee: int = 3
    attempts_per_caller: int = 6  # a minute
    attempts_per_domain: int = 20  # a minute, remote domains


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One online web session: who it is and what it may do."""

    jid: str
    name: str = ""
    video: bool = True
    contacts: frozenset[str] = frozenset()  # bare JIDs it may call
    anyone: bool = False  # may call whomever the operator's policy allows
    dnd: bool = False  # does not ring
    private: bool = False  # to anybody but its contacts it is as if it were not there: a guest


@dataclass(frozen=True, slots=True)
class PeerResource:
    """One online resource of a peer; `features` is None until its caps are known."""

    jid: str
    features: frozenset[str] | None = None
    priority: int = 0
    node: str = ""  # of its caps: which client it is

    def takes(self, media: tuple[str, ...]) -> bool:
        """True if a call with these media can be made to it directly. J-028."""
        wanted = CALLABLE | ({AUDIO} if "audio" in media else set()) | ({VIDEO} if "video" in media else set())
        return self.features is not None and wanted <= self.features


@dataclass(frozen=True, slots=True)
class PeerInfo:
    """What is known about a peer (bare JID) when a call starts."""

    name: str = ""
    resources: tuple[PeerResource, ...] = ()

    def uses_jmi(self) -> bool:
        """Ring by message? Yes if a resource can, if one is still unknown, or if nobody is there: phones wake up. J-054."""
        return not self.resources or any(r.features is None or JMI in r.features for r in self.resources)

    def able(self, media: tuple[str, ...]) -> list[str]:
        """Full JIDs for a call without JMI, the highest priority first; `media` is () for data alone. J-028."""
        found = sorted(self.resources, key=lambda r: -r.priority)
        return [r.jid for r in found if r.takes(media) and (media or kind_of(r.node, r.features).policy.data)]

    def bundles(self, jid: str) -> bool:
        """True if the resource announces XEP-0338 grouping."""
        return any(r.jid == jid and BUNDLE in (r.features or ()) for r in self.resources)

    def kind(self, jid: str) -> Kind:
        """Which kind of peer the resource is; `UNKNOWN` for one that was never seen."""
        return next((kind_of(r.node, r.features) for r in self.resources if r.jid == jid), UNKNOWN)


@dataclass(frozen=True, slots=True)
class Abilities:
    """What the peer of a call can take while it runs."""

    bundle: bool = False
    restart: bool = False
    add: bool = False
    modify: bool = False


@lru_cache(maxsize=128)
def _abilities(name: str, role: Role, bundle: bool) -> Abilities:
    kind = KINDS.get(name, UNKNOWN)
    return Abilities(bundle=bundle, restart=kind.restarts(role), add=kind.add, modify=kind.modify)


@dataclass(slots=True)
class Change:
    """An offer in a running call that is not answered yet: the endpoint's to the peer, or the peer's to the endpoint.

    `number`: of the offer, counted by its author. `adds`, `restart`: contents whose accept or reject, whose new credentials the peer
    owes. `heard`: stanzas of the answer so far, or of a bridge's offer, as text. `before`: what both sides had, to go back to.
    `crossed`: an offer of the endpoint met it, which waits for an answer or for the peer's offer. `over`: the peer was told that nothing
    comes of it, but the endpoint may have its offer and has yet to answer. `held`, `numbered`: those of the call before the offer.
    """

    number: int
    before: dict[str, Any] = field(default_factory=dict)
    adds: list[str] = field(default_factory=list)
    restart: list[str] = field(default_factory=list)
    heard: list[str] = field(default_factory=list)
    crossed: bool = False
    over: bool = False
    held: bool = False
    numbered: int = 0


@dataclass(slots=True)
class CallState:
    """Everything a call must remember; only JSON types inside, but for the descriptions (`side`), which are stored as texts.

    `own` is bare while several endpoints ring and the accepting one's full JID afterwards; `peer` is bare while
    proposed by us and a full JID afterwards. `sid` is the Jingle sid and the JMI id. A call that rings several devices by a
    session each is several states with one `call`; `fork` names the others (`calls/forks.py`).
    """

    call: str  # id towards the web side
    sid: str
    direction: Literal["out", "in"]
    own: str
    peer: str
    peer_name: str
    media: list[str]
    created: float
    ringing: Ringing = Ringing.NONE
    session: Session = Session.IDLE
    signalling: Signalling = Signalling.STABLE
    ringing_at: list[str] = field(default_factory=list)  # full JIDs of our endpoints that ring
    proposed_by: str = ""  # full JID that a JMI propose came from
    accepted: bool = False
    fork: list[str] = field(default_factory=list)  # sids of the other branches of this call that are still pending
    answered: float = 0.0  # when the session was accepted
    connected: bool = False
    kind: str = UNKNOWN.name  # of the peer's device, a name in `kinds.KINDS`
    bundle: bool = False  # it announces grouping
    own_sdp: str = ""  # the endpoint's offer until a device of the peer may see it
    peer_xml: str = ""  # the peer's offer, as text, until the endpoint may see it
    own_waiting: list[dict[str, Any]] = field(default_factory=list)  # our candidates that may not leave yet
    inbox: list[str] = field(default_factory=list)  # stanzas of the peer, as text, that wait for their turn (J-221)
    change: Change | None = None
    changes: int = 0  # offers of our endpoint in the running call
    untaken: bool = False  # our last offer to the endpoint was taken back; its answer may be on its way
    held: bool = False  # the peer was told that we hold, since the endpoint's description does
    sent: int = 0  # candidates of ours
    stats_at: float = 0.0
    received: int = 0  # bytes, by the endpoint's stats
    media_at: float = 0.0  # when they last grew
    finish_reason: str = ""
    peer_offline: bool = False
    heard_at: float = 0.0  # when the peer last said anything in the session
    old_ufrags: list[str] = field(default_factory=list)  # of the peer: late candidates of them are no new restart (J-169)
    descriptions: stored.Descriptions = field(default_factory=stored.Descriptions, compare=False)
    deadlines: dict[str, float] = field(default_factory=dict)  # timer -> when it fires, so that a restart can start it again
    numbered: int = 0  # counter behind the numbers in `unacked`
    unacked: list[list[Any]] = field(default_factory=list)  # [number, action or JMI element, from, to, XML]; calls/owed.py
    probed: float = 0.0  # since when an empty session-info waits for its answer; 0: none does
    told: list[str] = field(default_factory=list)  # [type, SDP] that the page may not have got yet
    told_candidates: list[list[Any]] = field(default_factory=list)  # [candidate, mid, index, ufrag] likewise
    undelivered: bool = False  # something in `unacked` came back: nobody was there
    restored: bool = False  # the bridge was restarted since the call began
    end_reason: EndReason = "ended"
    unheard: bool = False  # nothing of it leaves towards the peer, who does not want to hear of it; it just rings until nobody answers
    key: tuple[str, str, str] = field(init=False, compare=False, repr=False)  # own bare JID, peer bare JID, sid: these never change

    def __post_init__(self) -> None:
        self.key = bare(self.own), bare(self.peer), self.sid

    @property
    def role(self) -> Role:
        """Our role in the Jingle session."""
        return Role.INITIATOR if self.direction == "out" else Role.RESPONDER

    @property
    def peer_role(self) -> Role:
        return self.role.other

    @property
    def guest(self) -> bool:
        """Is our side somebody who came by a guest link?"""
        return is_guest(self.own)

    @property
    def jmi(self) -> bool:
        return self.ringing is not Ringing.NONE

    @property
    def joint(self) -> Joint:
        return joint(self.direction, self.ringing, self.session, accepted=self.accepted, connected=self.connected)

    @property
    def ended(self) -> bool:
        return over(self.ringing, self.session)

    @property
    def peer_kind(self) -> Kind:
        return KINDS.get(self.kind, UNKNOWN)

    @property
    def abilities(self) -> Abilities:
        return _abilities(self.kind, self.role, self.bundle)

    @property
    def side(self) -> Side:
        """The two descriptions of the session. A change to it is made on a copy, which then replaces it."""
        return self.descriptions.side(self.blank_side)

    @side.setter
    def side(self, side: Side) -> None:
        self.descriptions.replace(side)

    @property
    def outline(self) -> Outline:
        """What candidates, and names of contents, need of the descriptions; much smaller."""
        return self.descriptions.outline(self.blank_side)

    def copied_side(self) -> Side:
        """A copy to be changed, which replaces `side` when all went well."""
        return self.descriptions.copied(self.blank_side)

    def blank_side(self) -> Side:
        kind = self.peer_kind
        return Side(self.role, self.sid, kind.policy, kind.extensions)

    def pack(self) -> None:
        """Make the call small until its descriptions are needed again: most calls never change."""
        self.descriptions.pack()

    def pack_soon(self) -> None:
        """The same, when the call is next given to the journal."""
        self.descriptions.soon = True

    def to_json(self) -> str:
        values = dict(zip(_SAVED, _saved(self), strict=True))
        return f'{{"format":{FORMAT},{stored.encode(values)[1:-1]},"descriptions":{self.descriptions.to_json()}}}'

    @classmethod
    def from_json(cls, text: str) -> CallState:
        """Inverse of `to_json`. Unknown fields of another version are ignored. Raises ValueError for a row of another format, and like
        KeyError and TypeError for one that lacks something."""
        data = json.loads(text)
        if data["format"] != FORMAT:
            raise ValueError("written in another format")
        values = {name: value for name, value in data.items() if name in _SAVED}
        values |= {"ringing": Ringing(data["ringing"]), "session": Session(data["session"]), "signalling": Signalling(data["signalling"])}
        values["change"] = None if data["change"] is None else Change(**data["change"])
        return cls(**values, descriptions=stored.Descriptions.from_json(data["descriptions"]))


_SAVED = tuple(item.name for item in dataclasses.fields(CallState) if item.name not in ("descriptions", "key"))
_saved = attrgetter(*_SAVED)
