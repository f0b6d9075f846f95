"""What is known about peers: their online resources and what each can do.

Presence is kept per (our user, peer), since it was shown to that user only. Capabilities are kept per caps hash, verified by
recomputing it, with one query in flight per hash.

Spec: RFC 6121 §4, XEP-0115 §5.4, §8.2; J-026 … J-029, J-041.
"""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ET
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from jinglebridge.calls.model import AUDIO, CALLABLE, JMI, VIDEO, PeerInfo, PeerResource
from jinglebridge.errors import BadRequest
from jinglebridge.xmpp import caps
from jinglebridge.xmpp.requests import Requests
from jinglebridge.xmpp.stanza import NS, Stanza

MAX_CAPS = 2000  # hashes kept
MAX_RESOURCES = 32  # of one peer
MAX_QUERIES = 4  # at the same time, to one peer
SHOWS = {"": "available", "chat": "available", "away": "away", "xa": "away", "dnd": "dnd"}
NICK = "{http://jabber.org/protocol/nick}nick"

Pair = tuple[str, str]  # (own bare JID, peer bare JID)


@dataclass(frozen=True, slots=True)
class Resource:
    """One online resource: `show` in the words of the JSON protocol, `features` None until known; `node` and `ver` of its caps,
    `ver` "" if there is none that can be verified."""

    jid: str
    show: str
    status: str
    priority: int
    features: frozenset[str] | None = None
    node: str = ""
    ver: str = ""

    @property
    def key(self) -> str:
        """What is asked about: the hash, or this resource alone."""
        return self.ver or self.jid


@dataclass(slots=True)
class Known:
    """A peer as one of our users knows it."""

    resources: dict[str, Resource] = field(default_factory=dict)
    nick: str = ""
    info: PeerInfo | None = None  # of those asked for since they changed last: each event of a call asks

    @property
    def able(self) -> tuple[bool, bool] | None:
        """Can it take audio, video? None: nothing is known of anything that is online."""
        known = [r.features for r in self.resources.values() if r.features is not None]
        return (any(_takes(f, AUDIO) for f in known), any(_takes(f, VIDEO) for f in known)) if known else None


@dataclass(frozen=True, slots=True)
class Seen:
    """A peer as one of our users sees it; the best resource speaks for all. `able`: see `Known`."""

    presence: str = "offline"
    status: str = ""
    able: tuple[bool, bool] | None = None


NOTHING = Known()


class Peers:
    """Tracks presence and capabilities.

    `on_change(own bare, peer bare)` is called when what a user sees changes, `on_able(own, peer, audio, video)` when it has become known
    what a peer can take; `called(own, peer)` tells the name that a user gave to a peer.
    """

    def __init__(self, requests: Requests) -> None:
        self._requests = requests
        self._known: dict[str, dict[str, Known]] = {}  # own -> peer
        self._caps: OrderedDict[str, frozenset[str]] = OrderedDict()  # verified hash -> features
        self._waiting: dict[str, dict[Pair, None]] = {}  # hash or full JID that is asked about -> (own, full JID) that wait for it
        self._busy: dict[str, int] = {}  # bare JID -> queries that it has to answer
        self.called: Callable[[str, str], str] = lambda own, peer: ""
        self.on_able: Callable[[str, str, bool, bool], None] = lambda own, peer, audio, video: None
        self.on_change: Callable[[str, str], None] = lambda own, peer: None
        self.on_resource: Callable[[str, bool], None] = lambda jid, available: None

    def available(self, stanza: Stanza) -> None:
        own, peer = stanza.to.partition("/")[0], stanza.sender.partition("/")[0]
        known = self._known.setdefault(own, {}).setdefault(peer, Known())
        known.info = None
        before = known.resources.get(stanza.sender)
        if before is None and len(known.resources) >= MAX_RESOURCES:
            return
        known.nick = stanza.element.findtext(NICK, "")[:128] or known.nick
        node, ver = _caps(stanza.element)
        known.resources[stanza.sender] = Resource(
            stanza.sender,
            SHOWS.get(stanza.element.findtext(f"{{{NS}}}show", ""), "available"),
            stanza.element.findtext(f"{{{NS}}}status", "")[:1024],
            _priority(stanza.element.findtext(f"{{{NS}}}priority", "0")),
            before.features if before else None,
            node,
            ver,
        )
        self._learn(own, known.resources[stanza.sender])
        self.on_resource(stanza.sender, True)
        self.on_change(own, peer)

    def unavailable(self, stanza: Stanza) -> None:
        """A resource left; without one, or for an error from the bare JID, the peer is offline. J-041."""
        own, peer = stanza.to.partition("/")[0], stanza.sender.partition("/")[0]
        known = self._get(own, peer)
        known.info = None
        for jid in [stanza.sender] if "/" in stanza.sender else list(known.resources):
            known.resources.pop(jid, None)
            self.on_resource(jid, False)
        self.on_change(own, peer)

    def forget(self, own: str, peer: str) -> None:
        """This user sees that peer no more."""
        known = self._known.get(own, {}).pop(peer, NOTHING)
        for jid in known.resources:
            self.on_resource(jid, False)
        self.on_change(own, peer)

    def forget_user(self, own: str) -> None:
        """Nobody of this user is online: what was shown to it is stale from now on."""
        self._known.pop(own, None)

    def forget_all(self) -> None:
        """The stream broke: presence is unknown until it is sent again. Capabilities stay true."""
        self._waiting.clear()
        for own, peers in self._known.items():
            for peer, known in peers.items():
                if known.resources:
                    known.resources.clear()
                    known.info = None
                    self.on_change(own, peer)

    def _get(self, own: str, peer: str) -> Known:
        return self._known.get(own, {}).get(peer) or Known()

    def seen(self, own: str, peer: str) -> Seen:
        known = self._get(own, peer)
        if not known.resources:
            return Seen()
        best = min(known.resources.values(), key=lambda r: (("available", "away", "dnd").index(r.show), -r.priority))
        return Seen(best.show, best.status, known.able)

    def info(self, own: str, peer: str) -> PeerInfo:
        """What the engine wants to know with each event of a call."""
        known = self._get(own, peer)
        if known.info is None:  # what is known of strangers is nothing, and is not kept
            resources = known.resources.values()
            known.info = PeerInfo(self.name(own, peer), tuple(PeerResource(r.jid, r.features, r.priority, r.node) for r in resources))
        return known.info

    def name(self, own: str, peer: str) -> str:
        """What our user calls them, or the nickname that the peer gave itself, or ""."""
        return self.called(own, peer) or self._get(own, peer).nick

    def renamed(self, own: str, peer: str) -> None:
        self._get(own, peer).info = None

    # --- capabilities

    def _learn(self, own: str, resource: Resource) -> None:
        """Find out what the resource can do: from the cache, or by asking it.

        A peer who sends ever new hashes is asked a few things at a time, and about its last presence in the end.
        """
        if resource.ver in self._caps:
            self._caps.move_to_end(resource.ver)
            self._found(own, resource.jid, resource.key, self._caps[resource.ver])
            return
        waiting = self._waiting.get(resource.key)
        if waiting is not None:
            waiting[own, resource.jid] = None
        elif self._busy.get(_bare(resource.jid), 0) < MAX_QUERIES:
            self._waiting[resource.key] = {(own, resource.jid): None}
            self._ask(own, resource)

    def _ask(self, own: str, resource: Resource) -> None:
        query = ET.Element(f"{{{caps.INFO}}}query", {"node": f"{resource.node}#{resource.ver}"} if resource.ver else {})
        peer = _bare(resource.jid)
        self._busy[peer] = self._busy.get(peer, 0) + 1

        def answered(payload: ET.Element | None, condition: str | None, _: str | None) -> None:
            self._busy[peer] -= 1
            if not self._busy[peer]:
                del self._busy[peer]
            if condition == "offline":
                self._waiting.pop(resource.key, None)
            else:
                self._answered(own, resource, payload)

        self._requests.ask("get", own, resource.jid, query, answered, 10.0)

    def _answered(self, own: str, asked: Resource, payload: ET.Element | None) -> None:
        """Use an answer. One peer who says nothing, or nonsense, must not hide what the others with this hash can do: they are asked."""
        waiting = self._waiting.pop(asked.key, {})
        try:
            features = None if payload is None else self._verified(asked, caps.read(payload))
        except BadRequest:
            features = None
        if asked.ver and features is not None and asked.ver in self._caps:
            for each, jid in waiting:
                self._found(each, jid, asked.key, features)
        else:
            others = {pair: None for pair in waiting if pair[1] != asked.jid}
            if features is not None:
                for each, jid in waiting:
                    if jid == asked.jid:
                        self._found(each, jid, asked.key, features)
            self._ask_another(asked.key, others)
        # What this peer sent while it had to answer enough already.
        last = self._get(own, _bare(asked.jid)).resources.get(asked.jid)
        if last is not None and last.key != asked.key:
            self._learn(own, last)

    def _verified(self, asked: Resource, info: caps.DiscoInfo) -> frozenset[str]:
        """The features, kept for the hash if they have it. A failed check is good for the one who answered, never for others."""
        if asked.ver and info.ver() == asked.ver:
            self._caps[asked.ver] = info.features
            if len(self._caps) > MAX_CAPS:
                self._caps.popitem(last=False)
        return info.features

    def _ask_another(self, key: str, others: dict[Pair, None]) -> None:
        for own, jid in others:
            resource = self._get(own, _bare(jid)).resources.get(jid)
            if resource is not None and resource.key == key:
                self._waiting[key] = others
                self._ask(own, resource)
                return

    def _found(self, own: str, jid: str, key: str, features: frozenset[str]) -> None:
        known = self._get(own, _bare(jid))
        resource = known.resources.get(jid)
        if resource is None or resource.key != key:
            return  # it left, or is something else by now
        known.info = None
        known.resources[jid] = replace(resource, features=features)
        if known.able is not None:
            self.on_able(own, _bare(jid), *known.able)
        self.on_change(own, _bare(jid))


def _takes(features: frozenset[str], medium: str) -> bool:
    return medium in features and (CALLABLE <= features or JMI in features)


def _bare(jid: str) -> str:
    return jid.partition("/")[0]


def _caps(presence: ET.Element) -> tuple[str, str]:
    """Node and hash; a hash that cannot be verified is none, so each such resource is asked itself."""
    c = presence.find(f"{{{caps.NS}}}c")
    if c is None:
        return "", ""
    ver = c.get("ver", "") if c.get("hash") == "sha-1" else ""
    return sys.intern(c.get("node", "")[:256]), sys.intern(ver) if len(ver) < 64 else ""  # many have the same


def _priority(text: str) -> int:
    try:
        return max(-128, min(127, int(text)))
    except ValueError:
        return 0
