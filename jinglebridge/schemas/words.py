"""What the validator says, in words for somebody who knows SDP and not XML Schema.

libxml2 numbers its kinds of faults and words them in English with names in Clark's form. The kinds are stable; of the wording only the
name of the attribute and the list of expected children are used. A kind that is not known here keeps libxml2's words.
"""

from __future__ import annotations

import re

from lxml import etree

from jinglebridge.schemas.files import Schemas

MAX_VALUE = 60  # characters of a bad value that are repeated
_ATTRIBUTE = re.compile(r"attribute '([^']+)'")
_EXPECTED = re.compile(r"Expected is (?:one of )?\( (.*?) \)")
_CONSTRAINT = re.compile(r"identity-constraint '(?:\{[^}]*\})?([^']+)'")
_CLARK = re.compile(r"\{[^}]*\}")


def in_words(kind: str, message: str, element: etree._Element, known: Schemas) -> str:
    """One text for a fault of `element`; "" for what only follows from another fault.

    Args:
        kind: libxml2's name of it, such as SCHEMAV_CVC_ENUMERATION_VALID.
        message: libxml2's words.
    """
    attribute = _ATTRIBUTE.search(message)
    match kind.removeprefix("SCHEMAV_"):
        case "CVC_COMPLEX_TYPE_3_2_1" | "CVC_TYPE_3_1_1" if attribute:
            if attribute[1].startswith("{"):
                return f"attribute {_CLARK.sub('', attribute[1])} of another namespace"
            names = ", ".join(sorted(known.attributes.get(str(element.tag), ())))
            return f"unknown attribute {attribute[1]}; {f'known: {names}' if names else f'{label(element)} has none'}"
        case "CVC_COMPLEX_TYPE_4" if attribute:
            return f"attribute {attribute[1]} is missing"
        case "CVC_COMPLEX_TYPE_2_1" | "CVC_COMPLEX_TYPE_2_2" | "CVC_COMPLEX_TYPE_2_3" | "CVC_TYPE_3_1_2":
            what = "no element" if "Element content" in message else "no text"
            return f"{label(element)} may hold {what}"
        case "ELEMENT_CONTENT":
            return _children(message, element)
        case "CVC_IDC" if "Duplicate" in message:
            return _twice(message, element)
        case "CVC_IDC":  # a value that was to be compared is malformed, which has a finding of its own
            return ""
        case name if name.endswith("_VALID") or name.startswith("CVC_DATATYPE"):
            return _value(attribute[1] if attribute else None, element, known)
    return _CLARK.sub("", message)


def _value(attribute: str | None, element: etree._Element, known: Schemas) -> str:
    tag = str(element.tag)
    if attribute is None:
        found, type = f"the text {_short(element.text or '')}", known.texts.get(tag, "")
    else:
        found, type = f"{attribute}={_short(element.get(attribute, ''))}", known.attributes.get(tag, {}).get(attribute, "")
    return f"{found}; expected: {known.words.get(type, 'another value')}"


def _children(message: str, element: etree._Element) -> str:
    match = _EXPECTED.search(message)
    expected = ", ".join(_names(match[1])) if match else ""
    if "Missing child" in message:
        return f"{label(element)} lacks a child: {expected}"
    return f"{label(element)} is not expected here" + (f"; possible: {expected}" if expected else "")


def _names(listed: str) -> list[str]:
    """Names from libxml2's list of expected particles, wildcards in words."""
    names = [_CLARK.sub("", item).rstrip("*") if "##" not in item else "an element of another namespace" for item in listed.split(", ")]
    return list(dict.fromkeys(names))


def _twice(message: str, element: etree._Element) -> str:
    """An identity constraint is called after what it counts: "payload-type.id", or "rtcp-mux" for one that may stand once."""
    match = _CONSTRAINT.search(message)
    attribute = (match[1] if match else "").partition(".")[2]
    return f"a second {label(element)}" + (f" with {attribute}={_short(element.get(attribute, ''))}" if attribute else "")


def _short(value: str) -> str:
    return repr(value[:MAX_VALUE]) + ("…" if len(value) > MAX_VALUE else "")


def label(element: etree._Element) -> str:
    """An element as one writes about it: <candidate/>."""
    return f"<{etree.QName(element).localname}/>"


def place(element: etree._Element) -> str:
    """The way to an element: jingle/content[2]/transport; numbers only where siblings share a tag."""
    steps = []
    step: etree._Element | None = element
    while step is not None:
        parent = step.getparent()
        alike = [] if parent is None else list(parent.iterchildren(str(step.tag)))
        steps.append(etree.QName(step).localname + (f"[{alike.index(step) + 1}]" if len(alike) > 1 else ""))
        step = parent
    return "/".join(reversed(steps))
