"""The two public functions on text, and candidates."""

from __future__ import annotations

import pytest

from jinglebridge.errors import BadRequest, InvalidState, Refused, SdpError
from jinglebridge.sdp import parse
from jinglebridge.translate import sdp_to_xml, xml_to_sdp
from jinglebridge.translate.trickle import candidate_from_sdp, candidate_line, candidate_to_sdp
from tests.unit.cases import CASES, small

LINE = "candidate:f 1 udp 5 192.0.2.1 9 typ host generation 0"


def golden():
    return sorted((CASES / "translate").glob("*.sdp"))


@pytest.mark.parametrize("path", golden(), ids=lambda p: p.stem)
def test_golden_pairs(path):
    """name.sdp -> name.xml -> name.back.sdp; "answer" in the name: the responder wrote it."""
    author = "responder" if "answer" in path.stem else "initiator"
    if path.stem.endswith(".back"):
        assert xml_to_sdp(path.with_name(path.name.replace(".back.sdp", ".xml")).read_text().strip(), author) == path.read_text().replace(
            "\n", "\r\n"
        )
    else:
        assert sdp_to_xml(path.read_text(), author) == path.with_suffix(".xml").read_text().strip()


@pytest.mark.parametrize("path", sorted((CASES / "dino").glob("*session-*.xml")), ids=lambda p: p.stem)
def test_what_dino_says_becomes_sdp(path):
    author = "responder" if "accept" in path.stem else "initiator"
    sdp = parse(xml_to_sdp(path.read_text().strip(), author))
    assert sdp.all("group") == [] or "bot" in path.stem
    for media in sdp.media:
        assert media.get("setup") in ("actpass", "active") and "crypto" not in media
        assert all(line.split()[1] == "1" for line in media.all("candidate"))


def test_only_an_offer_says_actpass():
    """J-181: what a responder says with actpass is an offer, and a session-accept never says it."""
    for author, answer, action, setup in [
        ("initiator", None, "session-initiate", "actpass"),
        ("responder", None, "content-add", "actpass"),
        ("responder", True, "session-accept", "active"),
        ("initiator", True, "content-accept", "active"),
    ]:
        xml = sdp_to_xml(small(), author, answer=answer)
        assert f'action="{action}"' in xml and f'setup="{setup}"' in xml
        assert f"a=setup:{setup}" in xml_to_sdp(xml, author)
    assert 'action="session-accept"' in sdp_to_xml(small().replace("actpass", "passive"), "responder")


def test_the_action_says_whose_it_is():
    """XEP-0166 §7.2: a session-initiate is the initiator's and a session-accept the responder's; the argument is for the others."""
    sdp = small("a=sendonly", drop=("sendrecv",))
    for author, wrong, setup in (("initiator", "responder", "actpass"), ("responder", "initiator", "active")):
        xml = sdp_to_xml(sdp.replace("actpass", setup), author)
        assert "a=sendonly" in xml_to_sdp(xml, author) and xml_to_sdp(xml, wrong) == xml_to_sdp(xml, author) == xml_to_sdp(
            xml, author=wrong
        )
    added = sdp_to_xml(sdp, "responder")
    assert "a=sendonly" in xml_to_sdp(added, "responder") and "a=recvonly" in xml_to_sdp(added, "initiator")


@pytest.mark.parametrize("bad", [None, b"v=0", 7, ["v=0"]])
def test_what_is_no_text_is_a_wrong_argument(bad):
    for translate in (sdp_to_xml, xml_to_sdp):
        with pytest.raises(InvalidState):
            translate(bad)


@pytest.mark.parametrize(
    "wrong", [{"peer": ["x"]}, {"peer": ""}, {"peer": 1}, {"answer": "no"}, {"extensions": "no"}, {"author": ["x"]}, {"author": None}]
)
def test_other_arguments_that_are_wrong(wrong):
    with pytest.raises(InvalidState):
        sdp_to_xml(small(), **wrong)
    if "answer" not in wrong:
        with pytest.raises(InvalidState):
            xml_to_sdp(sdp_to_xml(small()), **wrong)


def test_every_refusal_names_its_rule():
    """J-261."""
    for sdp in ("", "x", small("a="), small("a"), small("a=\0"), small("m=audio 9"), small("m=audio x RTP/AVP 0")):
        with pytest.raises(SdpError) as caught:
            sdp_to_xml(sdp)
        assert caught.value.rule.startswith("J-") and caught.value.reason == "failed-application"
    with pytest.raises(Refused) as refused:
        xml_to_sdp(sdp_to_xml(small()).replace('ufrag="ufra"', 'ufrag="ufra&#10;a=x"'))
    assert (refused.value.reason, refused.value.rule) == ("failed-transport", "J-146")


def test_a_bad_sctpmap_leaves_the_audio():
    sctp = '<sctpmap xmlns="urn:xmpp:jingle:transports:dtls-sctp:1" number="5000" streams="0"/></transport>'
    assert "m=audio 9" in xml_to_sdp(sdp_to_xml(small()).replace("</transport>", sctp))


def test_peer_policies_and_arguments():
    sdp = small("a=candidate:1 1 udp 5 a.local 9 typ host")
    assert "a.local" in sdp_to_xml(sdp) and "a.local" not in sdp_to_xml(sdp, peer="safe")
    assert "a.local" not in xml_to_sdp(sdp_to_xml(sdp), peer="dino")
    for call in (lambda: sdp_to_xml(sdp, peer="x"), lambda: sdp_to_xml(sdp, "me")):
        with pytest.raises(InvalidState):
            call()


@pytest.mark.parametrize("xml", ["", "<a/>", '<jingle xmlns="urn:xmpp:jingle:1" action="session-initiate"/>'])
def test_xml_that_is_no_jingle(xml):
    with pytest.raises(BadRequest):
        xml_to_sdp(xml)


@pytest.mark.parametrize("nasty", ["\r\na=x:y", "\na=x", "\0", "\x0b", "\u2028", "<&>\"'"])
@pytest.mark.parametrize(
    "place", ["a=msid:{}", "a=ssrc:1 cname:{}", "a=fmtp:111 x={}", "a=extmap:1 urn:{}", "a=mid:{}", "a=group:BUNDLE {}", "a=rtcp-fb:111 {}"]
)
def test_nothing_injects_a_line_or_breaks_the_xml(nasty, place):
    """J-151: whatever is in a value, the number of lines stays what the translator wrote."""
    drop = ("mid",) if "mid" in place else ()
    try:
        xml = sdp_to_xml(small(place.format(nasty), drop=drop))
        again = xml_to_sdp(xml)
    except (SdpError, Refused, BadRequest):
        return
    assert "a=x" not in again.split("\r\n") and again.count("\n") == again.count("\r\n")


@pytest.mark.parametrize("escape", ["&#10;", "&#13;", "&#x2028;", "&#9;", " "])
@pytest.mark.parametrize(
    "old", ['name="opus"', 'value="10"', 'id="1"', 'uri="urn:x"', 'ufrag="ufra"', 'name="0"', 'foundation="f"', 'name="cname"', 'value="c"']
)
def test_no_xml_attribute_makes_an_sdp_line(escape, old):
    good = sdp_to_xml(small("a=fmtp:111 minptime=10", "a=extmap:1 urn:x", "a=candidate:f 1 udp 5 192.0.2.1 9 typ host", "a=ssrc:1 cname:c"))
    assert old in good
    bad = good.replace(old, old[:-1] + f'{escape}a=evil:1"')
    try:
        sdp = xml_to_sdp(bad)
    except (Refused, BadRequest):
        return
    assert not any(line.startswith(("a=evil", "\na=evil")) for line in sdp.split("\r\n")) and sdp.count("\n") == sdp.count("\r\n")


@pytest.mark.parametrize("prefix", ["", "a=", "candidate:"])
def test_candidates_both_ways(prefix):
    text = LINE if prefix != "candidate:" else LINE.removeprefix(prefix)
    found = candidate_from_sdp(prefix + text, id="c7")
    assert found is not None and found.id == "c7" and candidate_to_sdp(found) == LINE


def test_candidates_that_are_nothing_or_wrong():
    assert candidate_from_sdp("", id="c") is None
    assert candidate_from_sdp("candidate:", id="c") is None
    assert candidate_from_sdp(LINE.replace(" 1 udp", " 2 udp"), id="c") is None
    for bad in ("x", LINE + "\r\na=x", LINE + " x" * 600, LINE.replace("192", "192\0")):
        with pytest.raises(SdpError):
            candidate_from_sdp(bad, id="c")


def test_the_credentials_of_a_candidate():
    """J-169."""
    for text, ufrag in ((" ufrag abc network-cost 1", "abc"), ("", None), (" x ufrag", None)):
        line = candidate_line(LINE + text)
        assert line is not None and line.extensions.get("ufrag") == ufrag
    assert candidate_line("") is candidate_line("candidate: ") is None
    with pytest.raises(SdpError):
        candidate_line(LINE + " ufrag")
