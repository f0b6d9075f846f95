"""A text of a known shape reads to what its pieces, and ElementTree, say of it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jinglebridge import xmlpieces, xmlshapes
from jinglebridge.errors import BadRequest
from jinglebridge.jingle.xep_0166 import JINGLE
from jinglebridge.xml import parse_text
from tests.unit.test_xmlpieces import PLAIN, TREE, UNSURE, result, told, tree

INFO = (
    "<jingle xmlns='urn:xmpp:jingle:1' action='transport-info' sid='s'><content creator='initiator' name='0'>"
    "<transport xmlns='urn:xmpp:jingle:transports:ice-udp:1' ufrag='u' pwd='p'><candidate component='1' foundation='1' generation='0' "
    "id='c' ip='192.0.2.1' network='0' port='9' priority='1' protocol='udp' type='host'/></transport></content></jingle>"
)
NONE = "not plain"


def compare(element, source: str) -> bool:
    """Is its shape known now? Both ways to read it must say the same, before it is known and after."""
    pieces = result(_pieces, element, source)
    for _ in range(2):
        assert result(_plain, element, source) == pieces
    if pieces != NONE:
        assert pieces == result(lambda: element.parse(parse_text(source)))
    return _known(element, source)


def _pieces(element, source: str):
    try:
        return xmlpieces.read(element.reader, source, "codec")
    except xmlpieces.Unsure:
        return NONE


def _plain(element, source: str):
    value = element.read_plain(source, "codec")
    return NONE if value is None else value


def _known(element, source: str) -> bool:
    try:
        return xmlshapes.read(source, element.reader.shapes) is not None
    except BadRequest:
        return True


@pytest.mark.parametrize(
    ("inside", "known"),
    [
        ("", True),
        ("<leaf value='1'/>", True),
        ("<leaf value='1'></leaf><secret value='x'/>", True),
        ("<secret value='x'/><secret value='7' word='\"'/>", False),  # with quotes of two kinds
        ('<codec id="7"><leaf value="1"/><leaf value="x"/></codec>', True),
        ('<strict xmlns="urn:y" value="1"/><codec xmlns="urn:x" id="1"/>', True),
        ("text", False),
        ("<leaf value='1'>text</leaf>", False),
        ("<flag/>", False),
        ("<foreign/>", False),
        ("<codec id='1'><foreign a='b'/></codec>", False),
    ],
)
def test_elements_with_tables_and_no_text_have_a_shape(inside: str, known: bool):
    head = "xmlns='urn:x' id='1'"
    assert compare(TREE, tree(inside, head.replace("'", '"') if '"' in inside and "'" not in inside else head)) == known


@pytest.mark.parametrize(
    ("inside", "known"),
    [
        ("<success/>", True),
        ("<success/><gone/>", True),
        ("<unheard-of a='b'/>", True),
        ("<security-error/><crypto-required xmlns='urn:xmpp:jingle:apps:rtp:errors:1'/>", True),
        ("<crypto-required xmlns='urn:xmpp:jingle:apps:rtp:errors:1'/><security-error xmlns='urn:xmpp:jingle:1'/>", True),
        ("<success></success>", False),
        ("<success><x/></success>", False),
        ("<success xmlns='urn:x'/>", False),
        ("<success/><text>bye</text>", False),
        ("<text/><success/>", False),
    ],
)
def test_what_says_all_by_its_name_has_a_shape(inside: str, known: bool):
    text = f"<jingle xmlns='urn:xmpp:jingle:1' action='session-terminate' sid='s'><reason>{inside}</reason></jingle>"
    JINGLE.reader.shapes.clear()
    assert compare(JINGLE, text) == known
    compare(JINGLE, text.replace("rtp:errors:1", "rtp:errors:2").replace("a='b'", "a='urn:x'"))


def test_a_child_that_is_malformed_is_the_same_problem():
    head = "xmlns='urn:x' id='1'"
    assert compare(TREE, tree("<strict xmlns='urn:y' value='1'/>", head))
    assert compare(TREE, tree("<strict xmlns='urn:y' value='x'/>", head))


def test_what_was_read_once_is_not_read_by_pieces_again(monkeypatch: pytest.MonkeyPatch):
    assert compare(JINGLE, INFO)
    monkeypatch.setattr(xmlpieces, "read", lambda *_: 1 / 0)
    other = INFO.replace("192.0.2.1", "2001:db8::1").replace("sid='s'", "sid='>é'").replace("id='c'", "id=''")
    assert told(JINGLE.read_plain(other)) == told(JINGLE.parse(parse_text(other)))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("'192.0.2.1'", "'a&amp;b'"),
        ("'192.0.2.1'", "'<'"),
        ("'192.0.2.1'", "'\n'"),
        ("ice-udp:1'", "ice-udp:2'"),
        ("jingle:1'", "jingle:2'"),
        ("</jingle>", "</jingle>'"),
        ("</jingle>", "</jingle>'junk"),
        ("<jingle", " <jingle"),
        ("'192.0.2.1'", "'x'"),
        ("'transport-info'", "'x'"),
        ("sid='s'", "sid='s' sid='s'"),
        ("</jingle>", ""),
        ("<candidate ", "<candidate  "),
        ("<candidate ", "<candidat "),
    ],
)
def test_a_text_that_only_looks_like_it_is_judged_for_itself(old: str, new: str):
    assert compare(JINGLE, INFO)
    assert old in INFO
    compare(JINGLE, INFO.replace(old, new, 1))


def test_what_is_long_has_no_shape():
    JINGLE.reader.shapes.clear()
    assert JINGLE.read_plain(INFO.replace("sid='s'", f"sid='{'s' * 200}'")) is not None and len(JINGLE.reader.shapes) == 1
    for candidate, count in (("<candidate id='{:0200}'/>", 10), ("<candidate id='{}'/>", 50)):  # a long text, and a long shape
        candidates = "".join(candidate.format(number) for number in range(count))
        assert JINGLE.read_plain(INFO.replace("</transport>", candidates + "</transport>")) is not None
        assert len(JINGLE.reader.shapes) == 1


def test_a_shape_holds_nothing_of_a_call():
    JINGLE.reader.shapes.clear()
    compare(JINGLE, INFO.replace("'u'", "'secret-1'").replace("'p'", "'secret-2'").replace("'192.0.2.1'", "'192.0.2.77'"))
    ((key, shape),) = JINGLE.reader.shapes.items()
    assert shape is not None and "secret" not in key + repr(shape.namespaces) and "192" not in key
    compare(JINGLE, INFO.replace("<content", "<reason><text>secret-3</text></reason><content", 1))
    assert len(JINGLE.reader.shapes) == 1
    assert [ns for _, ns in shape.namespaces] == ["urn:xmpp:jingle:1", "urn:xmpp:jingle:transports:ice-udp:1"]


@pytest.mark.no_cover
@pytest.mark.parametrize("inside", PLAIN)
def test_all_that_is_plain_reads_the_same(inside: str):
    compare(TREE, tree(inside))
    compare(TREE, tree(inside, "xmlns='urn:x' id='1'"))


@pytest.mark.no_cover
@pytest.mark.parametrize("source", UNSURE)
def test_and_what_is_not(source: str):
    compare(TREE, tree("<leaf value='1'/>", "xmlns='urn:x' id='1'"))
    compare(TREE, source)


@pytest.mark.no_cover
@given(st.data())
@settings(max_examples=1500, deadline=None)
def test_of_a_wounded_candidate_both_say_the_same(data: st.DataObject):
    source = data.draw(st.sampled_from([INFO, INFO.replace("'", '"')]))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(source)))
        gone = data.draw(st.integers(0, 20))
        odd = [
            "",
            '"',
            "'",
            "''",
            "<",
            ">",
            "/",
            " ",
            "&",
            "\n",
            "x='y'",
            "<x/>",
            "</content>",
            "<content name='1'/>",
            "xmlns='urn:x'",
            "é",
            "\x00",
        ]
        source = source[:at] + data.draw(st.sampled_from(odd)) + source[at + gone :]
    compare(JINGLE, INFO)
    compare(JINGLE, source)
