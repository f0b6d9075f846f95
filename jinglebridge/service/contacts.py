"""The contacts of web users, as their pages see them.

Spec: DESIGN §2, §3 (`contact`); J-036.
"""

from __future__ import annotations

from jinglebridge.service.tellings import media_of
from jinglebridge.web import messages as m
from jinglebridge.web.sessions import Session, Sessions
from jinglebridge.xmpp.peers import Peers
from jinglebridge.xmpp.presence import PresenceKeeper
from jinglebridge.xmpp.stanza import bare_jid


class Contacts:
    def __init__(self, sessions: Sessions, presence: PresenceKeeper, peers: Peers) -> None:
        self._sessions = sessions
        self._presence = presence
        self._peers = peers
        self._told: dict[str, dict[str, m.Contact]] = {}  # own bare JID -> peer -> what the pages know
        peers.on_change = self.changed

    def addresses(self, session: Session) -> list[str]:
        """Bare JIDs: those of the token, then those with a subscription either way."""
        return list(dict.fromkeys([*self.named(session), *self._presence.contacts(session.bare)]))

    def named(self, session: Session) -> list[str]:
        """Bare JIDs that the token names as contacts."""
        return [peer for contact in session.identity.contacts if (peer := bare_jid(contact))]

    def of(self, session: Session) -> list[m.Contact]:
        """The whole list, for a welcome."""
        return [self._contact(session.bare, peer) for peer in self.addresses(session)]

    def _contact(self, own: str, peer: str) -> m.Contact:
        seen, row = self._peers.seen(own, peer), self._presence.row(own, peer)
        presence = seen.presence if row.to or seen.presence != "offline" else "unknown"
        return m.Contact(
            jid=peer,
            name=self._peers.name(own, peer) or peer.partition("@")[0],
            presence=presence,  # type: ignore[arg-type]
            status=seen.status,
            media=media_of([k for k, able in (("audio", seen.audio), ("video", seen.video)) if able]),
            subscription=row.word,
        )

    def changed(self, own: str, peer: str) -> None:
        """Tell the person's pages, if there is anything new to tell."""
        sessions = self._sessions.of(own)
        if not sessions or not (self._presence.row(own, peer).known or any(peer in self.named(s) for s in sessions)):
            return
        contact = self._contact(own, peer)
        told = self._told.setdefault(own, {})
        if told.get(peer) == contact:
            return
        told[peer] = contact
        for session in sessions:
            session.event(m.ContactEvent(contact=contact))

    def left(self, own: str) -> None:
        """A page of this person closed for good: with the last one, what the pages were told is nothing to compare with."""
        if not self._sessions.of(own):
            self._told.pop(own, None)
