"""Elements that differ from one that was read before only in the values of their attributes, such as the candidates of a call.

Cut at its quotes, a text is a shape (tags, names of attributes, all that is no value) and the values between. What was found out about a
text by reading it strictly, piece by piece (`xmlpieces`), holds for each text of the same shape, as long as its values are plain and its
namespaces the same. So it is read by one look-up and the `make` of each of its elements.

Only elements with tables, or that are one of a choice, and without character data have a shape here. None is remembered where there is
another one.
"""

from __future__ import annotations

from collections.abc import Iterator
from operator import itemgetter
from typing import Any, NamedTuple

from jinglebridge.errors import BadRequest
from jinglebridge.kept import MAX_LENGTH
from jinglebridge.printable import printable
from jinglebridge.xmlpieces import clark, start
from jinglebridge.xmlread import Found, Make, Node, Reader, Shape, Shapes

MOST = 2000  # characters of a text that is worth looking at: long ones are seldom alike


class Tag(NamedTuple):
    """`first`: the part of the whole text that is its first value. A closing tag has no name."""

    name: str
    attributes: list[str]
    empty: bool
    first: int


def _no_values(parts: object) -> tuple[()]:
    return ()


def _always(name: str) -> Make:
    """What makes the value of an element that says all by its name."""
    return lambda attributes, text, parts: name


class _Odd(Exception):
    """An element without a table, and not of a choice."""


def read(source: str, shapes: Shapes) -> Any:
    """The value of the one element in `source`, None if its shape is not known. Raises BadRequest."""
    parts, key, _ = _cut(source)
    shape = shapes.get(key)
    if shape is None or not len(parts) % 2 or source.count("<") != shape.tags or "&" in source or not printable(source):
        return None
    for at, ns in shape.namespaces:
        if parts[at] != ns:
            return None
    parts.append(None)  # type: ignore[arg-type] # what an absent attribute is
    return _value(shape.root, parts)


def learn(table: Reader, source: str, shapes: Shapes) -> None:
    """Remember the shape of `source`, which was read strictly."""
    parts, key, quote = _cut(source)
    if key in shapes or len(key) > MAX_LENGTH or ("'" if quote == '"' else '"') in key:
        return  # with quotes of two kinds what seems to be the shape holds values
    tags = _tags(source, quote)
    if not tags:
        return
    try:
        shape = _Learner(parts, tags).shape(table)
    except _Odd:
        shape = None
    shapes.keep(key, shape, len(key))


def _cut(source: str) -> tuple[list[str], str, str]:
    """`source` cut at its quotes, so that each second part is a value; its shape; the quote."""
    quote = '"' if '"' in source else "'"
    parts = source.split(quote)
    return parts, quote.join(parts[::2]), quote


def _value(node: Node, parts: list[str]) -> Any:
    found: Found = {}
    for child in node.children:
        try:
            value = _value(child, parts)
        except BadRequest as problem:
            if child.lenient:
                continue
            value = problem.with_traceback(None)
        found.setdefault(child.part, []).append(value)
    return node.make(node.values(parts), "", found)


class _Learner:
    """Goes through the tags of one text."""

    def __init__(self, parts: list[str], tags: list[Tag]) -> None:
        self.parts = parts
        self.count = len(tags)
        self.tags = iter(tags)
        self.namespaces: list[tuple[int, str]] = []

    def shape(self, table: Reader) -> Shape:
        tag = next(self.tags)
        index = self.index(tag)
        return Shape(self.node(0, False, table, tag, index), self.count, tuple(self.namespaces))

    def index(self, tag: Tag) -> dict[str, int]:
        """The parts that are the values of its attributes."""
        index = {name: tag.first + 2 * number for number, name in enumerate(tag.attributes)}
        if "xmlns" in index:
            self.namespaces.append((index["xmlns"], self.parts[index["xmlns"]]))
        return index

    def node(self, part: int, lenient: bool, table: Reader, tag: Tag, index: dict[str, int]) -> Node:
        values = itemgetter(*[index.get(name, -1) for name in table.attributes])
        children = () if tag.empty else tuple(self.children(table))
        return Node(part, lenient, table.make, values, children)

    def children(self, table: Reader) -> Iterator[Node]:
        while (tag := next(self.tags)).name:
            index = self.index(tag)
            ns = self.parts[index["xmlns"]] if "xmlns" in index else table.ns
            place = table.places.get(clark(ns, tag.name))
            if place is None and tag.empty and ns in table.choices:
                yield Node(table.choices[ns], False, _always(tag.name), _no_values, ())
                continue
            if place is None or place.table is None:
                raise _Odd
            yield self.node(place.part, place.lenient, place.table, tag, index)


def _tags(source: str, quote: str) -> list[Tag]:
    """All tags of the text; none if there is something between them, since that would be in the shape as well."""
    found: list[Tag] = []
    first = 1
    for piece in source.split("<")[1:]:
        if piece[-1] != ">":
            return []
        if piece[0] == "/":
            found.append(Tag("", [], False, first))
        else:
            parts = piece.split(quote)
            found.append(Tag(*start(parts), first))
            first += len(parts) - 1
    return found
