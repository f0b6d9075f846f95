"""The form of frames in stanzas. docs/reference/native.md; the schema is the same in XML."""

from __future__ import annotations

import typing
import xml.etree.ElementTree as ET

import pytest

from jinglebridge.errors import BadRequest
from jinglebridge.schemas import validate
from jinglebridge.web import messages as m
from jinglebridge.xmpp import native
from tests.unit.fakes import conditions, stanza

TEXTS = ['{"type":"ack","id":"1"}', '{"name":"<b>&amp; ]]> \\u0000 ü \'"}', "", " \n"]


@pytest.mark.parametrize("text", TEXTS)
def test_what_is_written_is_read(text: str):
    payload = ET.fromstring(native.frame(text))
    assert payload.tag == native.FRAME and native.read(payload) == text
    assert validate(native.frame(text)) == []


@pytest.mark.parametrize(
    "inner", ["<frame xmlns='{ns}'><b/></frame>", "<frame xmlns='{ns}' id='1'/>", "<frame xmlns='{ns}'>a<b/>c</frame>"]
)
def test_a_frame_holds_text_only(inner: str):
    xml = inner.format(ns=native.NS)
    with pytest.raises(BadRequest):
        native.read(ET.fromstring(xml))
    assert validate(xml) != []


def test_the_end_of_a_connection():
    closed = native.close(4002, "<revoked>" + "x" * 500)
    assert validate(closed) == []
    element = ET.fromstring(closed)
    assert element.attrib == {"code": "4002"} and (element.text or "").startswith("<revoked>x") and len(element.text or "") == 200
    assert validate(f"<close xmlns='{native.NS}'/>") != [] and validate(f"<close xmlns='{native.NS}' code='99'/>") != []


def test_every_code_is_a_stanza_error():
    assert set(native.CONDITIONS) == set(typing.get_args(m.ErrorCode))
    asked = stanza("<iq type='set' id='7' from='anna@im.test/web' to='call.test'><x/></iq>")
    for code in native.CONDITIONS:
        reply = native.refusal(asked, code, "why", "{}")
        assert conditions_of(reply) == native.CONDITIONS[code]
        assert (reply.get("id"), reply.get("to"), reply.get("from")) == ("7", "anna@im.test/web", "call.test")
        assert [child.tag.partition("}")[2] for child in reply[0]][1:] == ["text", "frame"], "the order of RFC 6120"


def conditions_of(reply: ET.Element) -> tuple[str, str]:
    kind, condition, _ = conditions(reply)
    return kind, condition
