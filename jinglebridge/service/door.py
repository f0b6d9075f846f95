"""Who is let in, and as whom.

An address from which too many wrong credentials came is not looked at for a while, whatever it brings.

Spec: DESIGN §2.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import structlog

from jinglebridge.calls.admission import Window
from jinglebridge.calls.people import UsedToken
from jinglebridge.config import Config
from jinglebridge.errors import EndpointError
from jinglebridge.service.devices import Devices
from jinglebridge.store.base import Store
from jinglebridge.web import messages as m
from jinglebridge.web import tokens
from jinglebridge.web.jwks import KeySet
from jinglebridge.web.keys import Keys, Secret, Source
from jinglebridge.web.places import network_of
from jinglebridge.xmpp.stanza import bare_jid

if TYPE_CHECKING:
    from jinglebridge.service.links import Links

log = structlog.get_logger()

MAX_FAILURES = 30  # wrong tokens, devices and codes of one client address …
FAILURES_WITHIN = 600.0  # … in so many seconds


class Door:
    """Looks at what a `hello` brings: a token, a device credential or the code of a guest link."""

    def __init__(self, config: Config, store: Store, devices: Devices, clock: Callable[[], float]) -> None:
        self._config = config
        self.links: Links | None = None  # set by the reception
        self._store = store
        self.devices = devices
        self._clock = clock
        sources: list[Source] = [KeySet(k.jwks, k.prefix) if k.jwks else Secret(k.secret, k.prefix) for k in config.tokens.all_keys]
        self._keys = Keys(sources, config.xmpp.domain)
        self._used = {row.hash: row for row in store.rows(UsedToken)}
        self._failures = Window(MAX_FAILURES, FAILURES_WITHIN)

    async def admit(self, frame: m.Hello, address: str) -> tokens.Identity:
        """Raises EndpointError: not-authorized, token-expired, not-supported, rate-limited. `address`: the client's IP address."""
        place = network_of(address)
        if self._failures.full(place, self._clock()):
            raise EndpointError("rate-limited", "too many wrong credentials came from this address; wait some minutes")
        try:
            return await self._admit(frame, address)
        except EndpointError as error:
            if error.code == "not-authorized" and (frame.token, frame.device, frame.code) != (None, None, None):
                self._failures.note(place, self._clock())
                log.info("not-let-in", why=str(error))
            raise

    async def _admit(self, frame: m.Hello, address: str) -> tokens.Identity:
        if frame.code is not None and self.links is not None:
            return self.links.admit(frame.code, frame.name, address)
        if frame.device is not None:
            return self._prepared(self.devices.admit(frame.device))
        if frame.token is not None:
            return await self._by_token(frame.token)
        raise EndpointError("not-authorized", "this page was left too long; get a new link" if frame.resume else "a token is needed")

    async def _by_token(self, text: str) -> tokens.Identity:
        token, prefix = await self._keys.verify(text)
        identity = self._prepared(token.identity)
        if not identity.user.startswith(prefix):
            raise EndpointError("not-authorized", f"the key of this token signs only names that begin with {prefix!r}")
        if token.id:
            self._spend(f"{prefix}\0{identity.user}\0{token.id}", token.until)
        return identity

    def _spend(self, name: str, until: float) -> None:
        """A token with a `jti` is good once. Raises EndpointError the second time."""
        hash = hashlib.sha256(name.encode()).hexdigest()
        if hash in self._used:
            raise EndpointError("not-authorized", "this link was used before: get a new one")
        row = self._used[hash] = UsedToken(hash, until)
        self._store.save(row)

    def _prepared(self, identity: tokens.Identity) -> tokens.Identity:
        """The user as XMPP writes it: stanzas come to the prepared address, and "ｅｃｈｏ" is just another spelling of echo. J-012."""
        bare = bare_jid(f"{identity.user}@{self._config.xmpp.domain}")
        if bare is None:
            raise EndpointError("not-authorized", "the token's sub is not a user name")
        user = bare.partition("@")[0]
        if not self.devices.by_address(identity.device):  # who has proved an address bears its name
            tokens.refuse_reserved(user)
        return replace(identity, user=user)

    def sweep(self, now: float) -> None:
        """Forget what is over."""
        self._failures.forget(now)
        for row in [row for row in self._used.values() if row.until < now]:
            del self._used[row.hash]
            self._store.delete(row)
