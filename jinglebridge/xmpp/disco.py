"""XEP-0030 2.5.0 Service Discovery of the gateway and of each web user, XEP-0092 and XEP-0199 beside it.

Three levels: the domain is the gateway, a bare JID an account, a full JID a web session with the call features. To a
stranger an unknown and an offline user look alike (J-007, J-252).

Spec: XEP-0030 §3; conformance area B.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from jinglebridge import __version__
from jinglebridge.errors import ItemNotFound, ServiceUnavailable
from jinglebridge.jingle import features
from jinglebridge.jingle.private import NS as NS_BRIDGE
from jinglebridge.xmpp import caps, native
from jinglebridge.xmpp.caps import DiscoInfo, Identity
from jinglebridge.xmpp.router import Answer, Router
from jinglebridge.xmpp.stanza import COMMANDS, Stanza

ITEMS = "http://jabber.org/protocol/disco#items"
VERSION = "jabber:iq:version"
PING = "urn:xmpp:ping"
NODE = "https://jinglebridge.example/caps"
BASE = frozenset({caps.INFO, caps.NS, PING})


class Directory(Protocol):
    """What disco must know about the people of the bridge."""

    def video(self, jid: str) -> bool | None:
        """Can the online session `jid` (full) take video? None: no such session is online."""

    def resources(self, bare: str) -> list[str]:
        """Full JIDs of the online sessions of a user."""


def session_info(video: bool) -> DiscoInfo:
    """What a web session can do. The same for all, so there are two caps hashes in the world."""
    return _SESSION[video]


_SESSION = {
    video: DiscoInfo(
        (Identity("client", "web", "", "jinglebridge"),),
        BASE | frozenset(features(video=video)) | {VERSION, "urn:xmpp:receipts", NS_BRIDGE},
    )
    for video in (True, False)
}
GATEWAY = DiscoInfo(
    (Identity("component", "generic", "", "jinglebridge"), Identity("gateway", "webrtc", "", "jinglebridge")),
    BASE | {ITEMS, VERSION, "vcard-temp", "jid\\20escaping", COMMANDS, "jabber:x:data"},
)
# The same where pages may use an XMPP connection of their own.
NATIVE_GATEWAY = replace(GATEWAY, features=GATEWAY.features | {native.NS})
ACCOUNT = DiscoInfo((Identity("account", "registered"),), frozenset({caps.INFO, ITEMS, PING, "vcard-temp"}))


class Nodes(Protocol):
    """Nodes of the gateway's address. None: no such node."""

    def info(self, stanza: Stanza, node: str) -> DiscoInfo | None: ...

    def items(self, stanza: Stanza, node: str) -> list[dict[str, str]] | None: ...


class Disco:
    """Answers discovery. `subscribed(own bare, peer bare)` tells who may see a user's sessions."""

    def __init__(self, domain: str, directory: Directory, subscribed: Callable[[str, str], bool], items: tuple[str, ...] = ()) -> None:
        self._domain = domain
        self._directory = directory
        self._subscribed = subscribed
        self._items = items
        self.nodes: Nodes | None = None
        self.gateway = GATEWAY

    def register(self, router: Router) -> None:
        router.iq["get", f"{{{caps.INFO}}}query"] = self.info
        router.iq["get", f"{{{ITEMS}}}query"] = self.items
        router.iq["get", f"{{{VERSION}}}query"] = self.version
        router.iq["get", f"{{{PING}}}ping"] = self.ping

    def info(self, stanza: Stanza) -> Answer:
        """disco#info, with and without the caps node. J-019 … J-023."""
        assert stanza.payload is not None
        node = stanza.payload.get("node")
        if node is not None and stanza.to == self._domain and self.nodes is not None:
            found = self.nodes.info(stanza, node)
            if found is not None:
                return Answer(found.build(node))
        known = self._known(stanza.to)
        if node is not None and node != f"{NODE}#{known.ver()}":
            raise ItemNotFound("no such node")
        return Answer(known.build(node))

    def items(self, stanza: Stanza) -> Answer:
        """The gateway lists its public services; a user's sessions are for subscribers only. J-024."""
        assert stanza.payload is not None
        node = stanza.payload.get("node")
        query = ET.Element(f"{{{ITEMS}}}query", {} if node is None else {"node": node})
        if node is not None and stanza.to == self._domain and self.nodes is not None:
            items = self.nodes.items(stanza, node)
            if items is None:
                raise ItemNotFound("no such node")
            for attributes in items:
                ET.SubElement(query, f"{{{ITEMS}}}item", attributes)
            return Answer(query)
        listed: list[str] = []
        if stanza.to == self._domain:
            listed = list(self._items)
        elif self._subscribed(stanza.to.partition("/")[0], stanza.sender.partition("/")[0]):
            listed = self._directory.resources(stanza.to)
        for jid in listed:
            ET.SubElement(query, f"{{{ITEMS}}}item", {"jid": jid})
        return Answer(query)

    def version(self, stanza: Stanza) -> Answer:
        self._reachable(stanza.to)
        query = ET.Element(f"{{{VERSION}}}query")
        for name, text in (("name", "jinglebridge"), ("version", __version__)):
            ET.SubElement(query, f"{{{VERSION}}}{name}").text = text
        return Answer(query)

    def ping(self, stanza: Stanza) -> Answer:
        self._reachable(stanza.to)
        return Answer()

    def _known(self, jid: str) -> DiscoInfo:
        if jid == self._domain:
            return self.gateway
        if "/" not in jid:
            return ACCOUNT
        self._reachable(jid)
        return session_info(bool(self._directory.video(jid)))

    def _reachable(self, jid: str) -> None:
        if "/" in jid and self._directory.video(jid) is None:
            raise ServiceUnavailable("")
