"""IQs and JMI messages of the plainest kind in the text of a stream: they are read without a tree, which costs a fraction.

Nothing here decides what XML is: what is not plain goes to the parser, in order. That a stanza ends at the first ``</iq>`` or
``</message>`` holds because its payload is taken only by who has read it as one whole element, with nothing but known ones behind it.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from jinglebridge.errors import BadRequest
from jinglebridge.jingle import JMI_NAMES
from jinglebridge.xmpp.stanza import prepare

LONG = 2000  # characters; a shorter text with quotes of two kinds, which no server writes, costs more to read here than in a tree
LONGEST = 64 * 1024  # characters of a stanza that is read here
LONGEST_MESSAGE = 2000
LONGEST_HEAD = 1000  # characters
_BEGINS = ("<iq ", "<message ")
_CONTENT = ("<jingle ", *(f"<{tag} " for tag in JMI_NAMES))  # what the payload may begin with

_ATTRIBUTES = r"""(?: (?:from|to|type|xml:lang)=(?:'[^'<>&]*'|"[^"<>&]*"))*"""
_BEFORE, _BEHIND = re.compile(f"<(iq|message)({_ATTRIBUTES})").fullmatch, re.compile(f"{_ATTRIBUTES}/?").fullmatch
_ATTRIBUTE = re.compile(r""" ([a-z:]+)=(['"])(.*?)\2""").findall
_LAST = re.compile(r"""<[^'"]*(?:'[^']*'[^'"]*|"[^"]*"[^'"]*)*>""").fullmatch
_NEXT = re.compile("><(?:iq|message) ").search
_HINTS = re.compile(
    """(?:<(?:store xmlns=(?:'urn:xmpp:hints'|"urn:xmpp:hints")|(request) xmlns=(?:'urn:xmpp:receipts'|"urn:xmpp:receipts"))/>)*"""
).fullmatch


class Head(NamedTuple):
    """What the start tag of an IQ or a message says beside its id; the addresses are prepared. `peer` and `own` are those without
    resource, `domain` is that of `own`."""

    kind: str
    type: str
    sender: str
    to: str
    peer: str
    own: str
    domain: str

    @classmethod
    def of(cls, kind: str, type: str, sender: str, to: str) -> Head:
        own = to.partition("/")[0]
        return cls(kind, type, sender, to, sender.partition("/")[0], own, own.rpartition("@")[2])


def ends_whole(text: str) -> bool:
    """Is all that follows certainly not in the middle of a tag or a comment? A value may hold a ">"."""
    return "<!" not in text and "<?" not in text and _LAST(text, text.rfind("<")) is not None


def following(text: str, at: int) -> int:
    """Where the next stanza may begin that is plain, behind the one at `at`."""
    found = _NEXT(text, at)
    return len(text) if found is None else found.start() + 1


def stanza(text: str, at: int) -> tuple[Head, str, str, int] | None:
    """The IQ or message that begins at `at`, if it is plain: its head, its id, its payload and where the next stanza begins.

    The payload is a <jingle/> or an element of JMI by its beginning, or "" if there is none.
    """
    if not text.startswith(_BEGINS, at):
        return None
    close = text.find(">", at)
    empty = text[close - 1] == "/"
    if not empty and not text.startswith(_CONTENT, close + 1):
        return None
    begin = text.find(" id=", at, close) + 5  # behind the quote
    end = text.find(text[begin - 1], begin, close)
    if begin < 5 or end < 0 or close - at > LONGEST_HEAD:
        return None
    id, head = text[begin:end], _head(text[at : begin - 5], text[begin - 1], text[end + 1 : close])
    if head is None or "&" in id or "<" in id or not id.isprintable():
        return None
    if empty:
        return head, id, "", close + 1
    closing, most = ("</iq>", LONGEST) if head.kind == "iq" else ("</message>", LONGEST_MESSAGE)
    end = text.find(closing, close, at + most)
    if end < 0:
        return None
    payload = text[close + 1 : end]
    if len(payload) < LONG and ('"' if text[begin - 1] == "'" else "'") in payload:
        return None
    return head, id, payload, end + len(closing)


def parted(payload: str) -> tuple[str, bool] | None:
    """The text of a message's first child, and whether a receipt is asked for behind it; None if something else is there.

    Who reads the text as one whole element knows that it was cut at the right place.
    """
    end = payload.find(">") + 1
    if payload[end - 2 : end] != "/>":
        closing = f"</{payload[1 : payload.find(' ')]}>"
        end = payload.find(closing) + len(closing)
    hints = _HINTS(payload, end)
    return None if hints is None else (payload[:end], hints[1] is not None)


@lru_cache(maxsize=1024)
def _head(before: str, quote: str, behind: str) -> Head | None:
    """A start tag by what stands before and behind its id; None if it is not plain. It is the same all through a call."""
    start = _BEFORE(before)
    if start is None or quote not in "'\"" or not _BEHIND(behind):
        return None
    whole = start[2] + behind
    found = _ATTRIBUTE(whole)
    known = {name: value for name, _, value in found}
    if len(known) < len(found) or not whole.isprintable():
        return None
    try:
        return Head.of(start[1], known["type"], prepare(known["from"]), prepare(known["to"]))
    except (KeyError, BadRequest):
        return None
