"""An answer fits its offer, whichever side answers: `from_sdp(accept_of=…)` and `to_sdp(offer=…)` keep the same rules."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from jinglebridge.errors import Refused
from jinglebridge.jingle import Role
from jinglebridge.sdp import MediaDescription, parse
from jinglebridge.translate.session import from_sdp, to_sdp
from tests.unit.cases import small

I, R = Role.INITIATOR, Role.RESPONDER  # noqa: E741


def told(offer: str, answer: str) -> MediaDescription:
    """The answer of our endpoint, as the peer reads it."""
    described = from_sdp(parse(answer), R, accept_of=from_sdp(parse(offer), I))
    return to_sdp(described, R, session_id=1, version=1, answer=True).media[0]


def heard(offer: str, answer: str) -> MediaDescription:
    """The answer of the peer, as our endpoint gets it."""
    return to_sdp(from_sdp(parse(answer), R), R, session_id=1, version=1, offer=parse(offer)).media[0]


both_ways = pytest.mark.parametrize("way", [told, heard])
Way = Callable[[str, str], MediaDescription]


def audio(*lines: str, setup: str = "actpass", formats: str = "111") -> str:
    return small(f"a=setup:{setup}", *lines, drop=("setup",)).replace(" 111\r\n", f" {formats}\r\n")


@both_ways
@pytest.mark.parametrize("role", ["active", "passive"])
def test_both_sides_in_one_dtls_role_are_refused(way: Way, role: str):
    """Issue 3 item 5, M-5."""
    with pytest.raises(Refused) as caught:
        way(audio(setup=role), audio(setup=role))
    assert (caught.value.reason, caught.value.rule) == ("security-error", "J-181")
    other = {"active": "passive", "passive": "active"}[role]
    assert way(audio(setup=role), audio(setup=other)).get("setup") == other
    assert way(audio(setup=role), audio(setup="actpass")).get("setup") == other


@both_ways
def test_payload_types_that_were_not_offered_go_with_what_carries_them(way: Way):
    """J-120, J-122."""
    more = ("a=rtpmap:0 PCMU/8000", "a=rtpmap:96 VP8/90000", "a=rtpmap:97 rtx/90000", "a=fmtp:97 apt=96")
    answer = way(audio("a=rtpmap:97 rtx/90000", "a=fmtp:97 apt=96", formats="111 97"), audio(*more, formats="96 97 0 111"))
    assert answer.formats == ("111",) and "fmtp" not in answer
    with pytest.raises(Refused) as caught:
        way(audio(), audio("a=rtpmap:0 PCMU/8000", formats="0"))
    assert (caught.value.reason, caught.value.rule) == ("incompatible-parameters", "J-122")


@both_ways
def test_feedback_that_was_not_offered_goes(way: Way):
    """J-132, after "*" is said of each payload type."""
    offer = audio("a=rtcp-fb:* nack", "a=rtcp-fb:111 trr-int 100", "a=rtcp-fb:111 transport-cc")
    answer = audio(
        "a=rtcp-fb:111 nack", "a=rtcp-fb:111 ccm fir", "a=rtcp-fb:* transport-cc", "a=rtcp-fb:* goog-remb", "a=rtcp-fb:* trr-int 100"
    )
    assert way(offer, answer).all("rtcp-fb") == ["111 trr-int 100", "111 nack", "111 transport-cc"]
    assert way(offer, audio("a=rtcp-fb:* nack", "a=rtcp-fb:111 trr-int 5")).all("rtcp-fb") == ["* nack"]
    assert way(audio("a=rtcp-fb:* trr-int 9"), audio("a=rtcp-fb:* trr-int 9")).all("rtcp-fb") == ["* trr-int 9"]


@both_ways
def test_header_extensions_that_were_not_offered_go(way: Way):
    """J-135; an offered id from 4096 on only asks for one (part 3 row 3)."""
    offer = audio("a=extmap:1 urn:a", "a=extmap:2 urn:b", "a=extmap:4096 urn:c", "a=extmap:4097 urn:d")
    answer = audio("a=extmap:1 urn:a", "a=extmap:3 urn:b", "a=extmap:5 urn:c", "a=extmap:4097 urn:d", "a=extmap:6 urn:e")
    assert way(offer, answer).all("extmap") == ["1 urn:a", "5 urn:c"]


def test_an_answer_without_its_offer_has_no_ids_that_only_ask():
    """J-135."""
    lines = ("a=extmap:1 urn:a", "a=extmap:4096 urn:c")
    for answer, expected in ((False, ["1 urn:a", "4096 urn:c"]), (True, ["1 urn:a"])):
        described = from_sdp(parse(audio(*lines)), R, answer=answer)
        assert [item.id for item in described.contents[0].description.header_extensions] == [int(v.split()[0]) for v in expected]
        offered = from_sdp(parse(audio(*lines)), R)
        assert to_sdp(offered, R, session_id=1, version=1, answer=answer).media[0].all("extmap") == expected


@both_ways
@pytest.mark.parametrize(
    ("offered", "answered", "expected"),
    [
        ("sendonly", "sendrecv", "recvonly"),
        ("recvonly", "sendrecv", "sendonly"),
        ("inactive", "sendrecv", "inactive"),
        ("sendrecv", "recvonly", "recvonly"),
        ("sendonly", "sendonly", "inactive"),
    ],
)
def test_who_may_send_is_never_more_than_offered(way: Way, offered: str, answered: str, expected: str):
    """J-110."""
    offer, answer = (audio().replace("a=sendrecv", f"a={direction}") for direction in (offered, answered))
    assert way(offer, answer).direction == expected


def test_the_ptime_goes_to_a_codec_that_stays():
    """J-121: the first codec was not offered."""
    answer = audio("a=rtpmap:0 PCMU/8000", "a=ptime:20", "a=maxptime:60", formats="0 111")
    described = from_sdp(parse(answer), R, accept_of=from_sdp(parse(audio()), I))
    assert [(p.id, p.ptime, p.maxptime) for p in described.contents[0].description.payload_types] == [(111, 20, 60)]
