"""XEP-0343 both ways. J-224 … J-227, table M-8."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jinglebridge.calls.kinds import UNKNOWN
from jinglebridge.calls.negotiation import checked_offer, complete, usable
from jinglebridge.jingle import Channel, Content, Group, Role, Sctpmap, jingle_text, parse_jingle, xep_0343
from jinglebridge.jingle.xep_0343 import CHANNEL, SCTPMAP
from jinglebridge.sdp import parse
from jinglebridge.translate import sdp_to_xml, xml_to_sdp
from jinglebridge.translate.policy import POLICIES, SAFE
from jinglebridge.translate.session import from_sdp, media_of, to_sdp
from jinglebridge.translate.stream import StreamTranslator
from jinglebridge.xml import parse_text, to_text
from tests.unit.cases import FINGERPRINT, corpus, small
from tests.unit.translate.test_session import refusal

I, R = Role.INITIATOR, Role.RESPONDER  # noqa: E741
TRANSPORT = f"a=ice-ufrag:ufra\r\na=ice-pwd:0123456789012345678901\r\na=fingerprint:{FINGERPRINT}\r\na=setup:actpass\r\n"
HEAD = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"


def data(mid: str = "d", line: str = "m=application 9 UDP/DTLS/SCTP webrtc-datachannel", port: str = "a=sctp-port:5000") -> str:
    return f"{line}\r\nc=IN IP4 0.0.0.0\r\n{TRANSPORT}a=mid:{mid}\r\n{port}\r\n"


def lines(sdp: str) -> set[str]:
    return set(sdp.split("\r\n"))


def test_a_data_channel_alone_passes_both_ways():
    sdp = HEAD + "a=group:BUNDLE d\r\n" + data(port="a=sctp-port:5001\r\na=max-message-size:262144")
    xml = sdp_to_xml(sdp)
    assert '<sctpmap xmlns="urn:xmpp:jingle:transports:dtls-sctp:1" number="5001" protocol="webrtc-datachannel" streams="1024"/>' in xml
    assert "<description" not in xml and "senders" not in xml
    lost = lines(sdp) - lines(xml_to_sdp(xml))
    assert {line for line in lost if not line.startswith("o=")} == {"a=max-message-size:262144"}
    assert media_of(from_sdp(parse(sdp), I)) == ()


def test_every_real_data_channel_passes():
    """Chromium, Firefox and aiortc, alone and beside audio and video, as offer and as answer."""
    seen = 0
    for case in corpus():
        for turn in case["rounds"]:
            for kind in ("offer", "answer"):
                for media in parse(turn[kind]).media if turn[kind] else ():
                    if media.kind == "application" and not media.rejected:
                        back = parse(xml_to_sdp(sdp_to_xml(turn[kind], answer=kind == "answer")))
                        found = back.section(media.mid)
                        assert (found.proto, found.formats, found.get("sctp-port")) == (media.proto, media.formats, media.get("sctp-port"))
                        seen += 1
    assert seen


def test_it_shares_the_transport_of_its_bundle():
    sdp = small(head=("a=group:BUNDLE 0 d",)) + data().replace(TRANSPORT, "")
    described = from_sdp(parse(sdp), I)
    assert described.contents[1].data and not described.contents[0].data
    assert described.contents[1].transport.ufrag == "ufra" and described.groups == (Group("BUNDLE", ("0", "d")),)
    bare = replace(described.contents[1], transport=replace(described.contents[1].transport, ufrag=None, pwd=None, fingerprints=()))
    back = to_sdp(described._replace(contents=(described.contents[0], bare)), I, session_id=1, version=1)
    assert back.media[1].get("ice-ufrag") == "ufra" and back.media[1].get("fingerprint") == FINGERPRINT


def test_without_dtls_or_ice_it_is_refused_like_any_other():
    assert refusal(lambda: from_sdp(parse(HEAD + data().replace("a=fingerprint", "a=x")), I)) == ("security-error", "J-183")
    assert refusal(lambda: from_sdp(parse(HEAD + data().replace("a=ice-pwd", "a=x")), I)) == ("failed-transport", "J-146")


def test_a_rejected_one_is_left_out_and_answered_in_its_place():
    """J-090, J-091."""
    offer = small(head=("a=group:BUNDLE 0 d",)) + data()
    asked = from_sdp(parse(offer), I)
    answer = offer.replace("actpass", "active").replace("m=application 9", "m=application 0").replace("BUNDLE 0 d", "BUNDLE 0")
    described = from_sdp(parse(answer), R, accept_of=asked)
    assert [content.name for content in described.contents] == ["0"]
    back = to_sdp(described, R, session_id=1, version=1, offer=parse(offer))
    assert [(m.kind, m.port, m.mid, m.formats) for m in back.media][1] == ("application", 0, "d", ("webrtc-datachannel",))
    assert [c.name for c in from_sdp(parse(offer.replace("m=application 9", "m=application 0")), I).contents] == ["0"]


def test_the_size_of_its_messages_is_kept_while_a_call_changes():
    """With extensions, which say it once: a later offer of either side tells only what changed. J-226"""
    stream = StreamTranslator(extensions=True)
    first = next(case for case in corpus() if case["name"] == "chromium-156__chromium-156__av_data")["rounds"][0]
    offer, answer = first["offer"], first["answer"]
    held, heard = offer.replace("a=sendrecv", "a=sendonly"), answer.replace("a=sendrecv", "a=recvonly")
    turned, back = answer.replace("setup:active", "setup:actpass"), offer.replace("setup:actpass", "setup:passive")
    said = [("a2b", "offer", offer), ("b2a", "answer", answer), ("a2b", "offer", held), ("b2a", "answer", heard)]
    said += [("b2a", "offer", turned), ("a2b", "answer", back)]
    for number, (dir, kind, sdp) in enumerate(said):
        reply = stream.handle({"id": 1, "call": "c", "dir": dir, "kind": kind, "round": number // 2 + 1, "sdp": sdp})
        assert parse(reply["sdp"]).media[2].get("max-message-size") == "262144", number


def test_an_accepted_one_is_answered_in_its_place():
    offer = small(head=("a=group:BUNDLE 0 d",)) + data()
    described = from_sdp(parse(offer.replace("actpass", "active")), R, accept_of=from_sdp(parse(offer), I))
    back = to_sdp(described, R, session_id=1, version=1, offer=parse(offer))
    assert back.media[1].port == 9 and back.media[1].get("sctp-port") == "5000" and back.media[1].get("setup") == "active"


def test_a_rejected_medium_in_the_bundle_of_a_data_channel_is_no_data_channel():
    offer = HEAD + "a=group:BUNDLE d 0\r\n" + data() + small().partition("t=0 0\r\n")[2]
    answer = offer.replace("actpass", "active").replace("m=audio 9", "m=audio 0")
    described = from_sdp(parse(answer), R, accept_of=from_sdp(parse(offer), I))
    assert [content.transport.sctp for content in described.contents] == [Sctpmap(), None]


@pytest.mark.parametrize("policy", [policy for name, policy in POLICIES.items() if name != "none"], ids=lambda p: p.name)
def test_no_client_gets_one(policy):
    """J-224: the engine cannot use one yet."""
    described = from_sdp(parse(small(head=("a=group:BUNDLE 0 d", "a=group:LS d")) + data()), I, policy=policy)
    assert [content.name for content in described.contents] == ["0"]
    assert described.groups == (() if policy.name == "dino" else (Group("BUNDLE", ("0",)),))
    assert refusal(lambda: from_sdp(parse(HEAD + data()), I, policy=policy)) == ("unsupported-applications", "J-224")


def test_the_legacy_form_is_read_and_its_offer_answered_in_it():
    """draft-ietf-mmusic-sctp-sdp-05, J-225."""
    legacy = HEAD + data(line="m=application 9 DTLS/SCTP 5000", port="a=sctpmap:5000 webrtc-datachannel 256")
    described = from_sdp(parse(legacy), I)
    assert described.contents[0].transport.sctp == Sctpmap(5000, "webrtc-datachannel", 256)
    modern = to_sdp(described, I, session_id=1, version=1).media[0]
    assert (modern.proto, modern.formats, modern.get("sctp-port")) == ("UDP/DTLS/SCTP", ("webrtc-datachannel",), "5000")
    answer = to_sdp(from_sdp(parse(legacy.replace("actpass", "active")), R), R, session_id=1, version=1, offer=parse(legacy)).media[0]
    assert (answer.proto, answer.formats, answer.get("sctpmap")) == ("DTLS/SCTP", ("5000",), "5000 webrtc-datachannel 256")
    assert "sctp-port" not in answer


@pytest.mark.parametrize(
    ("line", "port", "expected"),
    [
        ("m=application 9 UDP/DTLS/SCTP webrtc-datachannel", "a=x:1", 5000),
        ("m=application 9 TCP/DTLS/SCTP webrtc-datachannel", "a=sctp-port:1", 1),
        ("m=application 9 UDP/DTLS/SCTP webrtc-datachannel", "a=sctp-port:0", None),
        ("m=application 9 UDP/DTLS/SCTP webrtc-datachannel", "a=sctp-port:65536", None),
        ("m=application 9 UDP/DTLS/SCTP bfcp", "a=sctp-port:5000", None),
        ("m=application 9 UDP/BFCP *", "a=sctp-port:5000", None),
        ("m=audio 9 UDP/DTLS/SCTP webrtc-datachannel", "a=sctp-port:5000", None),
        ("m=application 9 DTLS/SCTP 5000", "a=sctpmap:5000 webrtc-datachannel", 5000),
        ("m=application 9 DTLS/SCTP 5000", "a=sctpmap:5001 webrtc-datachannel 1", None),
        ("m=application 9 DTLS/SCTP 5000", "a=sctpmap:5000 bfcp 1", None),
        ("m=application 9 DTLS/SCTP 5000", "a=sctpmap:5000", None),
    ],
)
def test_what_is_a_data_channel(line, port, expected):
    found = xep_0343.from_sdp(parse(HEAD + data(line=line, port=port)).media[0])
    assert (found and found.port) == expected


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ('number="5000" protocol="webrtc-datachannel" streams="1024"', Sctpmap()),
        ('number="5000" protocol="webrtc-datachannel"', Sctpmap()),  # stanza 12
        ('port="5001"', Sctpmap(5001)),  # the table of the XEP
    ],
)
def test_both_names_of_the_port_are_read_and_one_is_written(attributes, expected):
    found = SCTPMAP.parse(parse_text(f'<sctpmap xmlns="{xep_0343.NS}" {attributes}/>'))
    assert found == expected and f' number="{expected.port}" protocol="webrtc-datachannel" streams="1024"' in to_text(SCTPMAP.build(found))


def test_channels_agreed_beforehand_survive():
    """J-227: fields of RTCDataChannelInit."""
    text = (
        f'<channel xmlns="{xep_0343.NS_OWN_CHANNEL}" id="1" maxPacketLifeTime="100" maxRetransmits="2" negotiated="true"'
        ' ordered="false" protocol="chat"/>'
    )
    found = CHANNEL.parse(parse_text(text))
    assert found == Channel(1, 100, 2, True, False, "chat") and to_text(CHANNEL.build(found)) == text
    assert to_text(CHANNEL.build(Channel())) == f'<channel xmlns="{xep_0343.NS_OWN_CHANNEL}"/>'
    assert CHANNEL.parse(parse_text(text.replace('"true"', '"1"'))).negotiated
    contents = f'<content name="d">{_transport(text, text.replace("true", "yes"))}</content>'
    bad = parse_text(f'<jingle xmlns="urn:xmpp:jingle:1" action="session-initiate" sid="s">{contents}</jingle>')
    assert parse_jingle(bad).contents[0].transport.channels == (found,)


def _transport(*children: str) -> str:
    return f'<transport xmlns="urn:xmpp:jingle:transports:ice-udp:1">{"".join(children)}</transport>'


def test_an_association_of_an_unknown_application_is_no_data_channel():
    """The examples of XEP-0343: a file transfer over SCTP. J-082"""
    sctp = f'<sctpmap xmlns="{xep_0343.NS}" number="5000" protocol="webrtc-datachannel"/>'
    file = '<description xmlns="urn:xmpp:jingle:apps:file-transfer:3"/>'
    for inside, refused in (
        (file + _transport(sctp), True),
        (_transport(sctp.replace("webrtc-datachannel", "bfcp")), True),
        (_transport(), True),
    ):
        xml = f'<jingle xmlns="urn:xmpp:jingle:1" action="session-initiate" sid="s"><content name="d">{inside}</content></jingle>'
        assert (refusal(lambda x=xml: xml_to_sdp(x)) == ("unsupported-applications", "J-082")) is refused
        assert not parse_jingle(parse_text(xml)).contents[0].data
    assert not Content("x").data


def test_what_stanza_writes_is_read():
    """stanza 12.22.1, from a Chromium offer; it leaves out streams."""
    sdp = HEAD + "a=group:BUNDLE 0\r\n" + data("0")
    jingle = parse_jingle(parse_text(sdp_to_xml(sdp).replace(' streams="1024"', "")))
    assert xml_to_sdp(jingle_text(jingle)) == xml_to_sdp(sdp_to_xml(sdp))
    assert SAFE.apply(from_sdp(parse(small()), I)).contents


def test_another_kind_of_media_under_its_name_is_refused():
    """J-089."""
    both = small(mid="d")
    assert refusal(lambda: from_sdp(parse(both), R, accept_of=from_sdp(parse(HEAD + data()), I))) == ("failed-application", "J-089")
    assert refusal(lambda: from_sdp(parse(HEAD + data()), R, accept_of=from_sdp(parse(both), I))) == ("failed-application", "J-089")


def test_the_engine_takes_the_rest_of_an_offer_with_a_data_channel():
    """J-083: stanza offers one without a description."""
    jingle = parse_jingle(parse_text(sdp_to_xml(small() + data())))
    complete(jingle)
    assert [content.name for content in usable(jingle, UNKNOWN)] == ["0"]
    alone = parse_jingle(parse_text(sdp_to_xml(HEAD + data())))
    complete(alone)
    assert refusal(lambda: checked_offer(alone, UNKNOWN)) == ("unsupported-applications", "J-082")
