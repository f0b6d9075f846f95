"""STUN and TURN for a web session: what the XMPP server grants it, else what the operator configured.

Spec: XEP-0215; TURN REST credentials (HMAC-SHA1 over ``expiry:user``); J-228 … J-234; DESIGN §5 (TURN).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from datetime import UTC, datetime

import structlog

from jinglebridge.config import Turn
from jinglebridge.web import messages as m
from jinglebridge.xmpp import extdisco
from jinglebridge.xmpp.requests import Requests

log = structlog.get_logger()

NO_TURN = "No TURN server is configured: calls to people behind strict firewalls may not connect."


class IceSource:
    def __init__(self, requests: Requests, server: str, turn: Turn) -> None:
        self._requests = requests
        self._server = server
        self._turn = turn
        self.has_turn = any(u.startswith("turn") for u in turn.urls)
        self.problem: str | None = None  # why the server gave nothing, as its error condition

    async def servers(self, jid: str, *, guest: bool = False) -> list[extdisco.IceServer]:
        """Ask the server for this session (full JID), fall back to the configuration. J-229."""
        servers, self.problem = await extdisco.ask(self._requests, jid, self._server, datetime.now(UTC))
        if not any(s.urls[0].startswith("turn") for s in servers):
            servers = extdisco.limit(servers + self._configured(jid, self._lifetime(guest)))
        found = any(s.urls[0].startswith("turn") for s in servers)
        if found or self.problem not in ("timeout", "offline"):  # no answer is no news
            self.has_turn = found
        return servers

    def _lifetime(self, guest: bool) -> int:
        return self._turn.guest_lifetime if guest else self._turn.lifetime

    def _configured(self, jid: str, lifetime: int) -> list[extdisco.IceServer]:
        expiry = int(time.time()) + lifetime
        user = f"{expiry}:{hashlib.sha256(jid.encode()).hexdigest()[:16]}"
        password = base64.b64encode(hmac.new(self._turn.secret.encode(), user.encode(), hashlib.sha1).digest()).decode()
        out = []
        for url in self._turn.urls:
            if url.startswith("stun"):
                out.append(extdisco.IceServer((url.partition("?")[0],)))  # Chromium throws on ?transport= here
            elif self._turn.secret:
                out.append(extdisco.IceServer((url,), user, password, lifetime))
        return out

    async def event(self, id: str, jid: str, *, guest: bool = False, relay_only: bool = False) -> m.IceEvent:
        """For one session (full JID). `relay_only`: this person's address is never shown, whatever the configuration says of others."""
        servers = await self.servers(jid, guest=guest)
        expiries = [s.expires for s in servers if s.expires is not None]
        return m.IceEvent(
            id=id,
            iceServers=[
                m.IceServer(urls=list(s.urls), username=s.username, credential=s.credential)
                if s.username
                else m.IceServer(urls=list(s.urls))
                for s in servers
            ],
            iceTransportPolicy="relay" if relay_only or self._turn.relay_only else "all",
            expires=min(expiries, default=self._lifetime(guest)),
        )
