"""Offers and answers both ways, and what is refused. J-053, J-077, J-081 … J-091, J-101 … J-104, J-129."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jinglebridge import sdp
from jinglebridge.calls import effects as fx
from jinglebridge.calls import events as ev
from jinglebridge.calls import negotiation
from jinglebridge.calls.kinds import UNKNOWN
from jinglebridge.calls.negotiation import usable
from jinglebridge.errors import BadRequest, OutOfOrder, Refused, SdpError
from jinglebridge.jingle import Candidate, Content, Jingle, Proceed, Propose, Reason, RtpDescription
from tests.unit.calls.world import (
    ANSWER,
    JULIET,
    OFFER,
    PLAIN,
    World,
    accepted,
    answer_of_peer,
    direct_in,
    direct_out,
    offer_of_peer,
    offered,
    placed,
    proceeded,
    proposed,
    talking_in,
    talking_out,
    wired,
)
from tests.unit.cases import small

AUDIO_ONLY = small()
CANDIDATE = Candidate(1, "1", "192.0.2.7", 5000, 1, "host")
TERMINATE = "page > phone session-terminate "
RTP = '<description xmlns="urn:xmpp:jingle:apps:rtp:1" media="audio"><payload-type id="0"/><rtcp-mux/></description>'
SDES = RTP.replace("<rtcp-mux/>", '<rtcp-mux/><encryption><crypto tag="1" crypto-suite="x" key-params="inline:k"/></encryption>')
FILE = '<description xmlns="urn:xmpp:jingle:apps:file-transfer:5"/>'
ICE = '<transport xmlns="urn:xmpp:jingle:transports:ice-udp:1" ufrag="abcd" pwd="0123456789012345678901"/>'
IBB = '<transport xmlns="urn:xmpp:jingle:transports:ibb:1" sid="x" block-size="4096"/>'


def xml_offer(inner: str, sid: str = "s1", attributes: str = "") -> str:
    content = f'<content creator="initiator" name="a" {attributes}>{inner}</content>' if inner else ""
    return f'<jingle xmlns="urn:xmpp:jingle:1" action="session-initiate" sid="{sid}">{content}</jingle>'


# --- the peer's answer


def test_answer_has_the_sections_of_our_offer_whatever_the_order():
    """J-091: shuffled session-accept; and the candidates' index is that of our offer."""
    w = World()
    answer = answer_of_peer(proceeded(w))
    w.sends(replace(answer, contents=answer.contents[::-1]))
    (told,) = w.told(fx.TellDescription)
    assert told.type == "answer"
    assert [(m.kind, m.mid, m.rejected) for m in sdp.parse(told.sdp).media] == [("audio", "0", False), ("video", "1", False)]
    audio = Content("0", transport=answer.contents[0].transport)
    candidate = replace(audio.transport, candidates=(CANDIDATE,))
    assert w.sends("transport-info", contents=(replace(audio, transport=candidate),)) == ["page: candidate 0 0"]


def test_content_missing_in_the_answer_becomes_port_0():
    """J-091."""
    w = World()
    answer = answer_of_peer(proceeded(w))
    w.sends(replace(answer, contents=answer.contents[:1]))
    assert [m.rejected for m in sdp.parse(w.told(fx.TellDescription)[0].sdp).media] == [False, True]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda a: replace(a, contents=()), "unsupported-applications"),
        (lambda a: replace(a, contents=tuple(replace(c, transport=None) for c in a.contents)), "unsupported-applications"),
        (lambda a: replace(a, contents=tuple(replace(c, name="x" + c.name) for c in a.contents)), "incompatible-parameters"),
        (
            lambda a: replace(a, contents=tuple(replace(c, transport=replace(c.transport, fingerprints=())) for c in a.contents)),
            "security-error",
        ),
    ],
)
def test_answer_that_cannot_be_carried_ends_the_call_with_its_reason(change, reason):
    """J-077: acked, then terminated; J-092."""
    w = World()
    lines = w.sends(change(answer_of_peer(proceeded(w))))
    assert lines[0] == TERMINATE + reason
    assert lines[1].startswith("page > phone finish") and not w.told(fx.TellDescription) and w.quiet


def test_answer_before_the_session_is_out_of_order():
    """J-080: and so is a second one."""
    w = World()
    answer = answer_of_peer(proceeded(w))
    w.sends(answer)
    with pytest.raises(OutOfOrder):
        w.sends(answer)


def test_accept_from_the_initiator_is_out_of_order():
    """J-080."""
    w = World()
    offered(w)
    with pytest.raises(OutOfOrder):
        w.sends(Jingle("session-accept", "s1", contents=offer_of_peer("s1").contents))


@pytest.mark.parametrize("stage", [proceeded, talking_out])
def test_session_initiate_for_an_existing_session_is_out_of_order(stage):
    """J-080."""
    w = World()
    stage(w)
    with pytest.raises(OutOfOrder):
        w.sends(offer_of_peer("id1"))
    assert not w.quiet


# --- the peer's offer


@pytest.mark.parametrize(
    ("xml", "reason"),
    [
        (xml_offer(FILE + IBB), "unsupported-applications"),
        (xml_offer(RTP.replace('"audio"', '"text"') + ICE), "unsupported-applications"),
        (xml_offer(RTP + IBB), "unsupported-transports"),
        (xml_offer(RTP + ICE), "security-error"),
        (xml_offer(SDES + ICE), "security-error"),
        (xml_offer(FILE + ICE + '<security xmlns="urn:example:s"/>'), "security-error"),  # before what it is for: J-102
    ],
)
def test_direct_offer_that_cannot_be_carried_is_terminated_before_it_rings(xml, reason):
    """J-082, J-102, J-129: acked, terminated, and no page hears of it."""
    w = World(PLAIN)
    assert w.sends_xml(xml) == [TERMINATE + reason, "no more timers"]
    assert w.quiet


@pytest.mark.parametrize("description", [RTP, SDES])
def test_without_dtls_the_peer_hears_that_crypto_is_required(description):
    """J-129: SDES alone counts for nothing."""
    w = World(PLAIN)
    w.sends_xml(xml_offer(description + ICE))
    assert w.sent("session-terminate")[0].reason == Reason("security-error", rtp_error="crypto-required")


@pytest.mark.parametrize(
    "xml",
    [xml_offer(""), xml_offer(RTP), xml_offer(ICE), xml_offer(RTP + ICE, attributes='disposition="early-session"')],
)
def test_offer_without_a_whole_content_is_a_bad_request(xml):
    """J-081."""
    w = World(PLAIN)
    with pytest.raises(BadRequest):
        w.sends_xml(xml)
    assert w.quiet
    w = World()
    accepted(w)
    with pytest.raises(BadRequest):
        w.sends_xml(xml)
    assert not w.quiet


@pytest.mark.parametrize("media", [AUDIO_ONLY, small(kind="video").replace("opus/48000/2", "VP8/90000")])
def test_offer_with_other_media_than_proposed_is_a_security_error(media):
    """J-053."""
    w = World()
    accepted(w)
    assert w.sends(offer_of_peer("s1", media)) == [
        TERMINATE + "security-error",
        "page > phone finish success",
        "page: ended insecure",
        "no more timers",
    ]


def test_sdes_only_after_jmi_is_a_security_error():
    """J-129."""
    w = World()
    w.messages(Propose("s1", ("audio",)), to=JULIET)
    w.does(ev.Accepted("id1"))
    assert w.sends_xml(xml_offer(SDES + ICE))[0] == TERMINATE + "security-error"
    assert w.quiet


def test_usable_are_the_rtp_contents_of_the_session_and_the_first_of_alternatives():
    """J-083, J-101, J-104: and the mids are those of the m= sections, so that candidates find them."""
    first, second = offer_of_peer("s1").contents
    early = replace(first, name="early", disposition="early-session")
    text = replace(first, name="text", description=RtpDescription("text"))
    bare = replace(first, name="bare", transport=None)
    again = replace(first, senders=None, transport=replace(first.transport, ufrag="other"))
    jingle = Jingle("session-initiate", "s1", contents=(early, text, first, bare, again, second))
    assert usable(jingle, UNKNOWN) == (first, second)


def test_an_offer_with_odd_names_gets_legal_mids_and_its_candidates_find_them():
    """J-194."""
    w = World(PLAIN)
    offer = offer_of_peer("s1", AUDIO_ONLY)
    content = replace(offer.contents[0], name="voice and more")
    w.sends(replace(offer, contents=(content,), groups=()))
    w.does(ev.Accepted("id1"))
    assert sdp.parse(w.told(fx.TellDescription)[0].sdp).media[0].mid == "m0"
    transport = replace(content.transport, fingerprints=(), candidates=(CANDIDATE,))
    assert w.sends("transport-info", sid="s1", contents=(Content(content.name, transport=transport),)) == ["page: candidate m0 0"]


def test_offer_to_the_page_has_the_session_id_and_counts_versions():
    """J-220."""
    w = World()
    offered(w)
    (told,) = w.told(fx.TellDescription)
    assert told.type == "offer" and f"o=- {w.state.side.number} 1 IN" in told.sdp


# --- the endpoint's descriptions


def test_media_of_an_offer_are_checked_before_anything_leaves():
    assert negotiation.proposed(OFFER).media == ("audio", "video")
    with pytest.raises(Refused):
        negotiation.proposed(small(drop=("fingerprint",)))
    with pytest.raises(SdpError):
        negotiation.proposed("no SDP")


@pytest.mark.parametrize("stage", [proposed, accepted, direct_in])
def test_answer_before_the_offer_is_out_of_order(stage):
    w = World(*([PLAIN] if stage is direct_in else []))
    stage(w)
    with pytest.raises(OutOfOrder):
        w.does(ev.Described("id1", "answer", ANSWER))


def test_a_second_answer_is_out_of_order():
    w = talking_in(World())
    with pytest.raises(OutOfOrder):
        w.does(ev.Described("id1", "answer", ANSWER))


@pytest.mark.parametrize(("stage", "call"), [(placed, "c1"), (proposed, "id1"), (accepted, "id1"), (offered, "id1")])
def test_an_offer_before_the_call_is_up_is_out_of_order(stage, call):
    w = World()
    stage(w)
    with pytest.raises(OutOfOrder):
        w.does(ev.Described(call, "offer", OFFER))


def test_a_bad_answer_is_the_pages_fault_and_it_may_try_again():
    w = World()
    offered(w)
    with pytest.raises(Refused):
        w.does(ev.Described("id1", "answer", "v=0"))
    with pytest.raises(Refused):
        w.does(ev.Described("id1", "answer", ANSWER.replace("a=fingerprint", "a=x")))
    assert "page > phone session-accept" in w.does(ev.Described("id1", "answer", ANSWER))


def test_direct_offer_shows_no_address_to_anybody_before_the_person_accepts():
    """DESIGN §5: candidates of the peer's offer wait as well."""
    w = World(PLAIN)
    direct_in(w)
    assert not any("offer" in said or "candidate" in said for said in w.says)


def test_our_session_initiate_survives_the_wire():
    """J-084, J-086."""
    w = World()
    initiate = proceeded(w)
    assert wired(initiate)[0] == initiate
    w = World(PLAIN)
    assert wired(direct_out(w))[0].sid == "id1"


def test_bundle_group_goes_with_the_offer():
    w = World()
    placed(w)
    w.messages(Proceed("id1"))
    assert w.sent("session-initiate")[0].groups[0].names == ("0", "1")
