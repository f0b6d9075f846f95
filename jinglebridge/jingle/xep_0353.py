"""XEP-0353: Jingle Message Initiation, version 0.8.0 (2026-02).

The call before the session: propose, ringing, proceed, reject, retract, finish, all with the id that becomes the sid. J-051 … J-074.
"""

from __future__ import annotations

from typing import Any
from xml.etree.ElementTree import Element as XmlElement

from jinglebridge.errors import BadRequest
from jinglebridge.jingle.xep_0166 import MAX_SID, REASON, Reason
from jinglebridge.jingle.xep_0166 import NS as NS_JINGLE
from jinglebridge.jingle.xep_0167 import NS as NS_RTP
from jinglebridge.values import frozen
from jinglebridge.xml import Child, Children, Element, Flag, Part, Type, attr, word

NS = "urn:xmpp:jingle-message:0"
NS_HINTS = "urn:xmpp:hints"
VERSION = "0.8.0"
FEATURES = (NS,)


@frozen
class ProposedMedia:
    """The <description/> of a propose."""

    media: str


@frozen
class Propose:
    """`media`: audio, video or both, in the order proposed; empty if nothing of RTP is (J-055)."""

    id: str
    media: tuple[str, ...]

    @property
    def descriptions(self) -> tuple[ProposedMedia, ...]:
        """The media as the elements that carry them."""
        return tuple(map(ProposedMedia, self.media))


@frozen
class Ringing:
    """The callee's device rings."""

    id: str


@frozen
class Proceed:
    """The callee took the call: the session may begin."""

    id: str


@frozen
class Accept:
    """Before 0.6 sent to the own account: no more than "answered elsewhere" (J-061)."""

    id: str


@frozen
class Reject:
    """The callee will not take it, or both called at once (`tie_break`)."""

    id: str
    reason: Reason | None = None
    tie_break: bool = False


@frozen
class Retract:
    """The caller gave up before anybody answered."""

    id: str
    reason: Reason | None = None
    tie_break: bool = False


@frozen
class Finish:
    """`migrated_to`: id of the propose that continues the call."""

    id: str
    reason: Reason | None = None
    migrated_to: str | None = None

    @property
    def migrated(self) -> _Migrated | None:
        """`migrated_to` as the element that carries it."""
        return None if self.migrated_to is None else _Migrated(self.migrated_to)


@frozen
class _Migrated:
    to: str


Jmi = Propose | Ringing | Proceed | Accept | Reject | Retract | Finish


def _propose(id: str, descriptions: tuple[ProposedMedia, ...] = ()) -> Propose:
    return Propose(id, tuple(item.media for item in descriptions))


def _finish(id: str, reason: Reason | None = None, migrated: _Migrated | None = None, other: _Migrated | None = None) -> Finish:
    migrated = migrated or other
    return Finish(id, reason, None if migrated is None else migrated.to)


def _id(value: str) -> str:
    if not 1 <= len(value) <= MAX_SID or not value.isprintable():
        raise ValueError(f"not 1 to {MAX_SID} characters")
    return value


_ID = attr("id", Type(_id, str))
_REASON = Child(REASON, "reason")
_END: tuple[Part, ...] = (_ID, _REASON, Flag(NS, "tie-break", "tie_break"))
_MIGRATED = Element(_Migrated, NS, "migrated", (attr("to", word),))
# COMPAT(Monal 6): writes <migrated/> in the namespace of XEP-0166; it is read, never written.
_MIGRATED_MONAL = Element(_Migrated, NS_JINGLE, "migrated", (attr("to", word),))
_PROPOSED = Element(ProposedMedia, NS_RTP, "description", (attr("media", word),))

PROPOSE = Element(_propose, NS, "propose", (_ID, Children(_PROPOSED, "descriptions", most=8, lenient=True)))
FINISH = Element(_finish, NS, "finish", (_ID, _REASON, Child(_MIGRATED, "migrated"), Child(_MIGRATED_MONAL, "other", write=False)))
REJECT = Element(Reject, NS, "reject", _END)
RETRACT = Element(Retract, NS, "retract", _END)
RINGING = Element(Ringing, NS, "ringing", (_ID,))
PROCEED = Element(Proceed, NS, "proceed", (_ID,))
ACCEPT = Element(Accept, NS, "accept", (_ID,))


_BY_CLASS: dict[type[Jmi], Element[Any]] = {
    Propose: PROPOSE,
    Ringing: RINGING,
    Proceed: PROCEED,
    Accept: ACCEPT,
    Reject: REJECT,
    Retract: RETRACT,
    Finish: FINISH,
}
_BY_TAG = {element.clark: element for element in _BY_CLASS.values()}
_BY_NAME = {element.tag: element for element in _BY_CLASS.values()}
JMI_TAGS = frozenset(_BY_TAG)
JMI_NAMES = tuple(_BY_NAME)


def parse_jmi(el: XmlElement) -> Jmi:
    """The model of a JMI element. Raises BadRequest for another element or a missing id."""
    element = _BY_TAG.get(el.tag)
    if element is None:
        raise BadRequest("not an element of XEP-0353")
    jmi: Jmi = element.parse(el)
    return jmi


def plain_jmi(text: str) -> Jmi | None:
    """What `parse_jmi` gives for an element that is text; None where the text is not plain. Raises BadRequest."""
    element = _BY_NAME.get(text[1 : text.find(" ")])
    return None if element is None else element.read_plain(text)


def jmi_text(jmi: Jmi) -> str:
    """`to_text(build_jmi(jmi))`, faster."""
    return _BY_CLASS[type(jmi)].text(jmi)


def build_jmi(jmi: Jmi) -> XmlElement:
    """Inverse of `parse_jmi`. The message around it (type chat, store hint) is the shell's."""
    return _BY_CLASS[type(jmi)].build(jmi)
