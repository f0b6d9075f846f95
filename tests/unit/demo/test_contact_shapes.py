"""Where the contact of demo and tests behaves as Dino 0.4.2 does, and where it gives way to expat."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from types import SimpleNamespace

import pytest
from slixmpp import ClientXMPP

from jinglebridge.demo.peer import checks, sdp
from jinglebridge.demo.peer.call import Call
from jinglebridge.demo.peer.names import DINO, ICE_UDP, JINGLE, JMI, MODERN, RTP, q
from jinglebridge.demo.peer.stream import Stream
from tests.unit.corpus import rounds

FULL = "romeo@im.test/phone"


def content(shape, name="0"):
    offer = next(r for r in rounds() if r.case == "aiortc-1.16.0__chromium-156__av").offer
    session, sections = sdp.sections(offer)
    return sdp.content(session, sections[0], name, "initiator", shape)


@pytest.mark.parametrize(("shape", "crypto"), [(DINO, 1), (MODERN, 0)])
def test_dino_offers_its_own_codecs_and_sdes(shape, crypto):
    found = content(shape)
    names = [p.get("name") for p in found.iter(q(RTP, "payload-type"))]
    assert ("speex" in names) is (shape is DINO)
    assert len(list(found.iter(q(RTP, "crypto")))) == crypto


def test_dino_offers_a_second_component():
    """Although it muxes RTCP: nobody listens there."""
    call = Call.__new__(Call)
    call.line, call.grouped = SimpleNamespace(shape=DINO), False
    element = ET.Element(q(JINGLE, "jingle"))
    call._fill(element, [content(DINO)], [("0", {"component": "1", "id": "c1", "priority": "7"})])
    assert [c.attrib for c in element.iter(q(ICE_UDP, "candidate"))] == [
        {"component": "1", "id": "c1", "priority": "7"},
        {"component": "2", "id": "c1r", "priority": "6"},
    ]


@pytest.mark.parametrize("dino", [True, False])
def test_what_dino_leaves_out_is_no_fault_of_dino(dino):
    """The id of a message; of anybody else it is missed."""
    message = ET.Element("{jabber:client}message", {"type": "chat", "from": "a@im.test/x", "to": FULL})
    element = ET.SubElement(message, q(JMI, "proceed"), {"id": "1"})
    assert checks.jmi_message(message, element, FULL, dino) == ([] if dino else ["the message of <proceed> has no id"])


class Unconnected(Stream):
    def __del__(self):
        """slixmpp's looks for what its constructor made."""


def test_its_stream_is_fed_in_whole_tags(monkeypatch):
    """Whatever expat makes of the pieces."""
    fed: list[bytes] = []
    monkeypatch.setattr(ClientXMPP, "data_received", lambda self, data: fed.append(data))
    stream = Unconnected.__new__(Unconnected)
    for byte in b"<a>x</a>y":
        stream.data_received(bytes([byte]))
    assert fed == [b"<a>", b"x</a>"] and stream.held == b"y"
