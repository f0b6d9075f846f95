"""Builds the bridge from its parts, starts it and stops it.

Order of starting: lock, store, sessions and calls of the last run, web listener (so that a taken port is found before the server hears of
us), XMPP link with its self-check, then presence and what is owed to peers. Order of stopping: pages hear `draining`, what cannot outlive
the process ends, the presence of pages without a call leaves, stream, journal and store close.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import time
import uuid
from pathlib import Path

import structlog
from aiohttp import web as aioweb

from jinglebridge.calls.admission import Admission, Policy
from jinglebridge.calls.events import EndpointEvent
from jinglebridge.calls.model import Endpoint, Limits, Timers
from jinglebridge.calls.people import Avatar
from jinglebridge.calls.registry import Registry
from jinglebridge.calls.timeline import Timeline
from jinglebridge.config import Config, split_address
from jinglebridge.jingle import forget_trickled
from jinglebridge.media.echo import EchoEndpoint
from jinglebridge.media.endpoint import MediaEndpoint
from jinglebridge.service import certificates
from jinglebridge.service.admin import AdminSocket
from jinglebridge.service.callbook import CallBook
from jinglebridge.service.contacts import Contacts
from jinglebridge.service.desk import Desk
from jinglebridge.service.devices import Devices
from jinglebridge.service.door import Door
from jinglebridge.service.ears import Ears
from jinglebridge.service.ice import IceSource
from jinglebridge.service.metrics import Metrics
from jinglebridge.service.natives import WAY, Natives
from jinglebridge.service.performer import Listener, Performer
from jinglebridge.service.proof import Proofs
from jinglebridge.service.reception import Reception
from jinglebridge.service.tellings import SessionListener
from jinglebridge.store import lock, sqlite
from jinglebridge.store.journal import SqliteJournal
from jinglebridge.store.sqlite import SqliteStore
from jinglebridge.web import messages as m
from jinglebridge.web.server import WebServer
from jinglebridge.web.sessions import Sessions
from jinglebridge.xmpp import xep_0356
from jinglebridge.xmpp.component import Component
from jinglebridge.xmpp.disco import NATIVE_GATEWAY, Disco
from jinglebridge.xmpp.link import NONCE, Address, Link
from jinglebridge.xmpp.peers import Peers
from jinglebridge.xmpp.presence import PresenceKeeper, Shown
from jinglebridge.xmpp.requests import Requests
from jinglebridge.xmpp.router import Router
from jinglebridge.xmpp.vcard import VCards
from jinglebridge.xmpp.xep_0356 import Privileges

log = structlog.get_logger()

SWEEP_EVERY = 30.0
FAREWELL = 1.0  # seconds for peers to acknowledge the end of calls at a stop


class Bridge:
    """The whole service. You must call `start`, and `stop` in the end, also after a `start` that raised."""

    def __init__(self, config: Config, *, web: bool = True) -> None:
        self.config = config
        self._with_web = web
        self._lock: int | None = None
        self._store: SqliteStore | None = None
        self._journal: SqliteJournal | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._runners: list[aioweb.AppRunner] = []
        self._admin: AdminSocket | None = None
        self._started = False  # whoever asks before is told that we are not ready
        self._tls: ssl.SSLContext | None = None
        self.media: dict[str, MediaEndpoint] = {}
        self._stopping = asyncio.Lock()
        self.stopped = asyncio.Event()

    # --- building

    def _build(self) -> None:
        config = self.config
        domain = config.xmpp.domain
        self.component = Component(domain, config.xmpp.secret)
        self.requests = Requests(self.component.send)
        self.router = Router(domain, self.component.send, self.requests)
        self.component.on_stanza = self.router.route
        self.component.on_plain = self.router.route_plain
        address = Address(config.xmpp.host, config.xmpp.port, certificates.to_component(config.xmpp))
        self.link = Link(self.component, address, start_timeout=config.xmpp.start_timeout)
        self.peers = Peers(self.requests)
        self.privileges = Privileges(config.server)
        self._store = SqliteStore(Path(config.store.path) / sqlite.FILE)
        self._journal = SqliteJournal(Path(config.store.path) / "journal.db")
        self.presence = PresenceKeeper(self.component.send, self.peers, self._store)
        self.registry = self._registry()
        self.metrics = Metrics()
        self.book = CallBook(self._store, self.component.send, domain, config.store.history_days, self.presence.name)
        self.performer = Performer(
            self.registry, self.component.send, self.requests, self.presence, time.time, self.metrics, self._journal, self.book
        )
        self.performer.listener_of = self._listener_of
        self.sessions = Sessions(domain)
        self.ice = IceSource(self.requests, config.server, config.turn)
        self.devices = Devices(self._store, domain, time.time)
        self.door = Door(config, self._store, self.devices, time.time)
        self.desk = Desk(
            config, self.sessions, self.registry, self.performer, self.presence, self.ice, self._journal, time.time,
            lambda: self.link.ready, self.door, Contacts(self.sessions, self.presence, self.peers), self.book,
        )  # fmt: skip
        self.devices.end, self.devices.blocked = self.desk.revoke, self.router.blocked
        provable = config.servers if config.policy.prove else frozenset()
        self.proofs = Proofs(
            self.devices, self.component.send, lambda: self.link.ready, time.time,
            domain=domain, url=config.public_url, servers=provable,
        )  # fmt: skip
        natives = config.servers if config.policy.native and self._with_web else frozenset()
        self.natives = Natives(self.desk, self.component.send, self.requests, domain, natives)
        self.natives.blocked = self.router.blocked
        self.reception = Reception(
            config, self._store, self.sessions, self.registry, self.performer, self.ice, self.component.send, time.time,
            self.presence.received, self.devices,
        )  # fmt: skip
        self._connect_parts()

    def _registry(self) -> Registry:
        config = self.config
        limits = Limits(
            calls_per_identity=config.limits.calls_per_person,
            attempts_per_caller=config.limits.calls_per_minute,
            attempts_per_domain=config.limits.calls_per_minute_domain,
        )
        policy = Policy(
            config.xmpp.domain, config.servers, config.policy.everyone, config.policy.outgoing, frozenset(config.policy.blocked)
        )
        self.router.blocked = policy.blocks
        timers = Timers(ring=config.limits.ring, longest=config.longest_call, longest_guest=config.longest_guest_call)
        timeline = Timeline(texts=config.admin.texts)
        return Registry(Admission(policy, limits), self.peers.info, lambda: str(uuid.uuid4()), timers, timeline)

    def _connect_parts(self) -> None:
        domain = self.config.xmpp.domain
        echo = f"echo@{domain}"
        items = (echo,) if self.config.policy.echo else ()
        disco = Disco(domain, self.desk, self.presence.subscribed, items)
        disco.register(self.router)
        self.natives.register(self.router)
        if self.natives.open:
            disco.gateway = NATIVE_GATEWAY
        self.reception.gone = self.natives.gone
        self.reception.connect(self.router, disco, self.desk, self.door)
        self.book.told, self.book.known = self.reception.guests.told, self.presence.roster.known
        Ears(self.registry, self.performer, time.time).register(self.router)
        self.router.message[NONCE] = self.link.nonce_received
        for namespace in xep_0356.NAMESPACES:
            self.router.message[f"{{{namespace}}}privilege"] = self.privileges.received
        self.proofs.register(self.router)
        self.router.shuns = self.presence.roster.blocked
        VCards(domain, self.presence.shown_to, self.presence.roster.person, self._picture).register(self.router)
        self.peers.on_resource = lambda jid, available: self.performer.perform(self.registry.peer_presence(jid, available, time.time()))
        self.link.on_ready = self._ready
        self.link.on_lost = self._lost
        if self.config.policy.echo:
            self.add_media(EchoEndpoint(f"{echo}/echo", self.submit), "Echo test")
        self.metrics.gauge("calls_live", "Calls right now.", lambda: len(self.registry.calls))
        self.metrics.gauge("sessions", "Open web sessions.", lambda: len(self.sessions.by_jid))
        self.metrics.gauge("xmpp_ready", "1 while the server is reachable and nobody else uses our domain.", lambda: float(self.link.ready))

    async def _picture(self, own: str) -> bytes:
        assert self._store is not None
        row = await self._store.find(Avatar, own)
        return b"" if row is None else row.data

    def add_media(self, endpoint: MediaEndpoint, name: str) -> None:
        """Make an address of our own callable and visible to everybody."""
        self.media[endpoint.jid] = endpoint
        self.desk.services[endpoint.jid] = True
        self.registry.online(Endpoint(endpoint.jid, name, anyone=True))
        self.presence.service(Shown(endpoint.jid, name))

    def remove_media(self, endpoint: MediaEndpoint) -> None:
        self.media.pop(endpoint.jid, None)
        self.desk.services.pop(endpoint.jid, None)
        self.performer.perform(self.registry.offline(endpoint.jid, time.time()))

    def submit(self, jid: str, event: EndpointEvent) -> None:
        """An event of an endpoint of our own. Raises ProtocolError."""
        self.performer.perform(self.registry.from_endpoint(jid, event, time.time()))

    def _listener_of(self, jid: str) -> Listener | None:
        if jid in self.media:
            return self.media[jid]
        if "/" in jid:
            session = self.sessions.by_jid.get(jid)
            return self.reception.guests.listener(session) if session is not None else None
        return SessionListener(*self.sessions.of(jid))

    async def backup(self, path: Path) -> None:
        """A copy of the store. Raises OperatorError."""
        assert self._store is not None
        await self._store.backup(path)

    # --- life

    async def start(self) -> None:
        """Raises OperatorError: the operator must do something first."""
        self._lock = lock.take(Path(self.config.store.path))
        self._build()
        if self._with_web:
            self._restore()
            await self._listen()
        await self.link.start()
        self._admin = AdminSocket(self.config.admin_socket, self)
        await self._admin.start()
        self._tasks.append(asyncio.create_task(self._sweep()))
        self._started = True
        log.info("ready", domain=self.config.xmpp.domain, url=self.config.public_url if self._with_web else None)

    def _restore(self) -> None:
        """Take up the sessions and the calls of the last run. What they owe leaves when the server is there."""
        assert self._journal is not None
        self.desk.restore()
        self.reception.sweep()  # a link may have been taken back while no bridge ran
        for id in {s.identity.device for s in self.sessions.by_jid.values()} - {""}:
            if id not in self.devices:  # revoked or blocked while no bridge ran
                self.desk.revoke(f"device:{id}")
        for way in {s.identity.way for s in self.sessions.by_jid.values()}:
            if way.startswith(WAY) and not self.natives.lets_in(way.removeprefix(WAY)):
                self.desk.revoke(way)  # the policy is another one than before
        calls = list(self._journal.calls())
        self.performer.perform(self.registry.restore(calls, self.sessions.by_jid.__contains__, time.time()))
        if calls:
            log.info("calls-restored", live=len(self.registry.calls), found=len(calls))

    async def _listen(self) -> None:
        config = self.config
        self._tls = certificates.of_web(config.web)
        self.web = WebServer(
            self.desk,
            lambda: self._started and self.link.ready and not self.desk.draining,
            public_url=config.public_url,
            allowed_origins=config.web.allowed_origins,
            trusted_proxies=config.web.trusted_proxies,
            sockets_per_ip=config.limits.sockets_per_ip,
            links=self.reception.links,
            desk=self.proofs,
        )
        await self.web.start(*split_address(config.web.listen, "[web] listen"), self._tls)
        if config.web.metrics:
            self._runners.append(await self.metrics.serve(*split_address(config.web.metrics, "[web] metrics")))
        if self._tls is not None:
            self._tasks.append(asyncio.create_task(certificates.renewed(config.web, self._tls)))

    async def stop(self, *, end_calls: bool = False) -> None:
        """Orderly stop. Calls stay in the journal for the next start, unless `end_calls`."""
        async with self._stopping:  # a signal and `jinglebridge stop` may come together
            if self._lock is not None:
                await self._stop(end_calls)

    async def _stop(self, end_calls: bool) -> None:
        if self._store is not None:
            await self._say_goodbye(end_calls)
            for endpoint in self.media.values():
                await endpoint.close()
        if self._admin is not None:
            await self._admin.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if hasattr(self, "web"):
            await self.web.stop()
        for runner in self._runners:
            await runner.cleanup()
        if hasattr(self, "link"):
            await self.link.stop()
        if hasattr(self, "natives"):
            self.natives.stop()
        if self._journal is not None:
            self._journal.close()
        if self._store is not None:
            self._store.close()
        if self._lock is not None:
            os.close(self._lock)
        self._lock = None
        self.stopped.set()

    async def _say_goodbye(self, end_calls: bool) -> None:
        self.desk.draining = True
        for session in self.sessions.by_jid.values():
            session.event(m.Draining())
        for key, state in list(self.registry.calls.items()):
            if end_calls or state.own in self.media:
                self.performer.perform(self.registry.end(key, time.time(), "ended" if end_calls else "gone"))
        await self.performer.gate.drained()
        await self._peers_know()
        for session in self.sessions.by_jid.values():
            if not list(self.registry.calls_of(session.jid)):
                self.presence.offline(session.jid)
            if session.wire is not None:
                session.wire.close(1001, "the bridge is being stopped")
        for jid in self.media:
            self.presence.offline(jid)
        self.reception.leaving()

    async def _peers_know(self) -> None:
        """Give peers a moment to answer; what they do not answer is in the journal."""
        deadline = asyncio.get_running_loop().time() + FAREWELL
        while self.registry.owing and self.link.ready and asyncio.get_running_loop().time() < deadline:  # noqa: ASYNC110  a table, no event
            await asyncio.sleep(0.02)
        self.performer.gate.flush()

    async def _ready(self) -> None:
        """The server is there and we are alone: everybody hears of everybody. J-005."""
        await self.presence.announce()
        self.reception.connected()
        self.performer.perform(self.registry.reconnected(time.time()))
        await self.ice.servers(f"echo@{self.config.xmpp.domain}/echo")
        if not self.ice.has_turn:
            log.warning("no-turn", why=self.ice.problem or "the server offers none and [turn] is empty")

    def _lost(self) -> None:
        self.natives.lost()
        self.requests.lost()
        self.privileges.lost()
        self.peers.forget_all()

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_EVERY)
            self.registry.sweep(time.time())
            forget_trickled()
            self.reception.sweep()
            self.performer.perform(self.registry.zombies(time.time()))
            self.door.sweep(time.time())
            self.proofs.sweep(time.time())
            self.devices.sweep(s.identity.way for s in self.sessions.by_jid.values())
            self.book.forget_old(time.time())
