"""Values of attributes."""

from __future__ import annotations

import pytest

from jinglebridge.errors import SdpError
from jinglebridge.sdp import attributes
from tests.unit.readers import READERS


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("rtpmap", "opus/48000/2", ("opus", 48000, 2)),
        ("rtpmap", "VP8/90000", ("VP8", 90000, 1)),
        ("fmtp", "minptime=10; useinbandfec=1;", [("minptime", "10"), ("useinbandfec", "1")]),
        ("fmtp", "0-16", [("", "0-16")]),
        ("fmtp", "111/111", [("", "111/111")]),
        ("fmtp", "=x;a=b=c;d=", [("", "=x"), ("a", "b=c"), ("d", "")]),
        ("extmap", "2/recvonly urn:x", (2, "recvonly", "urn:x", "")),
        ("extmap", "3 urn:x a b=c", (3, "", "urn:x", "a b=c")),
        ("ssrc", "1 cname:a:b", (1, "cname", "a:b")),
        ("ssrc", "1 flag", (1, "flag", None)),
        ("ssrc-group", "FID 1 2", ("FID", (1, 2))),
        ("group", "BUNDLE 0 1", ("BUNDLE", ("0", "1"))),
        ("group", "BUNDLE", ("BUNDLE", ())),
        ("fingerprint", "SHA-256 ab:cd", ("sha-256", "AB:CD")),
        ("content", "slides, alt", ("slides", "alt")),
        ("ice-options", "trickle ice2", ("trickle", "ice2")),
        ("maxptime", "60", 60),
        ("msid", "- t", ("-", "t")),
        ("ptime", "20 ", 20),
        ("rtcp-fb", "ccm  fir", ("ccm", "fir")),
        ("sctp-port", "5000", 5000),
        ("sctpmap", "5000 webrtc-datachannel 256", (5000, "webrtc-datachannel", 256)),
        ("sctpmap", "5000 webrtc-datachannel", (5000, "webrtc-datachannel", None)),
        ("setup", "actpass ", "actpass"),
        ("rtpmap", " opus/48000/2 ", ("opus", 48000, 2)),
        ("ssrc", "1  cname:a b", (1, "cname", "a b")),
        ("ssrc", "1 cname: a b", (1, "cname", "a b")),
        (
            "candidate",
            "1 1 UDP 5 192.0.2.1 9 typ srflx raddr 10.0.0.1 rport 8",
            ("1", 1, "udp", 5, "192.0.2.1", 9, "srflx", {"raddr": "10.0.0.1", "rport": "8"}),
        ),
    ],
)
def test_values(name, value, expected):
    assert READERS[name](value) == expected


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("rtpmap", "opus"),
        ("rtpmap", "/8000"),
        ("rtpmap", "a b/8000"),
        ("rtpmap", "x/0"),
        ("rtpmap", "x/8000/"),
        ("extmap", "2"),
        ("extmap", "0 urn:x"),
        ("extmap", "2/up urn:x"),
        ("ssrc", "1"),
        ("ssrc", "x cname:y"),
        ("ssrc", "1 two words"),
        ("ssrc", "4294967296 cname:y"),
        ("ssrc-group", "FID"),
        ("group", ""),
        ("fingerprint", "sha-256"),
        ("maxptime", "0"),
        ("sctp-port", "65536"),
        ("sctpmap", "5000"),
        ("sctpmap", "5000 x 1 2"),
        ("setup", "both"),
        ("candidate", "1 1 udp 5 192.0.2.1 9"),
        ("candidate", "1 1 udp 5 192.0.2.1 9 tip host"),
        ("candidate", "1 1 udp 5 192.0.2.1 9 typ host raddr"),
        ("candidate", "1 1 udp 2147483648 192.0.2.1 9 typ host"),
        ("candidate", "1 1 udp 1 192.0.2.1 0 typ host"),
        ("candidate", "1 1 udp ² 192.0.2.1 9 typ host"),
    ],
)
def test_malformed_values_are_one_error(name, value):
    with pytest.raises(SdpError) as caught:
        READERS[name](value)
    assert caught.value.rule.startswith("J-")


def test_numbers_are_ascii_digits_in_a_range():
    assert attributes.number("7", 0, 9) == 7
    for text in ("", "-1", "+1", "1_0", "10", "٣", "9" * 30):
        with pytest.raises(SdpError):
            attributes.number(text, 0, 9)


@pytest.mark.parametrize(("name", "value"), [("group", "BU>DLE 0 1"), ("ssrc-group", 'F"D 1 2'), ("group", "")])
def test_the_semantics_of_a_group_are_a_token(name, value):
    with pytest.raises(SdpError):
        READERS[name](value)
