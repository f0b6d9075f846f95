"""Stanzas as elements: making them, and one word for what each of them is."""

from __future__ import annotations

import secrets
import xml.etree.ElementTree as ET
from typing import NamedTuple

from jinglebridge.demo.peer.names import CLIENT, HINTS, JINGLE, JINGLE_ERRORS, JMI, RECEIPTS, RTP, STANZAS, bare, local, namespace, q

__all__ = ["Heard", "bare", "el", "error_of", "jingle", "jmi", "local", "q", "reason_of", "said", "text", "what"]

for _prefix, _uri in (("jmi", JMI), ("rtp", RTP), ("j", JINGLE), ("je", JINGLE_ERRORS)):
    ET.register_namespace(_prefix, _uri)


class Heard(NamedTuple):
    """A stanza that came. `what`: its word, see `what`."""

    what: str
    stanza: ET.Element
    payload: ET.Element | None
    at: float

    @property
    def sender(self) -> str:
        return self.stanza.get("from", "")

    @property
    def sid(self) -> str:
        """Of a Jingle action or a message of XEP-0353."""
        return "" if self.payload is None else self.payload.get("sid") or self.payload.get("id", "")

    @property
    def reason(self) -> str | None:
        return None if self.payload is None else reason_of(self.payload)

    @property
    def contents(self) -> list[ET.Element]:
        return [] if self.payload is None else self.payload.findall(q(JINGLE, "content"))


def el(ns: str, tag: str, attributes: dict[str, str] | None = None, *children: ET.Element) -> ET.Element:
    element = ET.Element(q(ns, tag), attributes or {})
    element.extend(children)
    return element


def text(element: ET.Element) -> str:
    return ET.tostring(element, encoding="unicode")


def new_id() -> str:
    return secrets.token_hex(8)


def jmi(kind: str, sid: str, *children: ET.Element) -> ET.Element:
    return el(JMI, kind, {"id": sid}, *children)


def jingle(action: str, sid: str, *children: ET.Element, **attributes: str) -> ET.Element:
    return el(JINGLE, "jingle", {"action": action, "sid": sid, **attributes}, *children)


def said(condition: str | None, words: str = "") -> list[ET.Element]:
    """A `<reason/>` to be put into something, or nothing."""
    if condition is None:
        return []
    reason = el(JINGLE, "reason", None, el(JINGLE, condition))
    if words:
        ET.SubElement(reason, q(JINGLE, "text")).text = words
    return [reason]


def message(to: str, payload: ET.Element, *more: ET.Element, id: str = "", hint: bool = True) -> ET.Element:
    store = [el(HINTS, "store")] if hint else []
    return el(CLIENT, "message", {"to": to, "type": "chat", "id": id or new_id()}, payload, *more, *store)


def receipt(to: str, id: str) -> ET.Element:
    return message(to, el(RECEIPTS, "received", {"id": id}), hint=False)


def iq_error(iq: ET.Element, kind: str, condition: str, jingle_condition: str = "") -> ET.Element:
    error = el(CLIENT, "error", {"type": kind}, el(STANZAS, condition))
    if jingle_condition:
        error.append(el(JINGLE_ERRORS, jingle_condition))
    return el(CLIENT, "iq", {"type": "error", "id": iq.get("id", ""), "to": iq.get("from", "")}, error)


def error_of(stanza: ET.Element) -> tuple[str, ...]:
    """(stanza condition[, Jingle condition]) of an error stanza."""
    error = stanza.find(q(CLIENT, "error"))
    names = [] if error is None else [e for e in error if local(e) != "text"]
    return tuple(local(e) for ns in (STANZAS, JINGLE_ERRORS) for e in names if namespace(e) == ns)


def reason_of(payload: ET.Element) -> str | None:
    """The condition of the `<reason/>` in a Jingle action or a message of XEP-0353; None without one."""
    reason = payload.find(q(JINGLE, "reason"))
    return None if reason is None else next((local(e) for e in reason if local(e) != "text"), None)


def what(stanza: ET.Element) -> tuple[str, ET.Element | None]:
    """One word for a stanza, and its payload.

    A Jingle action by its name, an element of XEP-0353 or a receipt (``received``) by its tag, presence by its type or
    ``available``, a reply as ``result`` or ``error``, an error message as ``bounce``.
    """
    kind, type_ = local(stanza), stanza.get("type", "")
    if kind == "presence":
        return type_ or "available", None
    if type_ == "error":
        return ("error" if kind == "iq" else "bounce"), next(iter(stanza), None)
    if kind == "iq":
        payload = next(iter(stanza), None)
        if type_ == "result" or payload is None:
            return "result", payload
        return payload.get("action", "") if payload.tag == q(JINGLE, "jingle") else local(payload), payload
    payload = next((e for e in stanza if namespace(e) in (JMI, RECEIPTS)), None)
    return ("message" if payload is None else local(payload)), payload
