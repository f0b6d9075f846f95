"""What is remembered of people between runs: one class for each kind of row in the store, and what can be said of a row by itself.

Times are seconds since 1970; what is secret is here only as its hash.

Spec: RFC 6121 §3.1; DESIGN §2; J-036.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from jinglebridge.values import frozen

SubscriptionWord = Literal["none", "to", "from", "both", "pending-out", "pending-in"]


@dataclass(frozen=True, slots=True)
class Contact:
    """One address as one of our users has it. `own`, `peer`: bare JIDs; `to`: we see them; `from_`: they see us; `asked`: we asked;
    `asking`: they asked and nobody decided yet."""

    own: str
    peer: str
    to: bool = False
    from_: bool = False
    asked: bool = False
    asking: bool = False
    wanted: bool = False  # named as a contact by the user's token or by the user: may subscribe without asking
    added: bool = False  # by the user: stays in the list when no token names them, and when they see and are seen no more
    denied: bool = False  # they did not want to be seen when we asked; not asked again unless the user says so
    name: str = ""  # what our user calls them
    audio: bool = False  # what they could take when they were last seen: a phone that sleeps is still called
    video: bool = False

    @property
    def known(self) -> bool:
        """A contact, not somebody who merely asks to be one."""
        return self.to or self.from_ or self.wanted or self.added

    @property
    def empty(self) -> bool:
        """Nothing is left to remember."""
        return not (self.known or self.asked or self.asking)

    @property
    def word(self) -> SubscriptionWord:
        """The JSON protocol's word."""
        if self.to or self.from_:
            return "both" if self.to and self.from_ else "to" if self.to else "from"
        return "pending-in" if self.asking else "pending-out" if self.asked else "none"


@dataclass(frozen=True, slots=True)
class Person:
    """A web user as others see them, also while no page is open. `own`: bare JID."""

    own: str
    name: str = ""
    avatar_type: str = ""  # image/png, image/jpeg or image/webp; "" without an avatar
    avatar_hash: str = ""  # hexadecimal SHA-1 of the picture, as XMPP names it


@dataclass(frozen=True, slots=True)
class Avatar:
    """The picture of a web user; not kept in memory. `own`: bare JID."""

    own: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Device:
    """A lasting way in for one browser. `id` is for lists and for revoking it; `hash` is of the credential."""

    id: str
    hash: str
    user: str  # escaped local part
    name: str  # of the person
    label: str  # of the device, as a person would know it again
    created: float
    used: float  # last time; it ends 90 days after
    by: Literal["operator", "address"]  # who vouched: an operator's invite, or the owner of the XMPP address that `user` stands for
    contacts: tuple[str, ...] = ()
    may_call: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Link:
    """A guest link that an IM user made. `id` is for lists and for revoking it; `hash` is of the code in its address."""

    id: str
    hash: str
    owner: str  # bare JID: the only address that its guests reach
    label: str
    created: float
    expires: float  # 0: never
    single_use: bool = False
    video: bool = True
    shows_presence: bool = False  # may the page say whether the owner is available?
    spent: float = 0.0  # when a call by a single-use link was accepted


@dataclass(frozen=True, slots=True)
class Owner:
    """An IM user who makes links, as they told the gateway. `jid`: bare."""

    jid: str
    dnd: bool = False  # guests do not ring


@dataclass(frozen=True, slots=True)
class Block:
    """`owner` (bare JID, of a web user or an IM user) wants to hear nothing of `jid` (a bare JID or a domain)."""

    owner: str
    jid: str


@dataclass(frozen=True, slots=True)
class UsedToken:
    """A token that was good once. `hash`: of its `jti`; it need not be remembered after `until`, when it has expired."""

    hash: str
    until: float


@frozen
class CallRecord:
    """A call that is over, in the list of one of our users. Never its SDP."""

    own: str
    call: str  # the call id of the page
    at: float  # when it began
    peer: str
    name: str
    direction: Literal["out", "in"]
    audio: bool
    video: bool
    answered: float = 0.0  # when; 0: never
    ended: float = 0.0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class SavedSession:
    """A web session as it survives a kill of the bridge: its address belongs to the page, not to the process."""

    jid: str
    user: str
    name: str
    contacts: tuple[str, ...]
    may_call: tuple[str, ...]
    video: bool
    secret_hash: str
    way: str = "token"
    relay_only: bool = False
    show: str = "available"
    status: str = ""
    shown_to: tuple[str, ...] = ()  # who got its presence because of a call, and is to hear that it left
