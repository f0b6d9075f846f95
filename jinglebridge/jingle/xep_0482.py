"""XEP-0482: Call Invites, version 0.1.0 (2023-05).

The elements only: an invitation to a call by several ways, and what is answered to it. J-074, J-239.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from xml.etree.ElementTree import Element as XmlElement

from jinglebridge.errors import BadRequest
from jinglebridge.jingle.xep_0166 import MAX_SID
from jinglebridge.jingle.xep_0272 import MUJI, Muji
from jinglebridge.jingle.xep_0343 import boolean
from jinglebridge.xml import Child, Children, Element, Type, Unknown, attr, line

NS = "urn:xmpp:call-invites:0"
VERSION = "0.1.0"
FEATURES: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class InvitedSession:
    """A Jingle session; `jid` None: it comes from whoever invites."""

    sid: str
    jid: str | None = None


@dataclass(frozen=True, slots=True)
class External:
    """A way outside XMPP. `uri` is untrusted text: nothing may open it by itself."""

    uri: str


@dataclass(frozen=True, slots=True)
class Invite:
    """The ways to join, and the media meant. The id of the invitation is that of the message around it."""

    audio: bool = True
    video: bool = False
    jingle: InvitedSession | None = None
    external: tuple[External, ...] = ()
    muji: Muji | None = None
    unknown: tuple[XmlElement, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class InviteAccept:
    """The way taken."""

    id: str
    jingle: InvitedSession | None = None
    external: tuple[External, ...] = ()
    muji: Muji | None = None
    unknown: tuple[XmlElement, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class InviteReject:
    """The invited one will not come."""

    id: str


@dataclass(frozen=True, slots=True)
class InviteRetract:
    """The invitation is over before anybody took it."""

    id: str


@dataclass(frozen=True, slots=True)
class InviteLeft:
    """One who was in the call left it."""

    id: str


CallInvite = Invite | InviteAccept | InviteReject | InviteRetract | InviteLeft


def _id(value: str) -> str:
    if not 1 <= len(value) <= MAX_SID or not value.isprintable():
        raise ValueError(f"not 1 to {MAX_SID} characters")
    return value


_ID = attr("id", Type(_id, str))
_SESSION = Element(InvitedSession, NS, "jingle", (attr("sid", Type(_id, str)), attr("jid", line, default=None)))
_EXTERNAL = Element(External, NS, "external", (attr("uri", line),))
_WAYS = (Child(_SESSION, "jingle"), Children(_EXTERNAL, "external", most=16, lenient=True), Child(MUJI, "muji"), Unknown())

_BY_CLASS: dict[type[CallInvite], Element[Any]] = {
    Invite: Element(Invite, NS, "invite", (attr("audio", boolean, default=True), attr("video", boolean, default=False), *_WAYS)),
    InviteAccept: Element(InviteAccept, NS, "accept", (_ID, *_WAYS)),
    InviteReject: Element(InviteReject, NS, "reject", (_ID,)),
    InviteRetract: Element(InviteRetract, NS, "retract", (_ID,)),
    InviteLeft: Element(InviteLeft, NS, "left", (_ID,)),
}
_BY_TAG = {element.clark: element for element in _BY_CLASS.values()}
INVITE_TAGS = frozenset(_BY_TAG)


def parse_invite(el: XmlElement) -> CallInvite:
    """The model of an element of this namespace. Raises BadRequest for another one or a missing id."""
    element = _BY_TAG.get(el.tag)
    if element is None:
        raise BadRequest("not an element of XEP-0482")
    invite: CallInvite = element.parse(el)
    return invite


def build_invite(invite: CallInvite) -> XmlElement:
    """Inverse of `parse_invite`."""
    return _BY_CLASS[type(invite)].build(invite)
