"""What a stanza may weigh, and that the stream outlives one that weighs more. J-011, J-246."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from jinglebridge.xmpp import guard
from tests.unit.fakes import DOMAIN, component, conditions, el, logged, routed


def nested(depth: int) -> ET.Element:
    """A stanza with `depth` levels, itself the first."""
    root = element = ET.Element("iq")
    for _ in range(depth - 1):
        element = ET.SubElement(element, "x")
    return root


def wide(elements: int) -> ET.Element:
    root = ET.Element("iq")
    root.extend(ET.Element("x") for _ in range(elements - 1))
    return root


def heavy(characters: int) -> ET.Element:
    root = ET.Element("iq")
    root.text = "x" * (characters - 2)
    return root


@pytest.mark.parametrize(
    ("good", "bad", "word"),
    [
        (nested(guard.MAX_DEPTH), nested(guard.MAX_DEPTH + 1), "nested"),
        (wide(guard.MAX_ELEMENTS), wide(guard.MAX_ELEMENTS + 1), "elements"),
        (heavy(guard.MAX_SIZE), heavy(guard.MAX_SIZE + 1), "larger"),
    ],
    ids=["depth", "children", "size"],
)
def test_each_limit_is_exact(good, bad, word):
    guard.check(good)
    with pytest.raises(guard.TooBig, match=word):
        guard.check(bad)


@pytest.mark.parametrize("where", ["text", "tail", "attribute"])
def test_size_counts_text_tails_and_attributes(where):
    root = ET.Element("iq")
    child = ET.SubElement(root, "x", {"a": "x" * guard.MAX_SIZE} if where == "attribute" else {})
    if where != "attribute":
        setattr(child, where, "x" * guard.MAX_SIZE)
    with pytest.raises(guard.TooBig):
        guard.check(root)


def test_too_many_children_deep_down():
    root = ET.Element("iq")
    root.append(wide(guard.MAX_ELEMENTS))
    with pytest.raises(guard.TooBig):
        guard.check(root)


@pytest.mark.parametrize("kind", ["get", "set"])
def test_a_request_that_is_too_big_gets_policy_violation(kind):
    router, sent, _ = routed()
    router.route(el(f"<iq type='{kind}' id='1' from='a@x/r' to='b@{DOMAIN}'>{'<x>' * 70}{'</x>' * 70}</iq>"))
    assert conditions(sent[0]) == ("modify", "policy-violation", None)


@pytest.mark.parametrize("text", ["<iq type='result' id='1'", "<message", "<presence"])
def test_anything_else_too_big_gets_no_answer(text):
    router, sent, _ = routed()
    tag = text[1:].split()[0]
    router.route(el(f"{text} from='a@x/r' to='b@{DOMAIN}'>{'<x>' * 70}{'</x>' * 70}</{tag}>"))
    assert sent == []


async def test_500_deep_nesting_through_the_parser_leaves_the_stream_alive():
    made, transport = component()
    router, _, _ = routed()
    router._send = made.send  # the real way out
    made.on_stanza = router.route
    with logged() as lines:
        deep = b"<x>" * 500 + b"</x>" * 500
        made.data_received(b"<iq type='set' id='deep' from='a@x/r' to='b@call.test'>" + deep + b"</iq>")
        made.data_received(b"<iq type='get' id='next' from='a@x/r' to='b@call.test'><query xmlns='urn:none'/></iq>")
    replies = transport.stanzas()
    assert [r.get("id") for r in replies] == ["deep", "next"]
    assert [conditions(r)[1] for r in replies] == ["policy-violation", "service-unavailable"]
    assert made.up and not transport.closed
    assert [line["event"] for line in lines if line["log_level"] != "info"] == ["stanza-too-big"]


async def test_very_deep_nesting_in_pieces_leaves_the_stream_alive():
    made, transport = component()
    router, _, _ = routed()
    made.on_stanza = router.route
    made.data_received(b"<message from='a@x/r' to='b@call.test'>")
    for piece in (b"<x>" * 20_000, b"</x>" * 20_000, b"</message>"):
        made.data_received(piece)
    assert made.up and not transport.closed


async def test_a_doctype_or_entity_is_not_processed():
    """expat refuses both in the middle of a document; the stream ends instead of swelling. J-246."""
    made, _ = component()
    stanzas: list[ET.Element] = []
    made.on_stanza = stanzas.append
    made.data_received(b"<!DOCTYPE x [<!ENTITY a 'b'>]><message from='a@x/r' to='b@call.test'>&a;</message>")
    assert stanzas == []
