"""XEP-0338: Jingle Grouping Framework, version 1.0.0 (2020-07).

``a=group:BUNDLE 0 1`` is ``<group semantics='BUNDLE'><content name='0'/><content name='1'/></group>`` in the <jingle/>; the first
name is the tagged one, order is kept. J-189 … J-197.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field
from xml.etree.ElementTree import Element as XmlElement

from jinglebridge.errors import SdpError
from jinglebridge.kept import Kept
from jinglebridge.sdp import Section, SessionDescription
from jinglebridge.sdp.attributes import group
from jinglebridge.values import frozen
from jinglebridge.xml import Children, Element, Unknown, attr, line

NS = "urn:xmpp:jingle:apps:grouping:0"
VERSION = "1.0.0"
FEATURES = ("urn:ietf:rfc:5888",)

# Semantics that browsers know; others are dropped on the way to them (J-197).
FOR_BROWSERS = frozenset({"BUNDLE", "LS"})


@frozen
class Member:
    """The <content/> inside a <group/>."""

    name: str


_MEMBERS: Kept[str, Member] = Kept()  # the same objects in all groups, since their text is remembered by identity


@frozen
class Group:
    """`names` are content names; on the SDP side they are mids."""

    semantics: str
    names: tuple[str, ...] = ()
    unknown: tuple[XmlElement, ...] = field(default=(), compare=False)

    @property
    def members(self) -> tuple[Member, ...]:
        """The names as the elements that carry them."""
        return tuple([_MEMBERS.get(name) or _MEMBERS.keep(name, Member(name), len(name)) for name in self.names])

    def renamed(self, names: Mapping[str, str]) -> Group | None:
        """With other names, each once; those that `names` lacks are dropped. None if nothing is left (J-191)."""
        kept = tuple(dict.fromkeys([names[name] for name in self.names if name in names]))
        if kept == self.names and kept:
            return self
        return Group(self.semantics, kept, self.unknown) if kept else None


def distinct(groups: Iterable[Group]) -> tuple[Group, ...]:
    """The groups, none twice, and no name in two BUNDLE groups: it keeps its first one (RFC 9143 §7.1)."""
    found: dict[tuple[str, tuple[str, ...]], Group] = {}
    bundled: set[str] = set()
    for item in groups:
        kept: Group | None = item
        if item.semantics == "BUNDLE":
            if bundled or len(set(item.names)) < len(item.names) or not item.names:
                kept = item.renamed({name: name for name in item.names if name not in bundled})
            bundled.update(item.names)
        if kept is not None:
            found.setdefault((kept.semantics, kept.names), kept)
    return tuple(found.values())


def common(group: Group, others: Iterable[Group]) -> Group | None:
    """The part of a group that the first fitting one of `others` has too; None if none has anything in common with it. J-190"""
    for other in others:
        if other.semantics == group.semantics:
            kept = group.renamed({name: name for name in group.names if name in other.names})
            if kept is not None:
                return kept
    return None


def _group(semantics: str, members: tuple[Member, ...] = (), unknown: tuple[XmlElement, ...] = ()) -> Group:
    return Group(semantics, tuple(member.name for member in members), unknown)


MEMBER = Element(Member, NS, "content", (attr("name", line),), keep=True)
GROUP = Element(_group, NS, "group", (attr("semantics"), Children(MEMBER, "members"), Unknown()))


def from_sdp(sdp: SessionDescription) -> tuple[Group, ...]:
    """Groups with mids for names; a malformed line is dropped."""
    found = []
    for value in sdp.all("group"):
        try:
            found.append(Group(*group(value)))
        except SdpError:
            continue
    return tuple(found)


def to_sdp(sdp: Section, groups: Iterable[Group]) -> None:
    """The a=group lines that browsers understand; names must be mids by now."""
    for item in groups:
        if item.semantics in FOR_BROWSERS:
            sdp.add("group", " ".join((item.semantics, *item.names)))
