"""What real clients sent becomes an SDP, or is refused with the reason that they are told. Stanzas of `tests/cases/traces` and `…/dino`.

Dino 0.4.2, stanza 12.22.1 in Chromium, Gajim 1.7.3, QXmpp 1.4.0.
"""

from __future__ import annotations

import pytest

from jinglebridge.calls.reasons import from_jingle
from jinglebridge.jingle import Jingle, Role, build_jingle, jingle_text, parse_jingle
from jinglebridge.sdp import parse
from jinglebridge.translate import sdp_to_xml, xml_to_sdp
from jinglebridge.translate.session import Described, to_sdp
from jinglebridge.translate.trickle import candidate_to_sdp
from jinglebridge.xml import parse_text, to_text
from tests.unit.cases import CASES
from tests.unit.translate.test_session import refusal

FILES = sorted((CASES / "traces").glob("*.xml"))
NO_DTLS = ("security-error", "J-129")
REFUSED = {
    "gajim-1-session-initiate": NO_DTLS,
    "gajim-2-session-accept": NO_DTLS,
    "qxmpp-1-session-initiate": NO_DTLS,
    "qxmpp-3-session-accept": NO_DTLS,
    # What Chromium's refusal of an offer without DTLS becomes in stanza: no transport to speak of.
    "gajim-to-stanza-1-session-accept": NO_DTLS,
    "stanza-to-qxmpp-1-session-accept": NO_DTLS,
}


def load(name: str) -> Jingle:
    return parse_jingle(parse_text((CASES / "traces" / f"{name}.xml").read_text().strip()))


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_every_stanza_survives_parse_and_build(path):
    value = parse_jingle(parse_text(path.read_text().strip()))
    text = jingle_text(value)
    assert to_text(build_jingle(value)) == text and jingle_text(parse_jingle(parse_text(text))) == text


@pytest.mark.parametrize("path", [p for p in FILES if "session-initiate" in p.stem or "session-accept" in p.stem], ids=lambda p: p.stem)
def test_a_description_becomes_an_sdp_or_is_refused_with_its_reason(path):
    author = "responder" if "accept" in path.stem else "initiator"
    xml = path.read_text().strip()
    if path.stem in REFUSED:
        assert refusal(lambda: xml_to_sdp(xml, author)) == REFUSED[path.stem]
        return
    sdp = parse(xml_to_sdp(xml, author))
    for media in sdp.media:
        assert media.port == 9 and media.get("setup") == ("active" if author == "responder" else "actpass")
        assert media.get("ice-ufrag") and media.get("fingerprint") and media.get("msid") and media.formats
        assert len(media.all("rtpmap")) == len(media.formats) and not any(value.endswith("=") for value in media.all("fmtp"))
    assert sdp.all("group")[0].split()[1:] == [media.mid for media in sdp.media]


def test_the_offer_of_stanza_keeps_what_chromium_said():
    sdp = parse(xml_to_sdp((CASES / "traces" / "stanza-av-1-session-initiate.xml").read_text().strip()))
    audio, video = sdp.media
    assert "63 111/111" in audio.all("fmtp")  # its <parameter name='111/111'/>, J-118
    assert "rtcp-rsize" in video and video.all("ssrc-group") and len(audio.get("msid").split()) == 2
    assert [p for p in video.all("fmtp") if "apt=" in p]


def test_the_answer_of_stanza_fits_the_offer_it_answers():
    asked, given = load("stanza-av-1-session-initiate"), load("stanza-av-4-session-accept")
    offer = to_sdp(Described(asked.contents, asked.groups), Role.INITIATOR, session_id=1, version=1)
    answer = to_sdp(Described(given.contents, given.groups), Role.RESPONDER, session_id=1, version=1, offer=offer)
    assert [m.mid for m in answer.media] == [m.mid for m in offer.media] and answer.all("group") == offer.all("group")
    assert all(set(a.formats) <= set(o.formats) for a, o in zip(answer.media, offer.media, strict=True))
    assert sdp_to_xml(answer.format(), "responder")


def test_trickled_candidates_and_their_end():
    """stanza gives no pwd, generation, id or network. J-150, J-166"""
    (content,) = load("stanza-av-2-transport-info").contents
    (candidate,) = content.transport.candidates
    assert candidate_to_sdp(candidate).endswith("generation 0") and content.transport.pwd is None
    (last,) = load("stanza-av-3-gathering-complete").contents
    assert last.transport.gathering_complete and last.transport.candidates == ()


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("stanza-av-5-session-terminate", "ended"),
        ("stanza-reject-2-session-terminate", "declined"),
        ("gajim-4-session-terminate", "ended"),
        ("qxmpp-4-session-terminate", "ended"),  # it gives no reason at all
    ],
)
def test_why_a_call_ended(name, reason):
    """J-095."""
    found = load(name).reason
    assert from_jingle(None if found is None else found.condition) == reason


@pytest.mark.parametrize("name", ["stanza-reject-1-session-info", "qxmpp-2-session-info"])
def test_ringing(name):
    """J-207."""
    assert [info.kind for info in load(name).info] == ["ringing"]
