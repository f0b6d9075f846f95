"""Serves the web sessions: lets people in, carries out their requests, keeps their sessions while a socket is away.

Spec: DESIGN §2, §3 (hello, resume), §5 (socket lost).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from time import monotonic
from typing import Any, Literal, NoReturn

import structlog

from jinglebridge.calls import effects as fx
from jinglebridge.calls import events as ev
from jinglebridge.calls.registry import Registry
from jinglebridge.config import Config
from jinglebridge.errors import EndpointError, ProtocolError
from jinglebridge.service import contacts as contact_requests
from jinglebridge.service.askings import OF_A_CALL, event_of
from jinglebridge.service.callbook import CallBook
from jinglebridge.service.contacts import Contacts
from jinglebridge.service.door import Door
from jinglebridge.service.guests import Guests
from jinglebridge.service.ice import NO_TURN, IceSource
from jinglebridge.service.pages import Pages, restored, saved
from jinglebridge.service.performer import Clock, Performer
from jinglebridge.service.tellings import snapshot
from jinglebridge.store.journal import Journal
from jinglebridge.web import frames
from jinglebridge.web import messages as m
from jinglebridge.web.sessions import Session, Sessions, Wire
from jinglebridge.web.tokens import Identity
from jinglebridge.xml import xml_safe
from jinglebridge.xmpp.presence import PresenceKeeper
from jinglebridge.xmpp.stanza import bare_jid

log = structlog.get_logger()

FEATURES: list[str] = ["trickle", "resume", "mute", "hold", "history", "devices", "contacts", "avatar"]
# What a request weighs against the session's allowance: these fan out to the server or to all contacts.
COSTS: dict[type[m.Request], float] = {
    m.Ice: 10.0, m.History: 5.0, m.SetPresence: 20.0, m.CallRequest: 10.0, m.ContactsAdd: 20.0, m.SetAvatar: 100.0,
}  # fmt: skip
RESTORED = 3.5  # seconds that a page without a call is shown after a restart of the bridge before it is back


class Desk:
    """Implements `web.gate.Gate` and `xmpp.disco.Directory`."""

    def __init__(
        self,
        config: Config,
        sessions: Sessions,
        registry: Registry,
        performer: Performer,
        presence: PresenceKeeper,
        ice: IceSource,
        journal: Journal,
        clock: Clock,
        online: Callable[[], bool],
        door: Door,
        contacts: Contacts,
        book: CallBook,
    ) -> None:
        self._config = config
        self._sessions = sessions
        self._registry = registry
        self._performer = performer
        self._presence = presence
        self._ice = ice
        self._journal = journal
        self._clock = clock
        self._online = online
        self._door = door
        self._contacts = contacts
        self._book = book
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.guests: Guests  # set by the reception
        self.draining = False
        self.services: dict[str, bool] = {}  # full JIDs of our own contacts -> can take video
        sessions.on_secret = self._save
        self._pages = Pages(sessions, registry, performer, presence, contacts, self._save, clock)

    # --- letting in

    async def hello(self, frame: m.Hello, wire: Wire, address: str, known: Identity | None = None) -> Session:
        """`known`: who this is, where that needs no credential."""
        if frame.version != m.VERSION:
            raise EndpointError("bad-version", f"this server speaks version {m.VERSION}")
        session = self._sessions.find(frame.resume.secret) if frame.resume is not None else None
        if session is not None and known is not None and session.identity.way != known.way:
            session = None  # somebody else's
        resumed = session is not None
        if session is None:
            session = await self._admit(frame, address, known)
        self._attach(session, frame, wire, resumed)
        log.info("session-open", jid=session.jid, resumed=resumed)
        return session

    async def _admit(self, frame: m.Hello, address: str, known: Identity | None) -> Session:
        """A new session for somebody who is not back from before. Raises EndpointError."""
        if self.draining:
            raise EndpointError("draining", "the bridge is being stopped; try again soon")
        identity = known or await self._door.admit(frame, address)
        self._make_room(f"{identity.user}@{self._config.xmpp.domain}")
        # Contacts see this name: where the site says it, the page cannot claim another.
        chosen = "" if identity.named else xml_safe(frame.name or "")
        session = self._sessions.create(identity, chosen or identity.name, frame.video)
        self._contacts.admitted(session)
        self._pages.inherit(session)
        return session

    def _make_room(self, bare: str) -> None:
        """Pages that were closed or reloaded wait to be resumed; they give way to new ones. Raises EndpointError rate-limited."""
        pages = self._sessions.of(bare)
        if len(pages) < self._config.limits.sockets_per_person:
            return
        left = next((p for p in pages if p.wire is None and not list(self._registry.calls_of(p.jid))), None)
        if left is None:
            raise EndpointError("rate-limited", "too many pages of this person are open")
        self.end(left)

    def _attach(self, session: Session, frame: m.Hello, wire: Wire, resumed: bool) -> None:
        """Give the session its socket and tell the page where it is."""
        old, session.wire = session.wire, None
        if old is not None:
            old.close(4000, "resumed elsewhere")
        self._cancel_timer(session)
        last = frame.resume.lastSeq if frame.resume is not None else 0
        replay = session.replay(last) if resumed and session.can_replay(last) else None
        ended = session.ended_since(last)
        if replay is None:
            session.forget_events()
        self._pages.appear(session)
        snapshots = [s for state in self._registry.calls_of(session.jid) if (s := snapshot(state)) is not None]
        welcome = m.Welcome(
            jid=session.jid,
            name=session.name,
            contacts=self.guests.contacts(session) if session.identity.guest else self._contacts.first(session),
            limits=m.Limits(
                frame=frames.MAX_FRAME, calls=self._config.limits.calls_per_person, resume=int(self._config.limits.resume), ping=10
            ),
            features=FEATURES,
            resume=self._sessions.next_secret(session),
            resumed=replay is not None,
            calls=[] if replay is not None else snapshots,
            ended=[] if replay is not None else ended,
            seq=last if replay is not None else session.seq,
            warnings=[] if self._ice.has_turn else [NO_TURN],
            show=session.show,  # type: ignore[arg-type]
            status=session.status,
        )
        wire.send(m.encode(welcome))
        for event in replay or ():
            wire.send(event)
        session.wire = wire
        self._contacts.rest(session)

    def _save(self, session: Session) -> None:
        self._journal.save_session(saved(session, self._presence.directed(session.jid)))

    def restore(self) -> None:
        """Take in the sessions of the last run; each has the resume window to come back, as if its socket was lost now.

        Those that do not come soon went while nobody was here to see it, and their contacts shall know.
        """
        for row in self._journal.sessions():
            session = restored(row)
            self._presence.showed(row.jid, row.shown_to)
            self._sessions.restore(session)
            self._pages.appear(session)
            self._later(session, min(RESTORED, self._config.limits.linger, self._config.limits.resume), self._linger_over)

    def settled(self, session: Session) -> None:
        self._sessions.settle(session)

    # --- sockets that went away

    def detached(self, session: Session) -> None:
        """J-034, DESIGN §2: without a call the page is soon shown as offline; with one, not before the window closes."""
        self._later(session, self._config.limits.linger, self._linger_over)

    def _linger_over(self, session: Session) -> None:
        if not list(self._registry.calls_of(session.jid)):
            self._presence.offline(session.jid)
            self._performer.perform(self._registry.offline(session.jid, self._clock()))
        self._later(session, max(0.0, self._config.limits.resume - self._config.limits.linger), self.end)

    def _later(self, session: Session, seconds: float, then: Callable[[Session], None]) -> None:
        self._cancel_timer(session)
        self._timers[session.jid] = asyncio.get_running_loop().call_later(seconds, then, session)

    def _cancel_timer(self, session: Session) -> None:
        timer = self._timers.pop(session.jid, None)
        if timer is not None:
            timer.cancel()

    def bye(self, session: Session) -> None:
        self.end(session)

    def end(self, session: Session) -> None:
        """The session is over for good: its calls end, its subscribers hear that it left. Nobody resumes it meanwhile."""
        self._cancel_timer(session)
        self._sessions.seal(session)
        # Peers hear why a call ended before they hear that the page left.
        self._performer.perform(self._registry.offline(session.jid, self._clock()), lambda: self._left(session))

    def revoke(self, way: str) -> int:
        """End all sessions that came in this way (`Identity.way`): how many there were."""
        found = [s for s in self._sessions.by_jid.values() if s.identity.way == way]
        for session in found:
            self.dismiss(session)
        return len(found)

    def dismiss(self, session: Session) -> None:
        """End a session that may go on no more, and its socket."""
        if session.wire is not None:
            session.wire.close(4002, "revoked")
            session.wire = None
        self.end(session)

    def _left(self, session: Session) -> None:
        self._presence.offline(session.jid)
        # Once more: who it may call may have changed meanwhile, and that enlists all pages of the person.
        self._performer.perform(self._registry.offline(session.jid, self._clock()))
        self._sessions.remove(session)
        self._journal.delete_session(session.jid)
        self._contacts.left(session)
        log.info("session-closed", jid=session.jid)

    # --- requests

    def request(self, session: Session, frame: m.Request) -> bool:
        kind = type(frame)
        if not session.allowance.take(monotonic(), COSTS.get(kind, 1.0)):
            raise EndpointError("rate-limited", "too many requests; slow down")
        if session.identity.guest:
            self.guests.permit(session, frame)
        if kind in OF_A_CALL:
            return self._of_a_call(session, frame)
        if isinstance(frame, (m.Devices, m.DevicesRevoke)):
            answer = self._door.devices.request(session.identity, frame)
            if answer is not None and session.wire is not None:
                session.wire.send(m.encode(answer))
        elif isinstance(frame, m.SetPresence):
            self._pages.show(session, frame)
        elif isinstance(frame, contact_requests.REQUESTS):
            self._need_server()  # what is said to others now must reach them
            self._contacts.request(session, frame)
        elif isinstance(frame, m.Ice):
            self._need_server()
            identity = session.identity
            event = self._ice.event(frame.id, session.jid, guest=identity.guest, relay_only=identity.relay_only)
            return self._answer_later(session, frame, event)
        elif isinstance(frame, m.History):
            return self._answer_later(session, frame, self._history(session, frame))
        else:
            raise EndpointError("not-supported", "not offered by this server")
        return True

    def _of_a_call(self, session: Session, frame: m.Request) -> bool:
        event = self._placed(session, frame) if isinstance(frame, m.CallRequest) else event_of(frame)
        try:
            effects = self._registry.from_endpoint(session.jid, event, self._clock())
        except EndpointError as error:
            if error.code != "unknown-call" or not len(self._performer.gate):
                raise
            return self._answer_later(session, frame, self._after_its_end(error))
        if isinstance(event, ev.Placed) and any(isinstance(effect, fx.SendJmi | fx.SendJingle) for effect in effects):
            self.guests.placed(session, event.to)
        self._performer.perform(effects)
        return True

    def _placed(self, session: Session, frame: m.CallRequest) -> ev.Placed:
        self._need_server()
        if self.draining:
            raise EndpointError("draining", "the bridge is being stopped; try again soon")
        if frame.description.type != "offer":
            raise EndpointError("out-of-order", "a call begins with an offer")
        to = bare_jid(frame.to)
        if to is None or "@" not in to:
            raise EndpointError("unknown-contact", f"{frame.to[:100]!r} is not an address like name@example.org")
        if self._contacts.blocked(session, to):
            raise EndpointError("forbidden", "you have blocked this address")
        return ev.Placed(frame.call, to, frame.description.sdp, self.guests.unheard(session.jid, to))

    def _need_server(self) -> None:
        if not self._online():
            raise EndpointError("unavailable", "no connection to the chat server at the moment")

    def _answer_later(self, session: Session, frame: m.Request, work: Coroutine[Any, Any, m.IceEvent | m.HistoryEvent]) -> Literal[False]:
        """The answer to a request that takes a while: what `work` gives and the ack, or the error that it raises."""

        async def answer() -> None:
            try:
                event = await work
                if session.wire is not None:
                    session.wire.send(m.encode(event))
                session.reply(frame.id, m.Ack(id=frame.id))
            except Exception as error:
                if not isinstance(error, ProtocolError):
                    log.exception("answer-failed", type=type(frame).__name__)
                session.reply(frame.id, frames.error_frame(frame.id, error))

        task = asyncio.create_task(answer())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return False

    async def _after_its_end(self, error: EndpointError) -> NoReturn:
        """That a call was answered elsewhere may wait for its commit still. It is told first: with the error a page thinks it lost."""
        await self._performer.gate.passed()
        raise error

    async def _history(self, session: Session, frame: m.History) -> m.HistoryEvent:
        """With the call that this page has just ended."""
        await self._performer.gate.passed()
        return await self._book.page(frame, session.bare)

    # --- xmpp.disco.Directory

    def video(self, jid: str) -> bool | None:
        session = self._sessions.by_jid.get(jid)
        if session is None:
            return self.services.get(jid)
        return session.video if self._presence.shows(jid) else None

    def resources(self, bare: str) -> list[str]:
        return [s.jid for s in self._sessions.of(bare) if self._presence.shows(s.jid)] + [
            jid for jid in self.services if jid.partition("/")[0] == bare
        ]
