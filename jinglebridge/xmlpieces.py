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
from jinglebridge.kept import Kept
from jinglebridge.xmlcode import holds_foreign
from jinglebridge.xmlread import Found, Plan, Reader, Shape

_NAME = "[A-Za-z_][A-Za-z0-9_-]*"
_TAG = re.compile(f'({_NAME})((?: {_NAME}="")*) ?(/?)>').fullmatch
# A namespace that is not ours: no character that a parser might see otherwise, and none of those that XML has reserved.
_NAMESPACE = re.compile(r"(?!http://www\.w3\.org/)[A-Za-z0-9:/.#_-]+").fullmatch

DEEPEST = 32  # levels of a foreign element; what is deeper is not plain, and left to those who count exactly


class Unsure(Exception):
    """Not plain enough to be read here."""


def read(table: Reader, source: str, whole: str) -> Any:
    """The value of the one element in `source`, exactly as `table.element(parse_text(source))` has it. Raises Unsure, BadRequest."""
    if "&" in source:
        raise Unsure
    pieces = iter(_pieces(source.strip(" \t\r\n"), whole))
    parts, shape, text = cut(next(pieces, ""))
    tag, attributes, empty = start(parts, shape)
    if _clark(attributes.pop("xmlns", ""), tag) != table.clark:
        raise Unsure
    children = [] if empty else _inside(table, pieces)
    if next(pieces, None) is not None:
        raise Unsure
    return table.make(tuple(map(attributes.get, table.attributes)), text, children)


def _pieces(source: str, whole: str) -> list[str]:
    """The text cut at each "<"; elements of the tag `whole` that have an end tag stay in one piece. Raises Unsure."""
    begin, end = f"<{whole} ", f"</{whole}>"
    found: list[str] = []
    *chunks, last = source.split(end) if whole else (source,)
    for chunk in chunks:
        before, mark, inside = chunk.rpartition(begin)
        if not mark:
            raise Unsure
        if before:
            between, *pieces = before.split("<")
            if between:
                raise Unsure
            found += pieces
        found.append(f"{whole} {inside}{end}")
    between, *pieces = last.split("<")
    if between:
        raise Unsure
    return found + pieces


def cut(piece: str) -> tuple[list[str], Shape, str]:
    """A piece cut at its quotes, what of it is not a value (the shape), and the text behind the tag. Raises Unsure.

    There are few shapes, and each is judged once.
    """
    parts = piece.split('"' if '"' in piece else "'")
    text = ""
    if parts[-1][-1:] != ">":
        end, mark, text = parts[-1].partition(">")
        parts[-1] = end + mark
        if end[-1:] == "/":
            raise Unsure  # text behind an empty element is the parent's, and no closing tag follows
    if len(parts) % 2 == 0 or ">" in text or not piece.isprintable():
        raise Unsure
    return parts, tuple(parts[::2]), text


_SHAPES: Kept[Shape, tuple[str, tuple[str, ...], bool]] = Kept()


def start(parts: list[str], shape: Shape) -> tuple[str, dict[str, str], bool]:
    """Tag, attributes, and whether the element is empty. Raises Unsure."""
    known = _SHAPES.get(shape)
    if known is None:
        found = _TAG('""'.join(shape))
        if found is None:
            raise Unsure
        names = tuple(found[2].replace('=""', "").split())
        if len(set(names)) < len(names):
            raise Unsure
        known = _SHAPES.keep(shape, (found[1], names, found[3] == "/"), sum(map(len, shape)))
    return known[0], dict(zip(known[1], parts[1::2], strict=True)), known[2]


def _clark(ns: str, tag: str) -> str:
    return f"{{{ns}}}{tag}" if ns else tag


def _inside(table: Reader, pieces: Iterator[str]) -> list[list[Any]]:
    """The values of all children by part, up to the closing tag, which is consumed. Raises Unsure."""
    found: list[list[Any]] = [[] for _ in table.parts]
    known, closing = table.known.get, table.closing
    for piece in pieces:
        pair = known(piece)
        if pair is None:
            if piece == closing:
                return found
            pair = _whole(table, piece) if "<" in piece else _child(table, piece, pieces)
        if pair is not None:
            found[pair[0]].append(pair[1])
    raise Unsure


def _whole(table: Reader, piece: str) -> Found | None:
    """The pair of an element in one piece with all that is in it. Raises Unsure."""
    first, *more = piece.split("<")
    pieces = iter(more)
    pair = _child(table, first, pieces)
    if next(pieces, None) is not None:
        raise Unsure
    if pair is None or pair[1].__class__ is BadRequest or holds_foreign(pair[1]):
        return pair
    return table.known.keep(piece, pair, len(piece))


def _child(table: Reader, piece: str, pieces: Iterator[str]) -> Found | None:
    """The pair of one child; None if it is of no interest. Raises Unsure."""
    parts, shape, text = cut(piece)
    plan = table.plans.get(shape)
    if plan is not None and (plan.ns is None or plan.ns == parts[1]):
        place, reader, empty, values, _ = plan
        raw = values([*parts, None])
    else:
        tag, attributes, empty = start(parts, shape)
        index = {name: 2 * number + 1 for number, name in enumerate(attributes)}
        ns = attributes.pop("xmlns", table.ns)
        known = table.places.get(_clark(ns, tag))
        if known is None:
            return table.other(_tree(ns, tag, attributes, empty, text, pieces))
        if known.table is None:
            pair = known.part, known.read(_tree(ns, tag, attributes, empty, text, pieces))
            return table.known.keep(piece, pair, len(piece)) if empty and known.keep else pair
        place, reader = known, known.table
        raw = tuple(map(attributes.get, reader.attributes))
        if index.get("xmlns", 1) == 1:
            values = itemgetter(*[index.get(name, -1) for name in reader.attributes])
            table.plans.keep(shape, Plan(place, reader, empty, values, ns if "xmlns" in index else None), len(piece))
    children = [] if empty else _inside(reader, pieces)
    try:
        pair = place.part, reader.make(raw, text, children)
    except BadRequest as problem:
        return None if place.lenient else (place.part, problem.with_traceback(None))
    return table.known.keep(piece, pair, len(piece)) if empty and place.keep else pair


def _tree(ns: str, tag: str, attributes: dict[str, str], empty: bool, text: str, pieces: Iterator[str], depth: int = 0) -> ET.Element:
    """An element that no table describes. Raises Unsure."""
    if depth > DEEPEST or (ns and not _NAMESPACE(ns)):
        raise Unsure
    el = ET.Element(_clark(ns, tag), attributes)
    if empty:
        return el
    el.text = text or None
    closing = f"/{tag}>"
    for piece in pieces:
        if piece == closing:
            return el
        parts, shape, text = cut(piece)
        inner, attributes, empty = start(parts, shape)
        el.append(_tree(attributes.pop("xmlns", ns), inner, attributes, empty, text, pieces, depth + 1))
    raise Unsure
