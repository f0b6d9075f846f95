"""The stanzas the contact writes, and small readers."""

from __future__ import annotations

import secrets
import xml.etree.ElementTree as ET

from .names import CAPS, CLIENT, GROUPING, HINTS, ICE_UDP, JINGLE, JINGLE_ERRORS, JMI, RECEIPTS, RTP, STANZAS, Shape, own_ver, q


class StanzaError(Exception):
    """An IQ was answered with an error; the argument is its condition."""


def new_id() -> str:
    return secrets.token_hex(8)


def message(to: str, payload: ET.Element, identifier: str = "") -> ET.Element:
    stanza = ET.Element(q(CLIENT, "message"), {"to": to, "type": "chat", "id": identifier or new_id()})
    stanza.append(payload)
    return stanza


def jmi(kind: str, sid: str, to: str, *, polite: bool) -> ET.Element:
    """One XEP-0353 message with the element first."""
    stanza = message(to, ET.Element(q(JMI, kind), {"id": sid}))
    if polite:
        ET.SubElement(stanza, q(HINTS, "store"))
    return stanza


def propose(sid: str, to: str, media: list[str], *, polite: bool) -> ET.Element:
    """Spec: XEP-0353 §3.1; Dino sends neither the receipt request nor the hint."""
    stanza = jmi("propose", sid, to, polite=polite)
    for kind in media:
        ET.SubElement(stanza[0], q(RTP, "description"), {"media": kind})
    if polite:
        ET.SubElement(stanza, q(RECEIPTS, "request"))
    return stanza


def receipt(to: str, identifier: str) -> ET.Element:
    return message(to, ET.Element(q(RECEIPTS, "received"), {"id": identifier}))


def jingle(action: str, sid: str) -> ET.Element:
    return ET.Element(q(JINGLE, "jingle"), {"action": action, "sid": sid})


def transport_info(sid: str, name: str, transport: ET.Element) -> tuple[ET.Element, ET.Element]:
    """The jingle element, and its transport with the credentials of `transport` and nothing in it."""
    element = jingle("transport-info", sid)
    content = ET.SubElement(element, q(JINGLE, "content"), {"creator": "initiator", "name": name})
    return element, ET.SubElement(content, q(ICE_UDP, "transport"), dict(transport.attrib))


def reason(condition: str) -> ET.Element:
    element = ET.Element(q(JINGLE, "reason"))
    ET.SubElement(element, q(JINGLE, condition))
    return element


def bundle(element: ET.Element) -> list[str]:
    """Names in the BUNDLE group of a `<jingle/>`, in order."""
    for group in element.findall(q(GROUPING, "group")):
        if group.get("semantics") == "BUNDLE":
            return [c.get("name", "") for c in group.findall(q(GROUPING, "content"))]
    return []


def error(kind: str, condition: str, detail: str = "") -> ET.Element:
    element = ET.Element(q(CLIENT, "error"), {"type": kind})
    ET.SubElement(element, q(STANZAS, condition))
    if detail:
        ET.SubElement(element, q(JINGLE_ERRORS, detail))
    return element


def iq(kind: str, to: str, identifier: str, payload: ET.Element | None = None) -> ET.Element:
    stanza = ET.Element(q(CLIENT, "iq"), {"type": kind, "id": identifier} | ({"to": to} if to else {}))
    if payload is not None:
        stanza.append(payload)
    return stanza


def presence(shape: Shape) -> ET.Element:
    stanza = ET.Element(q(CLIENT, "presence"), {"id": new_id()})
    ET.SubElement(stanza, q(CAPS, "c"), {"hash": "sha-1", "node": shape.node, "ver": own_ver(shape)})
    return stanza


def subscription(kind: str, to: str) -> ET.Element:
    return ET.Element(q(CLIENT, "presence"), {"type": kind, "to": to, "id": new_id()})
