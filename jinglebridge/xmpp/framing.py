"""Where stanzas end in the bytes of a stream, so that a long one can be read as text, without a tree.

Nothing here decides what XML is: what is not of the plainest kind goes to the parser, with all that follows it. That a stanza ends at the
first ``</iq>`` holds because a server sends well-formed XML, where ``<`` stands for nothing but a tag (comments and CDATA are not plain).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

LONG = 2048  # bytes; below that a tree costs no more than reading the text
TELLING = b"<payload-type "  # bytes without one hold no description, and are not worth cutting

_START = re.compile(rb"<(iq|message|presence) [^<>]*?(/?)>").match
_VALUE = r"(?:'[^'<>&]*'|\"[^\"<>&]*\")"
_JINGLE_SET = re.compile(rf"<iq((?: [a-z:]+={_VALUE})+)>(<jingle .*</jingle>)</iq>", re.DOTALL).fullmatch
_ATTRIBUTE = re.compile(r" ([a-z:]+)=['\"]([^'\"]*)['\"]").findall


def stanzas(data: bytes) -> Iterator[bytes]:
    """The stanzas in `data`, which begins where one begins; the last piece is what is not plain, or not there yet."""
    at = 0
    while at < len(data):
        start = _START(data, at)
        if start is None:
            break
        end = start.end()
        if not start[2]:
            close = b"</%b>" % start[1]
            end = data.find(close, end) + len(close)
            inside = data[at:end]
            if end < len(close) or inside.count(b"<" + start[1]) != 1 or b"<!" in inside or b"<?" in inside:
                break
        yield data[at:end]
        at = end
    if at < len(data):
        yield data[at:]


def jingle_set(stanza: bytes) -> tuple[dict[str, str], str] | None:
    """Attributes of the IQ and its <jingle/> as text, if `stanza` is a long IQ set of Jingle in plain spelling."""
    if len(stanza) < LONG or not stanza.startswith(b"<iq "):
        return None
    try:
        found = _JINGLE_SET(stanza.decode())
    except UnicodeDecodeError:
        return None
    if found is None:
        return None
    pairs = _ATTRIBUTE(found[1])
    attributes = dict(pairs)
    plain = len(attributes) == len(pairs) and sum(len(name) + len(value) + 4 for name, value in pairs) == len(found[1])
    return (attributes, found[2]) if plain and attributes.get("type") == "set" and "xmlns" not in attributes else None
