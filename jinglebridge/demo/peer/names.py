"""Namespaces, and the two client shapes the contact can take."""

from __future__ import annotations

import base64
import hashlib
import xml.etree.ElementTree as ET
from dataclasses import dataclass

CLIENT = "jabber:client"
STANZAS = "urn:ietf:params:xml:ns:xmpp-stanzas"
DISCO = "http://jabber.org/protocol/disco#info"
CAPS = "http://jabber.org/protocol/caps"
PING = "urn:xmpp:ping"
HINTS = "urn:xmpp:hints"
RECEIPTS = "urn:xmpp:receipts"
DELAY = "urn:xmpp:delay"
EXTDISCO = "urn:xmpp:extdisco:2"
JMI = "urn:xmpp:jingle-message:0"
JINGLE = "urn:xmpp:jingle:1"
JINGLE_ERRORS = "urn:xmpp:jingle:errors:1"
RTP = "urn:xmpp:jingle:apps:rtp:1"
RTP_INFO = "urn:xmpp:jingle:apps:rtp:info:1"
RTP_AUDIO = "urn:xmpp:jingle:apps:rtp:audio"
RTP_VIDEO = "urn:xmpp:jingle:apps:rtp:video"
RTCP_FB = "urn:xmpp:jingle:apps:rtp:rtcp-fb:0"
HDREXT = "urn:xmpp:jingle:apps:rtp:rtp-hdrext:0"
SSMA = "urn:xmpp:jingle:apps:rtp:ssma:0"
ICE_UDP = "urn:xmpp:jingle:transports:ice-udp:1"
DTLS = "urn:xmpp:jingle:apps:dtls:0"
GROUPING = "urn:xmpp:jingle:apps:grouping:0"
BUNDLE_FEATURE = "urn:ietf:rfc:5888"
SSMA_FEATURE = "urn:ietf:rfc:5576"
NO_TRICKLE_FEATURE = "urn:ietf:rfc:3264"

DINO_NODE = "https://dino.im"

CALLABLE = (JINGLE, RTP, RTP_AUDIO, ICE_UDP, DTLS, JMI)
"""What every callable session must announce (video comes on top when it can be taken)."""


def q(namespace: str, tag: str) -> str:
    """Clark name, as ElementTree writes it."""
    return f"{{{namespace}}}{tag}"


def local(element: ET.Element) -> str:
    """Tag without its namespace."""
    return element.tag.rpartition("}")[2]


def namespace(element: ET.Element) -> str:
    return element.tag[1:].partition("}")[0] if element.tag.startswith("{") else ""


def bare(jid: str) -> str:
    return jid.partition("/")[0]


def is_full(jid: str | None) -> bool:
    return bool(jid) and "@" in str(jid).partition("/")[0] and str(jid).partition("/")[2] != ""


@dataclass(frozen=True, slots=True)
class Shape:
    """How a client writes Jingle. Two exist, see `MODERN` and `DINO`."""

    name: str
    node: str
    identity: tuple[str, str, str]  # category, type, name
    features: tuple[str, ...]
    separate: bool  # one ICE and DTLS transport, one set of credentials and no group: each content for itself
    trickle: bool  # candidates one by one; else all inside initiate and accept
    polite: bool  # sends ringing, receipts, store hints, reasons and finish


_COMMON = (DISCO, CAPS, PING, JINGLE, RTP, RTP_AUDIO, RTP_VIDEO, ICE_UDP, DTLS, JMI)

MODERN = Shape(
    "modern",
    "https://jinglebridge.example/contact",
    ("client", "phone", "contact"),
    (*_COMMON, RTCP_FB, HDREXT, SSMA_FEATURE, BUNDLE_FEATURE, RECEIPTS),
    separate=False,
    trickle=True,
    polite=True,
)
DINO = Shape("dino", DINO_NODE, ("client", "pc", "Dino"), (*_COMMON, RTCP_FB, HDREXT), separate=True, trickle=False, polite=False)
SHAPES = {shape.name: shape for shape in (MODERN, DINO)}


def caps_ver(identities: list[tuple[str, str, str, str]], features: list[str], forms: list[str] = []) -> str:  # noqa: B006 - read only
    """Verification string: identities are (category, type, lang, name); `forms` are already in their string form.

    Spec: XEP-0115 §5.1.
    """
    text = "".join(f"{c}/{t}/{lang}/{name}<" for c, t, lang, name in sorted(identities))
    text += "".join(f"{feature}<" for feature in sorted(features)) + "".join(forms)
    return base64.b64encode(hashlib.sha1(text.encode(), usedforsecurity=False).digest()).decode()


def disco_query(shape: Shape, node: str | None) -> ET.Element:
    """Our own answer to disco#info."""
    query = ET.Element(q(DISCO, "query"), {"node": node} if node else {})
    category, kind, name = shape.identity
    ET.SubElement(query, q(DISCO, "identity"), {"category": category, "type": kind, "name": name})
    for feature in shape.features:
        ET.SubElement(query, q(DISCO, "feature"), {"var": feature})
    return query


def own_ver(shape: Shape) -> str:
    category, kind, name = shape.identity
    return caps_ver([(category, kind, "", name)], list(shape.features))


def ver_of_query(query: ET.Element) -> str:
    """The `ver` somebody else's disco#info answer must hash to, data forms included."""
    lang = "{http://www.w3.org/XML/1998/namespace}lang"
    identities = [
        (e.get("category", ""), e.get("type", ""), e.get(lang, ""), e.get("name", "")) for e in query.findall(q(DISCO, "identity"))
    ]
    features = [e.get("var", "") for e in query.findall(q(DISCO, "feature"))]
    forms = sorted(filter(None, map(_form_string, query.findall("{jabber:x:data}x"))))
    return caps_ver(identities, features, forms)


def _form_string(form: ET.Element) -> str:
    fields = {f.get("var", ""): sorted(v.text or "" for v in f.findall("{jabber:x:data}value")) for f in form}
    kind = fields.pop("FORM_TYPE", [""])[0]
    if not kind:
        return ""
    return f"{kind}<" + "".join(f"{var}<" + "".join(f"{v}<" for v in values) for var, values in sorted(fields.items()))
