"""Text to value without a tree, for XML as XMPP software writes it.

Between two "<" of a stanza stands one tag and perhaps text: a piece. Most pieces of a call were seen in earlier calls, and what a child
reads to depends on nothing but its text and its parent's table, so a kept element that is known costs one look-up. Each other piece is
judged strictly (`cut`, `start`). Whatever is not of the plain kind (prefixes, entities, line ends between tags, anything malformed) is
`Unsure`, and the whole text goes to ElementTree: this module never decides what XML is, it only has to be right where it says yes.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from operator import itemgetter
from typing import Any

from jinglebridge.errors import BadRequest
from jinglebridge.printable import printable
from jinglebridge.xmlcode import holds_foreign
from jinglebridge.xmlread import Found, Pair, Plan, Reader

_NAME = "[A-Za-z_][A-Za-z0-9_-]*"
_TAG = re.compile(f'({_NAME})((?: {_NAME}="")*) ?(/?)>').fullmatch
# A namespace that is not ours: no character that a parser might see otherwise, and none of those that XML has reserved.
_NAMESPACE = re.compile(r"(?!http://www\.w3\.org/)[A-Za-z0-9:/.#_-]+").fullmatch

_NO_PLAN: Any = ([], 0, "", *[None] * 7)  # fits nothing: each piece has parts
DEEPEST = 32  # levels of a foreign element; what is deeper is not plain, and left to those who count exactly


class Unsure(Exception):
    """Not plain enough to be read here."""


def read(table: Reader, source: str, whole: str) -> Any:
    """The value of the one element in `source`, exactly as `table.element(parse_text(source))` has it. Raises Unsure, BadRequest."""
    source = source.strip(" \t\r\n")
    if "&" in source or not printable(source):
        raise Unsure
    pieces = iter(_pieces(source, whole))
    parts, text = cut(next(pieces, ""))
    tag, names, empty = start(parts)
    attributes = dict(zip(names, parts[1::2], strict=True))
    if clark(attributes.pop("xmlns", ""), tag) != table.clark:
        raise Unsure
    children = () if empty else _inside(table, pieces)
    if next(pieces, None) is not None:
        raise Unsure
    return table.make(tuple(map(attributes.get, table.attributes)), text, children)


def _pieces(source: str, whole: str) -> list[str]:
    """The text cut at each "<"; elements of the tag `whole` that have an end tag stay in one piece. Raises Unsure."""
    begin, end = f"{whole} ", f"</{whole}>"
    first, *chunks = source.split(f"<{begin}") if whole else (source,)
    between, *found = first.split("<")
    for chunk in chunks:
        if chunk.endswith(end) or "<" not in chunk:
            found.append(begin + chunk)
            continue
        one, closing, behind = chunk.partition(end)
        if closing:
            first, *pieces = behind.split("<")
            between += first
            found.append(f"{begin}{one}{closing}")
        else:  # without an end tag what follows its tag is its own
            first, *pieces = one.split("<")
            found.append(begin + first)
        found += pieces
    if between:
        raise Unsure
    return found


def cut(piece: str) -> tuple[list[str], str]:
    """A piece cut at its quotes, so that each second part is a value, and the text behind the tag. Raises Unsure."""
    parts = piece.split('"' if '"' in piece else "'")
    text = ""
    if piece[-1:] != ">":
        end, mark, text = parts[-1].partition(">")
        parts[-1] = end + mark
        if end[-1:] == "/" or ">" in text:
            raise Unsure  # text behind an empty element is the parent's, and no closing tag follows
    if not len(parts) % 2:
        raise Unsure
    return parts, text


def start(parts: list[str]) -> tuple[str, list[str], bool]:
    """Tag, names of the attributes, and whether the element is empty. Raises Unsure."""
    found = _TAG('""'.join(parts[::2]))
    if found is None:
        raise Unsure
    tag, attributes, end = found.groups()
    names = attributes.replace('=""', "").split()
    if len(set(names)) < len(names):
        raise Unsure
    return tag, names, end == "/"


def clark(ns: str, tag: str) -> str:
    return f"{{{ns}}}{tag}" if ns else tag


def _inside(table: Reader, pieces: Iterator[str]) -> Found:
    """The values of all children by part, up to the closing tag, which is consumed. Raises Unsure."""
    found: Found = {}
    last = -1
    known, closing = table.known.get if table.remembers else None, table.closing
    for piece in pieces:
        pair = known(piece) if known else None
        if pair is None:
            if piece == closing:
                return found
            pair = _whole(table, piece) if known and "<" in piece else _child(table, piece, pieces)
            if pair is None:
                continue
        part, value = pair
        if part != last:
            last, append = part, found.setdefault(part, []).append
        append(value)
    raise Unsure


def _whole(table: Reader, piece: str) -> Pair | None:
    """The pair of an element in one piece with all that is in it. Raises Unsure."""
    first, *more = piece.split("<")
    pieces = iter(more)
    pair = _child(table, first, pieces)
    if next(pieces, None) is not None:
        raise Unsure
    if pair is None or pair[1].__class__ is BadRequest or holds_foreign(pair[1]):
        return pair
    return table.known.keep(piece, pair, len(piece))


def _child(table: Reader, piece: str, pieces: Iterator[str]) -> Pair | None:
    """The pair of one child; None if it is of no interest. Raises Unsure."""
    if piece[-1:] == ">":
        parts, text = piece.split('"' if '"' in piece else "'"), ""
    else:
        parts, text = cut(piece)
    shape, at, ns, part, reader, make, values, empty, lenient, keep = table.plans.get((parts[0], len(parts)), _NO_PLAN)
    if shape != parts[::2] or (at and parts[at] != ns):
        parts, text = cut(piece)
        plan = _plan(table, piece, parts)
        if plan is None:
            return _other(table, piece, parts, text, pieces)
        _, _, _, part, reader, make, values, empty, lenient, keep = plan
    parts.append(None)  # type: ignore[arg-type] # what an absent attribute is
    children = () if empty else _inside(reader, pieces)
    try:
        pair = part, make(values(parts), text, children)
    except BadRequest as problem:
        return None if lenient else (part, problem.with_traceback(None))
    return table.known.keep(piece, pair, len(piece)) if keep else pair


def _plan(table: Reader, piece: str, parts: list[str]) -> Plan | None:
    """How a child is read whose shape is not the last one that was seen with its beginning and length; None if it has no table."""
    tag, names, empty = start(parts)
    index = {name: 2 * number + 1 for number, name in enumerate(names)}
    at = index.get("xmlns", 0)
    ns = parts[at] if at else table.ns
    place = table.places.get(clark(ns, tag))
    if place is None or place.table is None:
        return None
    values = itemgetter(*[index.get(name, -1) for name in place.table.attributes])
    reader = place.table
    plan = Plan(parts[::2], at, ns, place.part, reader, reader.make, values, empty, place.lenient, empty and place.keep)
    return table.plans.keep((parts[0], len(parts)), plan, len(piece))


def _other(table: Reader, piece: str, parts: list[str], text: str, pieces: Iterator[str]) -> Pair | None:
    """The pair of a child that has no table."""
    tag, names, empty = start(parts)
    el = _tree(table.ns, tag, names, parts, empty, text, pieces)
    place = table.places.get(el.tag)
    if place is None:
        return table.other(el)
    pair = place.part, place.read(el)
    return table.known.keep(piece, pair, len(piece)) if empty and place.keep else pair


def _tree(
    ns: str, tag: str, names: list[str], parts: list[str], empty: bool, text: str, pieces: Iterator[str], depth: int = 0
) -> ET.Element:
    """An element that no table describes, inside a parent of namespace `ns`. Raises Unsure."""
    attributes = dict(zip(names, parts[1::2], strict=True))
    ns = attributes.pop("xmlns", ns)
    if depth > DEEPEST or (ns and not _NAMESPACE(ns)):
        raise Unsure
    el = ET.Element(clark(ns, tag), attributes)
    if empty:
        return el
    el.text = text or None
    closing = f"/{tag}>"
    for piece in pieces:
        if piece == closing:
            return el
        parts, text = cut(piece)
        inner, names, empty = start(parts)
        el.append(_tree(ns, inner, names, parts, empty, text, pieces, depth + 1))
    raise Unsure
