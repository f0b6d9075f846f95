"""XEP-0004: Data Forms, version 2.13.1: the part that ad-hoc commands need. A form is declared once; building it and reading what
comes back are both made from the declaration.

Spec: XEP-0004 §3.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from jinglebridge.errors import BadRequest
from jinglebridge.xml import xml_safe

NS = "jabber:x:data"
FORM = f"{{{NS}}}x"
FIELD = f"{{{NS}}}field"
VALUE = f"{{{NS}}}value"
MAX_FIELDS = 64
MAX_VALUE = 1024  # characters
BOOLEANS = {"1": "1", "true": "1", "0": "0", "false": "0"}

FieldType = Literal["text-single", "boolean", "list-single"]


@dataclass(frozen=True, slots=True)
class Field:
    """One thing to ask, or to tell. `value`: the default; of a boolean "1" or "0". `options`: (value, label)."""

    name: str
    label: str
    type: FieldType = "text-single"
    value: str = ""
    options: tuple[tuple[str, str], ...] = ()
    required: bool = False

    def read(self, text: str | None) -> str:
        """What was given for this field, None being nothing. Raises ValueError, in words for the person."""
        if self.type == "boolean":
            if text is not None and text not in BOOLEANS:
                raise ValueError(f"{self.label}: yes or no?")
            return self.value or "0" if text is None else BOOLEANS[text]
        text = self.value if text is None else xml_safe(text).strip()
        if self.required and not text:
            raise ValueError(f"{self.label}: this is needed")
        if self.type == "list-single" and text and text not in dict(self.options):
            raise ValueError(f"{self.label}: choose one of the list")
        return text


@dataclass(frozen=True, slots=True)
class Form:
    title: str
    instructions: str
    fields: tuple[Field, ...] = ()

    def values(self, given: Mapping[str, str]) -> dict[str, str]:
        """A value for each field; what was not given is at its default. Raises ValueError, in words for the person."""
        return {field.name: field.read(given.get(field.name)) for field in self.fields}

    def filled(self, given: Mapping[str, str]) -> Form:
        """The same with these values as defaults, to be asked again."""
        return replace(self, fields=tuple(replace(f, value=given.get(f.name, f.value)) for f in self.fields))


def build(form: Form, kind: Literal["form", "result"] = "form") -> ET.Element:
    """The <x/> of a form to fill in, or of results."""
    x = ET.Element(FORM, {"type": kind})
    for name, text in (("title", form.title), ("instructions", form.instructions)):
        if text:
            ET.SubElement(x, f"{{{NS}}}{name}").text = xml_safe(text)
    for field in form.fields:
        element = ET.SubElement(x, FIELD, {"var": field.name, "label": xml_safe(field.label), "type": field.type})
        if field.required:
            ET.SubElement(element, f"{{{NS}}}required")
        if field.value:
            ET.SubElement(element, VALUE).text = xml_safe(field.value)
        for value, label in field.options:
            option = ET.SubElement(element, f"{{{NS}}}option", {"label": xml_safe(label)})
            ET.SubElement(option, VALUE).text = value
    return x


def read(x: ET.Element) -> dict[str, str]:
    """What somebody filled in: the first value of each named field. Raises BadRequest for what is no filled-in form."""
    if x.tag != FORM or x.get("type") != "submit":
        raise BadRequest("not a filled-in form")
    found: dict[str, str] = {}
    for field in x.iterfind(FIELD):
        name, value = field.get("var", ""), field.findtext(VALUE)
        if len(found) >= MAX_FIELDS or len(name) > MAX_VALUE or len(value or "") > MAX_VALUE:
            raise BadRequest("the form is too big")
        if name and value is not None:
            found.setdefault(name, value)
    return found
