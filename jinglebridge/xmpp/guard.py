"""What a stanza may weigh before anything looks into it.

One 3.5 KB IQ nested 500 deep kills a stock slixmpp for good. The walk is iterative and stops at the first limit.

Spec: DESIGN §4, §5; J-011, J-246.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET

from jinglebridge.errors import ProtocolError

MAX_DEPTH = 64
MAX_ELEMENTS = 2000
MAX_SIZE = 128 * 1024  # characters of names, attributes and text


class TooBig(ProtocolError):
    """A stanza over a limit; RFC 6120 §8.3.3.12."""

    type, condition = "modify", "policy-violation"


def check(stanza: ET.Element) -> int:
    """The characters of names, attributes and text. Raises TooBig. Work is linear in the stanza, and bounded."""
    elements = size = 0
    for element in stanza.iter():
        elements += 1
        if elements > MAX_DEPTH:  # it may be deep as well
            return _walk(stanza)
        size += len(element.tag) + len(element.text or "") + len(element.tail or "")
        for name, value in element.items():
            size += len(name) + len(value)
    if size > MAX_SIZE:
        raise TooBig(f"larger than {MAX_SIZE} characters")
    return size


def _walk(stanza: ET.Element) -> int:
    """As `check`, with an eye on the depth."""
    stack = [(stanza, 1)]
    elements = size = 0
    while stack:
        element, depth = stack.pop()
        elements += 1
        size += len(element.tag) + len(element.text or "") + len(element.tail or "")
        for name, value in element.attrib.items():
            size += len(name) + len(value)
        if depth > MAX_DEPTH:
            raise TooBig(f"nested deeper than {MAX_DEPTH}")
        if elements > MAX_ELEMENTS or len(element) > MAX_ELEMENTS:
            raise TooBig(f"more than {MAX_ELEMENTS} elements")
        if size > MAX_SIZE:
            raise TooBig(f"larger than {MAX_SIZE} characters")
        stack += [(child, depth + 1) for child in element]
    return size
