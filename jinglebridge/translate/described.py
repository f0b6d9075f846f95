"""A whole description on the Jingle side, and the names that tie it to m= lines."""

from __future__ import annotations

from collections.abc import Container, Iterable
from typing import NamedTuple
from xml.etree.ElementTree import Element as XmlElement

from jinglebridge.jingle import Content, Group, RtpDescription, xep_0343
from jinglebridge.jingle.private import without_addresses
from jinglebridge.jingle.xep_0167 import MEDIA
from jinglebridge.jingle.xep_0294 import MID_URI
from jinglebridge.sdp import MediaDescription, SessionDescription
from jinglebridge.sdp.attributes import TOKEN
from jinglebridge.values import replace

MAX_MID = 32  # characters that Chromium and the RTP header extension take


class Described(NamedTuple):
    """What session-initiate, session-accept or content-add says: contents in order of the m= lines, and their groups.

    `unknown`: children of <jingle/> that no XEP here knows; the private element for the session part is one.
    """

    contents: tuple[Content, ...]
    groups: tuple[Group, ...] = ()
    unknown: tuple[XmlElement, ...] = ()

    def content(self, name: str) -> Content | None:
        """The first content of that name."""
        return next((content for content in self.contents if content.name == name), None)

    def bundle(self) -> tuple[str, ...]:
        """Names of the first BUNDLE group, () without one."""
        return next((group.names for group in self.groups if group.semantics == "BUNDLE"), ())


def mids(contents: Iterable[Content], own: Container[str] = ()) -> tuple[str, ...]:
    """The mid of each content: its name where that is legal and free, else a generated one. J-194, J-195.

    Pure: the same contents always get the same mids, so that trickled candidates find their content again. `own`: mids that the endpoint
    uses itself, which are legal for that reason.
    """
    names = [content.name for content in contents]
    if len(set(names)) == len(names) and all(map(_legal, names)):
        return tuple(names)
    legal = [(name in own or _legal(name)) and name not in names[:index] for index, name in enumerate(names)]
    taken = {name for name, good in zip(names, legal, strict=True) if good}
    found = []
    for index, (name, good) in enumerate(zip(names, legal, strict=True)):
        mid = name if good else f"m{index}"
        while not good and mid in taken:
            mid += "x"  # two of these never meet: each has its own number
        found.append(mid)
    return tuple(found)


def _legal(name: str) -> bool:
    return 1 <= len(name) <= MAX_MID and ((name.isalnum() and name.isascii()) or TOKEN.issuperset(name))


def name_of(media: MediaDescription) -> str:
    """Content name of an m= section: its mid, else its position, made different from every mid. M-3, J-194"""
    mid = media.mid
    if mid is not None:
        return mid
    name, taken = str(media.index), media.session.mids
    if name in taken:
        name = f"m{name}"
    while name in taken:
        name += "x"
    return name


def translatable(media: MediaDescription) -> bool:
    """Audio and video over RTP of any profile, and data channels; nothing else has a Jingle form. J-111, J-112, J-225"""
    return (media.kind in MEDIA and "RTP" in media.proto) or xep_0343.from_sdp(media) is not None


def without_mid_extension(description: RtpDescription) -> RtpDescription:
    """The media would carry mids that the other side does not know. J-195"""
    kept = tuple(item for item in description.header_extensions if item.uri != MID_URI)
    return replace(description, header_extensions=kept)


def without_candidates(described: Described) -> Described:
    """For session-initiate and session-accept that must tell no address yet."""
    contents = []
    for content in described.contents:
        if content.transport is not None:
            content = replace(content, transport=replace(content.transport, candidates=(), gathering_complete=False))
        contents.append(replace(content, unknown=without_addresses(content.unknown)))
    return described._replace(contents=tuple(contents), unknown=without_addresses(described.unknown))


def media_of(what: SessionDescription | Described) -> tuple[str, ...]:
    """ "audio", "video", each once, in order: what a propose names and a session-initiate must equal (J-053)."""
    if isinstance(what, SessionDescription):
        kinds = [media.kind for media in what.media if translatable(media) and not media.rejected]
    else:
        kinds = [content.description.media for content in what.contents if content.description is not None]
    return tuple(dict.fromkeys(kind for kind in kinds if kind in MEDIA))
