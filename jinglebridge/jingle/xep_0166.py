"""XEP-0166: Jingle, version 1.1.2 (2018-09).

The <jingle/> element itself: actions, contents, reasons. What a content holds is in the files of its XEPs. J-075 … J-108.
"""

from __future__ import annotations

from dataclasses import field
from xml.etree.ElementTree import Element as XmlElement

from jinglebridge.jingle.roles import Role, Senders, role, senders
from jinglebridge.jingle.xep_0167 import DESCRIPTION, INFO, NS_ERRORS, PAYLOAD_TYPE, RtpDescription, SessionInfo
from jinglebridge.jingle.xep_0176 import TRANSPORT, IceUdpTransport
from jinglebridge.jingle.xep_0338 import GROUP, Group
from jinglebridge.jingle.xep_0343 import PROTOCOL
from jinglebridge.jingle.xep_0371 import TRANSPORT as TRANSPORT_ICE
from jinglebridge.values import frozen
from jinglebridge.xml import Child, Children, Choice, Element, TextChild, Type, Unknown, Variants, attr, line, one_of, same, word, xml_safe

NS = "urn:xmpp:jingle:1"
NS_JINGLE_ERRORS = "urn:xmpp:jingle:errors:1"
VERSION = "1.1.2"
FEATURES = (NS,)

MAX_CONTENTS = 16
MAX_SID = 256  # characters
MAX_REASON_TEXT = 1000  # characters

ACTIONS = frozenset(
    {
        "content-accept",
        "content-add",
        "content-modify",
        "content-reject",
        "content-remove",
        "description-info",
        "security-info",
        "session-accept",
        "session-info",
        "session-initiate",
        "session-terminate",
        "transport-accept",
        "transport-info",
        "transport-reject",
        "transport-replace",
    }
)


@frozen
class Content:
    """One medium of a session.

    `description_ns` and `transport_ns` are the namespaces seen on the wire, also where `description` or `transport` is None because
    we do not know them (then the element is in `unknown`). `security`: a security precondition is demanded (J-102).
    """

    name: str
    creator: Role = Role.INITIATOR
    senders: Senders | None = None
    disposition: str = "session"
    description: RtpDescription | None = None
    transport: IceUdpTransport | None = None
    security: bool = field(default=False, compare=False)
    description_ns: str | None = field(default=None, compare=False)
    transport_ns: str | None = field(default=None, compare=False)
    unknown: tuple[XmlElement, ...] = field(default=(), compare=False)

    @property
    def ice_udp(self) -> IceUdpTransport | None:
        """The transport if it is written as XEP-0176 has it."""
        return None if self.transport is None or self.transport.ns != TRANSPORT.ns else self.transport

    @property
    def ice(self) -> IceUdpTransport | None:
        """The transport if it is written as XEP-0371 has it."""
        return None if self.transport is None or self.transport.ns != TRANSPORT_ICE.ns else self.transport

    @property
    def data(self) -> bool:
        """Is it a data channel: an SCTP association that belongs to no other application? XEP-0343"""
        sctp = None if self.transport is None else self.transport.sctp
        return self.description is None and self.description_ns is None and sctp is not None and sctp.protocol == PROTOCOL


@frozen
class Reason:
    """Why a session ends. `condition` None: none was given. `rtp_error`: for example crypto-required (XEP-0167 §7)."""

    condition: str | None
    text: str = ""
    rtp_error: str | None = None
    unknown: tuple[XmlElement, ...] = field(default=(), compare=False)


@frozen
class Jingle:
    """One <jingle/>. `unknown` are the children that nobody here knows: in session-info they are unsupported (J-210)."""

    action: str
    sid: str
    initiator: str | None = None
    responder: str | None = None
    contents: tuple[Content, ...] = ()
    groups: tuple[Group, ...] = ()
    reason: Reason | None = None
    info: tuple[SessionInfo, ...] = ()
    unknown: tuple[XmlElement, ...] = field(default=(), compare=False)


def _content(
    name: str,
    creator: Role,
    senders: Senders | None,
    disposition: str,
    description: RtpDescription | None = None,
    ice_udp: IceUdpTransport | None = None,
    ice: IceUdpTransport | None = None,
    unknown: tuple[XmlElement, ...] = (),
) -> Content:
    """Content as read: the namespaces of what is not ours are noted."""
    transport = ice_udp or ice
    description_ns = DESCRIPTION.ns if description is not None else _ns_of(unknown, "description")
    transport_ns = transport.ns if transport is not None else _ns_of(unknown, "transport")
    security = _ns_of(unknown, "security") is not None
    return Content(name, creator, senders, disposition, description, transport, security, description_ns, transport_ns, unknown)


def _ns_of(elements: tuple[XmlElement, ...], tag: str) -> str | None:
    if not elements:
        return None
    return next((el.tag[1:].partition("}")[0] for el in elements if el.tag.endswith("}" + tag)), None)


def _reason(condition: str | None = None, text: str = "", rtp_error: str | None = None, unknown: tuple[XmlElement, ...] = ()) -> Reason:
    return Reason(condition, text, rtp_error, unknown)


def _sid(value: str) -> str:
    if not 1 <= len(value) <= MAX_SID or not value.isprintable():
        raise ValueError(f"not 1 to {MAX_SID} characters")
    return value


def _reason_text(value: str) -> str:
    return xml_safe(value)[:MAX_REASON_TEXT]


CONTENT = Element(
    _content,
    NS,
    "content",
    (
        # COMPAT(Gajim): leaves it out; the schema requires it, the text has this default. J-103
        attr("creator", role, default=Role.INITIATOR, always=True),
        attr("disposition", word, default="session"),
        attr("name", line),
        attr("senders", senders, default=None),
        Child(DESCRIPTION, "description"),
        Child(TRANSPORT, "ice_udp"),
        Child(TRANSPORT_ICE, "ice"),
        Unknown(),
    ),
)
# Any condition, also an unknown one, and foreign children are fine. J-095
REASON = Element(
    _reason,
    NS,
    "reason",
    (
        Choice(NS, "condition"),
        TextChild(NS, "text", "text", Type(_reason_text, _reason_text)),
        Choice(NS_ERRORS, "rtp_error"),
        Unknown(),
    ),
)
JINGLE = Element(
    Jingle,
    NS,
    "jingle",
    (
        attr("action", one_of(*sorted(ACTIONS))),
        attr("initiator", line, default=None),
        attr("responder", line, default=None),
        attr("sid", Type(_sid, same)),
        Children(GROUP, "groups", lenient=True),
        Children(CONTENT, "contents", most=MAX_CONTENTS),
        Child(REASON, "reason"),
        Variants(INFO, "info"),
        Unknown(),
    ),
)


def parse_jingle(el: XmlElement) -> Jingle:
    """The model of a <jingle/>. Raises BadRequest (J-079, J-086). One bad candidate or codec drops only itself."""
    return JINGLE.parse(el)


def read_jingle(source: str) -> Jingle:
    """`parse_jingle(parse_text(source))`, faster."""
    return JINGLE.read(source, PAYLOAD_TYPE.tag)


def build_jingle(jingle: Jingle) -> XmlElement:
    """Inverse of `parse_jingle`; unknown children are written back, SDES never."""
    return JINGLE.build(jingle)


def jingle_text(jingle: Jingle) -> str:
    """`to_text(build_jingle(jingle))`, faster."""
    return JINGLE.text(jingle)
