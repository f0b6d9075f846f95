"""Reading SDP: lossless, limited, linear, one error. J-105, J-244, J-259."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jinglebridge.errors import Refused, SdpError
from jinglebridge.sdp import MediaDescription, SessionDescription, grammar, parse
from tests.unit.cases import descriptions, small

HEAD = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"


@pytest.mark.parametrize("written", list(descriptions()), ids=lambda w: f"{w.case}-{w.kind}")
def test_real_descriptions_come_back_byte_for_byte(written):
    text = written.sdp.replace("\r\n", "\n").rstrip("\n").replace("\n", "\r\n") + "\r\n"
    assert parse(written.sdp).format() == text
    assert parse(text.replace("\r\n", "\n")).format() == text


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", 1),
        ("hello", 1),
        ("o=- 1 1\n", 1),
        (HEAD + "nonsense\n", 5),
        (HEAD + "A=x\n", 5),
        (HEAD + "\n" + "s=-\n", 5),
        (HEAD + "a=\n", 5),
        (HEAD + "a=b c:d\n", 5),
        (HEAD + "m=audio 9 RTP\n", 5),
        (HEAD + "m=audio x RTP 0\n", 5),
        (HEAD + "m=audio 65536 RTP 0\n", 5),
        (HEAD + "m=audio ٣ RTP 0\n", 5),
        (HEAD + "a=x:\x00\n", 5),
        (HEAD + "a=x:\x0b\n", 5),
        (HEAD + "a=x:\ud800\n", 5),
        (HEAD + "a=x:a\rb\n", 5),
    ],
)
def test_what_is_no_sdp_names_its_line(text, line):
    with pytest.raises(SdpError) as caught:
        parse(text)
    assert caught.value.line == line


@pytest.mark.parametrize(
    "text",
    [
        HEAD + "a=x:" + "y" * 9000 + "\n",
        HEAD + "a=x:y\n" * 2000,
        HEAD + "a=x:" + "é" * 40_000,
        "v" * 70_000,
        HEAD + "m=audio 9 RTP/AVP 0\n" * 17,
        HEAD + "m=audio 9 RTP/AVP " + " ".join(map(str, range(65))) + "\n",
        small(*[f"a=candidate:{i} 1 udp 1 192.0.2.1 9 typ host" for i in range(101)]),
        small(*[f"a=ssrc:{i} cname:x" for i in range(65)]),
        small(*[f"a=rtpmap:{i} x/8000" for i in range(65)]),
    ],
)
def test_each_limit_is_one_error(text):
    with pytest.raises(SdpError):
        parse(text)


def test_limits_count_sources_not_lines():
    assert len(parse(small(*[f"a=ssrc:{i % 60} x:{i}" for i in range(120)])).media[0].all("ssrc")) == 120


@pytest.mark.parametrize("mid", ["", "a b", "a\u3000b"])
def test_a_mid_that_is_no_token_is_refused(mid):
    with pytest.raises(SdpError):
        parse(small(mid=mid))


def test_a_mid_stands_once():
    twice = small() + small().partition("t=0 0\r\n")[2]
    with pytest.raises(SdpError, match="twice"):
        parse(twice)


def test_unusual_but_legal_lines_are_kept():
    text = HEAD + "i=a title\r\na=x:ünïcödé \U0001f600 \u3000\r\nm=audio 9/2 RTP/AVP 0\r\nk=prompt\r\n"
    sdp = parse(text)
    assert sdp.format() == text
    assert sdp.media[0].port == 9 and sdp.media[0].mid is None


@pytest.mark.parametrize(("line", "mid"), [("a=mid:x", "x"), ("a=mid", ""), ("a=mid:", ""), ("a=middle:x", None)])
def test_a_mid_is_found_with_and_without_an_index(line: str, mid: str | None):
    section = MediaDescription(SessionDescription(), "audio", 9, "UDP/TLS/RTP/SAVPF", ("0",))
    section.lines.append(line)
    assert section.mid == mid
    assert section.get("mid") == section.mid == mid


def test_work_is_linear_in_the_size():
    def seconds(lines: int) -> float:
        text = small(*["a=x:" + "y" * 20] * lines)
        best = 9.0
        for _ in range(5):
            start = time.process_time()
            for _ in range(4):
                parse(text)
            best = min(best, time.process_time() - start)
        return best

    assert seconds(1600) < 16 * max(seconds(200), 1e-4)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=300) | st.text(alphabet="vmao=:-0 \r\n\t/x", max_size=300).map(lambda tail: HEAD + tail))
def test_any_text_is_read_or_refused(text):
    try:
        sdp = parse(text)
    except Refused:
        return
    assert parse(sdp.format()).format() == sdp.format()


def test_limits_have_names():
    assert (grammar.MAX_BYTES, grammar.MAX_LINE, grammar.MAX_LINES, grammar.MAX_MEDIA) == (65536, 8192, 2000, 16)
    assert (grammar.MAX_CANDIDATES, grammar.MAX_PAYLOAD_TYPES, grammar.MAX_SSRCS) == (100, 64, 64)


CODEC = ("a=rtpmap:96 VP8/90000", "a=rtcp-fb:96 nack", "a=fmtp:96 x=1")


def codecs(*lines: str, end: str = "\r\n"):
    return parse(end.join(("v=0", "m=video 9 UDP/TLS/RTP/SAVPF 96 97", *lines, "")))


@pytest.mark.parametrize("end", ["\r\n", "\n"])
@pytest.mark.parametrize("last", [(), ("a=mid:0",)])
def test_lines_of_a_codec_are_found_as_one_and_as_lines(end, last):
    for _ in range(2):  # the second time they are known
        sdp = codecs("c=IN IP4 0.0.0.0", *CODEC, "a=rtpmap:97 rtx/90000", "a=fmtp:97 apt=96", *last, end=end)
        media = sdp.media[0]
        assert media.lines[2:] == [*CODEC, "a=rtpmap:97 rtx/90000", "a=fmtp:97 apt=96", *last]
        assert media.all("rtpmap") == ["96 VP8/90000", "97 rtx/90000"]
        assert media.all("fmtp") == ["96 x=1", "97 apt=96"] and media.all("rtcp-fb") == ["96 nack"]
        assert {id: codec.lines for id, codec in media.codecs.items()} == {"96": CODEC, "97": ("a=rtpmap:97 rtx/90000", "a=fmtp:97 apt=96")}


@pytest.mark.parametrize(
    "lines",
    [
        (*CODEC, "a=rtpmap:97 rtx/90000", "a=fmtp:96 y=1"),
        ("a=rtcp-fb:* nack", *CODEC),
        (*CODEC, *CODEC),
        ("a=rtpmap:x VP8/90000",),
        ("a=rtpmap:96 VP8/90000", "a=fmtp:96 " + ";".join(["a=1"] * 101)),
    ],
)
def test_codecs_whose_lines_are_scattered_are_read_line_by_line(lines):
    for _ in range(2):
        try:
            media = codecs(*lines).media[0]
        except SdpError as problem:
            assert "a=fmtp" in str(problem)
            continue
        assert media.codecs is None and media.lines[1:] == list(lines)
        assert media.all("fmtp") == [line[7:] for line in lines if line.startswith("a=fmtp:")]


def test_a_long_name_of_a_codec_is_no_crowd_of_parts():
    media = codecs("a=rtpmap:96 " + "x" * 200 + "/90000").media[0]
    assert list(media.codecs) == ["96"]


def test_what_is_added_to_a_section_is_not_forgotten_for_its_codecs():
    for change in (lambda media: media.add("mid", "0"), lambda media: media.line("b=AS:1"), lambda media: media.extend(["a=mid:0"])):
        media = codecs(*CODEC).media[0]
        change(media)
        assert media.codecs is None and media.all("fmtp") == ["96 x=1"]


def test_line_ends_may_be_mixed():
    text = "v=0\r\nm=video 9 RTP/AVP 96\n" + "\n".join(CODEC) + "\r\na=mid:0\n"
    assert parse(text).media[0].lines[1:] == [*CODEC, "a=mid:0"]
    with pytest.raises(SdpError, match="line 2: control character"):
        parse("v=0\r\na=x\r\r\ny\n")
    with pytest.raises(SdpError, match="line 3: control character"):
        parse("v=0\r\na=x\r\na=\0\r\n")
