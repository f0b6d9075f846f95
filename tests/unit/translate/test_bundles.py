"""What may share a transport, and what an answer may mean by a number of its offer."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jinglebridge.jingle import Content, Group, Parameter, PayloadType, Role, RtpDescription, Sctpmap, Senders, Source, xep_0338
from jinglebridge.jingle.xep_0294 import MID_URI, HeaderExtension
from jinglebridge.sdp import parse
from jinglebridge.translate.answers import _same
from jinglebridge.translate.bundles import clash
from jinglebridge.translate.session import Described, from_sdp, to_sdp
from tests.unit.cases import FINGERPRINT, small
from tests.unit.translate.test_session import refusal

I, R = Role.INITIATOR, Role.RESPONDER  # noqa: E741
VP8 = PayloadType(96, "VP8", 90000)
OPUS = PayloadType(96, "opus", 48000, 2)
MID = (HeaderExtension(4, MID_URI),)


def content(payload: PayloadType, *, mid: bool = False, source: bool = False, senders: Senders | None = None) -> Content:
    kind = "audio" if payload.name == "opus" else "video"
    description = RtpDescription(kind, (payload,), header_extensions=MID if mid else (), sources=(Source(1),) if source else ())
    return Content(f"{kind}-{senders}-{mid}", senders=senders, description=description)


@pytest.mark.parametrize(
    ("one", "two", "expected"),
    [
        (content(VP8), content(VP8._replace(id=97)), False),
        (content(VP8, mid=True), content(OPUS, mid=True), True),  # one number, two meanings: never
        (content(VP8), content(VP8), True),  # nobody knows which section a packet is for
        (content(VP8, mid=True), content(VP8), True),
        (content(VP8), content(VP8, source=True), True),
        (content(VP8, mid=True), content(VP8, source=True), False),
        (content(VP8), content(VP8, senders=Senders.RESPONDER), False),  # only one of them sends
        (content(VP8), content(VP8, senders=Senders.NONE), False),
        (content(VP8), Content("data"), False),
    ],
)
def test_sections_that_cannot_be_told_apart_are_not_bundled(one, two, expected):
    """J-196."""
    assert clash([one, two], I) is expected is clash([two, one], I)


def two(more: str = "", **how: str) -> str:
    return small(head=("a=group:BUNDLE 0 1",), **how) + (
        "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:1\r\na=ice-ufrag:else\r\na=ice-pwd:0123456789012345678902\r\n"
        f"a=fingerprint:{FINGERPRINT}\r\na=setup:actpass\r\na=rtcp-mux\r\na=rtpmap:96 VP8/90000\r\n{more}"
    )


def test_a_group_that_clashes_is_dropped_from_an_offer_but_not_from_an_answer():
    """J-196: in an answer the numbers are those of the offer that had the group."""
    text = two().replace("SAVPF 96", "SAVPF 111").replace(":96 VP8", ":111 VP8")
    described = from_sdp(parse(text), I)
    assert to_sdp(described, I, session_id=1, version=1).all("group") == []
    assert to_sdp(described, I, session_id=1, version=1, answer=True).all("group") == ["BUNDLE 0 1"]


def test_a_renamed_content_cannot_be_told_apart_by_its_mid():
    """J-195, J-196: it loses the extension, and its number is no longer its own."""
    more = f"a=extmap:4 {MID_URI}\r\n"
    text = (
        two(more)
        .replace("audio 9", "video 9")
        .replace("opus/48000/2", "VP8/90000")
        .replace("111", "96")
        .replace("a=mid:0", more + "a=mid:0")
    )
    described = from_sdp(parse(text), I)
    assert to_sdp(described, I, session_id=1, version=1).all("group") == ["BUNDLE 0 1"]
    contents = (replace(described.contents[0], name="my voice"), described.contents[1])
    groups = (Group("BUNDLE", ("my voice", "1")),)
    assert to_sdp(Described(contents, groups), I, session_id=1, version=1).all("group") == []
    data = (replace(contents[0], description=None, transport=replace(contents[0].transport, sctp=Sctpmap())), contents[1])
    assert to_sdp(Described(data, groups), I, session_id=1, version=1).all("group") == ["BUNDLE m0 1"]


def test_opus_has_two_channels_whatever_the_offer_says():
    """J-115, J-122."""
    offer = small().replace("opus/48000/2", "opus/48000")
    assert to_sdp(from_sdp(parse(small()), R), R, session_id=1, version=1, offer=parse(offer)).media[0].formats == ("111",)


def section(mid: str, ufrag: str = "") -> str:
    credentials = f"a=ice-ufrag:{ufrag}\r\na=ice-pwd:0123456789012345678901\r\na=fingerprint:{FINGERPRINT}\r\n" if ufrag else ""
    number = 96 + int(mid)
    return (
        f"m=video 9 UDP/TLS/RTP/SAVPF {number}\r\na=mid:{mid}\r\n{credentials}a=setup:active\r\na=rtcp-mux\r\n"
        f"a=rtpmap:{number} VP8/90000\r\n"
    )


HEAD = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"


def test_several_groups_each_with_the_transport_of_their_own_tag():
    """J-189, J-193: two BUNDLE groups and a lip-sync group."""
    groups = "a=group:BUNDLE 0 1\r\na=group:LS 0 2\r\na=group:BUNDLE 2 3\r\na=group:LS 1 3\r\n"
    text = HEAD + groups + section("0", "aaaa") + section("1") + section("2", "bbbb") + section("3")
    described = from_sdp(parse(text.replace("active", "actpass")), I)
    assert [g.semantics + "".join(g.names) for g in described.groups] == ["BUNDLE01", "LS02", "BUNDLE23", "LS13"]
    assert [c.transport.ufrag for c in described.contents] == ["aaaa", "aaaa", "bbbb", "bbbb"]
    offer = to_sdp(described, I, session_id=1, version=1)
    assert offer.all("group") == [g.partition(":")[2] for g in groups.split("\r\n")[:-1]]
    answered = from_sdp(parse(text), R)
    bare = [replace(c, transport=replace(c.transport, ufrag=None)) if c.name in "13" else c for c in answered.contents]
    answer = to_sdp(answered._replace(contents=tuple(bare)), R, session_id=1, version=1, offer=offer)
    assert answer.all("group") == offer.all("group") and [m.get("ice-ufrag") for m in answer.media] == ["aaaa", "aaaa", "bbbb", "bbbb"]
    cut = answered._replace(groups=(Group("LS", ("1", "3")), Group("LS", ("2", "1")), Group("BUNDLE", ("3",)), Group("LS", ("0",))))
    assert to_sdp(cut, R, session_id=1, version=1, offer=offer).all("group") == ["LS 1 3", "LS 2", "BUNDLE 3", "LS 0"]
    assert to_sdp(cut, R, session_id=1, version=1, offer=parse(text.replace("LS", "FID").replace("active", "actpass"))).all("group") == [
        "BUNDLE 3"
    ]


def test_groups_that_browsers_do_not_know_stay_away_from_them():
    """J-197."""
    described = from_sdp(parse(small(head=("a=group:FID 0", "a=group:LS 0"))), I)
    assert [g.semantics for g in described.groups] == ["FID", "LS"]
    assert to_sdp(described, I, session_id=1, version=1).all("group") == ["LS 0"]
    assert xep_0338.common(Group("LS", ("0",)), [Group("FID", ("0",)), Group("LS", ("1",))]) is None


def test_a_name_stands_once_in_a_group_and_in_one_bundle():
    """RFC 9143 §7.1, both ways: the first BUNDLE keeps it; a group that stands twice is one."""
    text = HEAD + "a=group:BUNDLE 0 1 0\r\na=group:LS 0 1\r\na=group:LS 0 1\r\na=group:BUNDLE 1 2\r\na=group:BUNDLE 1\r\n"
    text += section("0", "aaaa") + section("1") + section("2", "bbbb")
    expected = (Group("BUNDLE", ("0", "1")), Group("LS", ("0", "1")), Group("BUNDLE", ("2",)))
    described = from_sdp(parse(text), R)
    assert described.groups == expected and [c.transport.ufrag for c in described.contents] == ["aaaa", "aaaa", "bbbb"]
    doubled = (Group("BUNDLE", ("0", "1", "0")), Group("LS", ("0", "1")), Group("LS", ("0", "1")), Group("BUNDLE", ("1", "2", "2")))
    written = to_sdp(described._replace(groups=doubled), R, session_id=1, version=1, answer=True)
    assert written.all("group") == ["BUNDLE 0 1", "LS 0 1", "BUNDLE 2"]


def test_a_group_names_the_first_of_two_contents_with_one_name():
    """Part 3 row 16."""
    described = from_sdp(parse(small(head=("a=group:BUNDLE 0",))), I)
    first = described.contents[0]
    second = replace(first, creator=R, transport=replace(first.transport, ufrag="other"))
    written = to_sdp(described._replace(contents=(first, second)), I, session_id=1, version=1)
    assert [m.mid for m in written.media] == ["0", "m1"] and written.all("group") == ["BUNDLE 0"]
    answer = to_sdp(described._replace(contents=(first, second)), R, session_id=1, version=1, offer=parse(small()))
    assert [m.get("ice-ufrag") for m in answer.media] == ["ufra"]


def test_the_rejected_section_of_an_answer_joins_only_the_first_bundle():
    text = two().replace("actpass", "active").replace("m=video 9", "m=video 0").replace("BUNDLE 0 1", "BUNDLE 0")
    described = from_sdp(parse(text.replace("t=0 0\r\n", "t=0 0\r\na=group:LS 0\r\n")), R, accept_of=from_sdp(parse(two()), I))
    assert described.groups == (Group("LS", ("0",)), Group("BUNDLE", ("0", "1")))


def coded(name: str, rate: int = 90000, **parameters: str) -> PayloadType:
    found = tuple(Parameter(key.replace("_", "-"), value) for key, value in parameters.items())
    return PayloadType(96, name, rate, parameters=found)


@pytest.mark.parametrize(
    ("answered", "offered", "same"),
    [
        (coded("vp8"), coded("VP8"), True),
        (coded("VP8"), coded("VP9"), False),
        (coded("G722", 8000), coded("G722", 16000), False),
        (coded("opus", 48000)._replace(channels=2), coded("opus", 48000), False),
        (coded("H264", packetization_mode="1"), coded("H264", packetization_mode="1", profile_level_id="42e01f"), True),
        (coded("H264"), coded("H264", packetization_mode="1"), False),
        (coded("H264", packetization_mode="0"), coded("h264"), True),
        (coded("H264", profile_level_id="42e01f"), coded("H264", profile_level_id="42E034"), True),
        (coded("H264", profile_level_id="64001f"), coded("H264", profile_level_id="42e01f"), False),
        (coded("VP9", profile_id="0"), coded("VP9"), True),
        (coded("VP9", profile_id="2"), coded("VP9"), False),
        (coded("AV1", profile="1"), coded("AV1", profile="0"), False),
        (coded("rtx", apt="96"), coded("rtx", apt="96"), True),
        (coded("rtx", apt="97"), coded("rtx", apt="96"), False),
    ],
)
def test_a_number_means_in_an_answer_what_the_offer_meant_by_it(answered, offered, same):
    """J-122, J-124."""
    assert _same(answered, offered) is same


def test_a_codec_that_was_not_offered_takes_its_retransmission_with_it():
    """J-120, J-122."""
    lines = (
        "a=rtpmap:96 H264/90000",
        "a=fmtp:96 packetization-mode=1",
        "a=rtpmap:97 rtx/90000",
        "a=fmtp:97 apt=96",
        "a=rtpmap:98 VP8/90000",
    )
    offer = small(*lines, kind="video", drop=("rtpmap",)).replace(" 111\r\n", " 96 97 98\r\n")
    given = from_sdp(parse(offer.replace("a=fmtp:96 packetization-mode=1\r\n", "")), R)
    assert to_sdp(given, R, session_id=1, version=1, offer=parse(offer)).media[0].formats == ("98",)
    only = replace(
        given.contents[0], description=replace(given.contents[0].description, payload_types=given.contents[0].description.payload_types[:2])
    )
    assert refusal(lambda: to_sdp(Described((only,)), R, session_id=1, version=1, offer=parse(offer))) == (
        "incompatible-parameters",
        "J-122",
    )


def test_another_medium_under_the_name_of_an_offered_one_is_refused():
    """J-089."""
    asked = from_sdp(parse(small()), I)
    video = small(kind="video").replace("actpass", "active").replace("opus/48000/2", "VP8/90000")
    assert refusal(lambda: from_sdp(parse(video), R, accept_of=asked)) == ("failed-application", "J-089")
    given = from_sdp(parse(video), R)
    assert refusal(lambda: to_sdp(given, R, session_id=1, version=1, offer=parse(small()))) == ("security-error", "J-089")
    assert refusal(lambda: to_sdp(given, I, session_id=1, version=1, previous=parse(small()))) == ("security-error", "J-089")
    recycled = parse(small().replace("audio 9", "audio 0"))
    assert to_sdp(given, I, session_id=1, version=1, previous=recycled).media[0].kind == "video"


def test_a_later_offer_always_says_actpass():
    """J-184, table M-5."""
    given = from_sdp(parse(small("a=setup:active", drop=("setup",))), I)
    assert to_sdp(given, I, session_id=1, version=1).media[0].get("setup") == "active"
    assert to_sdp(given, I, session_id=1, version=2, previous=parse(small())).media[0].get("setup") == "actpass"


def test_one_fingerprint_with_holdconn_spoils_all():
    """J-182."""
    given = from_sdp(parse(small()), I)
    transport = given.contents[0].transport
    one = transport.fingerprints[0]
    for setups, expected in (((None, "passive"), "passive"), (("active", "holdconn"), None)):
        prints = tuple(replace(one, setup=setup) for setup in setups)
        described = Described((replace(given.contents[0], transport=replace(transport, fingerprints=prints)),))
        if expected is None:
            assert refusal(lambda d=described: to_sdp(d, I, session_id=1, version=1)) == ("incompatible-parameters", "J-182")
        else:
            assert to_sdp(described, I, session_id=1, version=1).media[0].get("setup") == expected
