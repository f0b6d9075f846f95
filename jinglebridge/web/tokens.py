"""Tokens of the embedding site: who may connect, for how long, and whom they know.

JWT by PyJWT. `sub` (local part of the address) and `aud` (component domain) are required, `exp` at most five minutes
ahead; optional `name`, `contacts` (bare JIDs), `may_call` (bare JIDs, or ``"*"``), `jti` (such a token is good once).

Which key is to be used is decided in `web.keys`; a key has one algorithm, whatever the token says of itself.

Spec: DESIGN §2 (a); J-242.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import jwt

from jinglebridge.errors import BadRequest, EndpointError
from jinglebridge.jid import escape
from jinglebridge.xml import xml_safe

MAX_LIFETIME = 300  # seconds to connect
LEEWAY = 30
SERVICES = frozenset({"echo", "self-check", "probe"})
MAX_CONTACTS = 1000


@dataclass(frozen=True, slots=True)
class Identity:
    """Somebody who was let in. `user` is the escaped local part."""

    user: str
    name: str
    contacts: tuple[str, ...] = ()
    may_call: tuple[str, ...] = ()
    named: bool = True  # the token says the name; otherwise the page may choose one
    way: str = "token"  # how they came in: "token", "device:ID", "link:ID", "xmpp:JID"; what is revoked ends the sessions that came so
    relay_only: bool = False  # their address is never shown to the other side

    @property
    def device(self) -> str:
        """Id of the device credential they came in by, or ""."""
        return self.way.removeprefix("device:") if self.way.startswith("device:") else ""

    @property
    def guest(self) -> bool:
        return self.way.startswith("link:")

    @property
    def anyone(self) -> bool:
        return "*" in self.may_call


@dataclass(frozen=True, slots=True)
class Token:
    """A token that is good. `id`: its `jti`, "" without one; `until`: when nobody need remember that it was used."""

    identity: Identity
    id: str = ""
    until: float = 0.0


def local_part(name: str) -> str:
    """The local part for a user name. Raises EndpointError not-authorized for names nobody may have."""
    try:
        user = escape(name).lower()
    except BadRequest:
        raise EndpointError("not-authorized", "the token's sub is not a user name") from None
    if "@" in name or "\\40" in name:
        raise EndpointError("not-authorized", f"the name {name!r} is reserved")
    refuse_reserved(user)
    return user


def refuse_reserved(user: str) -> None:
    """Raises EndpointError for a local part that stands for an address, a guest or a service. DESIGN §2."""
    if "\\40" in user or user.startswith("guest-") or user in SERVICES:
        raise EndpointError("not-authorized", f"the name {user!r} is reserved")


def create(
    secret: str,
    sub: str,
    audience: str,
    *,
    name: str | None = None,
    contacts: Iterable[str] = (),
    may_call: Iterable[str] = (),
    lifetime: int = MAX_LIFETIME,
) -> str:
    """A token for `sub`. `lifetime` in seconds, at most 300. Raises EndpointError for a reserved name."""
    local_part(sub)
    claims: dict[str, Any] = {"sub": sub, "aud": audience, "exp": int(time.time()) + min(lifetime, MAX_LIFETIME)}
    if name:
        claims["name"] = name
    claims |= {key: values for key, values in (("contacts", list(contacts)), ("may_call", list(may_call))) if values}
    return jwt.encode(claims, secret, algorithm="HS256")


def verify(token: str, key: Any, audience: str, algorithm: str = "HS256") -> Token:
    """`key`: as PyJWT takes it for `algorithm`. Raises EndpointError: token-expired or not-authorized, without the token."""
    try:
        claims = jwt.decode(
            token, key, algorithms=[algorithm], audience=audience, leeway=LEEWAY, options={"require": ["sub", "aud", "exp"]}
        )
    except jwt.ExpiredSignatureError:
        raise EndpointError("token-expired", "this token is too old: get a new one") from None
    except jwt.InvalidAudienceError:
        raise EndpointError("not-authorized", f"the token is for another bridge: its aud must be {audience}") from None
    except jwt.InvalidTokenError as error:
        raise EndpointError("not-authorized", f"the token is not valid ({type(error).__name__})") from error
    if int(claims["exp"]) > time.time() + MAX_LIFETIME + LEEWAY:
        raise EndpointError("not-authorized", f"the token is valid for more than {MAX_LIFETIME} s")
    sub, name, id = claims["sub"], claims.get("name", ""), claims.get("jti", "")
    if not isinstance(sub, str) or not isinstance(name, str) or not isinstance(id, str):
        raise EndpointError("not-authorized", "sub, name and jti must be text")
    if "jti" in claims and not id:
        raise EndpointError("not-authorized", "jti must not be empty")
    name = xml_safe(name[:128])
    identity = Identity(local_part(sub), name or sub, _addresses(claims, "contacts"), _addresses(claims, "may_call"), bool(name))
    return Token(identity, id, int(claims["exp"]) + LEEWAY)


def _addresses(claims: dict[str, Any], key: str) -> tuple[str, ...]:
    values = claims.get(key, [])
    if not isinstance(values, list) or len(values) > MAX_CONTACTS or not all(isinstance(v, str) and v for v in values):
        raise EndpointError("not-authorized", f"{key} must be a list of addresses")
    return tuple(map(xml_safe, values))
