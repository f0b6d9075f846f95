"""What the fuzzer found, each fault once."""

from __future__ import annotations

import pytest

from jinglebridge.errors import BadRequest
from jinglebridge.jingle import build_jingle, jingle_text, parse_jingle
from jinglebridge.jingle.xep_0166 import JINGLE
from jinglebridge.sdp import parse
from jinglebridge.translate import sdp_to_xml, xml_to_sdp
from jinglebridge.xml import parse_text, to_text
from tests.unit.cases import small

PRIVATE = '<sdp xmlns="urn:jinglebridge:sdp:0">{}</sdp>'


def restored(*sections: str) -> list[list[str]]:
    """The m= sections of a small description that says these stand beside its own."""
    extra = PRIVATE.format("".join(sections))
    xml = sdp_to_xml(small()).replace("</jingle>", f"{extra}</jingle>")
    return [media.lines for media in parse(xml_to_sdp(xml, extensions=True)).media]


def section(at: int, *lines: str) -> str:
    inner = "".join(f"<line>{line}</line>" for line in ("m=video 0 UDP/TLS/RTP/SAVPF 96", *lines))
    return f'<section at="{at}">{inner}</section>'


def test_a_section_beyond_the_last_stands_last_and_the_second_of_its_name_takes_its_place():
    found = restored(section(9, "a=mid:x", "a=one"), section(12, "a=mid:x", "a=two"))
    assert [lines[-1] for lines in found[1:]] == ["a=two"]


def test_sections_without_mid_do_not_take_each_other_s_place():
    assert [lines[-1] for lines in restored(section(1, "a=one"), section(2, "a=two"))[1:]] == ["a=one", "a=two"]


def test_private_elements_of_a_content_that_is_no_section_are_not_used():
    """J-104: of two contents with one name the first that can be used wins, with what it carries."""
    xml = sdp_to_xml(small("a=rid:first send"), extensions=True)
    content = xml[xml.index("<content") : xml.index("</content>") + len("</content>")]
    second = content.replace("urn:xmpp:jingle:transports:ice-udp:1", "urn:other").replace("first", "second")
    back = xml_to_sdp(xml.replace(content, content + second), extensions=True)
    assert "a=rid:first send\r\n" in back and "second" not in back


def test_text_behind_an_empty_element_does_not_hide_what_follows():
    """The fast reader took everything up to the end for the inside of the empty element."""
    inner = '<payload-type id="1" name="x" clockrate="5"/>57<parameter name="q"/></source>'
    description = f'<description xmlns="urn:xmpp:jingle:apps:rtp:1" media="audio">{inner}</description>'
    content = f'<content creator="initiator" name="a">{description}</content>'
    with pytest.raises(BadRequest):
        JINGLE.read(f'<jingle xmlns="urn:xmpp:jingle:1" action="session-info" sid="a">{content}</jingle>')


def test_an_element_whose_table_has_no_attributes_is_read_the_second_time_as_the_first():
    """What the fast reader remembered of it was no tuple."""
    source = '<jingle xmlns="urn:xmpp:jingle:1" action="session-terminate" sid="a"><reason><busy/></reason></jingle>'
    assert [JINGLE.read(source).reason for _ in range(3)] == [JINGLE.parse(parse_text(source)).reason] * 3


def test_text_behind_an_unknown_child_is_written_by_both_writers():
    source = '<jingle xmlns="urn:xmpp:jingle:1" action="session-info" sid="a"><x xmlns="urn:x"/>a &amp; b</jingle>'
    jingle = parse_jingle(parse_text(source))
    assert jingle_text(jingle) == to_text(build_jingle(jingle)) == source


def test_a_source_of_which_nothing_is_said_is_one_that_only_its_group_names():
    """It got a cname on the second journey only."""
    xml = sdp_to_xml(small("a=ssrc:1 cname:a", "a=ssrc-group:FID 1 2", kind="video"))
    empty = xml.replace("</source></description>", '</source><source xmlns="urn:xmpp:jingle:apps:rtp:ssma:0" ssrc="2"/></description>')
    assert empty != xml and xml_to_sdp(empty) == xml_to_sdp(xml)
    assert "a=ssrc:2 cname:a\r\n" in xml_to_sdp(xml)


def test_semantics_that_are_no_token_make_no_line():
    """J-200: what we would not read from an endpoint is not written to one."""
    xml = sdp_to_xml(small("a=ssrc:1 cname:a", "a=ssrc-group:FID 1 1", kind="video"))
    assert "a=ssrc-group:FID 1 1\r\n" in xml_to_sdp(xml)
    assert "ssrc-group" not in xml_to_sdp(xml.replace('semantics="FID"', 'semantics="F\u00cdD"'))
