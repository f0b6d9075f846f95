"""Proof of an XMPP address without a password: the bridge asks the address, and its owner says yes or types a code.

::

    page  ── I am anna@example.org ──▶  bridge  ── <confirm/> and a code ──▶  anna@example.org
    page  ◀── "KTWQ-8M3P" ────────────  bridge          (the same words are in the message, to compare)
    page  ── the code, or just waits ▶  bridge  ◀── <confirm/> ──────────────  anna@example.org, if her client knows XEP-0070
    page  ◀── a device credential ────  bridge

Whoever begins a proof hears the same whatever becomes of it: that the address does not exist, is offline, or said no looks like nobody
having looked at the message. What is decided is decided here; the web side only carries it.

An address is asked at most `PER_JID` times an hour, and not again within that hour by anybody once its owner said no.

Spec: DESIGN §2 (b); XEP-0070 1.0.1 §4.2; XEP-0334.
"""

from __future__ import annotations

import asyncio
import hmac
import secrets
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import structlog

from jinglebridge.calls.admission import Window
from jinglebridge.errors import EndpointError
from jinglebridge.jingle.xep_0353 import NS_HINTS
from jinglebridge.service.devices import Devices, user_of
from jinglebridge.web import proofs as web
from jinglebridge.web.places import network_of
from jinglebridge.web.sessions import hashed
from jinglebridge.xmpp.router import Router
from jinglebridge.xmpp.stanza import Send, Stanza, bare_jid, message, read_error, text_child

log = structlog.get_logger()

NS_AUTH = "http://jabber.org/protocol/http-auth"
CONFIRM = f"{{{NS_AUTH}}}confirm"
LIFETIME = 300.0  # seconds
WAIT = 25.0  # seconds that an answer is held back when there is nothing to say
DIGITS = 8
MAX_TRIES = 5  # wrong codes of one proof
MAX_OPEN = 1000  # proofs at the same time
HOUR = 3600.0
MAX_WAITING = 2  # answers of one proof that are held back at the same time
PER_JID = 3  # proofs of one address in an hour
PER_ADDRESS = 10  # proofs of one client address in an hour
PER_DOMAIN = 60  # proofs of addresses of one server in a minute
MAX_ADDRESS = 256  # characters of an XMPP address that can be proved
WORDS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"  # no letter that looks like another


@dataclass(slots=True, eq=False)
class Proof:
    """`hash`: of the handle by which the page asks; `credential`: once the owner said yes, and told until the proof ends."""

    hash: str
    jid: str
    words: str
    code: str
    ends: float
    label: str
    tries: int = 0
    dead: bool = False  # its owner said no, or too many codes were wrong: it can not succeed any more
    credential: str = ""
    waiting: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)


class Proofs:
    """Implements `web.proofs.Desk`. `servers`: domains whose addresses can be proved, perhaps none; `url`: the page, as people know it."""

    def __init__(
        self,
        devices: Devices,
        send: Send,
        online: Callable[[], bool],
        clock: Callable[[], float],
        *,
        domain: str,
        url: str,
        servers: frozenset[str],
    ) -> None:
        self._devices = devices
        self._send = send
        self._online = online
        self._clock = clock
        self._domain = domain
        self._url = url
        self._servers = servers
        self._open: dict[str, Proof] = {}  # by hash of the handle, in the order in which they end
        self._by_jid = Window(PER_JID, HOUR)
        self._by_address = Window(PER_ADDRESS, HOUR)
        self._by_domain = Window(PER_DOMAIN)

    def register(self, router: Router) -> None:
        router.message[CONFIRM] = self.confirmed
        router.message_errors[CONFIRM] = self.denied

    # --- the page

    def begin(self, jid: str, label: str, address: str) -> web.Begun:
        """Ask this XMPP address. `address`: of the client. Raises EndpointError unknown-contact, forbidden, rate-limited or unavailable."""
        bare = self._checked(jid)
        now = self._clock()
        self.sweep(now)
        if not self._online():
            raise EndpointError("unavailable", "no connection to the chat server at the moment")
        domain, place = bare.rpartition("@")[2], network_of(address)
        windows = ((self._by_address, place), (self._by_jid, bare), (self._by_domain, domain))
        if len(self._open) >= MAX_OPEN or any(window.full(name, now) for window, name in windows):
            raise EndpointError("rate-limited", "this was asked too often; wait a while")
        for window, name in windows:
            window.note(name, now)
        handle = secrets.token_urlsafe(24)
        words = "-".join("".join(secrets.choice(WORDS) for _ in range(4)) for _ in range(2))
        proof = Proof(hashed(handle), bare, words, f"{secrets.randbelow(10**DIGITS):0{DIGITS}}", now + LIFETIME, label)
        if not self._devices.blocked(bare) and not self._send(self._message(proof, now)):
            raise EndpointError("unavailable", "no connection to the chat server at the moment")
        self._open[proof.hash] = proof
        log.info("proof-begun", jid=bare)
        return web.Begun(proof=handle, words=words, expires=int(LIFETIME))

    def _checked(self, jid: str) -> str:
        """The bare address. Raises EndpointError unknown-contact or forbidden."""
        bare = bare_jid(jid.strip())
        user, _, domain = (bare or "").rpartition("@")
        if bare is None or not user or len(bare) > MAX_ADDRESS:
            raise EndpointError("unknown-contact", "this is not an address like name@example.org")
        if not self._servers:
            raise EndpointError("forbidden", "addresses cannot be proved here; open the page with your personal link")
        if domain not in self._servers:
            raise EndpointError("forbidden", f"only addresses of {', '.join(sorted(self._servers))} can be used here")
        return bare

    async def answer(self, handle: str, code: str | None) -> web.Answer:
        """What became of it; without a code, or news, after `WAIT` seconds. Never raises for an unknown handle: it is over."""
        proof = self._find(handle)
        if proof is None:
            return web.Answer(state="over")
        if code is not None:
            return self._typed(proof, code)
        if proof.waiting < MAX_WAITING:
            proof.waiting += 1
            try:
                async with asyncio.timeout(min(WAIT, max(0.0, proof.ends - self._clock()))):
                    await proof.changed.wait()
            except TimeoutError:
                pass
            finally:
                proof.waiting -= 1
        return self._told(self._find(handle))

    def _find(self, handle: str) -> Proof | None:
        proof = self._open.get(hashed(handle))
        return proof if proof is not None and proof.ends > self._clock() else None

    def _typed(self, proof: Proof, code: str) -> web.Answer:
        if proof.credential:
            return self._told(proof)
        if proof.tries >= MAX_TRIES:
            return web.Answer(state="wrong", left=0)
        typed = "".join(char for char in code if char.isascii() and char.isdigit())
        right = hmac.compare_digest(typed, proof.code)
        if right and not proof.dead:
            self._succeed(proof)
            return self._told(proof)
        proof.tries += 1
        if proof.tries >= MAX_TRIES:
            proof.dead = True
        log.info("proof-code-wrong", jid=proof.jid, tries=proof.tries)
        return web.Answer(state="wrong", left=MAX_TRIES - proof.tries)

    def _succeed(self, proof: Proof) -> None:
        name = proof.jid.rpartition("@")[0]
        device, proof.credential = self._devices.create(user_of(proof.jid), "address", name=name, label=proof.label, contacts=(proof.jid,))
        proof.changed.set()
        log.info("proof-succeeded", jid=proof.jid, device=device.id)

    @staticmethod
    def _told(proof: Proof | None) -> web.Answer:
        if proof is None:
            return web.Answer(state="over")
        return web.Answer(state="confirmed", device=proof.credential) if proof.credential else web.Answer(state="waiting")

    # --- the address

    def _message(self, proof: Proof, now: float) -> ET.Element:
        """One message for both: clients that know XEP-0070 ask their person, all others show the text with the code.

        Type chat, since clients without the XEP show that as they show every message; kept for a phone that sleeps, but not in archives.
        """
        confirm = ET.Element(CONFIRM, {"id": proof.words, "method": "POST", "url": f"{self._url}/"})
        spaced = f"{proof.code[: DIGITS // 2]} {proof.code[DIGITS // 2 :]}"
        until = datetime.fromtimestamp(proof.ends, UTC).strftime("%H:%M")
        at = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%d %H:%M")
        text = (
            f"Somebody at {self._url} says that they are you, and wants to make and take calls there in your name ({at} UTC). "
            f"If this is you, and the page shows {proof.words}, type this code there until {until} UTC: {spaced}\n"
            "If it is not you, do nothing, and tell nobody the code: then nothing happens."
        )
        id = secrets.token_urlsafe(16)
        return message(self._domain, proof.jid, id, text_child("body", text), confirm, ET.Element(f"{{{NS_HINTS}}}no-permanent-store"))

    def confirmed(self, stanza: Stanza) -> None:
        """XEP-0070 §4.2: a message that is no error and has our <confirm/> again is a yes. It counts from the address itself only."""
        proof = self._meant(stanza)
        if proof is not None and stanza.type != "groupchat" and not proof.dead and not proof.credential:
            self._succeed(proof)

    def denied(self, stanza: Stanza) -> None:
        """A no is `not-authorized`; any other error is a server that could not deliver, and proves nothing."""
        proof = self._meant(stanza)
        if proof is None or read_error(stanza.element)[0] != "not-authorized":
            return
        proof.dead = True
        for _ in range(PER_JID):
            self._by_jid.note(proof.jid, self._clock())
        log.info("proof-denied", jid=proof.jid)

    def _meant(self, stanza: Stanza) -> Proof | None:
        if stanza.to != self._domain or stanza.payload is None:
            return None
        sender, words, now = stanza.sender.partition("/")[0], stanza.payload.get("id"), self._clock()
        return next((p for p in self._open.values() if p.jid == sender and p.words == words and p.ends > now), None)

    def sweep(self, now: float) -> None:
        """Forget what is over."""
        for proof in [proof for proof in self._open.values() if proof.ends <= now]:
            del self._open[proof.hash]
        for window in (self._by_jid, self._by_address, self._by_domain):
            window.forget(now)
