"""Addresses are prepared, errors are written and read as RFC 6120 and J-078 say."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from jinglebridge.errors import BadRequest, UnknownSession
from jinglebridge.xml import to_text
from jinglebridge.xmpp import stanza as st
from tests.unit.fakes import el, stanza

NS = "urn:ietf:params:xml:ns:xmpp-stanzas"


@pytest.mark.parametrize(
    ("raw", "prepared"),
    [("A@X.Example/Res", "a@x.example/Res"), ("", ""), ("X", "x"), ("Straße@x", "strasse@x"), ("ｅｃｈｏ@x", "echo@x")],
)
def test_equal_addresses_become_equal_strings(raw, prepared):
    assert st.prepare(raw) == prepared


@pytest.mark.parametrize("raw", ["@x", "a@", "a b@x", "a＠b@x", "a@x/\x0b", "\ud800@x", "a" * 1024 + "@x"])
def test_what_is_no_address(raw):
    with pytest.raises(BadRequest):
        st.prepare(raw)


def test_the_error_reply_is_exactly_this():
    request = stanza("<iq type='set' id='7' from='a@x/r' to='b@call.test/w'><jingle xmlns='urn:xmpp:jingle:1'/></iq>")
    reply = st.error_reply(request, UnknownSession("no such session"))
    wanted = el(
        "<iq type='error' id='7' from='b@call.test/w' to='a@x/r'><error type='cancel'>"
        f"<item-not-found xmlns='{NS}'/><unknown-session xmlns='urn:xmpp:jingle:errors:1'/>"
        f"<text xmlns='{NS}'>no such session</text></error></iq>"
    )
    assert ET.canonicalize(ET.tostring(reply)) == ET.canonicalize(ET.tostring(wanted))


def test_a_bug_shows_nothing_and_long_texts_are_cut():
    request = stanza("<iq type='set' id='7' from='a@x/r' to='b@call.test/w'/>")
    bug = st.error_reply(request, None)
    assert [c.tag for c in bug[0]] == [f"{{{NS}}}internal-server-error"]
    assert len(st.error_reply(request, BadRequest("x" * 999)).findtext(f".//{{{NS}}}text", "")) == 200
    assert st.error_reply(request, BadRequest("")).find(f".//{{{NS}}}text") is None


@pytest.mark.parametrize(
    ("inner", "read"),
    [
        ("", ("undefined-condition", None)),
        ("<error type='cancel'/>", ("undefined-condition", None)),
        (f"<error><conflict xmlns='{NS}'/><tie-break xmlns='urn:xmpp:jingle:errors:1'/></error>", ("conflict", "tie-break")),
        (f"<error><conflict xmlns='{NS}'/><tiebreak xmlns='urn:xmpp:jingle:errors:1'/></error>", ("conflict", "tie-break")),
        (f"<error xmlns='jabber:client'><gone xmlns='{NS}'>xmpp:a@x</gone></error>", ("gone", None)),
        (
            f"<jingle xmlns='urn:xmpp:jingle:1'/><error><text xmlns='{NS}'>x</text><policy-violation xmlns='{NS}'/></error>",
            ("policy-violation", None),
        ),
        ("<error><other xmlns='urn:other'/></error>", ("undefined-condition", None)),
    ],
)
def test_reading_errors_of_all_kinds(inner, read):
    assert st.read_error(el(f"<iq type='error'>{inner}</iq>")) == read


def test_builders():
    assert st.iq("get", "a@b", "c@d", "1").attrib == {"type": "get", "id": "1", "from": "a@b", "to": "c@d"}
    message = st.message("a@b", "c@d", "1", ET.Element("x"), ET.Element("y"))
    assert message.get("type") == "chat" and [c.tag for c in message] == ["x", "y"]
    assert "type" not in st.presence("a@b", "c@d").attrib and st.presence("a@b", "c@d", "probe").get("type") == "probe"
    assert st.text_child("show", "dnd").text == "dnd"


@pytest.mark.parametrize("odd", ["plain-1_x", 'a"b', "<b/>", "a&b'", "a\x00\x0b\ud800b", "é\U0001f600", "a\nb\t"])
def test_a_stanza_written_as_text_is_the_one_that_is_built(odd):
    """Whatever is in its addresses and its id."""
    sender, to, id = f"a@x/{odd}", f"{odd}@y/r", f"1{odd}"
    empty = st.iq("set", sender, to, id)
    assert st.written("iq", "set", sender, to, id) == (sender, to, to_text(empty, st.NS))
    full = st.iq("set", sender, to, id, ET.Element("{urn:b}b"))
    assert st.written("iq", "set", sender, to, id, '<b xmlns="urn:b"/>').text == to_text(full, st.NS)
