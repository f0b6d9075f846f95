"""The two public functions on text, candidates, and the stream."""

from __future__ import annotations

import pytest

from jinglebridge.errors import BadRequest, InvalidState, Refused, SdpError
from jinglebridge.sdp import parse
from jinglebridge.translate import sdp_to_xml, xml_to_sdp
from jinglebridge.translate.policy import SAFE
from jinglebridge.translate.stream import MAX_CALLS, StreamTranslator
from jinglebridge.translate.trickle import candidate_from_sdp, candidate_to_sdp, ufrag_of
from tests.unit.cases import AV, CASES, corpus, offer, small

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


def test_a_responder_never_says_actpass():
    """J-181."""
    xml = sdp_to_xml(small(), "responder")
    assert 'action="session-accept"' in xml and 'setup="active"' in xml
    assert 'action="session-initiate"' in sdp_to_xml(small()) and 'setup="actpass"' in sdp_to_xml(small())


def test_peer_policies_and_arguments():
    sdp = small("a=candidate:1 1 udp 5 a.local 9 typ host")
    assert "a.local" in sdp_to_xml(sdp) and "a.local" not in sdp_to_xml(sdp, peer="safe")
    assert "a.local" not in xml_to_sdp(sdp_to_xml(sdp), peer="dino")
    for call in (lambda: sdp_to_xml(sdp, peer="x"), lambda: sdp_to_xml(sdp, "me")):
        with pytest.raises(InvalidState):
            call()
    for call in (lambda: sdp_to_xml(sdp, extensions=True), lambda: xml_to_sdp("<a/>", extensions=True)):
        with pytest.raises(Refused, match="extensions"):
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
    assert ufrag_of(LINE + " ufrag abc network-cost 1") == "abc" and ufrag_of(LINE) is None


def init(text: str = LINE, mid: str | None = "0", index: int = 0, **more):
    return {"candidate": text, "sdpMid": mid, "sdpMLineIndex": index, **more}


class Stream:
    """Two endpoints on one translator."""

    def __init__(self, *policy) -> None:
        self.translator, self.n = StreamTranslator(*policy), 0

    def say(self, dir: str, kind: str, **what):
        self.n += 1
        reply = self.translator.handle({"id": self.n, "call": "c", "dir": dir, "kind": kind, "round": 1, **what})
        assert reply["id"] == self.n
        return reply


@pytest.mark.parametrize("case", corpus(), ids=lambda c: c["name"])
def test_real_negotiations_pass(case):
    stream = Stream()
    for turn in case["rounds"]:
        there, back = ("a2b", "b2a") if turn["by"] == "offerer" else ("b2a", "a2b")
        offered = stream.say(there, "offer", sdp=turn["offer"])
        given = parse(offered["sdp"])
        if not turn["answer"]:
            continue
        answered = stream.say(back, "answer", sdp=turn["answer"])
        got = parse(answered["sdp"])
        assert [m.mid for m in got.media] == [m.mid for m in parse(turn["offer"]).media]
        assert len(given.media) <= len(got.media)
        for direction, which in ((there, "offerCandidates"), (back, "answerCandidates")):
            for candidate in turn[which]:
                reply = stream.say(direction, "candidate", candidate=candidate)
                assert "error" not in reply
                if reply["candidate"] and candidate["candidate"]:
                    assert (
                        reply["candidate"]["candidate"].split()[:8]
                        == candidate["candidate"].replace("UDP", "udp").replace("TCP", "tcp").split()[:8]
                    )
                    assert reply["candidate"]["sdpMLineIndex"] == candidate["sdpMLineIndex"]
        assert stream.say(there, "end") == {"id": stream.n, "candidate": None}


def test_candidates_of_the_stream():
    stream = Stream()
    assert "before" in stream.say("a2b", "candidate", candidate=init())["error"]
    stream.say("a2b", "offer", sdp=small())
    reply = stream.say("a2b", "candidate", candidate=init(usernameFragment="ufra"))
    assert reply["candidate"] == init(usernameFragment="ufra")
    assert stream.say("a2b", "candidate", candidate=init(mid=None))["candidate"]["sdpMid"] == "0"
    assert stream.say("a2b", "candidate", candidate=init(usernameFragment="old"))["candidate"] is None
    assert stream.say("a2b", "candidate", candidate=init(LINE + " ufrag old"))["candidate"] is None
    assert stream.say("a2b", "candidate", candidate=init(LINE.replace(" 1 udp", " 2 udp")))["candidate"] is None
    assert stream.say("a2b", "candidate", candidate=init(""))["candidate"]["candidate"] == ""
    assert "unknown section" in stream.say("a2b", "candidate", candidate=init(mid="9"))["error"]
    assert "not a candidate" in stream.say("a2b", "candidate", candidate=init("x"))["error"]


def test_candidates_follow_policies():
    stream = Stream(SAFE)
    stream.say("a2b", "offer", sdp=small())
    assert stream.say("a2b", "candidate", candidate=init(LINE.replace("192.0.2.1", "x.local")))["candidate"] is None
    assert stream.say("a2b", "candidate", candidate=init(""))["candidate"] is None


def test_sections_without_content_have_no_candidates():
    stream = Stream()
    data = "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:d\r\n"
    stream.say("a2b", "offer", sdp=small(drop=("mid",)) + data)
    assert stream.say("a2b", "candidate", candidate=init(mid="d", index=1))["candidate"] is None
    assert stream.say("a2b", "candidate", candidate=init(mid=None))["candidate"]["sdpMid"] == "0"


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"dir": "x"},
        {"dir": "a2b", "kind": "offer"},
        {"dir": "a2b", "kind": "offer", "sdp": 5},
        {"dir": "a2b", "kind": "offer", "sdp": "x"},
        {"dir": "b2a", "kind": "answer", "sdp": small()},
        {"dir": "a2b", "kind": ["x"]},
    ],
)
def test_every_wrong_message_gets_its_error(message):
    reply = StreamTranslator().handle(message | {"id": 1, "call": "c"})
    assert reply["id"] == 1 and reply["error"]


def test_calls_do_not_pile_up():
    translator = StreamTranslator()
    for number in range(MAX_CALLS + 5):
        translator.handle({"id": 1, "call": number, "dir": "a2b", "kind": "end"})
    assert len(translator.calls) == MAX_CALLS


def test_later_offers_by_either_side():
    stream = Stream()
    active = small("a=setup:active", drop=("setup",))
    first = stream.say("a2b", "offer", sdp=small())["sdp"]
    stream.say("b2a", "answer", sdp=active)
    again = stream.say("b2a", "offer", sdp=small("a=sendonly", drop=("sendrecv",)))["sdp"]
    assert "a=sendonly" in again and first.split("\r\n")[1].split()[1] == again.split("\r\n")[1].split()[1]
    assert "a=recvonly" in stream.say("a2b", "answer", sdp=small("a=recvonly", "a=setup:active", drop=("setup", "sendrecv")))["sdp"]
    assert offer(AV)
