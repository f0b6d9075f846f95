"""Element tables: a wire format is declared once and works in both directions.

::

    CANDIDATE = Element(Candidate, NS, "candidate", (
        attr("port", integer(1, 65535)),
        attr("rel-addr", address, field="related_address", default=None),
    ))
    CANDIDATE.parse(element)    -> Candidate(...)  or BadRequest
    CANDIDATE.build(candidate)  -> xml.etree.ElementTree.Element

The order of the parts is the order of what is written. `parse` reads children in document order and keeps
unknown ones aside where the table says so, so that a reader that knows more than we do loses nothing.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Any, Generic, TypeVar

from jinglebridge import xmlpieces, xmlshapes
from jinglebridge.errors import BadRequest, InvalidState
from jinglebridge.kept import Kept
from jinglebridge.xmlcode import Code, Writer
from jinglebridge.xmlparts import Attr, Child, Children, Choice, Flag, Part, Text, TextChild, Unknown, Variants, attr
from jinglebridge.xmlread import Reader
from jinglebridge.xmltext import escaped, guard, parse_text, special, to_text, xml_safe
from jinglebridge.xmltypes import PRINTABLE, Type, integer, line, one_of, same, text, word

__all__ = [
    "PRINTABLE",
    "Attr",
    "Child",
    "Children",
    "Choice",
    "Element",
    "Flag",
    "Part",
    "Text",
    "TextChild",
    "Type",
    "Unknown",
    "Variants",
    "attr",
    "escaped",
    "integer",
    "line",
    "one_of",
    "parse_text",
    "same",
    "special",
    "text",
    "to_text",
    "word",
    "xml_safe",
]

T = TypeVar("T")


class Element(Generic[T]):
    """One XML element and the dataclass it is. See the module's text."""

    def __init__(self, cls: Callable[..., T], ns: str, tag: str, parts: Iterable[Part], *, keep: bool = False) -> None:
        """`keep`: it is the same in many calls and may be remembered (see `jinglebridge.kept`)."""
        self.cls, self.ns, self.tag, self.keep = cls, ns, tag, keep
        self.clark = f"{{{ns}}}{tag}"
        self.parts = tuple(parts)
        self._attrs = tuple(p for p in self.parts if isinstance(p, Attr))
        self._texts: dict[str, Writer] = {}
        self._writers = tuple(_writer(p) for p in self.parts if not isinstance(p, Attr))
        self._plain = tuple((p.name, p.field, p.default, p.always, p.type.format) for p in self._attrs)

    @cached_property
    def reader(self) -> Reader:
        """The generated reader behind `parse` and `read`."""
        return Reader(self)

    def parse(self, el: ET.Element) -> T:
        """The dataclass for `el`. Raises BadRequest."""
        if el.tag != self.clark:
            raise BadRequest(f"<{self.tag}/> expected")
        value: T = self.reader.element(el)
        return value

    def read(self, source: str, whole: str = "") -> T:
        """What `parse(parse_text(source))` gives, without a tree where the text is plain.

        `whole`: tag of the kept element that fills most of such a text.
        """
        guard(source)
        value = self.read_plain(source, whole)
        return self.parse(parse_text(source)) if value is None else value

    def read_plain(self, source: str, whole: str = "") -> T | None:
        """As `read`, but None where the text is not plain."""
        if len(source) > xmlshapes.MOST:
            return self._by_pieces(source, whole)
        value: T | None = xmlshapes.read(source, self.reader.shapes)
        if value is None:
            value = self._by_pieces(source, whole)
            if value is not None:
                xmlshapes.learn(self.reader, source, self.reader.shapes)
        return value

    def read_inside(self, source: str) -> T | None:
        """The same for an element that stands in one of its namespace, and does not say so."""
        shapes = self.reader.inner_shapes
        value: T | None = xmlshapes.read(source, shapes)
        if value is None:
            quote = '"' if '"' in source else "'"
            value = self._by_pieces(source.replace(" ", f" xmlns={quote}{self.ns}{quote} ", 1), "")
            if value is not None:
                xmlshapes.learn(self.reader, source, shapes)
        return value

    def _by_pieces(self, source: str, whole: str) -> T | None:
        try:
            value: T = xmlpieces.read(self.reader, source, whole)
        except xmlpieces.Unsure:
            return None
        return value

    def build(self, obj: T) -> ET.Element:
        """The element for `obj`; inverse of `parse`."""
        attributes: dict[str, str] = {}
        for name, field, default, always, spell in self._plain:
            value = getattr(obj, field)
            if value is not None and (always or value != default):
                attributes[name] = spell(value)
        el = ET.Element(self.clark, attributes)
        for write in self._writers:
            write(obj, el)
        return el

    def text(self, obj: T) -> str:
        """What `to_text(self.build(obj))` gives, without a tree."""
        return self.writer("")(obj)

    def writer(self, parent_ns: str) -> Writer:
        """The generated function behind `text`, for an element inside a parent of that namespace."""
        found = self._texts.get(parent_ns)
        if found is None:
            code = Code(self.tag, self.ns, parent_ns)
            for name, field, default, always, format in self._plain:
                plain = next(p.type.plain for p in self._attrs if p.name == name)
                code.attribute(name, field, default, always, format, plain)
            for part in self.parts:
                _generate(part, code)
            found = self._texts[parent_ns] = code.compile()
        return found


def _generate(part: Part, code: Code) -> None:
    """The lines of one part that is not an attribute."""
    match part:
        case Text(field, type):
            code.text(field, type.format)
        case Child(element, field, wanted):
            if wanted:
                code.child(field, element.writer(code.ns))
        case Children(element, field):
            code.children(field, element.writer(code.ns), Kept() if element.keep else None)
        case Flag(ns, tag, field, wanted):
            if wanted:
                code.flag(field, f"<{tag}/>" if ns == code.ns else f'<{tag} xmlns="{ns}"/>')
        case TextChild(_, tag, field):
            code.condition(field, f"<{tag}>", f"</{tag}>")
        case Choice(ns, field):
            code.condition(field, "<", "/>" if ns == code.ns else f' xmlns="{ns}"/>')
        case Variants(elements, field):
            writers = {kind: element.writer(code.ns) for kind, element in elements.items()}
            code.children(field, lambda value: writers[value.kind](value))
        case Unknown(field):
            code.unknown(field)


def _writer(part: Part) -> Callable[[Any, ET.Element], None]:
    match part:
        case Text(field, type):

            def write(obj: Any, el: ET.Element) -> None:
                el.text = type.format(getattr(obj, field)) or None

        case Child(element, field, wanted):

            def write(obj: Any, el: ET.Element) -> None:
                value = getattr(obj, field) if wanted else None
                if value is not None:
                    el.append(element.build(value))

        case Children(element, field):

            def write(obj: Any, el: ET.Element) -> None:
                values = getattr(obj, field)
                if values:
                    el.extend([element.build(value) for value in values])

        case Flag(ns, tag, field, wanted):
            clark = f"{{{ns}}}{tag}"

            def write(obj: Any, el: ET.Element) -> None:
                if wanted and getattr(obj, field):
                    ET.SubElement(el, clark)

        case TextChild(ns, tag, field, type):
            clark = f"{{{ns}}}{tag}"

            def write(obj: Any, el: ET.Element) -> None:
                value = type.format(getattr(obj, field))
                if value:
                    ET.SubElement(el, clark).text = value

        case Choice(ns, field):

            def write(obj: Any, el: ET.Element) -> None:
                value = getattr(obj, field)
                if value is not None:
                    ET.SubElement(el, f"{{{ns}}}{value}")

        case Variants(elements, field):

            def write(obj: Any, el: ET.Element) -> None:
                el.extend([elements[value.kind].build(value) for value in getattr(obj, field)])

        case Unknown(field):

            def write(obj: Any, el: ET.Element) -> None:
                el.extend(getattr(obj, field))

        case _:
            raise InvalidState(f"attributes are not children: {part}")
    return write
