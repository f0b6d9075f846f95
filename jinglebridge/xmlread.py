"""Element tables compiled to straight-line Python, for reading.

A child reads to a pair: the number of its part, and its value. `Reader.make` is generated from the table and puts attributes, text and
the values of children together to one value. Where they come from is not its business: a tree (`Reader.element`) or text (`xmlpieces`).

A malformed child is the BadRequest itself in place of a value, since only its parent knows whether that matters: the second of two single
children is not looked at, however bad.
"""

from __future__ import annotations

import inspect
import xml.etree.ElementTree as ET
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from jinglebridge.errors import BadRequest
from jinglebridge.kept import Kept
from jinglebridge.values import open_of
from jinglebridge.xmlparts import MANY, REQUIRED, Attr, Child, Children, Choice, Flag, Text, TextChild, Unknown, Variants

if TYPE_CHECKING:
    from jinglebridge.xml import Element

Pair = tuple[int, Any]
Found = dict[int, list[Any]]  # values by part
# Attributes in the order of `Reader.attributes` (None: absent), text, children (anything empty: there are none).
Make = Callable[[Sequence[str | None], str | None, Found | tuple[()]], Any]
# Takes the attributes as `Make` wants them from the parts of a tag, or of a whole text, that was cut at its quotes.
Values = Callable[[Sequence[str | None]], tuple[str | None, ...]]


class Place(NamedTuple):
    """How a child of one tag is read. `table`: its reader; None for flags and text children."""

    part: int
    read: Callable[[ET.Element], Any]
    lenient: bool = False
    table: Reader | None = None
    keep: bool = False


class Plan(NamedTuple):
    """What a tag of a certain shape (all of it that is no value) is.

    `at`: the part between its quotes that is its namespace `ns` (0: that of its parent); `keep`: the tag is the whole element, and may be
    remembered.
    """

    shape: list[str]
    at: int
    ns: str
    part: int
    reader: Reader
    make: Make
    values: Values
    empty: bool
    lenient: bool
    keep: bool


class Node(NamedTuple):
    """An element of a `Shape`: how it is read, and as which part of its parent."""

    part: int
    lenient: bool
    make: Make
    values: Values
    children: tuple[Node, ...]


class Shape(NamedTuple):
    """What all texts are that are the same but for the values of attributes (see `xmlshapes`).

    `tags`: how many "<" there are; `namespaces`: the parts that are an ``xmlns``, and which.
    """

    root: Node
    tags: int
    namespaces: tuple[tuple[int, str], ...]


Shapes = Kept[str, Shape | None]


class Reader:
    """One Element table, ready to read.

    `known`: pairs of kept children by their text; `plans`: what children are by the beginning and the length of the shape of their tag, of
    which the last one counts (see `xmlpieces`); `shapes`: how whole texts are read, None where only `xmlpieces` can; `inner_shapes`: the
    same for texts that stand in an element of the same namespace.
    """

    def __init__(self, element: Element[Any]) -> None:
        self.tag, self.ns, self.clark, self.keep = element.tag, element.ns, element.clark, element.keep
        self.closing = f"/{element.tag}>"
        self.places: dict[str, Place] = {}
        self.choices: dict[str, int] = {}
        self.unknown: int | None = None
        self.known: Kept[str, Pair] = Kept()
        self.plans: Kept[tuple[str, int], Plan] = Kept()
        self.shapes: Shapes = Kept()
        self.inner_shapes: Shapes = Kept()
        attributes = [name for part in element.parts if isinstance(part, Attr) for name in dict.fromkeys((part.name, part.alias))]
        self.attributes = (*attributes, "", "")  # "" is no attribute; of two and more `itemgetter` gives a tuple
        inner = [part for part in element.parts if not isinstance(part, Attr | Text)]
        for number, part in enumerate(inner):
            match part:
                case Child(table):
                    self._place(number, table, part.lenient)
                case Children(table):
                    self._place(number, table, part.lenient)
                case Variants(elements):
                    for table in elements.values():
                        self._place(number, table)
                case Flag(ns, tag):
                    self.places[f"{{{ns}}}{tag}"] = Place(number, _true, keep=True)
                case TextChild(ns, tag, _, type):
                    self.places[f"{{{ns}}}{tag}"] = Place(number, _text(type.parse))
                case Choice(ns):
                    self.choices[ns] = number
                case _:
                    self.unknown = number
        self.remembers = any(place.keep and place.table for place in self.places.values())  # else looking is not worth it
        self.make = _Code(element).compile()

    def _place(self, number: int, element: Element[Any], lenient: bool = False) -> None:
        table = element.reader
        self.places[table.clark] = Place(number, table.element, lenient, table, table.keep)

    def element(self, el: ET.Element) -> Any:
        """The value of an element of this table. Raises BadRequest."""
        found: Found = {}
        for child in el:
            place = self.places.get(child.tag)
            if place is None:
                pair = self.other(child)
                if pair is not None:
                    found.setdefault(pair[0], []).append(pair[1])
                continue
            try:
                value = place.read(child)
            except BadRequest as problem:
                if place.lenient:
                    continue
                value = problem.with_traceback(None)
            found.setdefault(place.part, []).append(value)
        return self.make(tuple(map(el.attrib.get, self.attributes)), el.text, found)

    def other(self, el: ET.Element) -> Pair | None:
        """The same for a child whose tag has no place."""
        ns, _, tag = el.tag[1:].partition("}")
        if ns in self.choices:
            return self.choices[ns], tag
        return None if self.unknown is None else (self.unknown, el)


def _true(_: ET.Element) -> bool:
    return True


def _text(parse: Callable[[str], Any]) -> Callable[[ET.Element], Any]:
    return lambda el: parse(el.text or "")


def _malformed(what: str, problem: object) -> BadRequest:
    return BadRequest(f"<{what}: {problem}")


class _Code:
    """The source of one `make`, collected line by line; `names` are the values that the source refers to."""

    def __init__(self, element: Element[Any]) -> None:
        self.element, self.tag = element, element.tag
        self.parameters = inspect.signature(element.cls).parameters
        self.names: dict[str, Any] = {"BadRequest": BadRequest, "malformed": _malformed, "cls": element.cls}
        self.values: dict[str, str] = {}  # local variable by field
        self.slots: list[str] = []  # local variables of the attributes
        self.lines: list[str] = []
        self.inner = 0  # how many parts have children
        self.with_children: list[str] = []
        self.without: list[str] = []

    def name(self, value: Any) -> str:
        """A name by which the source can call `value`."""
        name = f"n{len(self.names)}"
        self.names[name] = value
        return name

    def compile(self) -> Make:
        for part in self.element.parts:
            match part:
                case Attr():
                    self.attribute(part)
                case Text(field, type):
                    self.text(field, type.parse)
                case Children(table, field, most, lenient):
                    self.list(field, most, table.tag, strict=not lenient)
                case Variants(tables, field, most):
                    self.list(field, most, "/> or <".join(tables), strict=True)
                case Unknown(field):
                    self.list(field)
                case Child(table, field, _, lenient):
                    self.first(field, strict=True, most=MANY if lenient else None, tags=table.tag)
                case _:
                    self.first(part.field)
        body = [f"{', '.join([*self.slots, '_', '_'])} = attributes", *self.lines]
        if self.inner:
            body += ["if parts:", *("    " + line for line in self.with_children)]
            body += ["else:", *("    " + line for line in self.without)]
        body += self.made()
        source = "def make(attributes, text, parts):\n" + "\n".join("    " + line for line in body)
        space = dict(self.names)
        exec(compile(source, f"<reader of {self.tag}>", "exec"), space)
        make: Make = space["make"]
        return make

    def made(self) -> list[str]:
        """The lines that end with the value. A named tuple is made as its own `__new__` does it, and a frozen dataclass as its own
        `__init__`, which costs half of a call less."""
        cls = self.element.cls
        kind = cls.func if isinstance(cls, partial) else cls
        opened = open_of(kind)
        if opened is not None:
            self.names |= {"opened": opened, "cls": kind}
            return [
                "value = opened()",
                *(f"value.{name} = {self.given(name)}" for name in self.parameters),
                "value.__class__ = cls",
                "return value",
            ]
        if isinstance(cls, type) and issubclass(cls, tuple):
            self.names["new"] = tuple.__new__
            return [f"return new(cls, ({', '.join(map(self.given, self.parameters))},))"]
        return [f"return cls({self.arguments()})"]

    def given(self, field: str) -> str:
        """The local variable of a field, or its default by name."""
        default = self.parameters[field].default
        assert field in self.values or default is not inspect.Parameter.empty, f"<{self.tag}/> has nothing for {field}"
        return self.values.get(field) or self.name(default)

    def arguments(self) -> str:
        """By position as far as possible, which is faster."""
        fields = list(self.parameters)
        first = next((index for index, field in enumerate(fields) if field not in self.values), len(fields))
        return ", ".join(
            self.values[field] if index < first else f"{field}={self.values[field]}"
            for index, field in enumerate(fields)
            if field in self.values
        )

    def attribute(self, part: Attr) -> None:
        value = self.values[part.field] = f"a{len(self.values)}"
        self.slots.append(value)
        if part.alias != part.name:
            self.slots.append(f"{value}_alias")
            self.lines += [f"if {value} is None:", f"    {value} = {value}_alias"]
        parsed = f"{self.name(part.type.parse)}({value})"
        if part.type.known:
            known = self.name(part.type.known)
            parsed = f"{known}[{value}] if {value} in {known} else {parsed}"
        if part.type.bounds:
            low, high = part.type.bounds
            few = f"{value}.isdigit() and {value}.isascii() and len({value}) <= {len(str(high))}"
            parsed = f"number if {few} and {low} <= (number := int({value})) <= {high} else {parsed}"
        if part.type.usual:
            parsed = f"{value} if {part.type.usual.format(value)} else {parsed}"
        self.lines += [
            f"if {value} is not None:",
            "    try:",
            f"        {value} = {parsed}",
            "    except ValueError as problem:",
            f"        raise malformed(f'{self.tag} {part.name}={{{value}[:60]!r}}/>', problem) from None",
        ]
        if part.default is REQUIRED:
            self.lines += ["else:", f"    raise malformed('{self.tag}/>', '{part.name} is missing')"]
        elif part.default is not None:
            self.lines += ["else:", f"    {value} = {self.name(part.default)}"]

    def text(self, field: str, parse: Callable[[str], Any]) -> None:
        self.values[field] = "text"
        self.lines += [
            "try:",
            f"    text = {self.name(parse)}(text or '')",
            "except ValueError as problem:",
            f"    raise malformed('{self.tag}/>', f'text is {{problem}}') from None",
        ]

    def part(self, field: str, several: str) -> str:
        """The local variable of a part with children. Absent children have the default that the class says."""
        value = self.values[field] = f"c{self.inner}"
        default = self.name(self.parameters[field].default)
        self.with_children.append(f"{value} = {several.format(f'parts[{self.inner}]')} if {self.inner} in parts else {default}")
        self.inner += 1
        self.without.append(f"{value} = {default}")
        return value

    def list(self, field: str, most: int | None = None, tags: str = "", strict: bool = False) -> None:
        """Several children as a tuple."""
        value = self.part(field, "tuple({})")
        self.limit(f"len({value})", most, tags)
        if strict:
            self.with_children += [f"for v in {value}:", "    if v.__class__ is BadRequest:", "        raise v"]

    def limit(self, count: str, most: int | None, tags: str) -> None:
        if most is not None:
            self.with_children += [f"if {count} > {most}:", f"    raise malformed('{self.tag}/>', 'more than {most} <{tags}/>')"]

    def first(self, field: str, strict: bool = False, most: int | None = None, tags: str = "") -> None:
        """The first of its children, whatever the others are."""
        value = self.part(field, "{}[0]")
        self.limit(f"len(parts.get({self.inner - 1}, ()))", most, tags)
        if strict:
            self.with_children += [f"if {value}.__class__ is BadRequest:", f"    raise {value}"]
