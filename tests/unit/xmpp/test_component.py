"""The stream: what leaves is checked in one place, what comes in cannot hurt it. J-001, J-002, J-013; XEP-0114 §3."""

from __future__ import annotations

import hashlib
import xml.etree.ElementTree as ET

import pytest
from slixmpp import ComponentXMPP

from jinglebridge.errors import InvalidState
from jinglebridge.xmpp import component as module
from jinglebridge.xmpp.component import Component
from jinglebridge.xmpp.stanza import message
from tests.unit.fakes import DOMAIN, OPEN, FakeTransport, component, logged, until


def hello(sender: str = f"b@{DOMAIN}/w", to: str = "a@x", text: str = "hello") -> ET.Element:
    body = ET.Element("{urn:b}b", {"a": text})
    body.text = text
    return message(sender, to, "1", body)


async def test_the_handshake_is_the_sha1_of_id_and_secret():
    made, transport = Component(DOMAIN, "secret"), FakeTransport()
    ups: list[bool] = []
    made.on_up = lambda: ups.append(True)
    made.connection_made(transport)
    made.data_received(OPEN)
    assert f"<handshake>{hashlib.sha1(b'xsecret').hexdigest()}</handshake>".encode() in transport.data
    assert not made.up and not made.send(hello()), "nothing leaves before the server agreed"
    made.data_received(b"<handshake/>")
    assert made.up and ups == [True]


async def test_a_stanza_leaves_as_it_is():
    made, transport = component()
    assert made.send(hello())
    (sent,) = transport.stanzas()
    assert sent.tag == "{jabber:component:accept}message" and sent[0].text == "hello"


@pytest.mark.parametrize(
    "sender", ["", "a@evil.test", "evil.test", f"a@x.{DOMAIN}", f"evil@{DOMAIN}.test", f"x/{DOMAIN}", f"a@evil/@{DOMAIN}"]
)
async def test_a_foreign_from_never_leaves(sender):
    """The server would cut the stream of everybody."""
    made, transport = component()
    with pytest.raises(InvalidState):
        made.send(hello(sender))
    assert transport.data == b""


async def test_no_addressee_or_too_big_never_leaves():
    made, transport = component()
    for element in (hello(to=""), hello(text="x" * module.MAX_SENT)):
        with pytest.raises(InvalidState):
            made.send(element)
    assert transport.data == b""


async def test_characters_that_xml_forbids_are_stripped():
    made, transport = component()
    assert made.send(hello(text="a\x00b\x0bc\ud800d\ufffee\t\n<&'\">"))
    (sent,) = transport.stanzas()
    assert sent[0].text == "abcde\t\n<&'\">"
    assert "\x0b" not in sent[0].get("a", "")


async def test_nothing_leaves_or_waits_while_offline():
    made, _ = component()
    downs: list[str] = []
    made.on_down = downs.append
    made.connection_lost(None)
    assert not made.send(hello()) and downs == [""] and not made.up
    other = FakeTransport()
    made.connection_made(other)
    made.data_received(OPEN + b"<handshake/>")
    assert made.up and other.stanzas() == [], "the stanza of before is gone for good"
    assert not made.send("<presence/>"), "only elements"


async def test_a_stream_error_is_told_with_its_condition():
    made, _ = component()
    downs: list[str] = []
    made.on_down = downs.append
    made.data_received(b"<stream:error><conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>")
    made.connection_lost(ConnectionResetError())
    assert downs == ["conflict"]


async def test_an_empty_stream_error():
    made, _ = component()
    downs: list[str] = []
    made.on_down = downs.append
    made.data_received(b"<stream:error/>")
    made.connection_lost(None)
    assert downs == ["undefined-condition"]


async def test_a_handler_that_fails_does_not_reach_asyncio():
    made, transport = component()
    made.on_stanza = lambda element: 1 / 0
    with logged() as lines:
        made.data_received(b"<presence from='a@x' to='b@call.test'/>" * 2)
    assert len(lines) == 2 and made.up and not transport.closed


async def test_stanzas_in_pieces_come_whole():
    made, _ = component()
    got: list[ET.Element] = []
    made.on_stanza = got.append
    for byte in b"<message from='a@x' to='b@call.test'><body>\xc3\xa9</body></message>":
        made.data_received(bytes([byte]))
    assert [e[0].text for e in got] == ["é"]


async def test_the_parser_gets_whole_tags_only(monkeypatch):
    """Whatever this machine's expat makes of pieces."""
    made, _ = component()
    fed: list[bytes] = []
    monkeypatch.setattr(ComponentXMPP, "data_received", lambda self, data: fed.append(data))
    for byte in b"<message><body>hi</body></message><pre":
        made.data_received(bytes([byte]))
    assert fed == [b"<message>", b"<body>", b"hi</body>", b"</message>"]


async def test_what_is_not_xml_ends_the_stream_without_an_exception():
    made, transport = component()
    made.data_received(b"<presence></message>")
    await until(lambda: b"</stream:stream>" in transport.data)


async def test_closing_says_goodbye():
    made, transport = component()
    await made.close()
    assert transport.data.endswith(b"</stream:stream>") and transport.closed and not made.send(hello())
    made.connection_lost(None)
    await made.close()  # nothing is left to close


async def test_no_roster_and_no_answers_of_slixmpp():
    made, transport = component()
    made.on_stanza = lambda element: None
    for kind in ("subscribe", "probe", "unsubscribed"):
        made.data_received(f"<presence type='{kind}' from='a@x' to='b@{DOMAIN}'/>".encode())
    made.data_received(b"<iq type='get' id='1' from='a@x' to='call.test'><ping xmlns='urn:xmpp:ping'/></iq>")
    assert transport.stanzas() == [] and "a@x" not in made.roster


async def test_bytes_without_any_tag_end_the_stream():
    made, transport = component()
    for _ in range(18):
        made.data_received(b"x" * 65536)
    assert transport.aborted
