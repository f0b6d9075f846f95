"""``urn:jinglebridge:frame:0``: frames of the JSON protocol in stanzas, for pages that have an XMPP connection of their own.

::

    page ── <iq type='set'><frame>{"type": "call", "id": "1", …}</frame></iq> ──▶  the bridge's domain
    page ◀── <iq type='result'><frame>{"type": "ack", "id": "1"}</frame></iq> ───
         or  <iq type='error'><error type='auth'><forbidden/><frame>{"type": "error", "code": "forbidden", …}</frame></error></iq>
    page ◀── <iq type='set'><frame>{"type": "state", "seq": 7, …}</frame></iq> ──
    page ── <iq type='result'/> ──▶                                                the page has event 7

An empty frame asks whether the page is there. ``<close code='1001'/>`` is what the close code of a WebSocket is. Here is only the form;
who may say what is in `service.natives`. The schema is ``urn_jinglebridge_frame_0.xsd``.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET

from jinglebridge.errors import BadRequest
from jinglebridge.xmpp.stanza import NS as COMPONENT
from jinglebridge.xmpp.stanza import STANZAS, Stanza, Written, written

NS = "urn:jinglebridge:frame:0"
FRAME = f"{{{NS}}}frame"
MAX_REASON = 200  # characters for people to read

# Each code of the JSON protocol as a stanza error (RFC 6120 §8.3.3), for programs that look no further.
CONDITIONS = {
    "bad-frame": ("modify", "bad-request"),
    "too-big": ("modify", "policy-violation"),
    "unknown-type": ("cancel", "feature-not-implemented"),
    "bad-version": ("modify", "not-acceptable"),
    "hello-first": ("wait", "unexpected-request"),
    "not-authorized": ("auth", "not-authorized"),
    "token-expired": ("auth", "not-authorized"),
    "forbidden": ("auth", "forbidden"),
    "not-supported": ("cancel", "feature-not-implemented"),
    "not-negotiable": ("modify", "not-acceptable"),
    "unknown-call": ("cancel", "item-not-found"),
    "duplicate-call": ("cancel", "conflict"),
    "unknown-contact": ("modify", "jid-malformed"),
    "out-of-order": ("wait", "unexpected-request"),
    "bad-description": ("modify", "not-acceptable"),
    "bad-candidate": ("modify", "not-acceptable"),
    "rate-limited": ("wait", "resource-constraint"),
    "unavailable": ("wait", "recipient-unavailable"),
    "draining": ("wait", "recipient-unavailable"),
    "internal": ("cancel", "internal-server-error"),
}


def read(payload: ET.Element) -> str:
    """The JSON text in a <frame/>. Raises BadRequest for one with elements or attributes."""
    if len(payload) or payload.attrib:
        raise BadRequest("a frame holds text and nothing else")
    return payload.text or ""


def frame(text: str) -> str:
    """XML of a <frame/>; without text it only asks for an answer."""
    return f'<frame xmlns="{NS}">{_text(text)}</frame>' if text else f'<frame xmlns="{NS}"/>'


def close(code: int, reason: str) -> str:
    """XML that ends the connection of a page."""
    return f'<close xmlns="{NS}" code="{code}">{_text(reason[:MAX_REASON])}</close>'


def _text(text: str) -> str:
    """As text between tags: JSON is full of quotes, which are quotes there."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def result(request: Stanza, text: str) -> Written:
    """The answer to a frame: `text` is a frame, too."""
    return written("iq", "result", request.to, request.sender, request.id, frame(text))


def refusal(request: Stanza, code: str, message: str, text: str) -> ET.Element:
    """The answer to a frame that got the error `code`; `text`: the ``error`` frame."""
    reply = ET.Element(f"{{{COMPONENT}}}iq", {"type": "error", "id": request.id, "from": request.to, "to": request.sender})
    kind, condition = CONDITIONS[code]
    error = ET.SubElement(reply, f"{{{COMPONENT}}}error", {"type": kind})
    ET.SubElement(error, f"{{{STANZAS}}}{condition}")
    ET.SubElement(error, f"{{{STANZAS}}}text").text = message[:MAX_REASON]
    ET.SubElement(error, FRAME).text = text
    return reply
