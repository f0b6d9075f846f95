"""The gateway as a contact: who subscribed to it sees it online, and whoever made a link that shows their presence is asked to let the
gateway see it.

What the gateway sees is asked for with a probe at each connect; the server knows who allowed that. Who sees the gateway is kept, since
nobody tells them that a bridge came or went.

Spec: RFC 6121 §3, §4; issue "People", items 3 and 4.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections import OrderedDict
from collections.abc import Callable, Iterable

from jinglebridge.calls.people import Contact
from jinglebridge.store.base import Store
from jinglebridge.xmpp import caps, disco
from jinglebridge.xmpp.peers import SHOWS
from jinglebridge.xmpp.stanza import NS, Send, Stanza, presence

ORDER = ("available", "away", "dnd")
MAX_SEEN = 10_000  # people whose presence is remembered
MAX_RESOURCES = 32
MAX_WATCHERS = 100_000


class Availability:
    """`serves(bare JID)`: whose presence is of interest."""

    def __init__(self, domain: str, send: Send, store: Store, serves: Callable[[str], bool]) -> None:
        self._domain = domain
        self._send = send
        self._store = store
        self._serves = serves
        self._watchers = {row.peer: row for row in store.rows(Contact) if row.own == domain}
        self._seen: OrderedDict[str, dict[str, str]] = OrderedDict()  # bare -> full -> show
        self.info = disco.GATEWAY  # what the gateway can do

    def of(self, jid: str) -> str:
        """available, away, dnd or offline; unknown if the person does not show it to the gateway."""
        resources = self._seen.get(jid)
        if resources is None:
            return "unknown"
        return min(resources.values(), key=ORDER.index) if resources else "offline"

    def ask(self, jid: str) -> None:
        """This person wants guests to see whether they are there: may we? Their client asks them once."""
        if self.of(jid) == "unknown":
            self._send(presence(self._domain, jid, "subscribe"))

    def connected(self, shown: Iterable[str]) -> None:
        """The stream is new: show the gateway again, ask again for the presence of these people. J-005."""
        self._seen.clear()
        for watcher in self._watchers:
            self._send(self._here(watcher))
        for jid in shown:
            self._send(presence(self._domain, jid, "probe"))

    def leaving(self) -> None:
        """The bridge is being stopped."""
        for watcher in self._watchers:
            self._send(presence(self._domain, watcher, "unavailable"))

    def received(self, stanza: Stanza) -> None:
        """Presence for the domain itself."""
        peer = stanza.sender.partition("/")[0]
        if not self._serves(peer):
            return
        match stanza.type:
            case "":
                self._came(stanza, peer)
            case "unavailable":
                self._left(stanza, peer)
            case "subscribe":
                self._watch(peer)
                self._send(presence(self._domain, peer, "subscribed"))
                self._send(self._here(peer))
            case "unsubscribe":
                self._forget(peer)
                self._send(presence(self._domain, peer, "unsubscribed"))
            case "probe":
                self._send(self._here(stanza.sender))
            case "subscribed":
                self._resources(peer)
            case "unsubscribed":
                self._seen.pop(peer, None)

    def _watch(self, peer: str) -> None:
        if peer not in self._watchers and len(self._watchers) < MAX_WATCHERS:
            row = self._watchers[peer] = Contact(self._domain, peer, from_=True)
            self._store.save(row)

    def _forget(self, peer: str) -> None:
        row = self._watchers.pop(peer, None)
        if row is not None:
            self._store.delete(row)

    def _resources(self, peer: str) -> dict[str, str]:
        """What is known of this person from now on; who was first known gives way when there are too many."""
        if peer not in self._seen and len(self._seen) >= MAX_SEEN:
            self._seen.popitem(last=False)
        return self._seen.setdefault(peer, {})

    def _came(self, stanza: Stanza, peer: str) -> None:
        resources = self._resources(peer)
        if stanza.sender in resources or len(resources) < MAX_RESOURCES:
            resources[stanza.sender] = SHOWS.get(stanza.element.findtext(f"{{{NS}}}show", ""), "available")

    def _left(self, stanza: Stanza, peer: str) -> None:
        """Also the answer to a probe of somebody who is not there."""
        resources = self._resources(peer)
        if "/" in stanza.sender:
            resources.pop(stanza.sender, None)
        else:
            resources.clear()

    def _here(self, to: str) -> ET.Element:
        return presence(self._domain, to, "", caps.element(disco.NODE, self.info))
