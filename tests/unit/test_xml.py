"""Element tables: parse, build and text from the same lines."""

from __future__ import annotations

import gc
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import jinglebridge.jingle  # noqa: F401 - its tables
from jinglebridge.errors import BadRequest, InvalidState
from jinglebridge.xml import (
    PRINTABLE,
    Attr,
    Child,
    Children,
    Choice,
    Element,
    Flag,
    Text,
    TextChild,
    Unknown,
    Variants,
    attr,
    integer,
    line,
    one_of,
    parse_text,
    text,
    to_text,
    word,
    xml_safe,
)
from jinglebridge.xml import _writer as writer_of
from jinglebridge.xmltext import MAX_TEXT

NS, OTHER = "urn:x", "urn:y"


@dataclass(frozen=True)
class Leaf:
    value: str = ""
    kind: str = "leaf"


@dataclass(frozen=True)
class Tree:
    id: int
    word: str = "w"
    alias: str | None = None
    leaf: Leaf | None = None
    hidden: Leaf | None = None
    leaves: tuple[Leaf, ...] = ()
    flag: bool = False
    secret: bool = False
    foreign: bool = False
    note: str = ""
    condition: str | None = None
    elsewhere: str | None = None
    variants: tuple[Leaf, ...] = ()
    strict: tuple[Leaf, ...] = ()
    unknown: tuple[ET.Element, ...] = field(default=(), compare=False)


LEAF = Element(lambda value="": Leaf(value), NS, "leaf", (Text("value", line),))
MANY = Element(lambda value="": Leaf(value), NS, "many", (Text("value", line),))
STRICT = Element(lambda value="": Leaf(value), NS, "strict", (Text("value", line),))
HIDDEN = Element(lambda value="": Leaf(value), NS, "hidden", (Text("value"),))
RED = Element(lambda value="": Leaf(value, "red"), OTHER, "red", (Text("value"),))
BLUE = Element(lambda value="": Leaf(value, "blue"), NS, "blue", (Text("value"),))
TREE = Element(
    Tree,
    NS,
    "tree",
    (
        attr("id", integer(0, 99)),
        attr("word", one_of("w", "v"), default="w"),
        attr("a-b", word, field="alias", default=None, alias="a_b"),
        Child(LEAF, "leaf"),
        Child(HIDDEN, "hidden", write=False),
        Children(MANY, "leaves", most=3, lenient=True),
        Children(STRICT, "strict"),
        Flag(NS, "flag", "flag"),
        Flag(NS, "secret", "secret", write=False),
        Flag(OTHER, "foreign", "foreign"),
        TextChild(NS, "note", "note", text),
        Choice(NS, "condition"),
        Choice("urn:z", "elsewhere"),
        Variants({"red": RED, "blue": BLUE}, "variants"),
        Unknown(),
    ),
)
FULL = (
    '<tree xmlns="urn:x" id="7" word="v" a-b="q"><leaf>l</leaf><many>1</many><many>2</many><flag/><foreign xmlns="urn:y"/>'
    '<note>n &amp; m</note><busy/><odd xmlns="urn:z"/><red xmlns="urn:y">r</red><blue>b</blue><more xmlns="urn:m" k="1"><d/></more></tree>'
)


def same(tree: Tree) -> Tree:
    """Held against each other: the tree, the text of the tree, the text without a tree."""
    assert TREE.text(tree) == to_text(TREE.build(tree))
    return TREE.parse(parse_text(TREE.text(tree)))


def test_all_parts_both_ways():
    tree = TREE.parse(parse_text(FULL))
    assert tree == Tree(
        7,
        "v",
        "q",
        Leaf("l"),
        None,
        (Leaf("1"), Leaf("2")),
        True,
        False,
        True,
        "n & m",
        "busy",
        "odd",
        (Leaf("r", "red"), Leaf("b", "blue")),
    )
    assert [el.tag for el in tree.unknown] == ["{urn:m}more"]
    assert TREE.text(tree) == FULL
    assert same(tree) == tree


def test_defaults_are_not_written_and_absent_children_are_none():
    assert TREE.text(Tree(1)) == '<tree xmlns="urn:x" id="1"/>'
    assert same(Tree(1)) == Tree(1)


def test_what_is_read_only_is_not_written():
    tree = TREE.parse(parse_text('<tree xmlns="urn:x" id="1" a_b="z"><hidden>h</hidden><secret/></tree>'))
    assert tree.secret and tree.hidden == Leaf("h") and tree.alias == "z"
    assert TREE.text(tree) == '<tree xmlns="urn:x" id="1" a-b="z"/>'


@pytest.mark.parametrize(
    "source",
    [
        '<tree xmlns="urn:x"/>',
        '<tree xmlns="urn:y" id="1"/>',
        '<tree xmlns="urn:x" id="100"/>',
        '<tree xmlns="urn:x" id="-1"/>',
        '<tree xmlns="urn:x" id="1_0"/>',
        '<tree xmlns="urn:x" id="0000000100"/>',
        '<tree xmlns="urn:x" id="1" word="x"/>',
        '<tree xmlns="urn:x" id="1" a-b="two words"/>',
        '<tree xmlns="urn:x" id="1" a-b=""/>',
        '<tree xmlns="urn:x" id="1"><leaf>a&#10;b</leaf></tree>',
        '<tree xmlns="urn:x" id="1"><strict>a&#10;b</strict></tree>',
        '<tree xmlns="urn:x" id="1">' + "<many/>" * 4 + "</tree>",
    ],
)
def test_malformed_is_bad_request(source):
    with pytest.raises(BadRequest):
        TREE.parse(parse_text(source))


def test_of_two_single_children_the_first_counts_and_a_bad_lenient_one_drops_itself():
    tree = TREE.parse(
        parse_text(
            '<tree xmlns="urn:x" id="1"><leaf>1</leaf><leaf>2</leaf><many>a&#13;b</many><many>ok</many><a/><b/><note>1</note></tree>'
        )
    )
    assert tree.leaf == Leaf("1") and tree.leaves == (Leaf("ok"),) and tree.condition == "a"


def test_an_attribute_is_no_child():
    with pytest.raises(InvalidState):
        writer_of(attr("x"))


def test_unknown_children_without_a_place_are_dropped():
    assert LEAF.parse(parse_text('<leaf xmlns="urn:x">t<other/></leaf>')) == Leaf("t")


@pytest.mark.no_cover
@settings(max_examples=100, deadline=None)
@given(
    st.builds(
        Tree,
        id=st.integers(0, 99),
        word=st.sampled_from("wv"),
        alias=st.none() | st.from_regex(r"[!-~]{1,9}", fullmatch=True),
        leaf=st.none() | st.just(Leaf("<&>\"'")),
        leaves=st.lists(st.just(Leaf("x")), max_size=3).map(tuple),
        flag=st.booleans(),
        note=st.text(alphabet="a<&>\"' é\U0001f600", max_size=9),
    )
)
def test_parse_of_build_is_the_value(tree):
    assert same(tree) == tree


@given(st.text())
@settings(max_examples=100, deadline=None)
def test_what_xml_forbids_is_stripped_and_the_rest_survives(value):
    safe = xml_safe(value)
    el = ET.Element("{urn:x}e", {"v": safe})
    el.text = safe
    read = parse_text(to_text(el))
    assert read.get("v") == safe and (read.text or "") == safe


@pytest.mark.parametrize(("written", "number"), [(" 7 ", 7), ("0000000007", 7), ("\t99\n", 99)])
def test_numbers_may_have_blanks_and_zeros_before_them(written, number):
    assert TREE.parse(ET.Element(TREE.clark, {"id": written})).id == number


@pytest.mark.parametrize("written", ["3", "10", "", " ", "-5", "５", "²"])
def test_a_number_out_of_its_range_or_of_other_digits_is_refused(written):
    with pytest.raises(ValueError, match="from 5 to 9"):
        integer(5, 9).parse(written)


def test_illegal_characters_never_reach_the_text():
    el = ET.Element("{urn:x}e", {"v": "a\x00\x0b\ud800\ufffe b"})
    assert to_text(el) == '<e xmlns="urn:x" v="a b"/>'


def test_an_element_may_have_attributes_only():
    element = Element(lambda id: Leaf(str(id)), NS, "only", (attr("id", integer(0, 9), field="value"),))
    assert element.text(Leaf("3")) == '<only xmlns="urn:x" id="3"/>'


def test_text_behind_an_element_kept_aside_stays():
    source = '<tree xmlns="urn:x" id="1"><more xmlns="urn:m"/>a&amp;b<more xmlns="urn:m"/> </tree>'
    tree = TREE.parse(parse_text(source))
    assert TREE.text(tree) == to_text(TREE.build(tree)) == source.replace(" </tree>", "</tree>")


def test_foreign_attributes_and_tails():
    source = '<e xmlns="urn:x" xml:lang="en" xmlns:p="urn:p" p:q="1">a<b xmlns=""/>c</e>'
    el = parse_text(source)
    again = parse_text(to_text(el))
    assert ET.tostring(again) == ET.tostring(el)
    assert to_text(ET.Element("plain")) == "<plain/>"


@pytest.mark.parametrize(
    "source",
    ["", "<a>", "<!DOCTYPE a><a/>", "<a><!-- x --></a>", "<a>\x00</a>", "x" * (MAX_TEXT + 1), "<a/>" * 9000, "<p:a/>", "<a>\ud800</a>"],
)
def test_text_that_a_stream_must_not_carry(source):
    with pytest.raises(BadRequest):
        parse_text(source)


def test_deep_nesting_is_an_error_not_a_crash():
    with pytest.raises(BadRequest, match="deeper"):
        to_text(parse_text("<a>" * 70 + "</a>" * 70))


STRINGS = [
    *("", "0", "00", "007", "1", "65535", "65536", "99999", "4294967295", "4294967296", "+1", "-1", " 1", "1 ", "١", "²", "1_0", "1" * 40),
    *("a", "a b", " a", "a ", "\t", "a\nb", "\x00", "\x7f", "\xa0", "é", "a\u2028", "\ufeff", "x" * 32, "x" * 33, "x" * 40, "A+/", "a:b"),
]


def test_what_is_read_without_a_call_is_what_parse_says():
    """`Type.usual` and `Type.bounds` are short cuts, of every table there is."""
    tables = [thing for thing in gc.get_objects() if isinstance(thing, Element)]
    types = [part.type for table in tables for part in table.parts if isinstance(part, Attr)]
    short = {id(type): type for type in types if type.usual or type.bounds}.values()
    assert any(type.usual == PRINTABLE for type in short) and any(type.bounds == (1, 65535) for type in short)
    for type in short:
        holder = Element(lambda v: v, NS, "holder", (attr("v", type),))
        for string in STRINGS:
            element = ET.Element(f"{{{NS}}}holder", {"v": string})
            try:
                expected = type.parse(string)
            except ValueError:
                with pytest.raises(BadRequest):
                    holder.parse(element)
            else:
                assert holder.parse(element) == expected, (type, string)
