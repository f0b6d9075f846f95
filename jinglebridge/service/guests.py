"""Guests while they are here: what they may do, who may reach them, and what the maker of their link hears of them.

A guest reaches the maker of the link and nobody else, and nobody else reaches a guest. The maker's client shows the guest's address,
which has the name in it, and where it reads nicknames (XEP-0172) the name with the link's label; since most clients show only the
address of somebody unknown, the gateway says the rest in a chat message, once for each guest. "Do not disturb" and blocking are decided
where the call would leave: the guest's page, the journal and the timers see a call that nobody answers.

Spec: DESIGN §2 (c), §5; issue "People", item 4.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable

import structlog

from jinglebridge.calls import effects as fx
from jinglebridge.calls.model import bare, is_guest
from jinglebridge.calls.negotiation import proposed
from jinglebridge.calls.registry import Registry
from jinglebridge.config import Config
from jinglebridge.errors import EndpointError
from jinglebridge.service.links import Links, name_of
from jinglebridge.service.owners import Owners
from jinglebridge.service.performer import Clock, Performer
from jinglebridge.service.tellings import SessionListener
from jinglebridge.web import messages as m
from jinglebridge.web.sessions import Session, Sessions
from jinglebridge.xmpp.stanza import Send, Stanza, bare_jid, message, text_child

log = structlog.get_logger()

TAKEN = ("accepted", "connecting", "connected")  # states of a call that somebody took, whoever began it
# What a page does with its own calls, and no more.
FRAMES = (m.Ice, m.CallRequest, m.Accept, m.Reject, m.SetDescription, m.AddCandidate, m.Hangup, m.SendInfo, m.Stats)


class Guests:
    """You must set `dismiss`, which ends a session and its socket; see `Desk.dismiss`."""

    def __init__(
        self,
        config: Config,
        links: Links,
        owners: Owners,
        sessions: Sessions,
        registry: Registry,
        performer: Performer,
        send: Send,
        clock: Clock,
    ) -> None:
        self._config = config
        self.links = links
        self.owners = owners
        self._sessions = sessions
        self._registry = registry
        self._performer = performer
        self._send = send
        self._clock = clock
        self.dismiss: Callable[[Session], None] = lambda session: None
        self._tickets: set[str] = set()  # sessions that got TURN for a call that they have yet to place
        self._spenders: dict[str, str] = {}  # way in of a single-use link -> the session whose call spent it
        self._told: set[str] = set()  # sessions of which the owner was told
        owners.blocked = self._blocked
        performer.blocked = self.blocked

    # --- what a guest may do

    def permit(self, session: Session, frame: m.Request) -> None:
        """Raises EndpointError. Each call counts once against its link: when its page asks for TURN, or else when it is placed."""
        if not isinstance(frame, FRAMES):
            raise EndpointError("forbidden", "not for guests")
        if not isinstance(frame, (m.Ice, m.CallRequest)):
            return
        if bare_jid(frame.to) != owner_of(session):
            raise EndpointError("forbidden", "guests call the one whose link they have")
        link = self.links.by_way(session.identity.way)
        if isinstance(frame, m.CallRequest) and link is not None and not link.video and "video" in proposed(frame.description.sdp).media:
            raise EndpointError("forbidden", "this link is for calls without video")
        if isinstance(frame, m.Ice):
            if not list(self._registry.calls_of(session.jid)):  # else it is for a call that is there already
                self.links.placing(session.identity.way)
                self._tickets.add(session.jid)
        elif session.jid in self._tickets:
            self._tickets.discard(session.jid)
        else:
            self.links.placing(session.identity.way)

    def contacts(self, session: Session) -> list[m.Contact]:
        """For the welcome: the one whom the guest may call."""
        link, owner = self.links.by_way(session.identity.way), owner_of(session)
        presence = self.links.availability(owner) if link is not None and link.shows_presence else "unknown"
        media = m.Media(audio=True, video=link is None or link.video)
        return [m.Contact(jid=owner, name=name_of(owner), presence=presence, media=media)]  # type: ignore[arg-type]

    # --- who may reach a guest

    def hidden(self, stanza: Stanza) -> bool:
        """Is this for a guest, from somebody who must not know that the guest is there?"""
        if not is_guest(stanza.to):
            return False
        return not any(owner_of(session) == bare(stanza.sender) for session in self._sessions.of(bare(stanza.to)))

    def presence(self, stanza: Stanza) -> bool:
        """May this presence stanza for a guest be looked at? Guests have no subscriptions, not even with the maker of their link."""
        return stanza.type in ("", "unavailable", "error") and not self.hidden(stanza)

    # --- calls that do not ring

    def unheard(self, sender: str, to: str) -> bool:
        """Shall `to` hear nothing of a call from `sender` (full JID of ours), without the caller seeing why?"""
        return self.blocked(sender, to) or (is_guest(sender) and self.owners.dnd(bare(to)))

    def blocked(self, own: str, peer: str) -> bool:
        """Does `peer` want to hear nothing of `own`, a user of ours?"""
        return self.owners.has_blocked(bare(peer), bare(own))

    def placed(self, session: Session, to: str) -> None:
        """A call begins to ring: if a guest makes it, the maker of the link reads who that is."""
        if not session.identity.guest or session.jid in self._told:
            return
        self._told.add(session.jid)
        link = self.links.by_way(session.identity.way)
        by = f"your guest link “{link.label}”" if link is not None and link.label else "your guest link"
        name = session.name.removesuffix(f" (link: {link.label})") if link is not None else session.name
        text = f"{name} calls you by {by}, from the address {session.bare}."
        self._send(message(self._config.xmpp.domain, bare(to), secrets.token_urlsafe(16), text_child("body", text)))

    def told(self, own: str) -> bool:
        """Did the maker of the link get a message about this guest (bare JID)?"""
        return any(bare(jid) == own for jid in self._told)

    def _blocked(self, owner: str, jid: str) -> None:
        """What runs already ends."""
        for state in list(self._registry.between(jid, owner)):
            self._performer.perform(self._registry.end(state.key, self._clock(), "declined"))
        for session in self._sessions.of(jid):
            if session.identity.guest and owner_of(session) == owner:
                self.dismiss(session)

    # --- the life of their calls

    def listener(self, session: Session) -> SessionListener:
        return GuestListener(session, self) if session.identity.guest else SessionListener(session)

    def accepted(self, session: Session) -> None:
        """The maker took the call: a single-use link is spent now, and whoever else rings by it does so in vain."""
        way, loop = session.identity.way, asyncio.get_running_loop()
        link = self.links.by_way(way)
        if link is None or not link.single_use:
            return
        if self.links.spend(way):
            self._spenders[way] = session.jid
            for other in [s for s in self._sessions.by_jid.values() if s.identity.way == way and s is not session]:
                loop.call_soon(self.dismiss, other)
        elif self._spenders.get(way) != session.jid:
            loop.call_soon(self.dismiss, session)  # two answers at once: the first one counts

    def sweep(self) -> None:
        """End sessions whose link was taken back while the bridge was down; forget those that left."""
        self.links.sweep()
        there = self._sessions.by_jid.keys()
        self._tickets &= there
        self._told &= there
        self._spenders = {way: jid for way, jid in self._spenders.items() if jid in there}
        for session in [s for s in self._sessions.by_jid.values() if s.identity.guest]:
            if self.links.by_way(session.identity.way) is None:
                self.dismiss(session)


class GuestListener(SessionListener):
    """A guest's session as the performer sees it."""

    def __init__(self, session: Session, guests: Guests) -> None:
        super().__init__(session)
        self._session = session
        self._guests = guests

    def tell(self, effect: fx.EndpointEffect) -> None:
        super().tell(effect)
        if isinstance(effect, fx.TellState) and effect.state in TAKEN:
            self._guests.accepted(self._session)


def owner_of(session: Session) -> str:
    """Bare JID of the maker of the link by which a guest came."""
    return session.identity.may_call[0]
