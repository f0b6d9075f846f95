"""XEP-0272: Multiparty Jingle (Muji), version 0.2.0 (2024-08).

The elements only: what a participant announces in its presence to a room, and the reference to the room in a session-initiate or a
call invite. Nobody here joins such a conference yet; a session-initiate that holds one is an ordinary call. J-236 … J-239.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from xml.etree.ElementTree import Element as XmlElement

from jinglebridge.jingle.roles import Role, role
from jinglebridge.jingle.xep_0167 import DESCRIPTION, RtpDescription
from jinglebridge.xml import Child, Children, Element, Flag, Unknown, attr, line

NS = "urn:xmpp:jingle:muji:0"
VERSION = "0.2.0"
FEATURES: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MujiContent:
    """A medium that a participant offers to everybody. `description` None: of another namespace, then it is in `unknown`."""

    name: str
    creator: Role = Role.INITIATOR
    description: RtpDescription | None = None
    unknown: tuple[XmlElement, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class Muji:
    """`room`: JID of the MUC, in invites and sessions; `preparing`: the contents are about to change."""

    room: str | None = None
    preparing: bool = False
    contents: tuple[MujiContent, ...] = ()
    unknown: tuple[XmlElement, ...] = field(default=(), compare=False)


CONTENT = Element(
    MujiContent,
    NS,
    "content",
    (attr("creator", role, default=Role.INITIATOR, always=True), attr("name", line), Child(DESCRIPTION, "description"), Unknown()),
)
MUJI = Element(
    Muji,
    NS,
    "muji",
    (attr("room", line, default=None), Flag(NS, "preparing", "preparing"), Children(CONTENT, "contents", most=16), Unknown()),
)
