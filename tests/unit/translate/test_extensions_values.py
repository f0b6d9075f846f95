"""extensions=True: what a standard element says is said there alone, and nothing of an old value comes back."""

from __future__ import annotations

import re
import sys

import pytest

from jinglebridge.translate import sdp_to_xml, xml_to_sdp
from tests.unit.cases import FINGERPRINT, small
from tests.unit.translate.test_extensions import HOST, NS, REJECTED, lost, there_and_back, two


def altered(sdp: str, pattern: str, new: str) -> list[str]:
    """What comes back after `pattern` in the XML became `new`."""
    xml = sdp_to_xml(sdp, extensions=True)
    other = re.sub(pattern, new, xml)
    assert other != xml
    return xml_to_sdp(other, extensions=True).split("\r\n")


def attributes(lines: list[str], *names: str) -> list[str]:
    return [line for line in lines if line[2:].partition(":")[0] in names or line[:2] in names]


class TestSessionLines:
    """What the mapping has from the session part is said by standard elements alone."""

    LEVEL = "a=extmap:3 urn:ietf:params:rtp-hdrext:ssrc-audio-level"

    @pytest.mark.parametrize(
        ("line", "element"),
        [
            ("a=extmap-allow-mixed", "<extmap-allow-mixed[^>]*>"),
            (LEVEL, "<rtp-hdrext[^>]*>"),
            ("a=end-of-candidates", "<gathering-complete/>"),
        ],
    )
    @pytest.mark.parametrize("own", [False, True])
    def test_a_session_line_goes_with_its_element(self, line: str, element: str, own: bool) -> None:
        sdp = small(*[line] * own, head=(line,))
        back = there_and_back(sdp)
        assert back.count(line) == 1 + own and back.index(line) < back.index("m=audio 9 UDP/TLS/RTP/SAVPF 111")
        assert line not in altered(sdp, element, "")

    def test_it_is_not_put_above_a_section_that_says_otherwise(self) -> None:
        line = "a=extmap-allow-mixed"
        sdp = two((line,)).replace("a=mid:0", f"a=mid:0\r\n{line}").replace("a=mid:1", f"a=mid:1\r\n{line}")
        assert there_and_back(sdp).count(line) == 3
        one = re.sub(r"(.*)<extmap-allow-mixed[^>]*>", r"\1", sdp_to_xml(sdp, extensions=True), flags=re.DOTALL)
        assert xml_to_sdp(one, extensions=True).split("\r\n").count(line) == 1

    def test_a_session_line_that_no_section_says_any_more_is_gone(self) -> None:
        line = "a=ice-pwd:0123456789012345678901"
        sdp = small(head=(line,))
        assert there_and_back(sdp).count(line) == 2
        assert attributes(altered(sdp, ' pwd="[^"]*"', ' pwd="aaaaaaaaaaaaaaaaaaaaaaaa"'), "ice-pwd") == [
            "a=ice-pwd:aaaaaaaaaaaaaaaaaaaaaaaa"
        ]

    def test_a_data_channel_does_not_stop_it(self) -> None:
        """It has no header extensions, wherever they are allowed."""
        data = "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=mid:d\r\na=sctp-port:5000\r\n"
        data += small()[small().index("a=ice-ufrag") : small().index("a=mid")] + "a=extmap:1 urn:x\r\n"
        head = ("a=extmap-allow-mixed", self.LEVEL)
        for sdp in (small(head=head) + data, small(*head, head=head) + data, small(head=head[:1])[: small().index("m=")] + data):
            assert lost(sdp, there_and_back(sdp)) == set()
        only = small(head=head[:1]).partition("m=")[0] + data
        assert there_and_back(only).count(head[0]) == 1

    def test_a_spelling_at_session_level_comes_back_there(self) -> None:
        line = f"a=fingerprint:{FINGERPRINT.replace('sha-256', 'SHA-256').lower()}"
        back = there_and_back(two((line, "a=ice-options:trickle renomination")))
        assert back.count(line) == 1 and back.index(line) < back.index("m=audio 9 UDP/TLS/RTP/SAVPF 111")
        assert attributes(back, "ice-options") == ["a=ice-options:trickle renomination"]


class TestOneValue:
    """Where Jingle has one value, one line comes back, and nothing of it is left when that value is another."""

    @pytest.mark.parametrize(
        "line", ["a=ice-options:trickle renomination", "a=ice-options:renomination", "a=content:slides,foo", "a=content:foo"]
    )
    def test_words_that_the_element_does_not_have(self, line: str) -> None:
        sdp = small(line)
        assert attributes(there_and_back(sdp), "ice-options", "content") == attributes(sdp.split("\r\n"), "ice-options", "content")

    def test_other_categories_are_all(self) -> None:
        sdp = small("a=content:slides,foo")
        assert attributes(altered(sdp, 'name="slides"', 'name="alt"'), "content") == ["a=content:alt"]
        assert attributes(altered(sdp, "<category[^>]*>", ""), "content") == []
        assert attributes(
            altered(small("a=content:foo"), "<payload-type", '<category xmlns="urn:xmpp:jingle:apps:category:0" name="alt"/><payload-type'),
            "content",
        ) == ["a=content:alt"]

    @pytest.mark.parametrize(
        ("lines", "name", "pattern", "new", "expected"),
        [
            (("b=AS:100", "b=AS:200"), "b=", ">[12]00<", ">300<", "b=AS:300"),
            (("b=as:100", "b=AS:200"), "b=", ">200<", ">300<", "b=AS:300"),
            (("a=ptime:20", "a=ptime:30"), "ptime", ' ptime="[23]0"', ' ptime="40"', "a=ptime:40"),
            (("a=maxptime:20", "a=maxptime:30"), "maxptime", ' maxptime="[23]0"', ' maxptime="40"', "a=maxptime:40"),
        ],
    )
    def test_a_second_value_is_not_carried(self, lines: tuple[str, ...], name: str, pattern: str, new: str, expected: str) -> None:
        assert len(attributes(there_and_back(small(*lines)), name)) == 1
        assert attributes(altered(small(*lines), pattern, new), name) == [expected]

    def test_what_only_a_description_says_is_carried_for_a_data_channel(self) -> None:
        data = "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\nb=AS:30\r\na=mid:d\r\na=sctp-port:5000\r\n"
        data += "a=rtcp-rsize\r\n"
        sdp = small().partition("m=")[0] + data + small()[small().index("a=ice-ufrag") : small().index("a=mid")]
        assert lost(sdp, there_and_back(sdp)) == set()


def test_lines_that_name_a_payload_type_go_with_it() -> None:
    sdp = small(
        "a=rtpmap:97 VP8/90000", "a=rid:h send pt=97", "a=rid:i send pt=111,97;max-width=3", "a=rid:j recv", "a=imageattr:97 send *"
    )
    sdp = sdp.replace("SAVPF 111", "SAVPF 111 97")
    assert lost(sdp, there_and_back(sdp)) == set()
    back = altered(sdp, '<payload-type id="97".*?(?:/>|</payload-type>)', "")
    assert attributes(back, "rid", "imageattr") == ["a=rid:i send pt=111;max-width=3", "a=rid:j recv"]


class TestMsid:
    def test_there_is_one_when_the_section_begins_to_send(self) -> None:
        sdp = small("a=ssrc:5 cname:x", "a=msid:s t").replace("sendrecv", "recvonly")
        assert lost(sdp, there_and_back(sdp)) == set()
        assert attributes(altered(sdp, ' senders="[a-z]+"', ""), "msid", "ssrc") == ["a=msid:s t"]

    @pytest.mark.parametrize("direction", ["sendrecv", "recvonly"])
    def test_a_new_one_appears_and_the_old_one_goes(self, direction: str) -> None:
        sdp = small("a=msid:s t", "a=ssrc-group:FID 5 6", "a=ssrc:5 cname:x", "a=ssrc:6 cname:x").replace("sendrecv", direction)
        assert lost(sdp, there_and_back(sdp)) == set()
        back = "\r\n".join(altered(sdp, '"s t"', '"NEWS NEWT"'))
        assert "msid:NEWS NEWT" in back and "s t" not in back

    def test_a_second_stream_of_a_track_stays_with_the_track(self) -> None:
        sdp = small("a=ssrc:5 cname:x", "a=ssrc:5 msid:s t", "a=msid:s t", "a=msid:s2 t")
        assert lost(sdp, there_and_back(sdp)) == set()
        assert attributes(altered(sdp, '"s t"', '"NEWS NEWT"'), "msid") == ["a=msid:NEWS NEWT"]

    def test_one_that_the_sources_deny_is_not_carried(self) -> None:
        assert attributes(there_and_back(small("a=ssrc:5 msid:q r", "a=msid:s t")), "msid") == ["a=msid:q r"]

    def test_one_without_a_source_goes_when_the_sources_have_one(self) -> None:
        sdp = small("a=ssrc:5 cname:x")
        assert attributes(altered(sdp, "(<parameter name=.cname.[^>]*>)", r'\1<parameter name="msid" value="s t"/>'), "msid") == [
            "a=msid:s t"
        ]


def test_a_member_of_a_group_that_is_not_described_gets_no_line() -> None:
    sdp = small("a=ssrc-group:FID 1 2", "a=ssrc:1 cname:x", "a=ssrc:1 msid:s t", "a=msid:s t")
    assert sorted(there_and_back(sdp)[4:]) == sorted(sdp.split("\r\n")[4:])
    assert "a=ssrc:2 cname:x" in xml_to_sdp(sdp_to_xml(sdp))


@pytest.mark.parametrize("line", ["a=rtcp-fb:111 ccm tmmbr smaxpr=", "a=rtcp-fb:111 x = y=z= =", "a=fmtp:111 0-16=", "a=fmtp:111 a=;b"])
def test_an_equals_sign_with_nothing_behind_it(line: str) -> None:
    assert attributes(there_and_back(small(line)), "rtcp-fb", "fmtp") == [line]


@pytest.mark.parametrize("mid", ["x" * 40, "a/b"])
def test_a_section_whose_mid_is_replaced_keeps_its_lines(mid: str) -> None:
    sdp = small("a=x:1", f"a=candidate:{HOST} network-cost 10", mid=mid)
    assert lost(sdp, there_and_back(sdp)) == {f"a=mid:{mid}"}


def test_the_ufrag_of_a_candidate_is_that_of_its_transport() -> None:
    sdp = small(f"a=candidate:{HOST} generation 0 ufrag ufra network-id 300")
    assert lost(sdp, there_and_back(sdp)) == set()
    back = altered(sdp, 'ufrag="ufra"', 'ufrag="anew"')
    assert attributes(back, "candidate") == [f"a=candidate:{HOST} generation 0 ufrag anew network-id 300"]


def test_two_candidates_of_one_form_each_have_their_tail() -> None:
    sdp = small(
        f"a=candidate:{HOST} generation 0", f"a=candidate:{HOST} generation 0 network-cost 10", f"a=candidate:{HOST} generation 0 x y"
    )
    assert attributes(there_and_back(sdp), "candidate") == attributes(sdp.split("\r\n"), "candidate")


def test_as_many_lines_as_an_sdp_may_have() -> None:
    sdp = small(*(f"a=x:{number}" for number in range(1980)), "a=y:" + "z" * 8000)
    assert lost(sdp, there_and_back(sdp)) == set()


@pytest.mark.parametrize("line", ["a=zrtp-hash:1.10 fe30efd0", "a=ZRTP-hash:1.10 fe30efd0"])
def test_no_zrtp_hash_travels(line: str) -> None:
    assert "fe30efd0" not in sdp_to_xml(small(line, head=(line,)) + REJECTED + line + "\r\n", extensions=True)


def calls(xml: str) -> int:
    found = 0

    def count(*_: object) -> None:
        nonlocal found
        found += 1

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        xml_to_sdp(xml, extensions=True)
    finally:
        sys.setprofile(before)
    return found


@pytest.mark.parametrize(
    ("place", "element"),
    [
        ("</content>", "<line>a=x-{}:y</line><line>b=CT:{}</line>"),
        ("</content>", "<line>a=msid:s {}</line>"),
        ("</content>", "<line>a=ssrc:{} label:x</line>"),
        ("</content>", "<line>a=rid:{} send pt=97,111</line>"),
        ("</content>", "<as>a=ssrc:{}  cname:x</as>"),
        ("</jingle>", "<line>a=setup:{}</line>"),
        ("</jingle>", "<line>a=x-{}:y</line><line>b=CT:{}</line>"),
    ],
)
def test_what_looks_at_other_lines_is_linear(place: str, element: str) -> None:
    source = '<source xmlns="urn:xmpp:jingle:apps:rtp:ssma:0" ssrc="{0}"><parameter name="msid" value="s {0}"/></source>'
    sources = "".join(map(source.format, range(64)))
    xml = sdp_to_xml(small()).replace("</description>", sources + "</description>")

    def hostile(count: int) -> str:
        return xml.replace(place, f'<sdp xmlns="{NS}">{"".join(element.format(n, n) for n in range(count))}</sdp>{place}')

    calls(hostile(1))
    none, some, many = (calls(hostile(count)) for count in (1, 60, 240))
    assert many - none < 5 * (some - none)
