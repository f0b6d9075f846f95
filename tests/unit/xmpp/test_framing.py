"""Long Jingle IQs are read as text only where nothing can be misread. J-246, J-011."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from jinglebridge.jingle import parse_jingle, plain_jingle
from jinglebridge.xmpp import framing
from tests.unit.fakes import DOMAIN, component

PAYLOADS = "".join(f"<payload-type id='{n}' name='codec{n}' clockrate='90000'/>" for n in range(40))
JINGLE = (
    "<jingle xmlns='urn:xmpp:jingle:1' action='session-accept' sid='s'><content creator='initiator' name='0'>"
    f"<description xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio'>{PAYLOADS}</description></content></jingle>"
)
IQ = f"<iq to='b@{DOMAIN}/w' from='a@x/r' type='set' id='q1'>{JINGLE}</iq>"
RESULT = f"<iq to='b@{DOMAIN}/w' from='a@x/r' type='result' id='q1'/>"
MESSAGE = f"<message to='b@{DOMAIN}/w' from='a@x/r'><body>text</body></message>"


def pieces(*texts: str) -> list[str]:
    return [piece.decode() for piece in framing.stanzas("".join(texts).encode())]


def test_stanzas_are_cut_where_they_end():
    assert pieces(RESULT, IQ, MESSAGE, IQ, RESULT) == [RESULT, IQ, MESSAGE, IQ, RESULT]
    assert pieces() == []


@pytest.mark.parametrize(
    "odd",
    [
        f"<iq type='set'>{'<iq></iq>'}</iq>",
        "<iq type='set'><a/>",
        "<iq type='set'><![CDATA[</iq>]]></iq>",
        "<iq type='set'><?x </iq>?></iq>",
        "<iq type='set' id='>'><a/></iq>",
        " <presence from='a@x'/>",
        "<stream:error><conflict/></stream:error>",
        "</stream:stream>",
        "<iqq a='b'/>",
    ],
)
def test_what_is_not_plain_stays_in_one_piece_with_all_behind_it(odd):
    assert pieces(RESULT, odd, IQ) in ([RESULT, odd + IQ], [RESULT, odd, IQ])
    assert "".join(pieces(RESULT, odd, IQ)) == RESULT + odd + IQ


def test_a_long_jingle_set_is_read():
    found = framing.jingle_set(IQ.encode())
    assert found == ({"to": f"b@{DOMAIN}/w", "from": "a@x/r", "type": "set", "id": "q1"}, JINGLE)
    assert plain_jingle(found[1]) == parse_jingle(ET.fromstring(JINGLE))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (PAYLOADS, ""),  # short
        ("type='set'", "type='get'"),
        ("type='set'", "type='set' type='set'"),
        ("type='set'", "type='set' xmlns='urn:x'"),
        ("id='q1'", "id='q&amp;1'"),
        ("id='q1'", "id='q\"1'"),
        ("id='q1'", "id = 'q1'"),
        ("<jingle ", "<query/><jingle "),
        ("</jingle>", "</jingle><query/>"),
        ("<iq ", "<iq x:y='1' Z='2' "),
    ],
)
def test_anything_else_is_left_to_the_parser(old, new):
    assert framing.jingle_set(IQ.replace(old, new).encode()) is None


def test_bytes_that_are_not_text_are_left_to_the_parser():
    assert framing.jingle_set(IQ.encode().replace(b"q1", b"q\xff")) is None
    assert framing.jingle_set((MESSAGE * 30).encode()) is None


async def test_order_is_kept_and_each_stanza_comes_once():
    made, _ = component()
    came: list[str] = []
    made.on_stanza = lambda element: came.append(element.get("id", element.tag.rpartition("}")[2]))

    def jingle(attributes: dict[str, str], text: str) -> bool:
        came.append(f"text {attributes['id']}")
        return attributes["id"] != "no"

    made.on_jingle = jingle
    made.data_received("".join((RESULT, IQ, MESSAGE, IQ.replace("q1", "no"), RESULT)).encode())
    assert came == ["q1", "text q1", "message", "text no", "no", "q1"]


async def test_inside_another_stanza_nothing_is_taken_for_one():
    made, _ = component()
    came: list[ET.Element] = []
    made.on_stanza = came.append
    made.on_jingle = lambda attributes, text: 1 / 0  # type: ignore[return-value]
    made.data_received(f"<message from='a@x' to='b@{DOMAIN}'><forwarded>".encode())
    made.data_received(f"{IQ}</forwarded></message>".encode())
    assert len(came) == 1 and came[0][0][0].get("id") == "q1"


async def test_a_handler_that_fails_takes_nothing_with_it():
    made, _ = component()
    came: list[ET.Element] = []
    made.on_stanza = came.append
    made.on_jingle = lambda attributes, text: 1 / 0  # type: ignore[return-value]
    made.data_received(f"{IQ}{MESSAGE}".encode())
    assert [e.tag.rpartition("}")[2] for e in came] == ["message"] and made.up
