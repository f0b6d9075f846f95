"""The component is the roster server of its own users: subscriptions, presence out, probes.

A user's presence goes to subscribers, and to a call's partner while there is reason to (J-042); whoever got it also gets the
`unavailable`. Contacts live in the store; this file keeps the working copy.

Spec: RFC 6121 §3, §4; DESIGN §2; J-033 … J-042, J-253.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Protocol

import structlog

from jinglebridge.calls.people import Contact
from jinglebridge.xmpp import caps, disco
from jinglebridge.xmpp.peers import Peers
from jinglebridge.xmpp.stanza import Send, Stanza, presence, text_child

log = structlog.get_logger()

NICK = "{http://jabber.org/protocol/nick}nick"

MAX_ASKING = 50  # undecided requests of one user
MAX_ROWS = 10_000  # contacts of one user or service


class RosterStore(Protocol):
    def rows(self, kind: type[Contact]) -> list[Contact]:
        """All contacts of everybody."""

    def save(self, row: Contact) -> None:
        """Keep one row."""

    def delete(self, row: Contact) -> None:
        """Forget it."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What a web session shows of itself. `show` in the words of the JSON protocol."""

    jid: str
    name: str
    video: bool = True
    show: str = "available"
    status: str = ""


class PresenceKeeper:
    """Presence and subscriptions of all web users, and of the services (which accept everybody)."""

    def __init__(self, send: Send, peers: Peers, store: RosterStore) -> None:
        self._send = send
        self._peers = peers
        self._store = store
        self._rows: dict[str, dict[str, Contact]] = {}
        self._shown: dict[str, dict[str, Shown]] = {}  # bare -> full -> what it shows
        self._directed: dict[str, set[str]] = {}  # full JID -> bare or full JIDs that got presence without subscription
        self._services: set[str] = set()
        for row in store.rows(Contact):
            self._rows.setdefault(row.own, {})[row.peer] = row

    # --- our side

    def service(self, shown: Shown) -> None:
        """A contact of the bridge itself (echo): everybody may see it."""
        self._services.add(_bare(shown.jid))
        self._shown.setdefault(_bare(shown.jid), {})[shown.jid] = shown

    def online(self, shown: Shown, contacts: Iterable[str]) -> None:
        """A session appears (or changes): tell the subscribers, ask to see the contacts. J-033, J-040."""
        own = _bare(shown.jid)
        first = shown.jid not in self._shown.get(own, {})
        self._shown.setdefault(own, {})[shown.jid] = shown
        named = set(contacts)
        for peer in named | {p for p, r in self._rows.get(own, {}).items() if r.wanted}:
            row = self.row(own, peer)
            # What an earlier token named is a contact still only if somebody subscribed since.
            self._save(replace(row, wanted=peer in named or (row.wanted and (row.to or row.from_ or not first))))
        for peer, row in list(self._rows.get(own, {}).items()):
            if row.from_:
                self._send(self._available(shown, peer))
            if row.to and first:
                self._send(presence(own, peer, "probe"))
            elif row.wanted and not row.to and first:
                self._save(replace(row, asked=True))
                self._send(presence(own, peer, "subscribe"))

    def offline(self, jid: str) -> None:
        """A session is over: everybody who got its presence hears so. J-034."""
        own = _bare(jid)
        shown = self._shown.get(own, {})
        if shown.pop(jid, None) is None:
            return
        subscribers = {peer for peer, row in self._rows.get(own, {}).items() if row.from_}
        for peer in subscribers | self._directed.pop(jid, set()):
            self._send(presence(jid, peer, "unavailable"))
        if not shown:
            self._shown.pop(own, None)
            self._peers.forget_user(own)

    def direct(self, jid: str, to: str) -> None:
        """Show one session to a call's partner, once. J-042."""
        own = _bare(jid)
        shown = self._shown.get(own, {}).get(jid)
        if shown is None or self.row(own, _bare(to)).from_ or to in self._directed.get(jid, ()):
            return
        self._directed.setdefault(jid, set()).add(to)
        self._send(self._available(shown, to))

    def announce(self) -> None:
        """The stream is new and the server told nobody anything: send all presence again, ask for all of theirs. J-005."""
        for own, sessions in self._shown.items():
            for peer, row in self._rows.get(own, {}).items():
                if row.from_:
                    for shown in sessions.values():
                        self._send(self._available(shown, peer))
                if row.to:
                    self._send(presence(own, peer, "probe"))
                elif row.asked:
                    self._send(presence(own, peer, "subscribe"))
        for jid, peers in self._directed.items():
            session = self._shown.get(_bare(jid), {}).get(jid)
            if session is not None:
                for peer in peers:
                    self._send(self._available(session, peer))

    def row(self, own: str, peer: str) -> Contact:
        return self._rows.get(own, {}).get(peer) or Contact(own, peer)

    def contacts(self, own: str) -> list[str]:
        """Whom this user knows: not those who merely asked to see them."""
        return [peer for peer, row in self._rows.get(own, {}).items() if row.known]

    def name(self, own: str) -> str:
        """What a user of ours is called, or "" while nobody knows."""
        return next((shown.name for shown in self._shown.get(own, {}).values() if shown.name), "")

    def shows(self, jid: str) -> bool:
        """Is this session (full JID) shown as available right now?"""
        return jid in self._shown.get(_bare(jid), {})

    def subscribed(self, own: str, peer: str) -> bool:
        return own in self._services or self.row(own, peer).from_

    # --- their side

    def received(self, stanza: Stanza) -> None:
        """Any presence stanza of a peer."""
        own = _bare(stanza.to)
        if own not in self._shown and own not in self._rows:
            return  # nobody here: nothing is remembered for names that strangers make up (J-254)
        handler = {
            "": self._came,
            "unavailable": self._left,
            "error": self._left,
            "probe": self._probe,
            "subscribe": self._subscribe,
            "subscribed": self._subscribed,
            "unsubscribe": self._unsubscribe,
            "unsubscribed": self._unsubscribed,
        }.get(stanza.type)
        if handler is not None:
            handler(stanza)

    def _came(self, stanza: Stanza) -> None:
        """Presence of contacts, and of whoever we showed ours to for a call, is kept; a stranger's is not. J-253, J-254."""
        if self._concerns(stanza):
            self._peers.available(stanza)

    def _left(self, stanza: Stanza) -> None:
        if self._concerns(stanza):
            self._peers.unavailable(stanza)
        else:
            self._peers.on_resource(stanza.sender, False)  # a call with the echo contact ends too

    def _concerns(self, stanza: Stanza) -> bool:
        own, peer = _bare(stanza.to), _bare(stanza.sender)
        if own in self._services:
            return False
        if self.row(own, peer).known:
            return True
        return any(_bare(to) == peer for jid in self._shown.get(own, {}) for to in self._directed.get(jid, ()))

    def _probe(self, stanza: Stanza) -> None:
        """Subscribers get one presence per session, or unavailable; others silence. J-035."""
        own, peer = _bare(stanza.to), stanza.sender
        if not self.subscribed(own, _bare(peer)):
            return
        sessions = self._shown.get(own, {}).values()
        for shown in sessions:
            self._send(self._available(shown, peer))
        if not sessions:
            self._send(presence(own, peer, "unavailable"))

    def _subscribe(self, stanza: Stanza) -> None:
        """Contacts may see us; anybody else waits for the user's decision; unknown users stay unknown. J-037.

        What we asked of another web user who had never been here was lost; no server kept it: ask again, once, when they ask us.
        """
        own, peer = _bare(stanza.to), _bare(stanza.sender)
        row = self.row(own, peer)
        if own in self._services or row.wanted or row.from_:
            self._save(replace(row, from_=True, asking=False))
            self._send(presence(own, peer, "subscribed"))
            for shown in self._shown.get(own, {}).values():
                self._send(self._available(shown, peer))
            if row.asked and not row.from_ and own.partition("@")[2] == peer.partition("@")[2]:
                self._send(presence(own, peer, "subscribe"))
        elif sum(r.asking for r in self._rows.get(own, {}).values()) < MAX_ASKING:
            self._save(replace(row, asking=True))
            self._peers.on_change(own, peer)

    def _subscribed(self, stanza: Stanza) -> None:
        own, peer = _bare(stanza.to), _bare(stanza.sender)
        row = self.row(own, peer)
        if row.asked:
            self._save(replace(row, to=True, asked=False))
            self._peers.on_change(own, peer)

    def _unsubscribe(self, stanza: Stanza) -> None:
        """They want to see us no more. J-038, J-039."""
        own, peer = _bare(stanza.to), _bare(stanza.sender)
        row = self.row(own, peer)
        if row.from_ or row.asking:
            self._save(replace(row, from_=False, asking=False))
            self._send(presence(own, peer, "unsubscribed"))
            for jid in self._shown.get(own, {}):
                self._send(presence(jid, peer, "unavailable"))
            self._peers.on_change(own, peer)

    def _unsubscribed(self, stanza: Stanza) -> None:
        own, peer = _bare(stanza.to), _bare(stanza.sender)
        row = self.row(own, peer)
        if row.to or row.asked:
            self._save(replace(row, to=False, asked=False))
            self._peers.unavailable(Stanza("presence", "unavailable", "", peer, own, stanza.element))

    # --- building

    def _available(self, shown: Shown, to: str) -> ET.Element:
        children = [caps.element(disco.NODE, disco.session_info(shown.video))]
        if shown.show != "available":
            children.append(text_child("show", shown.show))
        if shown.status:
            children.append(text_child("status", shown.status))
        if shown.name:
            nick = ET.Element(NICK)
            nick.text = shown.name
            children.append(nick)
        return presence(shown.jid, to, "", *children)

    def _save(self, row: Contact) -> None:
        rows = self._rows.get(row.own, {})
        if self.row(row.own, row.peer) == row or (row.peer not in rows and len(rows) >= MAX_ROWS):
            return
        if not row.empty:
            self._rows.setdefault(row.own, {})[row.peer] = row
            self._store.save(row)
        elif rows.pop(row.peer, None) is not None:
            self._store.delete(row)
            if not rows:
                del self._rows[row.own]


def _bare(jid: str) -> str:
    return jid.partition("/")[0]
