"""XML elements as text and back, the way it travels on an XMPP stream."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

from jinglebridge.errors import BadRequest
from jinglebridge.printable import printable

MAX_TEXT = 128 * 1024  # characters of one stanza
MAX_DEPTH = 64
MAX_NODES = 4000

# XML 1.0 §2.2: what may not appear in a document, not even escaped.
ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ATTRIBUTE = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\n": "&#10;", "\r": "&#13;", "\t": "&#9;"})
# What cannot be written as it is: it is escaped, or in ILLEGAL.
special = re.compile('[&<>"\0-\x1f\ud800-\udfff\ufffe\uffff]').search


def xml_safe(text: str) -> str:
    """`text` without the characters that XML 1.0 forbids. One of them cuts the whole component stream."""
    return text if printable(text) else ILLEGAL.sub("", text)


def escaped(value: str) -> str:
    """`value` as it may stand in an attribute or between tags, without what XML forbids."""
    return xml_safe(value.translate(_ATTRIBUTE)) if special(value) else value


def guard(source: str) -> None:
    """Refuse what is too big for a stanza. Raises BadRequest."""
    # Counting is slow enough to leave it out where the text is too short for so many tags.
    if len(source) > MAX_TEXT or (len(source) > 6 * MAX_NODES and source.count("<") > 2 * MAX_NODES):
        raise BadRequest(f"more than {MAX_TEXT} characters or {MAX_NODES} elements of XML")


def parse_text(source: str) -> ET.Element:
    """An element from text as it travels on a stream: no DTD, bounded size and number of elements. Raises BadRequest."""
    guard(source)
    if "<!" in source or not (printable(source) or ILLEGAL.search(source) is None):
        # RFC 6120 §11.1: no comments, no declarations of entities. CDATA is legal but nobody sends it here.
        raise BadRequest("XML that a stream must not carry")
    try:
        return ET.fromstring(source)
    except (ET.ParseError, ValueError) as problem:
        raise BadRequest(f"not well-formed: {problem}") from None


def to_text(el: ET.Element, ns: str = "") -> str:
    """`el` as text with default namespaces, as XMPP software writes it (ElementTree would invent prefixes).

    `ns`: namespace of the parent that it will stand in.

    Raises: BadRequest for an element nested deeper than MAX_DEPTH; a foreign child kept aside is the only one that can be.
    """
    out: list[str] = []
    write_element(el, ns, out)
    return xml_safe("".join(out))


def write_element(el: ET.Element, ns: str, out: list[str], depth: int = 0) -> None:
    """Append the text of `el` inside a parent of namespace `ns`."""
    if depth > MAX_DEPTH:
        raise BadRequest(f"XML deeper than {MAX_DEPTH}")
    own, _, tag = el.tag[1:].partition("}") if el.tag[0] == "{" else ("", "", el.tag)
    out.append("<" + tag)
    if own != ns:
        out.append(f' xmlns="{escaped(own)}"')
    for number, (name, value) in enumerate(el.items()):
        if name[0] == "{":
            uri, _, name = name[1:].partition("}")
            prefix = "xml" if uri == "http://www.w3.org/XML/1998/namespace" else f"a{number}"
            if prefix != "xml":
                out.append(f' xmlns:{prefix}="{escaped(uri)}"')
            name = f"{prefix}:{name}"
        out.append(f' {name}="{escaped(value)}"')
    if not len(el) and not el.text:
        out.append("/>")
        return
    out.append(">")
    if el.text:
        out.append(escaped(el.text))
    for child in el:
        write_element(child, own, out, depth + 1)
        if child.tail and not child.tail.isspace():
            out.append(escaped(child.tail))
    out.append(f"</{tag}>")
