"""Element tables compiled to straight-line Python, for writing text without a tree in between.

A table is data; walking it costs more than the work it describes (SDP to text took twice as long). So its writer is generated once,
on first use, from the same lines that `parse` and `build` follow, and a test holds the three against each other.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable
from typing import Any

from jinglebridge.kept import Kept
from jinglebridge.xmltext import escaped, special, write_element, xml_safe
from jinglebridge.xmltypes import same

Writer = Callable[[Any], str]


def foreign(elements: tuple[ET.Element, ...], ns: str) -> str:
    """The text of elements kept aside, inside a parent of namespace `ns`."""
    out: list[str] = []
    for el in elements:
        write_element(el, ns, out)
        if el.tail and not el.tail.isspace():
            out.append(escaped(el.tail))
    return xml_safe("".join(out))


def holds_foreign(value: object) -> bool:
    """Does it hold elements kept aside? Nobody knows what they say, and they could be altered."""
    if isinstance(value, tuple):
        for item in value:
            if item.__class__ not in _PLAIN and holds_foreign(item):
                return True
        return False
    return isinstance(value, ET.Element)


_PLAIN = frozenset({str, int, bool, type(None)})


class Code:
    """The source of one writer, collected line by line; `names` are the values that the source refers to."""

    def __init__(self, tag: str, ns: str, parent_ns: str) -> None:
        xmlns = "" if ns == parent_ns else f' xmlns="{escaped(ns)}"'
        self.tag, self.ns = tag, ns
        self.names: dict[str, Any] = {"special": special, "escaped": escaped, "foreign": foreign}
        self.lines = [f"s = {f'<{tag}{xmlns}'!r}"]
        self.run = ""  # attributes that are written as one piece
        self.inner: list[str] = []

    def name(self, value: Any) -> str:
        """A name by which the source can call `value`."""
        name = f"n{len(self.names)}"
        self.names[name] = value
        return name

    def attribute(self, name: str, field: str, default: Any, always: bool, format: Callable[[Any], str], plain: bool) -> None:
        v = f"v{len(self.lines)}"
        self.lines.append(f"{v} = obj.{field}")
        made: list[str] = []
        if not plain and format is not same:
            made.append(f"{v} = {'str' if format is str else self.name(format)}({v})")
        if not plain:
            # Most values are letters and digits, which is seen sooner than that nothing in them is special.
            made.append(f"if not {v}.isalnum() and special({v}) is not None: {v} = escaped({v})")
        text = f' {name}="{{{v}}}"'
        if always and default is not None:  # it has a value, so it needs no piece of its own
            self.lines += made
            self.run += text
            return
        self._end_run()
        condition = f"{v} is not None" if always or default is None else f"{v} is not None and {v} != {self.name(default)}"
        self.lines += [f"if {condition}:", *("    " + line for line in [*made, f"s += f'{text}'"])]

    def _end_run(self) -> None:
        if self.run:
            self.lines.append(f"s += f'{self.run}'")
            self.run = ""

    def text(self, field: str, format: Callable[[Any], str]) -> None:
        self.inner.append(f"b += escaped({self.name(format)}(obj.{field}))")

    def child(self, field: str, writer: Writer) -> None:
        self.inner += [f"v = obj.{field}", "if v is not None:", f"    b += {self.name(writer)}(v)"]

    def children(self, field: str, writer: Writer, kept: Kept[int, tuple[Any, str]] | None = None) -> None:
        """`kept`: memory for the text of values; those that hold foreign elements are not remembered."""
        write = self.name(writer)
        self.inner.append(f"for v in obj.{field}:")
        if kept is not None:
            memory = self.name(kept)
            # By identity, which is quicker than by value: what is kept is held, so no other can have its number.
            self.inner += [f"    t = {memory}.get(id(v))", "    if t is None:", f"        t = v, {write}(v)"]
            self.inner.append(f"        if not {self.name(holds_foreign)}(v): {memory}.keep(id(v), t, len(t[1]))")
            self.inner.append("    b += t[1]")
        else:
            self.inner.append(f"    b += {write}(v)")

    def condition(self, field: str, before: str, after: str) -> None:
        """`before` + value + `after` where the value is neither None nor empty."""
        self.inner += [f"v = obj.{field}", "if v:", f"    b += {before!r} + escaped(v) + {after!r}"]

    def flag(self, field: str, text: str) -> None:
        self.inner += [f"if obj.{field}:", f"    b += {text!r}"]

    def unknown(self, field: str) -> None:
        self.inner += [f"if obj.{field}:", f"    b += foreign(obj.{field}, {self.ns!r})"]

    def compile(self) -> Writer:
        self._end_run()
        body = [*self.lines]
        if self.inner:
            body += ["b = ''", *self.inner, "if b:", f"    return s + '>' + b + {f'</{self.tag}>'!r}"]
        body.append("return s + '/>'")
        source = "def write(obj):\n" + "\n".join("    " + line for line in body)
        space = dict(self.names)
        exec(compile(source, f"<table of {self.tag}>", "exec"), space)
        writer: Writer = space["write"]
        return writer
