"""The service without sockets: everything real but the stream and the wires. No tests here."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable
from typing import Any

from jinglebridge.calls.admission import Admission, Policy
from jinglebridge.calls.model import Limits, Timers
from jinglebridge.calls.registry import Registry
from jinglebridge.config import Config, LimitsConfig, Tokens, Xmpp
from jinglebridge.service.callbook import CallBook
from jinglebridge.service.contacts import Contacts
from jinglebridge.service.desk import Desk
from jinglebridge.service.devices import Devices
from jinglebridge.service.door import Door
from jinglebridge.service.ears import Ears
from jinglebridge.service.ice import IceSource
from jinglebridge.service.metrics import Metrics
from jinglebridge.service.performer import Performer
from jinglebridge.service.reception import Reception
from jinglebridge.service.tellings import SessionListener
from jinglebridge.store.journal import MemoryJournal
from jinglebridge.store.memory import MemoryStore
from jinglebridge.web import messages as m
from jinglebridge.web import tokens
from jinglebridge.web.sessions import Session, Sessions
from jinglebridge.xmpp.disco import Disco
from jinglebridge.xmpp.peers import Peers
from jinglebridge.xmpp.presence import PresenceKeeper
from jinglebridge.xmpp.requests import Requests
from jinglebridge.xmpp.router import Router
from tests.unit.fakes import DOMAIN, Sent

SECRET = "s" * 40


class FakeWire:
    def __init__(self) -> None:
        self.frames: list[dict[str, Any]] = []
        self.closed: tuple[int, str] | None = None

    def send(self, frame: bytes) -> None:
        self.frames.append(json.loads(frame))

    def close(self, code: int, reason: str) -> None:
        self.closed = (code, reason)

    def waiting(self) -> int:
        return 0

    def take(self, *types: str) -> list[dict[str, Any]]:
        taken, self.frames = self.frames, []
        return [f for f in taken if not types or f["type"] in types]


class SlowJournal(MemoryJournal):
    """Says that something is kept when it is asked to."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: list[Callable[[], None]] = []

    def write(self, rows: Any, done: Callable[[], None] | None = None) -> None:
        super().write(rows)
        if done is not None:
            self.waiting.append(done)

    def release(self) -> None:
        waiting, self.waiting = self.waiting, []
        for done in waiting:
            done()


class World:
    """`sent` is what left towards the server; `online` is whether it is there."""

    def __init__(self, store: MemoryStore | None = None, journal: MemoryJournal | None = None, **limits: Any) -> None:
        self.config = Config(
            xmpp=Xmpp(domain=DOMAIN, secret="s", server="im.test"), tokens=Tokens(secret=SECRET), limits=LimitsConfig(**limits)
        )
        self.sent, self.store = Sent(), store or MemoryStore()
        self.requests = Requests(self.sent)
        self.router = Router(DOMAIN, self.sent, self.requests)
        self.peers = Peers(self.requests)
        self.presence = PresenceKeeper(self.sent, self.peers, self.store)
        self.router.shuns = self.presence.roster.blocked
        ids = itertools.count(1)
        admission = Admission(Policy(DOMAIN, frozenset({"im.test"})), Limits())
        self.registry = Registry(admission, self.peers.info, lambda: f"sid{next(ids)}", Timers(ring=5.0))
        self.metrics = Metrics()
        self.journal = journal or MemoryJournal()
        self.book = CallBook(self.store, self.sent, DOMAIN, 30.0, self.presence.name)
        self.book.known = self.presence.roster.known
        self.performer = Performer(self.registry, self.sent, self.requests, self.presence, time.time, self.metrics, self.journal, self.book)
        self.sessions = Sessions(DOMAIN)
        self.performer.listener_of = self._listener_of
        self.ice = IceSource(self.requests, "im.test", self.config.turn)
        self.online = True
        self.devices = Devices(self.store, DOMAIN, time.time)
        self.door = Door(self.config, self.store, self.devices, time.time)
        self.contacts = Contacts(self.sessions, self.presence, self.peers)
        self.desk = Desk(
            self.config, self.sessions, self.registry, self.performer, self.presence, self.ice, self.journal, time.time,
            lambda: self.online, self.door, self.contacts, self.book,
        )  # fmt: skip
        disco = Disco(DOMAIN, self.desk, self.presence.subscribed)
        disco.register(self.router)
        self.reception = Reception(
            self.config,
            self.store,
            self.sessions,
            self.registry,
            self.performer,
            self.ice,
            self.sent,
            time.time,
            self.presence.received,
            self.devices,
        )
        self.reception.connect(self.router, disco, self.desk, self.door)
        self.devices.end = self.desk.revoke
        Ears(self.registry, self.performer, time.time).register(self.router)

    def _listener_of(self, jid: str) -> SessionListener | None:
        if "/" not in jid:
            return SessionListener(*self.sessions.of(jid))
        session = self.sessions.by_jid.get(jid)
        return self.reception.guests.listener(session) if session else None

    async def hello(self, user: str = "anna", *contacts: str, **fields: Any) -> tuple[Session, FakeWire, dict[str, Any]]:
        """A page opens: (its session, its wire, the welcome frame)."""
        wire = FakeWire()
        if "resume" not in fields and "token" not in fields:
            fields["token"] = tokens.create(SECRET, user, DOMAIN, contacts=contacts)
        frame = m.Hello(id="h", version=fields.pop("version", 1), **fields)
        session = await self.desk.hello(frame, wire, "192.0.2.1")  # type: ignore[arg-type]
        (welcome, *rest) = wire.take()
        wire.frames = rest
        return session, wire, welcome

    def stanzas(self, tag: str) -> list[Any]:
        return [e for e in self.sent.take() if e.tag.endswith("}" + tag)]
