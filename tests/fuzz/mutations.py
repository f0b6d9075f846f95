"""Wounds for structured text: whole lines or tags come, go and change places; words and characters become nasty ones.

The fuzzer's own mutations work on bytes and nearly always end in "not well-formed"; these keep most of a document alive, so that what
lies behind the first check is reached. The same function serves the unit tests, where no fuzzer is needed.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

NASTY = (
    *("\0", "\r", "\n", "\r\n", "\x0b", "\x1b", "\x7f", "\x85", "\u2028", "\ud800", "\ufffe", "\ufeff", "\u0663", "😀"),
    *("&#10;", "&#xD;", "&#0;", "&lt;", "&amp;", "&quot;", "&x;", "&", "<", ">", '"', "'", "]]>", "<![CDATA[", "<!--", "<?", "/>"),
    *(" ", "  ", "\t", ":", "=", "/", ";", "*", "-", "%s", "{", "}", "a=", "m=", "xmlns=''", "xmlns:x='y' ", "", "a" * 300),
    *("-1", "0", "00", "1", "15", "63", "64", "127", "128", "255", "256", "4351", "65535", "65536", "2147483648", "4294967296", "9" * 40),
    *("1.5", "1e3", "0x1", "+1", "None", "null", "true", "[]", "{}", "undefined"),
    *("sendonly", "recvonly", "inactive", "sendrecv", "both", "none", "initiator", "responder", "actpass", "holdconn", "active", "passive"),
)
_PIECES = re.compile(r"[^\n<]*\n|<[^<>]*>?|[^\n<]+")
_WORDS = re.compile(r"[^\s\"'=:;/<>,]+")


def wounded(chance: random.Random, text: str, others: Sequence[str] = (), most: int = 4) -> str:
    """`text` with one to `most` wounds; `others` are documents to steal pieces and words from."""
    for _ in range(chance.randint(1, most)):
        text = chance.choice(_WOUNDS)(chance, text, others)
    return text


def _pieces(text: str) -> list[str]:
    return _PIECES.findall(text)


def _move_piece(chance: random.Random, text: str, others: Sequence[str]) -> str:
    """Delete, double, exchange or steal a line or tag."""
    pieces = _pieces(text)
    if not pieces:
        return text
    at, to = chance.randrange(len(pieces)), chance.randrange(len(pieces))
    match chance.randrange(5):
        case 0:
            del pieces[at]
        case 1:
            pieces.insert(to, pieces[at])
        case 2:
            pieces[at], pieces[to] = pieces[to], pieces[at]
        case 3:
            del pieces[min(at, to) : min(at, to) + chance.randint(1, 6)]
        case 4 if others:
            pieces.insert(at, chance.choice(_pieces(chance.choice(others)) or [""]))
    return "".join(pieces)


def _word(chance: random.Random, text: str, others: Sequence[str]) -> str:
    """Another word in the place of one: a nasty one, one of the same text, one of another."""
    words = list(_WORDS.finditer(text))
    if not words:
        return text + chance.choice(NASTY)
    old = chance.choice(words)
    source = chance.randrange(3)
    if source == 0:
        new = chance.choice(NASTY)
    elif source == 1 or not others:
        new = chance.choice(words)[0]
    else:
        new = chance.choice(_WORDS.findall(chance.choice(others)) or [""])
    return text[: old.start()] + new + text[old.end() :]


def _characters(chance: random.Random, text: str, others: Sequence[str]) -> str:
    at = chance.randrange(len(text) + 1)
    match chance.randrange(4):
        case 0:
            return text[:at] + chance.choice(NASTY) + text[at:]
        case 1:
            return text[:at] + text[at + chance.randint(1, 20) :]
        case 2:
            return text[:at] + chr(chance.choice((chance.randrange(128), chance.randrange(0xFFFF)))) + text[at + 1 :]
    end = min(len(text), at + chance.randint(1, 200))
    return text[:end] + text[at:end] + text[end:]


_WOUNDS = (_move_piece, _move_piece, _word, _word, _characters)
