"""XEP-0507: Jingle Content Category, version 0.1.0 (2025-11).

``a=content:slides,alt`` is ``<category name='slides'/><category name='alt'/>`` in the description: what a picture shows. J-138, J-223.
"""

from __future__ import annotations

from typing import NamedTuple

from jinglebridge.sdp import MediaDescription
from jinglebridge.sdp.attributes import content
from jinglebridge.xml import Element, attr, one_of

NS = "urn:xmpp:jingle:apps:category:0"
VERSION = "0.1.0"
FEATURES = (NS,)

# RFC 4796 §5. Its user-floor is missing in the XEP.
NAMES = ("slides", "speaker", "sl", "main", "alt")


class Category(NamedTuple):
    """`name`: one of `NAMES`."""

    name: str


CATEGORY = Element(Category, NS, "category", (attr("name", one_of(*NAMES)),))


def from_sdp(media: MediaDescription) -> tuple[Category, ...]:
    """The categories of one section in order, each once; unknown words are dropped."""
    found = dict.fromkeys(word for value in media.all("content") for word in content(value))
    return tuple([Category(word) for word in found if word in NAMES])


def to_sdp(media: MediaDescription, categories: tuple[Category, ...]) -> None:
    """The one a=content line."""
    if categories:
        media.add("content", ",".join(dict.fromkeys(item.name for item in categories)))
