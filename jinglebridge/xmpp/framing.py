"""IQs of the plainest kind in the text of a stream: they are read without a tree, which costs a fraction.

Nothing here decides what XML is: what is not plain goes to the parser, in order. That a stanza ends at the first ``</iq>`` holds because
its payload is taken only by who has read it as one whole element.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from jinglebridge.errors import BadRequest
from jinglebridge.xmpp.stanza import prepare

LONG = 2000  # characters; a shorter text with quotes of two kinds, which no server writes, costs more to read here than in a tree
LONGEST = 64 * 1024  # characters of a stanza that is read here
LONGEST_HEAD = 1000  # characters
NEXT = "><iq "  # what another one may begin with

_ATTRIBUTES = r"""(?: (?:from|to|type|xml:lang)=(?:'[^'<>&]*'|"[^"<>&]*"))*"""
_BEFORE, _BEHIND = re.compile(_ATTRIBUTES).fullmatch, re.compile(f"{_ATTRIBUTES}/?").fullmatch
_ATTRIBUTE = re.compile(r""" ([a-z:]+)=(['"])(.*?)\2""").findall
_LAST = re.compile(r"""<[^'"]*(?:'[^']*'[^'"]*|"[^"]*"[^'"]*)*>""").fullmatch


class Head(NamedTuple):
    """What the start tag of an IQ says beside its id; the addresses are prepared."""

    type: str
    sender: str
    to: str


def ends_whole(text: str) -> bool:
    """Is all that follows certainly not in the middle of a tag or a comment? A value may hold a ">"."""
    return "<!" not in text and "<?" not in text and _LAST(text, text.rfind("<")) is not None


def iq(text: str, at: int) -> tuple[Head, str, str, int] | None:
    """The IQ that begins at `at`, if it is plain: its head, its id, its payload and where the next stanza begins.

    The payload is a <jingle/> by its beginning, or "" if there is none.
    """
    if not text.startswith("<iq ", at):
        return None
    close = text.find(">", at)
    begin = text.find(" id=", at, close) + 5  # behind the quote
    end = text.find(text[begin - 1], begin, close)
    if begin < 5 or end < 0 or close - at > LONGEST_HEAD:
        return None
    id, head = text[begin:end], _head(text[at + 3 : begin - 5], text[begin - 1], text[end + 1 : close])
    if head is None or "&" in id or "<" in id or not id.isprintable():
        return None
    if text[close - 1] == "/":
        return head, id, "", close + 1
    end = text.find("</iq>", close)
    if end < 0 or end - at > LONGEST or not text.startswith("<jingle ", close + 1):
        return None
    payload = text[close + 1 : end]
    if len(payload) < LONG and ('"' if text[begin - 1] == "'" else "'") in payload:
        return None
    return head, id, payload, end + 5


@lru_cache(maxsize=1024)
def _head(before: str, quote: str, behind: str) -> Head | None:
    """The start tag of an IQ by what stands before and behind its id; None if it is not plain. It is the same all through a call."""
    whole = before + behind
    found = _ATTRIBUTE(whole)
    known = {name: value for name, _, value in found}
    if quote not in "'\"" or not _BEFORE(before) or not _BEHIND(behind) or len(known) < len(found) or not whole.isprintable():
        return None
    try:
        return Head(known["type"], prepare(known["from"]), prepare(known["to"]))
    except (KeyError, BadRequest):
        return None
