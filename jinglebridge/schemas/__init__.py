"""XML Schemas of what we say in Jingle, and a check against them whose findings a web developer can read.

>>> from jinglebridge.schemas import check, validate
>>> for finding in validate(xml):       # line 3, jingle/content[2]/transport: attribute pwd is missing
...     print(finding)
>>> check(xml)                          # SchemaError instead of a list

The ``.xsd`` files beside this one are part of the package; nothing is fetched from anywhere. They are stricter than the reader of
`jinglebridge.translate`, which takes what real clients send: a document that is valid here can be expected to work everywhere. Each file
says in a comment where and why it differs from the schema printed in its XEP.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from lxml import etree

from jinglebridge.errors import BadRequest, SchemaError
from jinglebridge.schemas.files import FILES, Schemas, schemas
from jinglebridge.schemas.words import in_words, label, place
from jinglebridge.xml import parse_text, to_text

MAX_FINDINGS = 100


class Finding(NamedTuple):
    """One thing that is wrong.

    `line` counts from 1 and is 0 where there was no text to count in; `path` leads to the element, "" = the document as a whole;
    `text` says what is wrong with it.
    """

    line: int
    path: str
    text: str

    def __str__(self) -> str:
        where = ", ".join(filter(None, (f"line {self.line}" if self.line else "", self.path)))
        return f"{where}: {self.text}" if where else self.text


def validate(xml: str | ET.Element) -> list[Finding]:
    """What is wrong with one element of our namespaces, in the order of the document, at most `MAX_FINDINGS`; empty if it is valid.

    Args:
        xml: a `<jingle/>`, a JMI element, a `<content/>` or another element that a schema declares, without a stanza around it.
            As text it is held to the limits of `jinglebridge.xml.parse_text` (128 KiB, no DTD).

    Raises: nothing; what is not well-formed is a finding too.
    """
    try:
        text = xml if isinstance(xml, str) else to_text(xml)
        parse_text(text)  # its limits, and its refusal of everything that a stream must not carry
        root = etree.fromstring(text.encode(), _parser())
    except BadRequest as problem:
        return [Finding(0, "", str(problem))]
    except etree.XMLSyntaxError as problem:  # what another parser accepts and libxml2 does not: too many levels, a name with two colons
        return [Finding(0, "", f"cannot be read: {str(problem.msg).partition(',')[0]}")]
    known = schemas()
    if root.tag not in known.elements:
        ns = etree.QName(root).namespace
        of = f"of {ns}" if ns else "without a namespace (xmlns)"
        return [Finding(0, "", f"there is no schema for {label(root)} {of}: give an element of Jingle, without the stanza around it")]
    lines = isinstance(xml, str)
    half = MAX_FINDINGS // 2  # to say where a fault is costs time in proportion to the document
    faults = [*islice(_against_schema(root, known), half), *islice(_out_of_place(root, known), half)]
    order = {element: number for number, element in enumerate(root.iter())}
    faults.sort(key=lambda fault: order[fault[0]])
    return list(dict.fromkeys(Finding((element.sourceline or 0) if lines else 0, place(element), text) for element, text in faults))


def check(xml: str | ET.Element) -> None:
    """`validate`, for callers that only go on with what is valid.

    Raises: SchemaError; its `findings` are the texts of all findings.
    """
    findings = validate(xml)
    if findings:
        raise SchemaError(map(str, findings))


def _parser() -> etree.XMLParser:
    """No entity, no DTD, no network, and the parser's own limits stay on."""
    return etree.XMLParser(encoding="utf-8", resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)


def _against_schema(root: etree._Element, known: Schemas) -> Iterator[tuple[etree._Element, str]]:
    with known.lock:  # the log of faults belongs to the validator
        if known.validator.validate(root):
            return
        entries = list(known.validator.error_log)
    tree = root.getroottree()
    for entry in entries:
        found = tree.xpath(entry.path) if entry.path else [root]
        element = found[0]
        text = in_words(entry.type_name, entry.message, element, known)
        if text:
            yield element, text


def _out_of_place(root: etree._Element, known: Schemas) -> Iterator[tuple[etree._Element, str]]:
    """What the schema of one namespace cannot know of others: elements that theirs does not declare, or in a wrong parent."""
    for element in root.iterdescendants(etree.Element):
        parent = element.getparent()
        assert parent is not None
        name, above = etree.QName(element), etree.QName(parent)
        if name.namespace == above.namespace or name.namespace not in FILES:
            continue
        if name.text not in known.elements:
            yield element, f"{name.namespace} has no {label(element)}"
        elif above.namespace in FILES and not known.may_stand(name.text, above):
            yield element, f"{label(element)} does not belong into {label(parent)}"


__all__ = ["FILES", "MAX_FINDINGS", "Finding", "check", "validate"]
