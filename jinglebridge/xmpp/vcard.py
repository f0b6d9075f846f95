"""Name and picture of our users, for their contacts: XEP-0054 1.3, XEP-0153 1.1.1, XEP-0084 1.1.4.

The hash in presence (XEP-0153) is what clients go by: Dino, Conversations, Monal and Gajim then ask for the vCard. The nodes of XEP-0084
are answered when asked for, and never pushed: a component's users have no PEP service to push from.

Only those who see the presence of a user get an answer; to all others an unknown and a known user look alike (J-252).

Spec: XEP-0054 §3.1; XEP-0153 §3; XEP-0084 §3; J-007.
"""

from __future__ import annotations

import base64
import xml.etree.ElementTree as ET
from collections.abc import Awaitable, Callable

from jinglebridge.calls.people import Person
from jinglebridge.errors import BadRequest, ItemNotFound, ServiceUnavailable
from jinglebridge.xmpp.router import Answer, Router
from jinglebridge.xmpp.stanza import Stanza

VCARD = "vcard-temp"
UPDATE = "vcard-temp:x:update"
PUBSUB = "http://jabber.org/protocol/pubsub"
DATA = "urn:xmpp:avatar:data"
METADATA = "urn:xmpp:avatar:metadata"

MAX_AVATAR = 32 * 1024  # bytes of a picture
MAGIC: dict[str, Callable[[bytes], bool]] = {
    "image/png": lambda data: data.startswith(b"\x89PNG\r\n\x1a\n"),
    "image/jpeg": lambda data: data.startswith(b"\xff\xd8\xff"),
    "image/webp": lambda data: data.startswith(b"RIFF") and data[8:12] == b"WEBP",
}


def photo_update(hash: str) -> ET.Element:
    """What a presence says of the picture; empty: there is none."""
    x = ET.Element(f"{{{UPDATE}}}x")
    ET.SubElement(x, f"{{{UPDATE}}}photo").text = hash or None
    return x


class VCards:
    """`shown_to(own bare, peer bare)` tells who may see a user, `picture(own bare)` gets the bytes of the picture, b"" without one."""

    def __init__(
        self,
        domain: str,
        shown_to: Callable[[str, str], bool],
        person: Callable[[str], Person],
        picture: Callable[[str], Awaitable[bytes]],
    ) -> None:
        self._domain = domain
        self._shown_to = shown_to
        self._person = person
        self._picture = picture

    def register(self, router: Router) -> None:
        router.iq["get", f"{{{VCARD}}}vCard"] = self.vcard
        router.iq["get", f"{{{PUBSUB}}}pubsub"] = self.items

    def vcard(self, stanza: Stanza) -> Answer:
        if stanza.to == self._domain:
            return Answer(_card("jinglebridge"))
        person = self._visible(stanza)
        if not person.avatar_hash:
            return Answer(_card(person.name))
        return Answer(later=lambda: self._with_picture(person))

    async def _with_picture(self, person: Person) -> ET.Element:
        card = _card(person.name)
        photo = ET.SubElement(card, f"{{{VCARD}}}PHOTO")
        ET.SubElement(photo, f"{{{VCARD}}}TYPE").text = person.avatar_type
        ET.SubElement(photo, f"{{{VCARD}}}BINVAL").text = base64.b64encode(await self._picture(person.own)).decode()
        return card

    def items(self, stanza: Stanza) -> Answer:
        """The two nodes of XEP-0084, as if they were PEP."""
        assert stanza.payload is not None
        person = self._visible(stanza)
        items = stanza.payload.find(f"{{{PUBSUB}}}items")
        if items is None:
            raise BadRequest("only items are answered")
        node = items.get("node")
        wanted = [item.get("id") for item in items]
        if node not in (DATA, METADATA) or not person.avatar_hash or (wanted and person.avatar_hash not in wanted):
            raise ItemNotFound("there is no such item")
        return Answer(later=lambda: self._item(person, node))

    async def _item(self, person: Person, node: str) -> ET.Element:
        data = await self._picture(person.own)
        pubsub = ET.Element(f"{{{PUBSUB}}}pubsub")
        items = ET.SubElement(pubsub, f"{{{PUBSUB}}}items", {"node": node})
        item = ET.SubElement(items, f"{{{PUBSUB}}}item", {"id": person.avatar_hash})
        if node == DATA:
            ET.SubElement(item, f"{{{DATA}}}data").text = base64.b64encode(data).decode()
        else:
            about = {"id": person.avatar_hash, "bytes": str(len(data)), "type": person.avatar_type}
            ET.SubElement(ET.SubElement(item, f"{{{METADATA}}}metadata"), f"{{{METADATA}}}info", about)
        return pubsub

    def _visible(self, stanza: Stanza) -> Person:
        own, peer = stanza.to.partition("/")[0], stanza.sender.partition("/")[0]
        if not self._shown_to(own, peer):
            raise ServiceUnavailable("")
        return self._person(own)


def _card(name: str) -> ET.Element:
    card = ET.Element(f"{{{VCARD}}}vCard")
    for tag in ("FN", "NICKNAME"):
        ET.SubElement(card, f"{{{VCARD}}}{tag}").text = name
    return card
