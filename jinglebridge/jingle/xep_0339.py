"""XEP-0339: Source-Specific Media Attributes in Jingle, version 1.0.1 (2021-10).

``a=ssrc:1 cname:x`` is ``<source ssrc='1'><parameter name='cname' value='x'/></source>``, ``a=ssrc-group:FID 1 2`` is
``<ssrc-group semantics='FID'>``, and ``a=msid`` of the section travels as a parameter of each source. J-198 … J-205.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple
from xml.etree.ElementTree import Element as XmlElement

from jinglebridge.errors import SdpError
from jinglebridge.sdp import Direction, MediaDescription
from jinglebridge.sdp.attributes import TOKEN, ssrc, ssrc_group, words
from jinglebridge.xml import PRINTABLE, Children, Element, Type, Unknown, attr, integer, line, word

NS = "urn:xmpp:jingle:apps:rtp:ssma:0"
NS_STREAM = "urn:xmpp:jingle:apps:rtp:msid:0"
VERSION = "1.0.1"
FEATURES = ("urn:ietf:rfc:5576",)

# Deprecated copies of msid (J-199).
DROPPED = frozenset({"mslabel", "label"})


class SourceParameter(NamedTuple):
    """`value` None: the attribute has no value (``a=ssrc:1 attr``)."""

    name: str
    value: str | None = None


class Source(NamedTuple):
    """`unknown` does not count in ==."""

    ssrc: int
    parameters: tuple[SourceParameter, ...] = ()
    unknown: tuple[XmlElement, ...] = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Source) and self[:2] == other[:2]

    def __ne__(self, other: object) -> bool:
        return not self == other  # a tuple has its own

    def __hash__(self) -> int:
        return hash(self[:2])

    def get(self, name: str) -> str | None:
        """Value of an attribute."""
        for parameter, value in self.parameters:
            if parameter == name:
                return value
        return None


class SourceGroup(NamedTuple):
    """`sources` in order: in FID the primary stream is first. `unknown` does not count in ==."""

    semantics: str
    sources: tuple[Source, ...] = ()
    unknown: tuple[XmlElement, ...] = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SourceGroup) and self[:2] == other[:2]

    def __ne__(self, other: object) -> bool:
        return not self == other  # a tuple has its own

    def __hash__(self) -> int:
        return hash(self[:2])


class Stream(NamedTuple):
    """COMPAT(stanza 12): its own element for a=msid. Read (J-202); only what was read is written."""

    id: str
    track: str | None = None


def _name(value: str) -> str:
    """A name that can stand in a=ssrc, where ":" begins the value."""
    if ":" in value:
        raise ValueError("not the name of an attribute")
    return str(word.parse(value.strip(" ")))


def _value(value: str) -> str:
    parsed: str = line.parse(value)
    return parsed.strip()


_NAME = Type(_name, str, known={"cname": "cname", "msid": "msid"})
_VALUE = Type(_value, str, usual=f"{PRINTABLE} and {{0}}[:1] != ' ' != {{0}}[-1:]")
PARAMETER = Element(SourceParameter, NS, "parameter", (attr("name", _NAME), attr("value", _VALUE, default=None)))
SOURCE = Element(Source, NS, "source", (attr("ssrc", integer(0, 2**32 - 1)), Children(PARAMETER, "parameters", lenient=True), Unknown()))
SSRC_GROUP = Element(SourceGroup, NS, "ssrc-group", (attr("semantics"), Children(SOURCE, "sources"), Unknown()))

STREAM = Element(Stream, NS_STREAM, "stream", (attr("id", word), attr("track", word, default=None)))


def from_sdp(media: MediaDescription) -> tuple[tuple[Source, ...], tuple[SourceGroup, ...]]:
    """Sources and groups of one section; malformed lines are dropped.

    A section whose author does not send has none, except FID pairs of a recvonly section (J-205).
    """
    found: dict[int, list[SourceParameter]] = {}
    for value in media.all("ssrc"):
        try:
            number, name, text = ssrc(value)
        except SdpError:
            continue
        parameters = found.setdefault(number, [])
        if name not in DROPPED:
            parameters.append(SourceParameter(name, text))
    groups = []
    for value in media.all("ssrc-group"):
        try:
            semantics, numbers = ssrc_group(value)
        except SdpError:
            continue
        groups.append(SourceGroup(semantics, tuple(map(Source, numbers))))
    msid = media.get("msid")
    if msid:
        # Firefox gives it for the section only; Jingle knows it per source (J-202).
        for parameters in found.values():
            if "msid" not in [name for name, _ in parameters]:
                parameters.append(SourceParameter("msid", msid))
    sources = tuple([Source(number, tuple(parameters)) for number, parameters in found.items()])
    return heard(sources, tuple(groups), media.effective_direction)


def heard(
    sources: tuple[Source, ...], groups: tuple[SourceGroup, ...], direction: Direction
) -> tuple[tuple[Source, ...], tuple[SourceGroup, ...]]:
    """What is left of both in a section of that direction. J-205

    An author that sends nothing has no sources; browsers that only receive name the pairs of their retransmissions.
    """
    if direction is Direction.INACTIVE:
        return (), ()
    if direction is Direction.RECVONLY:
        groups = tuple(group for group in groups if group.semantics == "FID")
        paired = {source.ssrc for group in groups for source in group.sources}
        sources = tuple(source for source in sources if source.ssrc in paired)
    return sources, groups


def msid(sources: Iterable[Source], streams: Iterable[Stream]) -> str | None:
    """Value of the a=msid line: that of the first source that has one, else of stanza's element. RFC 8830 §2; J-202, J-203

    A stream "-" means none; its track then plays alone.
    """
    for source in sources:
        value = source.get("msid")
        if value and 1 <= len(fields := words(value)) <= 2 and value == " ".join(fields):
            return value
    return next((stream.id if stream.track is None else f"{stream.id} {stream.track}" for stream in streams), None)


def to_sdp(media: MediaDescription, sources: tuple[Source, ...], groups: tuple[SourceGroup, ...]) -> None:
    """The a=ssrc-group and a=ssrc lines; a source without parameters has no line of its own."""
    lines = []
    if groups:
        sources += _companions(sources, groups)
        for semantics, members, _ in groups:
            if members and TOKEN.issuperset(semantics):
                lines.append(f"a=ssrc-group:{semantics} {' '.join([str(number) for number, _, _ in members])}")
    seen: set[int] = set()
    for number, parameters, _ in sources:
        if number not in seen and parameters:
            seen.add(number)
            lines += [f"a=ssrc:{number} {name}" if value is None else f"a=ssrc:{number} {name}:{value}" for name, value in parameters]
    media.extend(lines)


def _companions(sources: tuple[Source, ...], groups: tuple[SourceGroup, ...]) -> tuple[Source, ...]:
    """The members of groups of which nothing is said, under the cname of one that is described.

    COMPAT(stanza 12): describes the first source of each content and groups it with its retransmission; Chromium refuses the group.
    """
    known = {number for number, parameters, _ in sources if parameters}
    if known.issuperset([number for _, members, _ in groups for number, _, _ in members]):
        return ()
    cnames = {source.ssrc: cname for source in sources if (cname := source.get("cname")) is not None}
    found = []
    for group in groups:
        cname = next((cnames[source.ssrc] for source in group.sources if source.ssrc in cnames), None)
        if cname is not None:
            found += [Source(item.ssrc, (SourceParameter("cname", cname),)) for item in group.sources if item.ssrc not in known]
    return tuple(found)
