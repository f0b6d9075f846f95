"""Presence of our own users: what goes out, what comes in, who may ask.

A user's presence goes to subscribers, and to a call's partner while there is reason to (J-042); whoever got it also gets the
`unavailable`. Who is a subscriber is said in `roster`, and becomes so in `subscriptions`.

Spec: RFC 6121 §4; DESIGN §2; J-033 … J-035, J-040 … J-042, J-253.
"""

from __future__ import annotations

import asyncio
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from jinglebridge.calls.people import Contact
from jinglebridge.xmpp import caps, disco
from jinglebridge.xmpp.peers import Peers
from jinglebridge.xmpp.roster import Roster, RosterStore
from jinglebridge.xmpp.stanza import Send, Stanza, presence, text_child
from jinglebridge.xmpp.subscriptions import Subscriptions, nick
from jinglebridge.xmpp.vcard import photo_update

ANNOUNCED_AT_ONCE = 50  # users, before others get their turn
MAX_UNSAID = 100_000  # sessions that left, times those who saw them, while there was no connection


@dataclass(frozen=True, slots=True)
class Shown:
    """What a web session shows of itself. `show` in the words of the JSON protocol."""

    jid: str
    name: str
    video: bool = True
    show: str = "available"
    status: str = ""


class PresenceKeeper:
    """Presence of all web users, and of the services (which accept everybody)."""

    def __init__(self, send: Send, peers: Peers, store: RosterStore) -> None:
        self.send = send
        self.peers = peers
        self.roster = Roster(store)
        self.subscriptions = Subscriptions(self)
        self.services: set[str] = set()
        self._shown: dict[str, dict[str, Shown]] = {}  # bare -> full -> what it shows
        self._directed: dict[str, set[str]] = {}  # full JID -> bare or full JIDs that got presence without subscription
        self._unsaid: dict[tuple[str, str], None] = {}  # (full JID, to): sessions that left while there was no connection
        self.on_direct: Callable[[str], None] = lambda jid: None  # a session (full JID) was shown to somebody else
        peers.called = self.roster.called
        peers.on_able = self.roster.able

    # --- our side

    def service(self, shown: Shown) -> None:
        """A contact of the bridge itself (echo): everybody may see it."""
        self.services.add(_bare(shown.jid))
        self.roster.admitted(_bare(shown.jid), shown.name)
        self._shown.setdefault(_bare(shown.jid), {})[shown.jid] = shown

    def online(self, shown: Shown, contacts: Iterable[str]) -> None:
        """A session appears (or changes): tell the subscribers, ask to see the contacts. J-033, J-040."""
        own = _bare(shown.jid)
        first = shown.jid not in self._shown.get(own, {})
        self._shown.setdefault(own, {})[shown.jid] = shown
        named = set(contacts)
        for peer in named | {row.peer for row in self.roster.of(own) if row.wanted}:
            row = self.row(own, peer)
            # What an earlier token named is a contact still only if somebody subscribed since.
            lasts = row.added or row.to or row.from_ or not first
            self.roster.save(replace(row, wanted=peer in named or (row.wanted and lasts)))
        for row in self._heard(own):
            if row.from_:
                self.send(self._available(shown, row.peer))
            if first and row.to:
                self.send(presence(own, row.peer, "probe"))
            elif first and row.wanted and (row.asked or (row.peer in named and not row.denied)):
                self.subscriptions.ask(own, row.peer)

    def offline(self, jid: str) -> None:
        """A session is over: everybody who got its presence hears so. J-034."""
        own = _bare(jid)
        shown = self._shown.get(own, {})
        if shown.pop(jid, None) is None:
            return
        subscribers = {row.peer for row in self._heard(own) if row.from_}
        for peer in subscribers | self._directed.pop(jid, set()):
            self._hide(jid, peer)
        if not shown:
            self._shown.pop(own, None)
            self.peers.forget_user(own)

    def direct(self, jid: str, to: str) -> None:
        """Show one session to a call's partner, once. J-042."""
        own = _bare(jid)
        shown = self._shown.get(own, {}).get(jid)
        if shown is None or self.row(own, _bare(to)).from_ or to in self._directed.get(jid, ()):
            return
        self.showed(jid, [to])
        self.on_direct(jid)
        self.send(self._available(shown, to))

    def showed(self, jid: str, to: Iterable[str]) -> None:
        """This session was shown to them: they are to hear when it leaves."""
        for address in to:
            self._directed.setdefault(jid, set()).add(address)

    def directed(self, jid: str) -> tuple[str, ...]:
        return tuple(sorted(self._directed.get(jid, ())))

    async def announce(self) -> None:
        """The stream is new and the server told nobody anything: send all presence again, ask for all of theirs. J-005."""
        unsaid, self._unsaid = self._unsaid, {}
        for jid, to in unsaid:
            self._hide(jid, to)
        for number, own in enumerate(list(self._shown), 1):
            self._announce(own)
            if number % ANNOUNCED_AT_ONCE == 0:
                await asyncio.sleep(0)
        for jid, peers in list(self._directed.items()):
            session = self._shown.get(_bare(jid), {}).get(jid)
            if session is not None:
                for peer in peers:
                    self.send(self._available(session, peer))

    def _announce(self, own: str) -> None:
        for row in self._heard(own) if own in self._shown else ():
            if row.from_:
                self.show_all(own, row.peer)
            if row.to:
                self.send(presence(own, row.peer, "probe"))
            elif row.asked:
                self.subscriptions.ask(own, row.peer)

    def show_all(self, own: str, to: str) -> None:
        """Show all sessions of a user to `to`."""
        for shown in self._shown.get(own, {}).values():
            self.send(self._available(shown, to))

    def hide_all(self, own: str, to: str) -> None:
        """The contrary."""
        for jid in self._shown.get(own, {}):
            self._hide(jid, to)

    def _hide(self, jid: str, to: str) -> None:
        """Say that a session left; without a connection, as soon as there is one again."""
        if not self.send(presence(jid, to, "unavailable")) and len(self._unsaid) < MAX_UNSAID:
            self._unsaid[jid, to] = None

    def hide_directed(self, own: str) -> None:
        """Whoever is blocked now, and saw a session because of a call, sees it no more."""
        for jid in self._shown.get(own, {}):
            for to in [to for to in self._directed.get(jid, ()) if self.roster.blocked(own, _bare(to))]:
                self._directed[jid].discard(to)
                self._hide(jid, to)

    def changed(self, own: str) -> None:
        """Name or picture of a user is another: the subscribers get presence again."""
        for row in self._heard(own):
            if row.from_:
                self.show_all(own, row.peer)

    def _heard(self, own: str) -> list[Contact]:
        """The contacts that are not blocked."""
        return [row for row in self.roster.of(own) if not self.roster.blocked(own, row.peer)]

    # --- what others of the service want to know

    def row(self, own: str, peer: str) -> Contact:
        return self.roster.row(own, peer)

    def name(self, own: str) -> str:
        """What a user of ours is called, or "" while nobody knows."""
        return next((shown.name for shown in self._shown.get(own, {}).values() if shown.name), "") or self.roster.person(own).name

    def shows(self, jid: str) -> bool:
        """Is this session (full JID) shown as available right now?"""
        return jid in self._shown.get(_bare(jid), {})

    def subscribed(self, own: str, peer: str) -> bool:
        return own in self.services or self.row(own, peer).from_

    def shown_to(self, own: str, peer: str) -> bool:
        """May `peer` (bare) see this user: as a subscriber, or because of a call?"""
        return self.subscribed(own, peer) or self._met(own, peer)

    def _met(self, own: str, peer: str) -> bool:
        return any(_bare(to) == peer for jid in self._shown.get(own, {}) for to in self._directed.get(jid, ()))

    # --- their side

    def received(self, stanza: Stanza) -> None:
        """Any presence stanza of a peer. Nothing is remembered for names that strangers make up (J-254)."""
        own, peer = _bare(stanza.to), _bare(stanza.sender)
        if own not in self._shown and not self.roster.known(own):
            return
        match stanza.type:
            case "":
                self._came(stanza)
            case "unavailable" | "error":
                self._left(stanza)
            case "probe":
                self._probe(own, stanza.sender)
            case "subscribe":
                self.subscriptions.subscribe(own, peer)
            case "subscribed":
                self.subscriptions.subscribed(own, peer)
            case "unsubscribe":
                self.subscriptions.unsubscribe(own, peer)
            case "unsubscribed":
                self.subscriptions.unsubscribed(own, peer)

    def _came(self, stanza: Stanza) -> None:
        """Presence of contacts, and of whoever we showed ours to for a call, is kept; a stranger's is not. J-253, J-254.

        Nor is any for a user who is not there: it is asked for when they come.
        """
        if _bare(stanza.to) in self._shown and self._concerns(stanza):
            self.peers.available(stanza)

    def _left(self, stanza: Stanza) -> None:
        if self._concerns(stanza):
            self.peers.unavailable(stanza)
        else:
            self.peers.on_resource(stanza.sender, False)  # a call with the echo contact ends too

    def _concerns(self, stanza: Stanza) -> bool:
        own, peer = _bare(stanza.to), _bare(stanza.sender)
        return own not in self.services and (self.row(own, peer).known or self._met(own, peer))

    def _probe(self, own: str, peer: str) -> None:
        """Subscribers get one presence per session, or unavailable; others silence. J-035."""
        if not self.subscribed(own, _bare(peer)):
            return
        if own in self._shown:
            self.show_all(own, peer)
        else:
            self.send(presence(own, peer, "unavailable"))

    # --- building

    def _available(self, shown: Shown, to: str) -> ET.Element:
        children = [caps.element(disco.NODE, disco.session_info(shown.video))]
        if shown.show != "available":
            children.append(text_child("show", shown.show))
        if shown.status:
            children.append(text_child("status", shown.status))
        if shown.name:
            children.append(nick(shown.name))
        children.append(photo_update(self.roster.person(_bare(shown.jid)).avatar_hash))
        return presence(shown.jid, to, "", *children)


def _bare(jid: str) -> str:
    return jid.partition("/")[0]
