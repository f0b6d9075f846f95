"""The XEPs' own examples, where a checkout of them lies beside this one: what each description becomes, file by file."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections import Counter
from typing import Any

import pytest

from jinglebridge import sdp
from jinglebridge.errors import BadRequest, Refused, SdpError
from jinglebridge.jingle import JMI_TAGS, Role, build_jmi, jingle_text, parse_jingle, parse_jmi, xep_0166, xep_0272, xep_0482
from jinglebridge.translate.session import Described, to_sdp
from jinglebridge.xml import parse_text, to_text
from tests.unit.jingle.test_xeps import EXAMPLES

INDEX: list[dict[str, Any]] = json.loads((EXAMPLES / "index.json").read_text())["entries"] if EXAMPLES.exists() else []
FILES = [entry["file"] for entry in INDEX if (entry["file"] or "").endswith(".xml")]

SDPS = [entry["file"] for entry in INDEX if (entry["file"] or "").endswith(".sdp")]
NO_SDP = {
    "inbox-sox/ex-02-a-sox-payload-forwarded.sdp": "a whole SIP request",
    "xep-0167/ex-16-code-mapping-to-session-description-protocol.sdp": "a line broken for print",
    "xep-0167/ex-18-code-negotiation-of-srtp.sdp": "a line broken for print",
    "xep-0294/ex-04-sdp-fragment.sdp": "half an m= line",
}

# Examples that hold a <jingle/> without action or sid: fragments, and one whose attributes stand as text (defect). J-079
MALFORMED = {
    "xep-0293/ex-05-the-same-description-in-xmpp-format.xml",
    "xep-0298/ex-01-a-mixer-sends-session-initiate-for-a-conference-call.xml",
    "xep-0298/ex-02-mixer-sends-information-about-the-current-state-of-the-call.xml",
}
# No example can be a WebRTC call, for all lack DTLS or rtcp-mux. Everything not named here has no DTLS.
UNSUPPORTED_APPLICATION = (
    "xep-0166/ex-02",  # stubs
    "xep-0166/ex-03",
    "xep-0272/ex-03",
    "xep-0338/ex-05",
    "xep-0343/",  # SCTP for a file transfer
    "xep-0234/",
    "xep-0260/",
    "xep-0261/",
    "inbox-jingle-sdp/",
)
UNSUPPORTED_TRANSPORT = ("xep-0176/ex-18", "xep-0177/", "xep-0371/ex-18", "inbox-av_conferences/ex-02")
SECURITY_PRECONDITION = ("xep-0166/ex-37", "xep-0391/", "xep-0396/")
NO_RTCP_MUX = ("xep-0320/ex-06", "xep-0320/ex-07")


def expected(file: str) -> tuple[str, str]:
    for files, outcome in (
        (UNSUPPORTED_APPLICATION, ("unsupported-applications", "J-082")),
        (UNSUPPORTED_TRANSPORT, ("unsupported-transports", "J-082")),
        (SECURITY_PRECONDITION, ("security-error", "J-102")),
        (NO_RTCP_MUX, ("incompatible-parameters", "J-127")),
    ):
        if file.startswith(files):
            return outcome
    return "security-error", "J-129"


def jingles(file: str) -> list[ET.Element]:
    return list(ET.parse(EXAMPLES / file).getroot().iter(xep_0166.JINGLE.clark))


@pytest.mark.parametrize("file", FILES)
def test_every_example_is_read_or_refused_as_malformed(file):
    for el in jingles(file):
        if file in MALFORMED:
            with pytest.raises(BadRequest):
                parse_jingle(el)
            continue
        text = jingle_text(parse_jingle(el))
        assert jingle_text(parse_jingle(parse_text(text))) == text
    for el in ET.parse(EXAMPLES / file).getroot().iter():
        if el.tag in JMI_TAGS:
            assert parse_jmi(build_jmi(parse_jmi(el))) == parse_jmi(el)
        if el.tag in xep_0482.INVITE_TAGS:
            el.text = None  # blanks between the children
            assert to_text(xep_0482.build_invite(xep_0482.parse_invite(el))) == to_text(el)
        if el.tag == xep_0272.MUJI.clark:
            assert xep_0272.MUJI.build(xep_0272.MUJI.parse(el)).attrib == el.attrib


@pytest.mark.parametrize("file", SDPS)
def test_every_sdp_of_an_example_is_read_line_by_line(file):
    """Most are fragments: they are put behind what they lack."""
    text = (EXAMPLES / file).read_text()
    head = "v=0\no=- 1 1 IN IP4 0.0.0.0\ns=-\nt=0 0\n" + ("" if text.startswith("m=") else "m=audio 9 UDP/TLS/RTP/SAVPF 0\n")
    whole = text if text.startswith("v=") else head + text
    if file in NO_SDP:
        with pytest.raises(SdpError):
            sdp.parse(whole)
    else:
        assert sdp.parse(whole).format().splitlines() == [line for line in whole.splitlines() if line]


@pytest.mark.parametrize("file", FILES)
def test_every_description_of_an_example_is_refused_for_its_reason(file):
    for el in jingles(file):
        if el.get("action") not in ("session-initiate", "session-accept"):
            continue
        jingle = parse_jingle(el)
        accept = jingle.action == "session-accept"
        with pytest.raises(Refused) as caught:
            to_sdp(
                Described(jingle.contents, jingle.groups),
                Role.RESPONDER if accept else Role.INITIATOR,
                session_id=1,
                version=1,
                answer=accept,
            )
        assert (caught.value.reason, caught.value.rule) == expected(file)


@pytest.mark.skipif(not INDEX, reason="no checkout of the examples")
def test_the_negative_examples_are_all_refused():
    groups = Counter(entry["group"] for entry in INDEX if entry.get("action") == "session-initiate")
    assert groups["negative"] >= 9 and groups["core"] >= 25
