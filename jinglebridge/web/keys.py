"""The keys that tokens are signed with: which of them a token may use, and for which names.

A key has one algorithm, which follows from what the key is, never from what the token says: a secret is HS256, a public key RS256, ES256
or EdDSA by its type. So a public key is never taken for a secret, and `none` is nobody's algorithm.

Spec: DESIGN §2 (a); RFC 8725 §3.1, §3.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import jwt

from jinglebridge.errors import EndpointError
from jinglebridge.web import tokens

MIN_RSA_BITS = 2048


@dataclass(frozen=True, slots=True)
class Key:
    """`material`: as PyJWT takes it for `algorithm`; `id`: the `kid` by which tokens name it, "" if it has none."""

    material: Any
    algorithm: str = "HS256"
    id: str = ""


class Source(Protocol):
    """Where keys come from. `prefix`: names that they sign must begin with it."""

    prefix: str

    def knows(self, id: str) -> bool:
        """Is a key of this name here already?"""

    async def keys(self, algorithm: str, id: str) -> Sequence[Key]:
        """Those that may have signed a token with these words in its header. Raises nothing."""


class Secret:
    """One shared secret. What a token calls its key does not matter: there is only one."""

    def __init__(self, secret: str, prefix: str = "") -> None:
        self.prefix = prefix
        self._keys = (Key(secret),)

    def knows(self, id: str) -> bool:
        return False

    async def keys(self, algorithm: str, id: str) -> Sequence[Key]:
        return self._keys if algorithm == "HS256" else ()


class Keys:
    """All keys of a bridge. `audience`: its component domain."""

    def __init__(self, sources: Sequence[Source], audience: str) -> None:
        self._sources = sources
        self._audience = audience

    async def verify(self, token: str) -> tuple[tokens.Token, str]:
        """The token, and the prefix that its key is confined to. Raises EndpointError: token-expired or not-authorized."""
        if not self._sources:
            raise EndpointError("not-authorized", "this bridge has no [tokens] secret and no keys, so no token can be checked")
        algorithm, id = _header(token)
        # Who has the key answers at once; only a key that nobody knows waits for the sets to be fetched again, perhaps from a slow site.
        for source in sorted(self._sources, key=lambda source: not source.knows(id)):
            for key in await source.keys(algorithm, id):
                try:
                    found = tokens.verify(token, key.material, self._audience, key.algorithm)
                except EndpointError as error:
                    if isinstance(error.__cause__, jwt.InvalidSignatureError):
                        continue  # another one may have signed it
                    raise
                if not found.identity.user.startswith(source.prefix):
                    raise EndpointError("not-authorized", f"the key of this token signs only names that begin with {source.prefix!r}")
                return found, source.prefix
        raise EndpointError("not-authorized", "the token is not signed with a key of this bridge")


def _header(token: str) -> tuple[str, str]:
    """Algorithm and key id as an unchecked token has them. Raises EndpointError."""
    try:
        header = jwt.get_unverified_header(token)
    except (jwt.InvalidTokenError, RecursionError) as error:
        raise EndpointError("not-authorized", f"this is not a token: a JWT has three parts ({type(error).__name__})") from None
    if "crit" in header:
        raise EndpointError("not-authorized", "the token wants an extension that this bridge does not know")
    return str(header.get("alg", "")), str(header.get("kid", ""))
