"""Who sees whom: the component is the roster server of its own users.

Of what others want, a user decides, but for those who are *wanted*: named by the user's token or device, added by the user, or let in
before they asked (pre-approval). Whoever said no is not asked again by itself. Each answer is given once, so that no two servers can
go on answering each other (J-038).

Spec: RFC 6121 §3; XEP-0172 §4.2; J-036 … J-039.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace
from typing import TYPE_CHECKING

from jinglebridge.calls.people import Contact
from jinglebridge.errors import EndpointError
from jinglebridge.xmpp.roster import MAX_ASKED, MAX_ASKING, MAX_BLOCKS, MAX_ROWS
from jinglebridge.xmpp.stanza import presence

if TYPE_CHECKING:
    from jinglebridge.xmpp.presence import PresenceKeeper

NICK = "{http://jabber.org/protocol/nick}nick"


def nick(name: str) -> ET.Element:
    element = ET.Element(NICK)
    element.text = name
    return element


class Subscriptions:
    """All addresses are bare. `own` is always one of our users, whom the caller knows to exist."""

    def __init__(self, keeper: PresenceKeeper) -> None:
        self._keeper = keeper
        self._peers = keeper.peers
        self._roster = keeper.roster

    def _say(self, own: str, peer: str, kind: str, *children: ET.Element) -> None:
        self._keeper.send(presence(own, peer, kind, *children))

    def ask(self, own: str, peer: str) -> None:
        """Ask to see `peer`, with the name of who asks."""
        self._roster.save(replace(self._roster.row(own, peer), asked=True, denied=False))
        name = self._roster.person(own).name
        self._say(own, peer, "subscribe", *([nick(name)] if name else []))

    # --- what others say

    def subscribe(self, own: str, peer: str) -> None:
        """Who is wanted may see us; anybody else waits for the user's decision. J-037.

        A request too many gets no answer, as one to a user who does not exist.
        """
        row = self._roster.row(own, peer)
        if own in self._keeper.services or row.wanted or row.from_:
            self._let_in(row)
        elif not row.asking and self._roster.known(own) and self._roster.asking(own) < MAX_ASKING:
            self._roster.save(replace(row, asking=True))
            self._peers.on_change(own, peer)

    def _let_in(self, row: Contact) -> None:
        """What we asked of another web user who had never been here was lost; no server kept it: ask again, once, when they ask us."""
        own, peer = row.own, row.peer
        self._roster.save(replace(row, from_=True, asking=False))
        self._say(own, peer, "subscribed")
        self._keeper.show_all(own, peer)
        lost = row.asked and not row.from_ and own.partition("@")[2] == peer.partition("@")[2]
        if row.wanted and not row.to and (lost or not row.asked):
            self.ask(own, peer)
        self._peers.on_change(own, peer)

    def subscribed(self, own: str, peer: str) -> None:
        row = self._roster.row(own, peer)
        if row.asked:
            self._roster.save(replace(row, to=True, asked=False))
            self._peers.on_change(own, peer)

    def unsubscribe(self, own: str, peer: str) -> None:
        """They want to see us no more. J-038, J-039.

        Who takes back a request that nobody decided hears nothing, as from a user who does not exist (J-252).
        """
        row = self._roster.row(own, peer)
        if row.from_ or row.asking:
            self._roster.save(replace(row, from_=False, asking=False))
            if row.from_:
                self._say(own, peer, "unsubscribed")
                self._keeper.hide_all(own, peer)
            self._peers.on_change(own, peer)

    def unsubscribed(self, own: str, peer: str) -> None:
        """They do not want to be seen by us, or not any more."""
        row = self._roster.row(own, peer)
        if row.to or row.asked:
            self._roster.save(replace(row, to=False, asked=False, denied=row.denied or row.asked))
            self._peers.forget(own, peer)

    # --- what our user wants

    def add(self, own: str, peer: str, name: str) -> None:
        """Make `peer` a contact, or give it another name. Raises EndpointError."""
        row = self._roster.row(own, peer)
        ask = not row.to and not row.asked
        if ask and sum(r.asked for r in self._roster.of(own)) >= MAX_ASKED:
            raise EndpointError("rate-limited", f"{MAX_ASKED} people have not answered you yet; remove some of them first")
        self._want(replace(row, name=name))
        if row.asking:
            self._let_in(self._roster.row(own, peer))
        elif ask:
            self.ask(own, peer)
        self._peers.renamed(own, peer)
        self._peers.on_change(own, peer)

    def _want(self, row: Contact) -> None:
        if not self._roster.save(replace(row, wanted=True, added=True)):
            raise EndpointError("rate-limited", f"nobody has more than {MAX_ROWS} contacts")

    def remove(self, own: str, peer: str) -> None:
        """Forget `peer`: neither sees the other any more. Raises EndpointError unknown-contact. J-039."""
        row = self._roster.row(own, peer)
        if row.empty:
            raise EndpointError("unknown-contact", f"{peer} is not among your contacts")
        if row.to or row.asked:
            self._say(own, peer, "unsubscribe")
        if row.from_ or row.asking:
            self._say(own, peer, "unsubscribed")
        if row.from_:
            self._keeper.hide_all(own, peer)
        self._roster.save(Contact(own, peer))
        self._peers.forget(own, peer)

    def approve(self, own: str, peer: str) -> None:
        """Let `peer` see us: at once if they asked, and then they are a contact that we ask to see; else when they ask. RFC 6121 §3.4."""
        row = self._roster.row(own, peer)
        self._want(row)
        if row.asking:
            self._let_in(self._roster.row(own, peer))
        self._peers.on_change(own, peer)

    def deny(self, own: str, peer: str) -> None:
        """Do not let `peer` see us, or not any more. Raises EndpointError unknown-contact."""
        row = self._roster.row(own, peer)
        if not (row.asking or row.from_ or row.wanted):
            raise EndpointError("unknown-contact", f"{peer} has not asked to see you")
        if row.asking or row.from_:
            self._say(own, peer, "unsubscribed")
        if row.from_:
            self._keeper.hide_all(own, peer)
        self._roster.save(replace(row, asking=False, from_=False, wanted=False))
        self._peers.on_change(own, peer)

    def block(self, own: str, jid: str) -> None:
        """Hear nothing of an address or a domain any more, and show it nothing: to it, we do not exist. Raises EndpointError.

        The subscriptions stay, as in XEP-0191 §3.3.
        """
        if not self._roster.block(own, jid):
            raise EndpointError("rate-limited", f"nobody blocks more than {MAX_BLOCKS} addresses")
        for row in self._roster.under(own, jid):
            if row.from_:
                self._keeper.hide_all(own, row.peer)
            self._roster.save(replace(row, asking=False))
            self._peers.forget(own, row.peer)
        self._keeper.hide_directed(own)
        self._roster.on_met(own)
        self._peers.on_change(own, jid)

    def unblock(self, own: str, jid: str) -> None:
        """Take it back: who may see us does so at once. Raises EndpointError unknown-contact."""
        if jid not in self._roster.blocks(own):
            raise EndpointError("unknown-contact", f"{jid} is not blocked")
        self._roster.unblock(own, jid)
        for row in self._roster.under(own, jid):
            if self._roster.blocked(own, row.peer):
                continue  # by the other of address and domain
            if row.from_:
                self._keeper.show_all(own, row.peer)
            if row.to:
                self._say(own, row.peer, "probe")
            elif row.asked:
                self.ask(own, row.peer)
            self._peers.on_change(own, row.peer)
        self._roster.on_met(own)
        self._peers.on_change(own, jid)
