"""The contacts of web users, as their pages see them and change them.

What changes reaches the pages of a person at once, unless much changes: then the rest is told a little later, each contact once and as
it is by then. So neither a contact that floods nor a list of thousands fills a socket.

Spec: DESIGN §2, §3 (`contact`, `contacts.*`); J-036.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

from jinglebridge.errors import EndpointError
from jinglebridge.jid import unescape
from jinglebridge.service.tellings import media_of
from jinglebridge.web import messages as m
from jinglebridge.web.sessions import Session, Sessions
from jinglebridge.xml import xml_safe
from jinglebridge.xmpp.peers import Peers
from jinglebridge.xmpp.presence import PresenceKeeper
from jinglebridge.xmpp.stanza import bare_jid
from jinglebridge.xmpp.vcard import MAGIC, MAX_AVATAR

WINDOW = 0.05  # seconds
AT_ONCE = 50  # changes told within a window, to the pages of one person
CHUNK = 48 * 1024  # bytes of contacts in one frame
MAX_WAITING = 64 * 1024  # bytes that a page may have to take before it gets more of a long list
MAX_NAME = 128  # characters

REQUESTS = (m.ContactsAdd, m.ContactsRemove, m.ContactsApprove, m.ContactsDeny, m.ContactsBlock, m.ContactsUnblock, m.SetAvatar)
Request = m.ContactsAdd | m.ContactsRemove | m.ContactsApprove | m.ContactsDeny | m.ContactsBlock | m.ContactsUnblock | m.SetAvatar


@dataclass(slots=True)
class Told:
    """What the pages of one person know."""

    contacts: dict[str, int] = field(default_factory=dict)  # a hash of each: only whether it is another matters
    left: int = AT_ONCE  # changes that may be told in this window
    late: dict[str, None] = field(default_factory=dict)  # contacts whose change is to be told with the next one
    timer: asyncio.TimerHandle | None = None


class Contacts:
    """`on_block(own, jid)` is called when somebody blocks an address or a domain."""

    def __init__(self, sessions: Sessions, presence: PresenceKeeper, peers: Peers) -> None:
        self._sessions = sessions
        self._presence = presence
        self._roster = presence.roster
        self._peers = peers
        self._told: dict[str, Told] = {}  # by own bare JID
        self._rest: dict[str, list[list[m.Contact]]] = {}  # full JID -> chunks of its list that have not been sent
        self.on_block: Callable[[str, str], None] = lambda own, jid: None
        peers.on_change = self.changed

    # --- who is a contact

    def admitted(self, session: Session) -> None:
        """A name that was let in is known from now on; a guest's is not. J-254."""
        if not session.identity.guest:
            self._roster.admitted(session.bare, session.name)

    def named(self, session: Session) -> list[str]:
        """Bare JIDs that the token names as contacts."""
        return list(_prepared(session.identity.contacts))

    def seen(self, session: Session) -> list[str]:
        """Those of `named` whose presence is asked for. A guest has no contacts, just somebody to call."""
        return [] if session.identity.guest else self.named(session)

    def callable(self, session: Session) -> frozenset[str]:
        """Whom this page may call: contacts with a subscription either way, and whom the token names. Nobody who is blocked."""
        own = session.bare
        may_call = (a for a in map(bare_jid, session.identity.may_call) if a)
        met = (row.peer for row in self._roster.of(own) if row.to or row.from_)
        return frozenset(peer for peer in (*self.named(session), *may_call, *met) if not self._roster.blocked(own, peer))

    def blocked(self, session: Session, peer: str) -> bool:
        return self._roster.blocked(session.bare, peer)

    def _fixed(self, own: str, peer: str) -> bool:
        return any(peer in _prepared(session.identity.contacts) for session in self._sessions.of(own))

    # --- what pages see

    def first(self, session: Session) -> list[m.Contact]:
        """What a welcome has of the list; `rest` sends the rest."""
        own = session.bare
        listed = dict.fromkeys(self.named(session))
        listed |= dict.fromkeys(row.peer for row in self._roster.of(own) if not row.empty)
        listed |= dict.fromkeys(self._roster.blocks(own))
        contacts = [self._contact(own, peer, self._fixed(own, peer)) for peer in listed]
        if self._sessions.of(own):
            self._bring_up(session, self._told.setdefault(own, Told()).contacts, contacts)
        first, *self._rest[session.jid] = _chunks(contacts)
        return first

    def _bring_up(self, session: Session, told: dict[str, int], contacts: list[m.Contact]) -> None:
        """One page gets the list as it is now: so must the others, since what comes next is compared with it."""
        others = [page for page in self._sessions.of(session.bare) if page is not session]
        for contact in contacts:
            before, now = told.get(contact.jid), _hash(contact)
            told[contact.jid] = now
            for page in others if before not in (None, now) else ():
                page.event(m.ContactEvent(contact=contact))

    def rest(self, session: Session) -> None:
        """Send more of a long list whenever the page has taken what it got. You must call this after the welcome."""
        rest = self._rest.get(session.jid)
        if not rest or session.wire is None:
            self._rest.pop(session.jid, None)
            return
        if session.wire.waiting() < MAX_WAITING:
            session.event(m.ContactsEvent(contacts=rest.pop(0)))
        asyncio.get_running_loop().call_later(WINDOW, self.rest, session)

    def _contact(self, own: str, peer: str, fixed: bool) -> m.Contact:
        seen, row = self._peers.seen(own, peer), self._roster.row(own, peer)
        presence = seen.presence if row.to or seen.presence != "offline" else "unknown"
        able = seen.able or (row.audio, row.video)
        return m.Contact(
            jid=peer,
            name=self._peers.name(own, peer) or unescape(peer.partition("@")[0]),
            presence=presence,  # type: ignore[arg-type]
            status=seen.status,
            media=media_of([kind for kind, yes in zip(("audio", "video"), able, strict=True) if yes]),
            subscription=row.word,
            fixed=fixed,
            blocked=self._roster.blocked(own, peer),
        )

    def changed(self, own: str, peer: str) -> None:
        """Tell the person's pages, if there is anything new to tell."""
        if not self._sessions.of(own):
            return
        told = self._told.setdefault(own, Told())
        if told.left <= 0:
            told.late[peer] = None
            return
        event = self._news(own, peer, told)
        if event is not None:
            self._tell(own, event)
            told.left -= 1
            if told.timer is None:
                told.timer = asyncio.get_running_loop().call_later(WINDOW, self._next_window, own)

    def _news(self, own: str, peer: str, told: Told) -> m.ContactEvent | None:
        fixed = self._fixed(own, peer)
        contact = self._contact(own, peer, fixed)
        if not fixed and self._roster.row(own, peer).empty and peer not in self._roster.blocks(own):
            return m.ContactEvent(contact=contact, removed=True) if told.contacts.pop(peer, None) is not None else None
        now = _hash(contact)
        if told.contacts.get(peer) == now:
            return None
        told.contacts[peer] = now
        return m.ContactEvent(contact=contact)

    def _next_window(self, own: str) -> None:
        told = self._told.get(own)
        if told is None:
            return
        late, told.late, told.timer, told.left = told.late, {}, None, AT_ONCE
        news = [event for peer in late if (event := self._news(own, peer, told)) is not None]
        for chunk in _chunks([event.contact for event in news if not event.removed]):
            if chunk:
                self._tell(own, m.ContactsEvent(contacts=chunk))
        for event in news:
            if event.removed:
                self._tell(own, event)
        if news:
            told.timer = asyncio.get_running_loop().call_later(WINDOW, self._next_window, own)

    def _tell(self, own: str, event: m.SequencedEvent) -> None:
        for session in self._sessions.of(own):
            session.event(event)

    def left(self, session: Session) -> None:
        """A page closed for good: with the last one of the person, what they were told is nothing to compare with."""
        self._rest.pop(session.jid, None)
        if self._sessions.of(session.bare):
            return
        told = self._told.pop(session.bare, None)
        if told is not None and told.timer is not None:
            told.timer.cancel()

    # --- what pages want

    def request(self, session: Session, frame: Request) -> None:
        """Raises EndpointError."""
        if session.identity.guest:
            raise EndpointError("forbidden", "guests have no contacts")
        if isinstance(frame, m.SetAvatar):
            self._picture(session.bare, frame)
            return
        own, jid = session.bare, self._address(frame.jid, domain=isinstance(frame, m.ContactsBlock | m.ContactsUnblock))
        if jid == own:
            raise EndpointError("forbidden", "this is your own address")
        subscriptions = self._presence.subscriptions
        match frame:
            case m.ContactsAdd():
                self._unblocked(own, jid)
                subscriptions.add(own, jid, xml_safe(frame.name.strip())[:MAX_NAME])
            case m.ContactsRemove():
                if self._fixed(own, jid):
                    raise EndpointError("forbidden", f"{jid} was given to you as a contact, and can be blocked but not removed")
                subscriptions.remove(own, jid)
            case m.ContactsApprove():
                self._unblocked(own, jid)
                subscriptions.approve(own, jid)
            case m.ContactsDeny():
                subscriptions.deny(own, jid)
            case m.ContactsBlock():
                subscriptions.block(own, jid)
                self.on_block(own, jid)
            case m.ContactsUnblock():
                subscriptions.unblock(own, jid)

    @staticmethod
    def _address(text: str, domain: bool) -> str:
        jid = bare_jid(text)
        if jid is None or not (domain or "@" in jid):
            raise EndpointError("unknown-contact", f"{text[:100]!r} is not an address like name@example.org")
        return jid

    def _unblocked(self, own: str, jid: str) -> None:
        if self._roster.blocked(own, jid):
            raise EndpointError("forbidden", f"you have blocked {jid}; unblock it first")

    def _picture(self, own: str, frame: m.SetAvatar) -> None:
        try:
            data = base64.b64decode(frame.data, validate=True)
        except (binascii.Error, ValueError):
            raise EndpointError("bad-frame", "the picture is not base64") from None
        if len(data) > MAX_AVATAR:
            raise EndpointError("too-big", f"a picture has at most {MAX_AVATAR} bytes")
        if data and not MAGIC[frame.media](data):
            raise EndpointError("bad-frame", f"the picture is no {frame.media}")
        self._roster.picture(own, frame.media, data)
        self._presence.changed(own)


@lru_cache(maxsize=1024)
def _prepared(contacts: tuple[str, ...]) -> dict[str, None]:
    """The bare JIDs of a token, in order; asked for with each presence of each of them."""
    return {peer: None for contact in contacts if (peer := bare_jid(contact))}


def _hash(contact: m.Contact) -> int:
    return hash(m.encode_part(contact))


def _chunks(contacts: list[m.Contact]) -> list[list[m.Contact]]:
    """Parts of a list that fit into a frame each; at least one."""
    chunks: list[list[m.Contact]] = [[]]
    size = 0
    for contact in contacts:
        weight = len(m.encode_part(contact))
        if size + weight > CHUNK and chunks[-1]:
            chunks.append([])
            size = 0
        chunks[-1].append(contact)
        size += weight
    return chunks
