"""How the values of attributes are spelt.

Two families of text: `line` (may become the rest of an SDP line) and `word` (may become one SDP field). Both refuse
control characters, so that no peer can end an SDP line early; this is the only place that has to know it. J-151.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from jinglebridge.xmltext import xml_safe


class Type(NamedTuple):
    """How one value is spelt. `parse` raises ValueError with a text for the peer, `format` nothing.

    `plain`: what `format` writes needs no escaping. The rest says for which values `parse` need not be called: `known` has those of the
    usual spellings; `bounds` are those of a whole number in few digits; a text `{0}` that fulfils the condition `usual` is its own value.
    """

    parse: Callable[[str], Any]
    format: Callable[[Any], str]
    plain: bool = False
    known: Mapping[str, Any] = MappingProxyType({})
    bounds: tuple[int, int] | None = None
    usual: str = ""


def same(value: str) -> str:
    """How text is spelt."""
    return value


def _line(value: str) -> str:
    if not value.isprintable():
        raise ValueError("control character")
    return value


def _word(value: str) -> str:
    if not value or " " in value or not value.isprintable():
        raise ValueError("not one word")
    return value


PRINTABLE = "{0}.isprintable()"
MAX_KNOWN = 256  # numbers up to here are known by their spelling

text = Type(same, xml_safe)
line = Type(_line, same, usual=PRINTABLE)
word = Type(_word, same, usual=f"{PRINTABLE} and {{0}} and ' ' not in {{0}}")


def integer(low: int, high: int) -> Type:
    """A whole number in `low` … `high`, decimal digits only."""
    digits, wrong = len(str(high)), f"not a number from {low} to {high}"

    def parse(value: str) -> int:
        if len(value) > digits or not value.isdigit():
            value = value.strip()
            value = value.lstrip("0") or value[:1]
            if len(value) > digits or not value.isdigit():
                raise ValueError(wrong)
        if value.isascii() and low <= (number := int(value)) <= high:
            return number
        raise ValueError(wrong)

    # Of a greater range most values are not among any few.
    known = {str(number): number for number in range(low, high + 1)} if high <= MAX_KNOWN else {}
    return Type(parse, str, plain=True, known=known, bounds=None if known else (low, high))


def one_of(*words: str) -> Type:
    """One of a closed list."""
    known = frozenset(words)

    def parse(value: str) -> str:
        if value not in known:
            raise ValueError(f"not one of {', '.join(words)}")
        return value

    return Type(parse, same, known={word: word for word in words})
