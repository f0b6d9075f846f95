"""IQs of the plainest kind in the text of a stream: they are read without a tree, which costs a fraction.

Nothing here decides what XML is: what is not plain goes to the parser, in order. That a stanza ends at the first ``</iq>`` holds because
its payload is taken only by who has read it as one whole element.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import NamedTuple

from jinglebridge.kept import Kept

LONGEST = 64 * 1024  # characters of a stanza that is read here
NEXT = "><iq "  # what another one may begin with

_WANTED = (" type=", " id=", " from=", " to=")
_NAMES = frozenset((*_WANTED, " xml:lang="))
_LAST = re.compile(r"""<[^'"]*(?:'[^']*'[^'"]*|"[^"]*"[^'"]*)*>""").fullmatch
_Values = Callable[[Sequence[str]], tuple[str, str, str, str]]
_heads: Kept[str, _Values | None] = Kept()  # by all of a head that is no value


class Iq(NamedTuple):
    """`payload`: a <jingle/>, by its beginning; "" if there is none. `end`: where the next stanza begins. Addresses are as they came."""

    type: str
    id: str
    sender: str
    to: str
    payload: str
    end: int


def ends_whole(text: str) -> bool:
    """Is all that follows certainly not in the middle of a tag or a comment? A value may hold a ">"."""
    return "<!" not in text and "<?" not in text and _LAST(text, text.rfind("<")) is not None


def iq(text: str, at: int) -> Iq | None:
    """The IQ that begins at `at`, if it is plain."""
    if not text.startswith("<iq ", at):
        return None
    close = text.find(">", at)
    head = text[at + 3 : close]
    values = _values(head)
    if values is None:
        return None
    if head[-1] == "/":
        return Iq(*values, "", close + 1)
    end = text.find("</iq>", close)
    if end < 0 or end - at > LONGEST or not text.startswith("<jingle ", close + 1):
        return None
    return Iq(*values, text[close + 1 : end], end + 5)


def _values(head: str) -> tuple[str, str, str, str] | None:
    """Type, id, sender and addressee in the start tag of an IQ, if it has no other attributes."""
    quote = '"' if '"' in head else "'"
    parts = head.split(quote)
    shape = quote.join(parts[::2])
    if shape not in _heads:
        _heads.keep(shape, _order(shape.split(quote)), len(shape))
    values = _heads.get(shape)
    if values is None or not len(parts) % 2 or "&" in head or "<" in head or len(head) > LONGEST or not head.isprintable():
        return None
    return values(parts)


def _order(shape: list[str]) -> _Values | None:
    """Where the values are in a start tag of that shape; None if it is not plain."""
    *names, end = shape
    known = set(names)
    if end not in ("", "/") or len(known) < len(names) or not known.issuperset(_WANTED) or not known <= _NAMES:
        return None
    return itemgetter(*[2 * names.index(name) + 1 for name in _WANTED])
