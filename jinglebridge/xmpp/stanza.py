"""A received stanza as the handlers see it, and the builders of what we send.

Spec: RFC 6120 §8; J-002, J-006, J-012.
"""

from __future__ import annotations

import secrets
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple

from slixmpp.jid import JID, InvalidJID

from jinglebridge.errors import BadRequest, ProtocolError
from jinglebridge.jingle.xep_0166 import NS_JINGLE_ERRORS
from jinglebridge.xml import escaped, special

NS = "jabber:component:accept"
STANZAS = "urn:ietf:params:xml:ns:xmpp-stanzas"
COMMANDS = "http://jabber.org/protocol/commands"
DELAY = "{urn:xmpp:delay}delay"
CHILDREN_OF_ERRORS = frozenset({f"{{{NS}}}error", "{jabber:client}error"})


@lru_cache(maxsize=8192)
def prepare(jid: str) -> str:
    """The canonical form of a JID (RFC 7622), so that equal addresses are equal strings. Raises BadRequest. J-012."""
    try:
        return str(JID(jid).full)
    except (InvalidJID, UnicodeEncodeError):
        raise BadRequest("not an address") from None


def bare_jid(address: str) -> str | None:
    """The prepared bare JID, or None for what is no address."""
    try:
        return prepare(address).partition("/")[0]
    except BadRequest:
        return None


@dataclass(slots=True)
class Stanza:
    """`kind` is iq, message or presence; `sender` and `to` are prepared.

    `payload` is the only child of an IQ request, or the child of a message that the handler is there for; `size` is what the
    guard counted.
    """

    kind: str
    type: str
    id: str
    sender: str
    to: str
    element: ET.Element
    payload: ET.Element | None = None
    size: int = 0

    def find(self, tag: str) -> ET.Element | None:
        return self.element.find(tag)


class Written(NamedTuple):
    """A stanza of ours that is text already: no tree is built for the thousands of transport-infos and acks."""

    sender: str
    to: str
    text: str


_ids: list[str] = []


def new_id() -> str:
    """144 random bits for a stanza of ours. Many are drawn at once: each draw is a system call."""
    if not _ids:
        drawn = secrets.token_urlsafe(18 * 64)  # 18 bytes are 24 characters
        _ids.extend(drawn[at : at + 24] for at in range(0, len(drawn), 24))
    return _ids.pop()


Send = Callable[[ET.Element | Written], bool]  # False: there is no connection, it was dropped


def written(name: str, kind: str, sender: str, to: str, id: str, payload: str = "") -> Written:
    """A stanza as text. `name` and `kind` are ours; `payload` is XML, the rest becomes attributes whatever is in it."""
    if special(f"{id}{sender}{to}") is None:  # as nearly always
        head = f'<{name} type="{kind}" id="{id}" from="{sender}" to="{to}"'
    else:
        head = f'<{name} type="{kind}" id="{escaped(id)}" from="{escaped(sender)}" to="{escaped(to)}"'
    return Written(sender, to, f"{head}>{payload}</{name}>" if payload else head + "/>")


def iq(kind: str, sender: str, to: str, id: str, payload: ET.Element | None = None) -> ET.Element:
    """An IQ; `kind` is get, set or result."""
    element = ET.Element(f"{{{NS}}}iq", {"type": kind, "id": id, "from": sender, "to": to})
    if payload is not None:
        element.append(payload)
    return element


def message(sender: str, to: str, id: str, *payloads: ET.Element, kind: str = "chat") -> ET.Element:
    element = ET.Element(f"{{{NS}}}message", {"type": kind, "id": id, "from": sender, "to": to})
    element.extend(payloads)
    return element


def presence(sender: str, to: str, kind: str = "", *payloads: ET.Element) -> ET.Element:
    """`kind` "" is available."""
    element = ET.Element(f"{{{NS}}}presence", {"from": sender, "to": to, **({"type": kind} if kind else {})})
    element.extend(payloads)
    return element


def text_child(name: str, text: str) -> ET.Element:
    child = ET.Element(f"{{{NS}}}{name}")
    child.text = text
    return child


def error_reply(stanza: Stanza, error: ProtocolError | None) -> ET.Element:
    """The answer to a request that failed; None is a bug of ours, whose text the peer does not see. J-078."""
    reply = ET.Element(f"{{{NS}}}{stanza.kind}", {"type": "error", "id": stanza.id, "from": stanza.to, "to": stanza.sender})
    kind, condition = (error.type, error.condition) if error is not None else ("cancel", "internal-server-error")
    child = ET.SubElement(reply, f"{{{NS}}}error", {"type": kind})
    ET.SubElement(child, f"{{{STANZAS}}}{condition}")
    if error is not None and error.jingle:
        ET.SubElement(child, f"{{{NS_JINGLE_ERRORS}}}{error.jingle}")
    if error is not None and error.command:
        ET.SubElement(child, f"{{{COMMANDS}}}{error.command}")
    if error is not None and str(error):
        ET.SubElement(child, f"{{{STANZAS}}}text").text = str(error)[:200]
    return reply


def age(element: ET.Element, now: datetime) -> float:
    """Seconds since a message was sent, by its XEP-0203 stamp; 0 without one. J-070."""
    delay = element.find(DELAY)
    try:
        stamp = datetime.fromisoformat(delay.get("stamp", "")) if delay is not None else None
    except ValueError:
        return 0.0
    if stamp is None:
        return 0.0
    return max(0.0, (now - (stamp if stamp.tzinfo else stamp.replace(tzinfo=UTC))).total_seconds())


def read_error(element: ET.Element) -> tuple[str, str | None]:
    """(stanza condition, Jingle condition or None) of an error stanza; a malformed one is undefined-condition."""
    error = next((child for child in element if child.tag in CHILDREN_OF_ERRORS), None)
    condition, jingle = "undefined-condition", None
    for child in error if error is not None else ():
        namespace, _, name = child.tag[1:].partition("}")
        if namespace == STANZAS and name != "text":
            condition = name
        elif namespace == NS_JINGLE_ERRORS:
            # COMPAT(Gajim 1.7): misspells tie-break.
            jingle = "tie-break" if name == "tiebreak" else name
    return condition, jingle
