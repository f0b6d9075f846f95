"""What a page shows of its person: to contacts as presence, to the engine as an endpoint that may call and may ring.

"Do not disturb" is a wish of the person, not of a page: set at one page, it holds for all of them, for those that are opened while it
does, and after a restart of the bridge. Away is of one page.

Spec: DESIGN §2; RFC 6121 §4.7.2.1; J-030, J-033.
"""

from __future__ import annotations

from collections.abc import Callable

from jinglebridge.calls.model import Endpoint, bare
from jinglebridge.calls.people import SavedSession
from jinglebridge.calls.registry import Registry
from jinglebridge.service.contacts import Contacts
from jinglebridge.service.performer import Clock, Performer
from jinglebridge.web import messages as m
from jinglebridge.web.sessions import Session, Sessions
from jinglebridge.web.tokens import Identity
from jinglebridge.xml import xml_safe
from jinglebridge.xmpp.presence import PresenceKeeper, Shown


class Pages:
    """`save(session)` keeps a session for the next start."""

    def __init__(
        self,
        sessions: Sessions,
        registry: Registry,
        performer: Performer,
        presence: PresenceKeeper,
        contacts: Contacts,
        save: Callable[[Session], None],
        clock: Clock,
    ) -> None:
        self._sessions = sessions
        self._registry = registry
        self._performer = performer
        self._presence = presence
        self._contacts = contacts
        self._save = save
        self._clock = clock
        presence.roster.on_met = self._met
        registry.met = presence.roster.met
        presence.on_direct = self._shown
        contacts.on_block = self._blocks

    def appear(self, session: Session) -> None:
        """A page is there, or shows itself otherwise than before."""
        shown = Shown(session.jid, session.name, session.video, session.show, session.status)
        self._presence.online(shown, self._contacts.seen(session))
        self._enlist(session)

    def _enlist(self, session: Session) -> None:
        callable = self._contacts.callable(session)
        i, dnd = session.identity, session.show == "dnd"
        self._registry.online(Endpoint(session.jid, session.name, session.video, callable, i.anyone, dnd, i.guest))

    def _met(self, own: str) -> None:
        """This person has other contacts than before."""
        for session in self._sessions.of(own):
            if self._presence.shows(session.jid):
                self._enlist(session)

    def _blocks(self, own: str, jid: str) -> None:
        """The person blocks this address or domain: calls with it end."""
        for session in self._sessions.of(own):
            for state in self._registry.calls_of(session.jid):
                peer = bare(state.peer)
                if jid in (peer, peer.rpartition("@")[2]):
                    self._performer.perform(self._registry.end((own, peer, state.sid), self._clock(), "ended"))

    def _shown(self, jid: str) -> None:
        """A page was shown to somebody it calls, who must hear that it left whatever happens to this process."""
        session = self._sessions.by_jid.get(jid)
        if session is not None:
            self._save(session)

    def inherit(self, session: Session) -> None:
        """A new page of somebody who does not want to be disturbed."""
        for page in self._sessions.of(session.bare):
            if page.show == "dnd":
                session.show, session.status = page.show, page.status

    def show(self, session: Session, frame: m.SetPresence) -> None:
        """A page changes what others see."""
        status = xml_safe(frame.status)
        everywhere = frame.show == "dnd" or session.show == "dnd"
        others = [p for p in self._sessions.of(session.bare) if everywhere and p is not session and "dnd" in (p.show, frame.show)]
        for page in [session, *others]:
            page.show, page.status = frame.show, status
            self._save(page)
            if self._presence.shows(page.jid):
                self.appear(page)
        for page in others:
            page.event(m.OwnPresence(show=frame.show, status=status))


def saved(session: Session, shown_to: tuple[str, ...] = ()) -> SavedSession:
    """What the journal keeps of a page."""
    i = session.identity
    about = (session.jid, i.user, session.name, i.contacts, i.may_call, session.video, session.secret_hash)
    return SavedSession(*about, i.way, i.relay_only, session.show, session.status, shown_to)


def restored(row: SavedSession) -> Session:
    """A page of the last run. Its events are not the ones that the page counted."""
    identity = Identity(row.user, row.name, row.contacts, row.may_call, True, row.way, row.relay_only)
    hash = row.secret_hash
    return Session(row.jid, identity, row.name, row.video, row.show, row.status, secret_hash=hash, replayable=False)
