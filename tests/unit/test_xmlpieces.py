"""Text read without a tree: wherever that says yes, ElementTree says the same."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import dataclass, field, fields, is_dataclass
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jinglebridge import xmlpieces
from jinglebridge.errors import BadRequest
from jinglebridge.jingle import parse_jingle, read_jingle
from jinglebridge.jingle.xep_0166 import JINGLE
from jinglebridge.jingle.xep_0320 import FINGERPRINT
from jinglebridge.kept import MAX_KEPT, MAX_LENGTH, Kept
from jinglebridge.translate import sdp_to_xml
from jinglebridge.xml import Attr, Child, Children, Choice, Element, Flag, Text, TextChild, Unknown, attr, integer, line, parse_text
from jinglebridge.xmlread import Reader
from jinglebridge.xmltext import MAX_DEPTH
from tests.unit.cases import AV, offer

NS, OTHER = "urn:x", "urn:y"


class Leaf(NamedTuple):
    value: int
    word: str = "w"


class Codec(NamedTuple):
    id: int
    leaves: tuple[Leaf, ...] = ()
    unknown: tuple[ET.Element, ...] = ()


@dataclass(frozen=True)
class Tree:
    id: int
    text: str = ""
    codecs: tuple[Codec, ...] = ()
    leaf: Leaf | None = None
    strict: tuple[Leaf, ...] = ()
    secret: tuple[Leaf, ...] = ()
    flag: bool = False
    note: str = ""
    condition: str | None = None
    unknown: tuple[ET.Element, ...] = field(default=(), compare=False)


LEAF = Element(Leaf, NS, "leaf", (attr("value", integer(0, 99)), attr("word", line, default="w")), keep=True)
CODEC = Element(Codec, NS, "codec", (attr("id", integer(0, 99)), Children(LEAF, "leaves", lenient=True), Unknown()), keep=True)
STRICT = Element(Leaf, OTHER, "strict", (attr("value", integer(0, 99)),))
SECRET = Element(Leaf, NS, "secret", (attr("value", integer(0, 99)), attr("word", line, default="w")))
TREE = Element(
    Tree,
    NS,
    "tree",
    (
        attr("id", integer(0, 9)),
        Text("text", line),
        Children(CODEC, "codecs", lenient=True),
        Child(LEAF, "leaf"),
        Children(STRICT, "strict", most=2),
        Children(SECRET, "secret", lenient=True),
        Flag(NS, "flag", "flag"),
        TextChild(NS, "note", "note"),
        Choice("urn:z", "condition"),
        Unknown(),
    ),
)


def told(value: object) -> object:
    """A value with the text of its elements in place of the elements."""
    if isinstance(value, ET.Element):
        return ET.tostring(value)
    if isinstance(value, tuple):
        return tuple(map(told, value))
    return tuple(told(getattr(value, each.name)) for each in fields(value)) if is_dataclass(value) else value


def result(read, *args):
    try:
        return told(read(*args))
    except BadRequest as problem:
        return str(problem)


def compare(element: Element, source: str, whole: str) -> bool:
    """Is it read without a tree? What is read must be what ElementTree and the table say of the same text."""
    try:
        found = result(xmlpieces.read, element.reader, source, whole)
    except xmlpieces.Unsure:
        assert result(element.read, source, whole) == result(lambda: element.parse(parse_text(source)))
        return False
    assert found == result(lambda: element.parse(parse_text(source)))
    return True


def tree(inside: str, head: str = 'xmlns="urn:x" id="1"') -> str:
    return f"<tree {head}>{inside}</tree>"


PLAIN = [
    "",
    "text",
    "a 'b' é",
    '<leaf value="1"/>',
    "<leaf value='1'/>",
    '<leaf value="x"/>',
    '<leaf value="1"/><leaf value="x"/>',
    '<leaf value="1" word=">"/>',
    '<leaf value="1" />',
    '<leaf xmlns="urn:x" value="1"/>',
    '<leaf value="1" xmlns="urn:x"/>',
    '<leaf value="1"></leaf>',
    '<strict xmlns="urn:y" value="1"/>',
    '<strict xmlns="urn:y" value="1"/><strict xmlns="urn:x" value="1"/><strict xmlns="" value="1"/>',
    '<strict xmlns="urn:y" value="x"/>',
    '<strict xmlns="urn:y" value="1"/>' * 3,
    '<strict xmlns="urn:y" value="100"/>' * 3,
    "<flag/><flag></flag><flag/>",
    "<note>some</note><note>other</note>",
    "<note/>",
    '<odd xmlns="urn:z"/><other xmlns="urn:z"/>',
    '<foreign a="1"><inner>t</inner><inner xmlns="urn:q"/></foreign>',
    '<codec id="7"/>',
    'x<codec id="7"></codec>',
    '<codec id="7"></codec>',
    '<codec id="7"><leaf value="1"/><leaf value="x"/></codec>' * 2,
    '<codec id="7"><foreign/></codec>' * 2,
    '<codec id="x"><leaf value="1"/></codec>' * 2,
    '<codec xmlns="urn:q" id="7"><leaf/></codec>' * 2,
    "<secret value='1'/>" * 3,
    "<secret value='x'/>",
    '<secret value="1" word="a"/><secret word="b" value="2"/>',
]


@pytest.mark.parametrize("inside", PLAIN)
def test_plain_text_is_read_without_a_tree_and_as_with_one(inside):
    for _ in range(2):  # the second time much of it is remembered
        assert compare(TREE, tree(inside), "codec")
        assert compare(TREE, f" \t\r\n{tree(inside)}\n", "codec")


UNSURE = [
    '<tree xmlns="urn:x" id="1">',
    '<tree xmlns="urn:x" id="1"><x>',
    tree("<leaf value='\"'/>"),
    "",
    "x",
    "<tree/>",
    "<tree",
    "<leaf xmlns='urn:x' value='1'/>",
    tree("") + "<x/>",
    tree("") + "x",
    tree("")[:-1],
    tree("&amp;"),
    tree("\n"),
    tree("a\x00"),
    tree("]]>"),
    tree("<leaf value='1'/> "),
    tree("<leaf value='1'/> <leaf value='1'/>"),
    tree("<leaf value='1'>"),
    tree("<leaf value='1'></note>"),
    tree("<leaf value='1' value='2'/>"),
    tree("<leaf value='1'word='2'/>"),
    tree("<leaf value='1\"/>"),
    tree('<leaf value="1"/>"y</leaf>'),
    tree("<leaf value='1'/ >"),
    tree("<leaf value = '1'/>"),
    tree("<leaf  value='1'/>"),
    tree("<leaf value='\t'/>"),
    tree("<leaf p:value='1'/>"),
    tree("<p:leaf xmlns:p='urn:x' value='1'/>"),
    tree("<leaf xml:lang='en' value='1'/>"),
    tree("<?pi x?>"),
    tree("<!-- x -->"),
    tree("<![CDATA[x]]>"),
    tree("<x xmlns='a}b'/>"),
    tree("<x xmlns='http://www.w3.org/2000/xmlns/'/>"),
    tree("<x>" * (MAX_DEPTH + 2) + "</x>" * (MAX_DEPTH + 2)),
    tree("<x>"),
    tree("<x><y></x></y>"),
    tree("<x>a</x>b"),
    tree("</codec>"),
    tree('<codec id="7"/></codec>'),
    tree('<leaf value="1"/>x<codec id="7"></codec>'),
    tree('<codec id="7"></codec>x<leaf value="1"/>'),
    tree('<x><codec id="7"></codec></x>'),
    "<?xml version='1.0'?>" + tree(""),
]


@pytest.mark.parametrize("source", UNSURE)
def test_whatever_is_not_plain_goes_to_the_xml_parser(source):
    for _ in range(2):
        assert not compare(TREE, source, "codec")


def test_an_element_in_another_of_its_tag_is_plain_all_the_same():
    for _ in range(2):
        assert compare(TREE, tree('<codec id="7"><codec id="7"></codec></codec>'), "codec")


@pytest.mark.no_cover
@given(
    st.lists(
        st.sampled_from([*"<>/\"'=& \n\t}", "leaf", "tree", "codec", "value", "xmlns", "urn:x", "</", "/>", "1", "é", "x", *PLAIN]),
        max_size=30,
    )
)
@settings(max_examples=1500, deadline=None)
def test_of_any_text_both_say_the_same(parts):
    compare(TREE, tree("".join(parts)), "codec")
    compare(TREE, "".join(parts), "codec")


@pytest.mark.no_cover
@given(st.data())
@settings(max_examples=400, deadline=None)
def test_of_a_wounded_offer_both_say_the_same(data):
    source = sdp_to_xml(offer(AV))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(source)))
        gone = data.draw(st.integers(0, 20))
        source = (
            source[:at]
            + data.draw(st.sampled_from(["", '"', "<", ">", "/", " ", "&", "'", "\n", 'x="y"', "<x/>", "</payload-type>"]))
            + source[at + gone :]
        )
    compare(JINGLE, source, "payload-type")


def test_real_offers_are_read_without_a_tree():
    source = sdp_to_xml(offer(AV))
    assert xmlpieces.read(JINGLE.reader, source, "payload-type") == parse_jingle(parse_text(source)) == read_jingle(source)


def readers(reader: Reader) -> list[Reader]:
    inner = [place.table for place in reader.places.values() if place.table is not None]
    return [reader, *(found for table in inner for found in readers(table))]


def tables(element: Element) -> list[Element]:
    inner = [part.element for part in element.parts if isinstance(part, Child | Children)]
    return [element, *(found for table in inner for found in tables(table))]


def test_the_usual_spellings_mean_what_the_type_says():
    types = [part.type for table in tables(JINGLE) for part in table.parts if isinstance(part, Attr)]
    assert sum(len(type.known) for type in types) > 100
    for type in types:
        assert all(type.parse(spelling) == value and type.format(value) == spelling for spelling, value in type.known.items())


def test_nothing_of_one_call_is_remembered():
    for reader in readers(JINGLE.reader):  # other tests read stanzas that were damaged on purpose
        reader.known.clear()
        reader.plans.clear()
    source = sdp_to_xml(offer(AV))
    read_jingle(source)
    kept = [text for reader in readers(JINGLE.reader) for text in reader.known]
    assert any("rtcp-fb" in text for text in kept), "nothing is remembered at all"
    assert not [text for text in kept for word in ("ufrag", "<transport", "fingerprint", "ssrc=", "msid", "cname") if word in text]
    namespaces = {plan.ns for reader in readers(JINGLE.reader) for plan in reader.plans.values()} - {None}
    assert all(ns.startswith("urn:xmpp:jingle:") for ns in namespaces)
    assert not FINGERPRINT.keep and not FINGERPRINT.reader.known


def test_what_is_remembered_is_bounded():
    memory: Kept[int, str] = Kept()
    for number in range(2 * MAX_KEPT):
        assert memory.keep(number, "x", 1) == "x"
        assert len(memory) <= MAX_KEPT
    assert memory.keep(-1, "long", MAX_LENGTH + 1) == "long" and memory.get(-1) is None


def test_elements_kept_aside_are_never_shared():
    source = tree('<codec id="7"><foreign/></codec>')
    one, two = TREE.read(source, "codec"), TREE.read(source, "codec")
    assert one.codecs[0].unknown[0] is not two.codecs[0].unknown[0]
    assert TREE.text(one) == TREE.text(two) == source.replace("  ", " ")


def test_the_text_of_kept_values_is_the_same_the_second_time():
    value = TREE.read(tree('<codec id="7"><leaf value="1" word="é"/></codec>'), "codec")
    assert TREE.text(value) == TREE.text(value) == tree('<codec id="7"><leaf value="1" word="é"/></codec>')


def test_too_much_is_refused_before_anything_else():
    with pytest.raises(BadRequest, match="elements"):
        TREE.read("<" * 30_000)
