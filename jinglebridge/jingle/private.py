"""Private namespace ``urn:jinglebridge:sdp:0``: what an SDP says and no XEP has a place for.

``<sdp xmlns='urn:jinglebridge:sdp:0'>`` stands in a <jingle/> for the session part and in a <content/> for its section. A peer that does
not know it loses nothing that Jingle could have told it. What its children mean is in `jinglebridge.translate.extensions`; here is only
their form. Version 0; the schema is ``urn_jinglebridge_sdp_0.xsd``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any
from xml.etree.ElementTree import Element as XmlElement

from jinglebridge.errors import BadRequest
from jinglebridge.sdp.grammar import ILLEGAL
from jinglebridge.xml import Children, Element, Text, Type, attr, integer, line, one_of, word

NS = "urn:jinglebridge:sdp:0"
VERSION = "0"
FEATURES = (NS,)

MAX_LINES = 2000  # literal lines in one <sdp/> or <section/>: as many as an SDP may have
MAX_LINE = 8 * 1024  # characters of one: likewise
WITHOUT = ("direction", "ice-options", "mid", "msid", "rtpmap", "ssrc-cname", "ssrc-msid")


@dataclass(frozen=True, slots=True)
class Line:
    """One SDP line, type letter included ("a=rid:hi send"), no line end."""

    text: str


@dataclass(frozen=True, slots=True)
class Without:
    """A line that is always written for a standard description, and that this SDP does not have. `id`: payload type of an rtpmap."""

    attribute: str
    id: int | None = None


@dataclass(frozen=True, slots=True)
class Lift:
    """An attribute that stands at session level, for the contents `names` (separated by blanks), which have none of their own."""

    attribute: str
    names: str


@dataclass(frozen=True, slots=True)
class Grouped:
    """The members of one a=group line in order, those included that are in no content."""

    semantics: str
    names: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """A section that is no content: rejected, or of a kind that Jingle does not know. `at` is its place among the m= lines, from 0."""

    at: int
    lines: tuple[Line, ...] = ()


@dataclass(frozen=True, slots=True)
class Format:
    """A payload type that the m= line lists in place `at` and that no <payload-type/> describes."""

    id: str
    at: int


@dataclass(frozen=True, slots=True)
class CandidateTail:
    """What follows the type of the candidate `id`. See `jinglebridge.translate.tails`.

    `tail`: names, separated by blanks; ``name=value`` where the value has no place in <candidate/>. `protocol`: its spelling.
    """

    id: str
    tail: str
    protocol: str | None = None


@dataclass(frozen=True, slots=True)
class SdpExtras:
    """One <sdp/>. `proto`: protocol of the m= line if it is not the usual one."""

    proto: str | None = None
    lines: tuple[Line, ...] = ()
    spellings: tuple[Line, ...] = ()
    without: tuple[Without, ...] = ()
    lifts: tuple[Lift, ...] = ()
    groups: tuple[Grouped, ...] = ()
    sections: tuple[Section, ...] = ()
    formats: tuple[Format, ...] = ()
    candidates: tuple[CandidateTail, ...] = ()


@dataclass(frozen=True, slots=True)
class Negotiation:
    """Stands in each stanza by which one bridge tells another an offer or an answer of its endpoint in a running call.

    `id` counts the offers of its author in the session; an answer repeats that of its offer. `left`: how many stanzas of the same offer
    or answer follow. A refusal changes nothing: the endpoint behind it did not answer, or could not be asked.
    """

    type: str
    id: int
    left: int = 0


def _sdp_line(value: str) -> str:
    """A line that can be a line: one letter, "=", something, no line end. The same set of characters as `sdp.parse` takes."""
    if not 3 <= len(value) <= MAX_LINE or value[1] != "=" or not "a" <= value[0] <= "z":
        raise ValueError("not a line of SDP")
    if ILLEGAL.search(value):
        raise ValueError("control character")
    return value


def _lines(tag: str) -> Element[Line]:
    return Element(Line, NS, tag, (Text("text", Type(_sdp_line, str)),))


LINE = _lines("line")
SECTION = Element(Section, NS, "section", (attr("at", integer(0, 15)), Children(LINE, "lines", most=MAX_LINES)))
SDP = Element(
    SdpExtras,
    NS,
    "sdp",
    (
        attr("proto", word, default=None),
        Children(LINE, "lines", most=MAX_LINES, lenient=True),
        Children(_lines("as"), "spellings", most=MAX_LINES, lenient=True),
        Children(
            Element(Without, NS, "without", (attr("attribute", one_of(*WITHOUT)), attr("id", integer(0, 127), default=None))),
            "without",
            most=100,
            lenient=True,
        ),
        Children(Element(Lift, NS, "lift", (attr("attribute"), attr("names", line))), "lifts", lenient=True),
        Children(Element(Grouped, NS, "group", (attr("semantics"), attr("names", line, default=""))), "groups", lenient=True),
        Children(SECTION, "sections", most=16, lenient=True),
        Children(Element(Format, NS, "format", (attr("id"), attr("at", integer(0, 63)))), "formats", lenient=True),
        Children(
            Element(CandidateTail, NS, "candidate", (attr("id", line), attr("tail", line), attr("protocol", word, default=None))),
            "candidates",
            most=100,
            lenient=True,
        ),
    ),
)
NOTHING = SdpExtras()


def written(extras: SdpExtras) -> tuple[XmlElement, ...]:
    """The <sdp/> for `unknown` of a model; empty if there is nothing to say."""
    return () if extras == NOTHING else (SDP.build(extras),)


def without_addresses(unknown: Iterable[XmlElement]) -> tuple[XmlElement, ...]:
    """The children without private lines that may tell an address: candidates, a=rtcp, c=."""
    found: list[XmlElement] = []
    for el in unknown:
        if el.tag != SDP.clark:
            found.append(el)
            continue
        extras = read((el,))
        sections = tuple(replace(section, lines=tuple(filter(_tells_nothing, section.lines))) for section in extras.sections)
        found += written(replace(extras, lines=tuple(filter(_tells_nothing, extras.lines)), sections=sections, candidates=()))
    return tuple(found)


# An address, or what may be one: better a line too few than an address too early.
_ADDRESS = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}|[0-9A-Fa-f]{0,4}:[0-9A-Fa-f]{0,4}:|\.local\b").search
_ADDRESSES = ("a=altc:", "a=candidate:", "a=remote-candidates:", "a=rtcp:", "a=source-filter:", "c=")


def _tells_nothing(line: Line) -> bool:
    return not line.text.lower().startswith(_ADDRESSES) and _ADDRESS(line.text) is None


NEGOTIATION = Element(
    Negotiation,
    NS,
    "negotiation",
    (attr("type", one_of("offer", "answer", "refusal")), attr("id", integer(0, 2**31 - 1)), attr("left", integer(0, 99), default=0)),
)


def negotiation_of(unknown: Iterable[Any]) -> Negotiation | None:
    """The <negotiation/> among the children of a <jingle/>; a malformed one is none."""
    for el in unknown:
        if el.tag == NEGOTIATION.clark:
            try:
                return NEGOTIATION.parse(el)
            except BadRequest:
                return None
    return None


def read(unknown: Iterable[Any]) -> SdpExtras:
    """The first <sdp/> among children kept aside. A malformed one reads as none: the standard elements are enough."""
    for el in unknown:
        if el.tag == SDP.clark:
            try:
                return SDP.parse(el)
            except BadRequest:
                return NOTHING
    return NOTHING
