"""Who is let in, and as whom.

Spec: DESIGN §2.
"""

from __future__ import annotations

from dataclasses import replace

from jinglebridge.config import Config
from jinglebridge.errors import EndpointError
from jinglebridge.service.links import Links
from jinglebridge.web import messages as m
from jinglebridge.web import tokens
from jinglebridge.xmpp.stanza import bare_jid


class Door:
    """Looks at what a `hello` brings: a token, a device credential or the code of a guest link."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self.links: Links | None = None

    async def admit(self, frame: m.Hello, address: str) -> tokens.Identity:
        """Raises EndpointError: not-authorized, token-expired, not-supported. `address`: the client's IP address."""
        if frame.code is not None and self.links is not None:
            return self.links.admit(frame.code, frame.name, address)
        if frame.code is not None or frame.device is not None:
            raise EndpointError("not-supported", "guest links and device credentials come later")
        if frame.token is None:
            raise EndpointError("not-authorized", "this page was left too long; get a new link" if frame.resume else "a token is needed")
        return self._prepared(self._by_token(frame.token))

    def _by_token(self, token: str) -> tokens.Identity:
        if not self._config.tokens.secret:
            raise EndpointError("not-authorized", "this bridge has no [tokens] secret, so no token can be checked")
        return tokens.verify(token, self._config.tokens.secret, self._config.xmpp.domain)

    def _prepared(self, identity: tokens.Identity) -> tokens.Identity:
        """The user as XMPP writes it: stanzas come to the prepared address, and "ｅｃｈｏ" is just another spelling of echo. J-012."""
        bare = bare_jid(f"{identity.user}@{self._config.xmpp.domain}")
        if bare is None:
            raise EndpointError("not-authorized", "the token's sub is not a user name")
        user = bare.partition("@")[0]
        tokens.refuse_reserved(user)
        return replace(identity, user=user)
