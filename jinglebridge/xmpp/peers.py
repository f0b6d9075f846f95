"""What is known about peers: their online resources and what each can do.

Presence is kept per (our user, peer), since it was shown to that user only. Capabilities are kept per caps hash, verified by
recomputing it, with one query in flight per hash.

Spec: RFC 6121 §4, XEP-0115 §5.4, §8.2; J-026 … J-029, J-041.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace

from jinglebridge.calls.model import AUDIO, CALLABLE, JMI, VIDEO, PeerInfo, PeerResource
from jinglebridge.errors import BadRequest
from jinglebridge.xmpp import caps
from jinglebridge.xmpp.requests import Requests
from jinglebridge.xmpp.stanza import NS, Stanza

MAX_CAPS = 2000  # hashes kept
MAX_RESOURCES = 32  # of one peer
SHOWS = {"": "available", "chat": "available", "away": "away", "xa": "away", "dnd": "dnd"}
NICK = "{http://jabber.org/protocol/nick}nick"

Pair = tuple[str, str]  # (own bare JID, peer bare JID)


@dataclass(frozen=True, slots=True)
class Resource:
    """One online resource: `show` in the words of the JSON protocol, `features` None until known."""

    jid: str
    show: str
    status: str
    priority: int
    features: frozenset[str] | None = None
    node: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """A peer as one of our users sees it; the best resource speaks for all."""

    presence: str = "offline"
    status: str = ""
    audio: bool = False
    video: bool = False


class Peers:
    """Tracks presence and capabilities. `on_change(own bare, peer bare)` is called when what a user sees changes."""

    def __init__(self, requests: Requests) -> None:
        self._requests = requests
        self._resources: dict[Pair, dict[str, Resource]] = {}
        self._nicks: dict[Pair, str] = {}
        self._infos: dict[Pair, PeerInfo] = {}  # of those asked for since they changed last: each event of a call asks
        self._caps: OrderedDict[str, frozenset[str]] = OrderedDict()  # verified hash -> features
        self._asking: dict[str, list[tuple[Pair, str]]] = {}  # hash or full JID -> who waits for it
        self._able: dict[Pair, tuple[bool, bool]] = {}  # last known, kept while the peer sleeps
        self.on_change: Callable[[str, str], None] = lambda own, peer: None
        self.on_resource: Callable[[str, bool], None] = lambda jid, available: None

    def available(self, stanza: Stanza) -> None:
        pair = (stanza.to.partition("/")[0], stanza.sender.partition("/")[0])
        self._infos.pop(pair, None)
        resources = self._resources.setdefault(pair, {})
        if stanza.sender not in resources and len(resources) >= MAX_RESOURCES:
            return
        nick = stanza.element.findtext(NICK)
        if nick:
            self._nicks[pair] = nick[:128]
        known = resources.get(stanza.sender)
        resources[stanza.sender] = Resource(
            stanza.sender,
            SHOWS.get(stanza.element.findtext(f"{{{NS}}}show", ""), "available"),
            stanza.element.findtext(f"{{{NS}}}status", "")[:1024],
            _priority(stanza.element.findtext(f"{{{NS}}}priority", "0")),
            known.features if known else None,
            _node(stanza.element),
        )
        self._learn(pair, stanza)
        self.on_resource(stanza.sender, True)
        self.on_change(*pair)

    def unavailable(self, stanza: Stanza) -> None:
        """A resource left; without one, or for an error from the bare JID, the peer is offline. J-041."""
        pair = (stanza.to.partition("/")[0], stanza.sender.partition("/")[0])
        self._infos.pop(pair, None)
        resources = self._resources.get(pair, {})
        gone = [stanza.sender] if "/" in stanza.sender else list(resources)
        for jid in gone:
            resources.pop(jid, None)
            self.on_resource(jid, False)
        if not resources:
            self._resources.pop(pair, None)
        self.on_change(*pair)

    def forget_user(self, own: str) -> None:
        """Nobody of this user is online: what was shown to it is stale from now on."""
        for table in (self._resources, self._nicks, self._able, self._infos):
            for pair in [p for p in table if p[0] == own]:
                del table[pair]

    def forget_all(self) -> None:
        """The stream broke: presence is unknown until it is sent again. Capabilities stay true."""
        pairs = list(self._resources)
        self._resources.clear()
        self._infos.clear()
        self._asking.clear()
        for pair in pairs:
            self.on_change(*pair)

    def seen(self, own: str, peer: str) -> Seen:
        pair = (own, peer)
        resources = list(self._resources.get(pair, {}).values())
        audio, video = self._able.get(pair, (False, False))
        if not resources:
            return Seen("offline", "", audio, video)
        best = min(resources, key=lambda r: (("available", "away", "dnd").index(r.show), -r.priority))
        return Seen(best.show, best.status, audio, video)

    def info(self, own: str, peer: str) -> PeerInfo:
        """What the engine wants to know with each event of a call."""
        pair = (own, peer)
        info = self._infos.get(pair)
        if info is None:
            resources = self._resources.get(pair, {}).values()
            info = PeerInfo(self.name(own, peer), tuple(PeerResource(r.jid, r.features, r.priority, r.node) for r in resources))
            if resources:  # what is known of strangers is nothing, and is not kept
                self._infos[pair] = info
        return info

    def name(self, own: str, peer: str) -> str:
        """The nickname that the peer gave itself, or ""."""
        return self._nicks.get((own, peer), "")

    # --- capabilities

    def _learn(self, pair: Pair, stanza: Stanza) -> None:
        """Find out what the resource can do: from the cache, or by asking it."""
        c = stanza.element.find(f"{{{caps.NS}}}c")
        node, ver, hash = (c.get("node"), c.get("ver"), c.get("hash")) if c is not None else (None, None, None)
        if hash != "sha-1":
            ver = None  # cannot be verified, so it is asked of each resource
        if ver is not None and ver in self._caps:
            self._caps.move_to_end(ver)
            self._known(pair, stanza.sender, self._caps[ver])
            return
        key = stanza.sender if ver is None else ver
        waiting = self._asking.setdefault(key, [])
        waiting.append((pair, stanza.sender))
        if len(waiting) == 1:
            self._ask(key, None if ver is None else f"{node}#{ver}", stanza.to, stanza.sender)

    def _ask(self, key: str, node: str | None, own: str, peer: str) -> None:
        query = ET.Element(f"{{{caps.INFO}}}query", {} if node is None else {"node": node})

        def answered(payload: ET.Element | None, condition: str | None, _: str | None) -> None:
            self._answered(key, node, peer, payload)
            left = [w for w in self._asking.get(key, ()) if w[1] != peer]
            if node is not None and left and condition != "offline":
                # One peer who says nothing, or nonsense, must not hide what the others with this hash can do.
                self._asking[key] = left
                self._ask(key, node, left[0][0][0], left[0][1])
            else:
                self._asking.pop(key, None)

        self._requests.ask("get", own, peer, query, answered, 10.0)

    def _answered(self, key: str, node: str | None, asked: str, payload: ET.Element | None) -> None:
        """Use an answer; who still waits afterwards stays in `_asking`."""
        waiting = self._asking.get(key, [])
        if payload is None:
            return
        try:
            info = caps.read(payload)
        except BadRequest:
            return
        ver = key if node is not None else None
        if ver is not None and info.ver() == ver:
            self._asking.pop(key, None)
            self._caps[ver] = info.features
            if len(self._caps) > MAX_CAPS:
                self._caps.popitem(last=False)
            for pair, jid in waiting:
                self._known(pair, jid, info.features)
            return
        # A failed check is good for the one who answered, never for others with that hash.
        for pair, jid in waiting:
            if jid == asked:
                self._known(pair, jid, info.features)

    def _known(self, pair: Pair, jid: str, features: frozenset[str]) -> None:
        self._infos.pop(pair, None)
        resources = self._resources.get(pair, {})
        if jid not in resources:
            return
        resources[jid] = replace(resources[jid], features=features)
        all_features = [r.features for r in resources.values() if r.features is not None]
        self._able[pair] = (any(_takes(f, AUDIO) for f in all_features), any(_takes(f, VIDEO) for f in all_features))
        self.on_change(*pair)


def _takes(features: frozenset[str], medium: str) -> bool:
    return medium in features and (CALLABLE <= features or JMI in features)


def _node(presence: ET.Element) -> str:
    c = presence.find(f"{{{caps.NS}}}c")
    return "" if c is None else c.get("node", "")[:256]


def _priority(text: str) -> int:
    try:
        return max(-128, min(127, int(text)))
    except ValueError:
        return 0
