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
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from jinglebridge.errors import BadRequest, InvalidState
from jinglebridge.xmlcode import Code, Writer
from jinglebridge.xmltext import parse_text, to_text, xml_safe
from jinglebridge.xmltypes import Type, integer, line, one_of, text, word

__all__ = [
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
    "integer",
    "line",
    "one_of",
    "parse_text",
    "text",
    "to_text",
    "word",
    "xml_safe",
]

T = TypeVar("T")


class _Required:
    def __repr__(self) -> str:
        return "REQUIRED"


REQUIRED = _Required()


@dataclass(frozen=True, slots=True)
class Attr:
    """One attribute. An absent one reads as `default`; one that equals `default` is written only if `always`."""

    name: str
    type: Type
    field: str
    default: Any
    always: bool
    alias: str


def attr(name: str, type: Type = word, *, field: str | None = None, default: Any = REQUIRED, always: bool = False, alias: str = "") -> Attr:
    """`field`: name in the dataclass if not the attribute's; `alias`: a misspelling that is read as well."""
    return Attr(name, type, field or name.replace("-", "_"), default, always or default is REQUIRED, alias or name)


@dataclass(frozen=True, slots=True)
class Text:
    """The character data of the element itself."""

    field: str
    type: Type = text


@dataclass(frozen=True, slots=True)
class Child:
    """At most one child; the first wins. With `write=False` it is read but never written."""

    element: Element[Any]
    field: str
    write: bool = True


@dataclass(frozen=True, slots=True)
class Children:
    """Any number of children up to `most`. With `lenient` a malformed one drops itself instead of its parent."""

    element: Element[Any]
    field: str
    most: int = 64
    lenient: bool = False


@dataclass(frozen=True, slots=True)
class Flag:
    """An empty child whose presence says true. With `write=False` it is read but never written."""

    ns: str
    tag: str
    field: str
    write: bool = True


@dataclass(frozen=True, slots=True)
class TextChild:
    """A child that holds nothing but text; absent reads as the dataclass's default, "" is not written."""

    ns: str
    tag: str
    field: str
    type: Type = text


@dataclass(frozen=True, slots=True)
class Choice:
    """The tag of the first child in `ns` that no other part takes: a condition such as <busy/>."""

    ns: str
    field: str


@dataclass(frozen=True, slots=True)
class Variants:
    """Children of several tags in one list; the attribute `kind` of a value is its tag."""

    elements: Mapping[str, Element[Any]]
    field: str
    most: int = 16


@dataclass(frozen=True, slots=True)
class Unknown:
    """The tuple of child elements that no other part takes, as they are."""

    field: str = "unknown"


Part = Attr | Text | Child | Children | Flag | TextChild | Choice | Variants | Unknown


class Element(Generic[T]):
    """One XML element and the dataclass it is. See the module's text."""

    def __init__(self, cls: Callable[..., T], ns: str, tag: str, parts: Iterable[Part]) -> None:
        self.cls, self.ns, self.tag = cls, ns, tag
        self.clark = f"{{{ns}}}{tag}"
        self.parts = tuple(parts)
        self._attrs = tuple(p for p in self.parts if isinstance(p, Attr))
        self._text = next((p for p in self.parts if isinstance(p, Text)), None)
        self._unknown = next((p.field for p in self.parts if isinstance(p, Unknown)), None)
        self._choices = {p.ns: p.field for p in self.parts if isinstance(p, Choice)}
        self._children: dict[str, Child | Children | Flag | TextChild] = {}
        for part in self.parts:
            if isinstance(part, Child | Children):
                self._children[part.element.clark] = part
            elif isinstance(part, Flag | TextChild):
                self._children[f"{{{part.ns}}}{part.tag}"] = part
            elif isinstance(part, Variants):
                self._children |= {e.clark: Children(e, part.field, part.most) for e in part.elements.values()}
        self._texts: dict[str, Writer] = {}
        self._writers = tuple(_writer(p) for p in self.parts if not isinstance(p, Attr))
        self._plain = tuple((p.name, p.field, p.default, p.always, p.type.format) for p in self._attrs)

    def parse(self, el: ET.Element) -> T:
        """The dataclass for `el`. Raises BadRequest."""
        if el.tag != self.clark:
            raise BadRequest(f"<{self.tag}/> expected")
        values: dict[str, Any] = {}
        get = el.attrib.get
        for part in self._attrs:
            raw = get(part.name)
            if raw is None:
                raw = get(part.alias)
            if raw is not None:
                try:
                    values[part.field] = part.type.parse(raw)
                except ValueError as problem:
                    raise BadRequest(f"<{self.tag} {part.name}={raw[:60]!r}/>: {problem}") from None
            elif part.default is REQUIRED:
                raise BadRequest(f"<{self.tag}/>: {part.name} is missing")
            else:
                values[part.field] = part.default
        if self._text is not None:
            try:
                values[self._text.field] = self._text.type.parse(el.text or "")
            except ValueError as problem:
                raise BadRequest(f"<{self.tag}/>: text is {problem}") from None
        if len(el):
            self._read_children(el, values)
        return self.cls(**values)

    def _read_children(self, el: ET.Element, values: dict[str, Any]) -> None:
        unknown: list[ET.Element] = []
        lists: dict[str, list[Any]] = {}
        for child in el:
            part = self._children.get(child.tag)
            if part is None:
                ns, _, tag = child.tag[1:].partition("}")
                if ns in self._choices:
                    values.setdefault(self._choices[ns], tag)
                else:
                    unknown.append(child)
            elif isinstance(part, Flag):
                values[part.field] = True
            elif isinstance(part, TextChild):
                values.setdefault(part.field, part.type.parse(child.text or ""))
            elif isinstance(part, Child):
                if part.field not in values:
                    values[part.field] = part.element.parse(child)
            else:
                try:
                    lists.setdefault(part.field, []).append(part.element.parse(child))
                except BadRequest:
                    if not part.lenient:
                        raise
                if len(lists.get(part.field, ())) > part.most:
                    raise BadRequest(f"<{self.tag}/>: more than {part.most} <{part.element.tag}/>")
        for field, items in lists.items():
            values[field] = tuple(items)
        if unknown and self._unknown is not None:
            values[self._unknown] = tuple(unknown)

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
        return xml_safe(self.writer("")(obj))

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
            code.children(field, element.writer(code.ns))
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
