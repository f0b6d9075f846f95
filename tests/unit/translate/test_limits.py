"""What is written can be read again, or is refused before it is written."""

from __future__ import annotations

import time

import pytest

from jinglebridge.errors import Refused, SdpError
from jinglebridge.jingle import Role
from jinglebridge.sdp import parse
from jinglebridge.translate import sdp_to_xml, xml_to_sdp
from jinglebridge.translate.session import from_sdp
from tests.unit.cases import FINGERPRINT, small

FB = [f"a=rtcp-fb:111 x{i}" for i in range(65)]
GROUPS = [f"a=group:LS 0 z{i}" for i in range(65)]


def many(name: str, values: list[str]) -> list[str]:
    return [f"a={name}:{value}" for value in values]


@pytest.mark.parametrize(
    ("lines", "most"),
    [
        (FB, 64),
        (many("extmap", [f"{i} urn:{i}" for i in range(20, 85)]), 64),
        (many("ssrc-group", [f"FID {i} 5" for i in range(65)]), 64),
        (many("ssrc", [f"1 a{i}:x" for i in range(65)]), 64),
        (many("fingerprint", [FINGERPRINT] * 8), 7),
    ],
)
def test_more_lines_than_an_element_holds_are_refused(lines: list[str], most: int):
    """J-244: one less is read again as it is."""
    with pytest.raises(SdpError, match="J-244"):
        sdp_to_xml(small(*lines))
    again = xml_to_sdp(sdp_to_xml(small(*lines[:most])))
    assert set(lines[:most]) <= set(again.split("\r\n"))


def test_more_groups_than_a_document_holds_are_refused():
    with pytest.raises(SdpError, match="J-244"):
        parse(small(head=tuple(GROUPS)))
    assert len(parse(small(head=tuple(GROUPS[:64]))).all("group")) == 64


@pytest.mark.parametrize(
    ("start", "words", "most"),
    [
        ("a=fmtp:111 ", [f"p{i}=1;" for i in range(101)], 100),
        ("a=rtcp-fb:111 ", [f"p{i} " for i in range(64)], 63),
        ("a=ssrc-group:FID ", [f"{i} " for i in range(64)], 63),
        ("a=extmap:1 urn:x ", [f"p{i} " for i in range(63)], 62),
        ("a=content:", [f"p{i}," for i in range(65)], 64),
    ],
)
def test_more_parts_of_a_line_than_an_element_holds_are_refused(start: str, words: list[str], most: int):
    with pytest.raises(SdpError, match="J-244"):
        sdp_to_xml(small(start + "".join(words)))
    line = start + "".join(words[:most]).rstrip(" ;,")
    if "content" not in start:
        assert line in xml_to_sdp(sdp_to_xml(small(line))).split("\r\n")


def test_different_ones_in_the_same_number_are_fine():
    """The limit is for one payload type, and blanks do not count."""
    maps = [f"a=rtpmap:{id} x/8000" for id in (96, 97)]
    lines = [f"a=rtcp-fb:{96 + i % 2} x{i}" for i in range(100)]
    text = small(*maps, *lines, "a=extmap:1 urn:x " + " " * 100 + "y").replace(" 111\r\n", " 111 96 97\r\n")
    assert sdp_to_xml(text).count("<rtcp-fb") == 100


def test_xml_that_is_too_big_for_a_stanza_is_not_written():
    """J-011: an SDP within its limits, of which each section repeats the session's attributes."""
    head = [f"a=extmap:{i} urn:{'x' * 600}" for i in range(20, 80)]
    sdp = small(head=tuple(head)) + "".join(
        f"m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:{i}\r\na=ice-ufrag:ufra\r\na=ice-pwd:0123456789012345678901\r\na=rtcp-mux\r\n"
        f"a=fingerprint:{FINGERPRINT}\r\n"
        for i in range(1, 5)
    )
    parse(sdp)
    with pytest.raises(Refused) as caught:
        sdp_to_xml(sdp)
    assert (caught.value.reason, caught.value.rule) == ("failed-application", "J-011") and "too big" in str(caught.value)


def test_a_line_that_could_not_be_read_is_not_written():
    """J-244, from XML."""
    xml = sdp_to_xml(small("a=fmtp:111 a=1"))
    bad = xml.replace(
        'name="a" value="1"',
        'name="a" value="1"/>' + "".join(f'<parameter name="p{i}" value="{"x" * 900}"/>' for i in range(10)) + '<parameter name="z"',
    )
    assert bad != xml
    with pytest.raises(SdpError, match="J-244"):
        xml_to_sdp(bad)


def test_a_further_group_costs_what_it_holds():
    """Not what those before it hold: 57 more of one name behind 8 000 names."""
    long = tuple(f"a=group:BUNDLE 0 {' '.join(str(1000 + n) for n in range(1600 * g, 1600 * g + 1600))}" for g in range(5))

    def seconds(more: int) -> float:
        sdp = parse(small(head=(*long, *(f"a=group:BUNDLE 0 z{i}" for i in range(more)))))
        begin = time.process_time()
        for _ in range(5):
            from_sdp(sdp, Role.INITIATOR)
        return time.process_time() - begin

    assert min(seconds(57) for _ in range(5)) < 2 * min(seconds(0) for _ in range(5))
