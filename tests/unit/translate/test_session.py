"""Whole descriptions both ways: reader, writer, answers, policies. Rules are named per test."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jinglebridge.errors import Refused
from jinglebridge.jingle import Content, Group, IceUdpTransport, Role, Senders
from jinglebridge.jingle.xep_0293 import RtcpFb
from jinglebridge.jingle.xep_0294 import MID_URI
from jinglebridge.sdp import Direction, SessionDescription, parse
from jinglebridge.translate.described import name_of, translatable
from jinglebridge.translate.session import Described, from_sdp, media_of, mids, to_sdp, without_candidates
from tests.unit.cases import AV, FINGERPRINT, descriptions, offer, small

I, R = Role.INITIATOR, Role.RESPONDER  # noqa: E741
TWO = small("a=candidate:1 1 udp 5 192.0.2.1 9 typ host", head=("a=group:BUNDLE 0 1",)) + (
    "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:1\r\na=ice-ufrag:ufra\r\na=ice-pwd:0123456789012345678901\r\n"
    f"a=fingerprint:{FINGERPRINT}\r\na=setup:actpass\r\na=rtcp-mux\r\na=rtpmap:96 VP8/90000\r\n"
)
DATA = "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:d\r\na=sctp-port:5000\r\n"


def read(sdp: str, author: Role = I, **how) -> Described:
    return from_sdp(parse(sdp), author, **how)


def write(described: Described, author: Role = I, **how) -> SessionDescription:
    return to_sdp(described, author, session_id=1, version=1, **how)


def changed(described: Described, index: int = 0, **how) -> Described:
    contents = list(described.contents)
    contents[index] = replace(contents[index], **how)
    return described._replace(contents=tuple(contents))


def refusal(call) -> tuple[str, str]:
    with pytest.raises(Refused) as caught:
        call()
    return caught.value.reason, caught.value.rule


@pytest.mark.parametrize("written", list(descriptions()), ids=lambda w: f"{w.case}-{w.kind}")
@pytest.mark.parametrize("author", Role)
def test_real_descriptions_keep_what_the_media_shows(written, author):
    sdp = parse(written.sdp)
    again = write(read(written.sdp, author, answer=written.kind == "answer"), author, answer=written.kind == "answer")
    before = [m for m in sdp.media if translatable(m) and not m.rejected]
    assert [m.mid for m in again.media] == [m.mid for m in before]
    for old, new in zip(before, again.media, strict=True):
        assert new.kind == old.kind and new.effective_direction is old.effective_direction
        assert list(new.formats) == [f for f in old.formats if f in new.formats]
        assert set(new.all("rtpmap")) <= {line.removesuffix("/1") for line in old.all("rtpmap")}
        assert (
            new.inherited("ice-ufrag") == old.inherited("ice-ufrag") and new.all("fingerprint")[:1] == old.inherited_all("fingerprint")[:1]
        )
        assert new.get("setup") == old.inherited("setup")
        for name in ("extmap", "ssrc-group"):
            assert new.all(name) == [v for v in old.all(name) if v in new.all(name)]
        assert parse(again.format()).format() == again.format()


def test_lists_of_codecs_are_complete():
    """J-113, J-131: nothing of a Chromium offer is lost."""
    old, new = parse(offer(AV)), write(read(offer(AV)))
    for before, after in zip(old.media, new.media, strict=True):
        for name in ("rtpmap", "fmtp", "rtcp-fb", "extmap", "ssrc", "ssrc-group", "msid", "rtcp-mux", "rtcp-rsize"):
            assert after.all(name) == before.all(name), name
        assert before.formats == after.formats
    assert new.all("group") == old.all("group")
    assert new.lines[1] == "o=- 1 1 IN IP4 0.0.0.0" and all(m.proto == "UDP/TLS/RTP/SAVPF" and m.port == 9 for m in new.media)


@pytest.mark.parametrize(
    ("author", "line", "senders"),
    [
        (I, "sendonly", Senders.INITIATOR),
        (I, "recvonly", Senders.RESPONDER),
        (R, "sendonly", Senders.RESPONDER),
        (R, "recvonly", Senders.INITIATOR),
        (R, "sendrecv", None),
        (I, "inactive", Senders.NONE),
    ],
)
def test_direction_is_by_role_of_the_author(author, line, senders):
    """J-109."""
    described = read(small(f"a={line}", drop=("sendrecv",)), author)
    assert described.contents[0].senders is senders
    assert write(described, author).media[0].direction == line


@pytest.mark.parametrize(
    ("sdp", "refused"),
    [
        (small(drop=("fingerprint",)), ("security-error", "J-183")),
        (small("a=fingerprint:sha-1 AB", drop=("fingerprint",)), ("security-error", "J-183")),
        (small("a=setup:holdconn", drop=("setup",)), ("incompatible-parameters", "J-182")),
        (small("a=setup:both", drop=("setup",)), ("incompatible-parameters", "J-182")),
        (small(drop=("ice-ufrag",)), ("failed-transport", "J-146")),
        (small("a=ice-pwd:short", drop=("ice-pwd",)), ("failed-transport", "J-146")),
        (small(drop=("rtcp-mux",)), ("incompatible-parameters", "J-127")),
        (small(drop=("rtpmap",)), ("incompatible-parameters", "J-117")),
        (small(kind="text"), ("unsupported-applications", "J-224")),
        (small().replace("RTP/SAVPF", "SCTP"), ("unsupported-applications", "J-224")),
        (small().replace("audio 9", "audio 0"), ("unsupported-applications", "J-224")),
    ],
)
def test_offers_that_nobody_can_take_are_refused(sdp, refused):
    assert refusal(lambda: read(sdp)) == refused


def test_bundle_implies_rtcp_mux():
    """J-127."""
    assert read(small(head=("a=group:BUNDLE 0",), drop=("rtcp-mux",))).contents[0].description.rtcp_mux


def test_sections_of_other_kinds_are_left_out_and_their_group_name_with_them():
    """J-111, J-191."""
    text = "m=text 9 RTP/AVP 98\r\na=mid:t\r\na=rtpmap:98 t140/1000\r\n"
    described = read(small(head=("a=group:BUNDLE 0 t",)) + text)
    assert [c.name for c in described.contents] == ["0"] and described.groups == (Group("BUNDLE", ("0",)),)
    answer = write(read(small("a=setup:active", drop=("setup",)), R), R, offer=parse(small() + text))
    assert [(m.kind, m.port, m.mid) for m in answer.media] == [("audio", 9, "0"), ("text", 0, "t")]
    assert answer.media[1].rejected and answer.media[1].proto == "RTP/AVP"


def test_bundle_only_has_the_transport_of_the_tag():
    """J-192."""
    bare = TWO.replace("m=video 9", "m=video 0").partition("a=mid:1\r\n")
    sdp = bare[0] + "a=mid:1\r\na=bundle-only\r\na=rtpmap:96 VP8/90000\r\n"
    described = read(sdp)
    audio, video = (c.transport for c in described.contents)
    assert (video.ufrag, video.pwd, video.fingerprints) == (audio.ufrag, audio.pwd, audio.fingerprints)
    assert write(described).media[1].port == 9


def test_a_missing_mid_is_the_position():
    assert [c.name for c in read(small(drop=("mid",))).contents] == ["0"]
    assert name_of(parse(small(drop=("mid",))).media[0]) == "0"


def test_answers_take_names_creators_and_positions_of_the_offer():
    """J-088, J-195."""
    asked = changed(changed(read(TWO), 0, name="my voice", creator=R), 1, name="a picture")
    asked = asked._replace(groups=())
    given = write(asked)
    assert [m.mid for m in given.media] == ["m0", "m1"] and given.all("group") == []
    described = read(given.format().replace("a=setup:actpass", "a=setup:active"), R, accept_of=asked)
    assert [(c.name, c.creator) for c in described.contents] == [("my voice", R), ("a picture", I)]
    nameless = "\r\n".join(line for line in given.format().split("\r\n") if not line.startswith("a=mid"))
    assert [c.name for c in read(nameless, R, accept_of=asked).contents] == ["my voice", "a picture"]


def test_sections_that_answer_nothing_are_left_out():
    more = TWO + small(mid="9").partition("t=0 0\r\n")[2]
    assert [c.name for c in read(more, R, accept_of=read(TWO)).contents] == ["0", "1"]
    nameless = "\r\n".join(line for line in more.split("\r\n") if not line.startswith("a=mid") and not line.startswith("a=group"))
    assert [c.name for c in read(nameless, R, accept_of=read(TWO)).contents] == ["0", "1"]


def test_renamed_contents_lose_the_mid_extension():
    """J-195."""
    asked = read(small(f"a=extmap:4 {MID_URI}", "a=extmap:5 urn:x"))
    asked = changed(asked, 0, name="my voice")
    assert write(asked).media[0].all("extmap") == ["5 urn:x"]
    answer = read(small(f"a=extmap:4 {MID_URI}", "a=extmap:5 urn:x", mid="m0"), R, accept_of=asked)
    assert [e.uri for e in answer.contents[0].description.header_extensions] == ["urn:x"]


def test_generated_mids_are_free_and_stable():
    """J-194."""
    contents = [Content(name) for name in ("a b", "m0", "x" * 33, "", "ok", "ok")]
    assert mids(contents) == ("m0x", "m0", "m2", "m3", "ok", "m5")


@pytest.mark.parametrize(
    ("offered", "answered", "expected"),
    [
        ("actpass", "active", "active"),
        ("actpass", "passive", "passive"),
        ("actpass", "actpass", "active"),
        ("actpass", None, "active"),
        ("active", None, "passive"),
        ("active", "actpass", "passive"),
    ],
)
def test_setup_of_answers_both_ways(offered, answered, expected):
    """J-181, table M-5."""
    asking = small(f"a=setup:{offered}", drop=("setup",))
    answering = small(*([f"a=setup:{answered}"] if answered else []), drop=("setup",))
    described = read(answering, R, accept_of=read(asking))
    assert described.contents[0].transport.fingerprints[0].setup == expected
    transport = described.contents[0].transport
    sloppy = changed(described, 0, transport=replace(transport, fingerprints=(replace(transport.fingerprints[0], setup=answered),)))
    assert write(sloppy, R, offer=parse(asking)).media[0].get("setup") == expected


def test_setup_of_offers():
    """J-180."""
    described = read(small())
    transport = described.contents[0].transport
    for setup, expected in ((None, "actpass"), ("active", "active")):
        print_ = replace(transport.fingerprints[0], setup=setup)
        assert write(changed(described, 0, transport=replace(transport, fingerprints=(print_,)))).media[0].get("setup") == expected
    hold = replace(transport, fingerprints=(replace(transport.fingerprints[0], setup="holdconn"),))
    assert refusal(lambda: write(changed(described, 0, transport=hold))) == ("incompatible-parameters", "J-182")
    assert read(small(drop=("setup",))).contents[0].transport.fingerprints[0].setup == "actpass"
    assert (
        write(
            changed(described, 0, transport=replace(transport, fingerprints=(replace(transport.fingerprints[0], setup=None),))), answer=True
        )
        .media[0]
        .get("setup")
        == "active"
    )


@pytest.mark.parametrize("bundled", [True, False])
def test_a_rejected_section_of_an_answer(bundled):
    """J-089, J-090: inside a BUNDLE it stays as a content that nobody sends."""
    asked = read(TWO)
    text = TWO.replace("a=setup:actpass", "a=setup:active").replace("m=video 9", "m=video 0")
    text = text.replace("BUNDLE 0 1", "BUNDLE 0") if bundled else text.replace("a=group:BUNDLE 0 1\r\n", "")
    described = read(text, R, accept_of=asked)
    if not bundled:
        assert [c.name for c in described.contents] == ["0"]
        return
    video = described.contents[1]
    assert (video.name, video.senders, video.transport.ufrag, video.transport.candidates) == ("1", Senders.NONE, "ufra", ())
    assert described.bundle() == ("0", "1") and [p.id for p in video.description.payload_types] == [96]
    answer = write(described, R, offer=parse(TWO))
    assert answer.media[1].direction is Direction.INACTIVE and not answer.media[1].rejected


def test_a_rejected_section_needs_a_live_bundle():
    asked = read(TWO)
    text = TWO.replace("a=setup:actpass", "a=setup:active").replace("m=video 9", "m=video 0")
    assert len(read(text, R, accept_of=asked._replace(groups=())).contents) == 1
    assert len(read(text.replace("BUNDLE 0 1", "BUNDLE 1"), R, accept_of=asked).contents) == 1
    assert len(read(text.replace("BUNDLE 0 1", "BUNDLE 9"), R, accept_of=asked).contents) == 1
    empty = text.replace("VP8", "").replace("SAVPF 96", "SAVPF 0")
    assert [p.id for p in read(empty, R, accept_of=asked).contents[1].description.payload_types] == [96]
    assert len(read(text.replace("BUNDLE 0 1", "BUNDLE 0 1 2"), R, accept_of=asked).contents) == 2
    # The tag itself has no DTLS: the rejected section is dropped, and the tag is what is refused.
    broken = text.replace("a=fingerprint", "a=nothing")
    swapped = broken.partition("m=audio")
    audio, _, video = swapped[2].partition("m=video")
    assert refusal(lambda: read(f"{swapped[0]}m=video{video}m=audio{audio}", R, accept_of=asked)) == ("security-error", "J-183")


def test_answers_keep_order_and_number_of_sections():
    """J-091."""
    given = read(TWO.replace("a=setup:actpass", "a=setup:active"), R)
    shuffled = Described((given.contents[1], given.contents[0]), given.groups)
    assert [m.mid for m in write(shuffled, R, offer=parse(TWO)).media] == ["0", "1"]
    one = write(Described(given.contents[:1], given.groups), R, offer=parse(TWO))
    assert [(m.mid, m.port) for m in one.media] == [("0", 9), ("1", 0)] and one.all("group") == ["BUNDLE 0"]
    assert refusal(lambda: write(changed(Described(given.contents[:1]), 0, name="x"), R, offer=parse(TWO))) == (
        "incompatible-parameters",
        "J-091",
    )


def test_answers_hold_only_what_was_offered():
    """J-122, J-132, J-135."""
    asked = small("a=rtcp-fb:111 nack", "a=rtcp-fb:* x", "a=extmap:1 urn:a", "a=extmap:4096 urn:b")
    given = read(
        small(
            "a=rtcp-fb:111 nack pli",
            "a=rtcp-fb:111 nack",
            "a=rtcp-fb:* x",
            "a=rtcp-fb:* y",
            "a=extmap:1 urn:a",
            "a=extmap:2 urn:b",
            "a=extmap:3 urn:c",
            "a=rtpmap:0 PCMU/8000",
        ).replace("SAVPF 111", "SAVPF 111 0"),
        R,
    )
    media = write(given, R, offer=parse(asked)).media[0]
    assert media.formats == ("111",)
    assert media.all("rtcp-fb") == ["111 nack", "* x"]
    assert media.all("extmap") == ["1 urn:a", "2 urn:b"]
    renumbered = read(small("a=rtpmap:96 opus/48000/2").replace("SAVPF 111", "SAVPF 96"), R)
    assert refusal(lambda: write(renumbered, R, offer=parse(asked))) == ("incompatible-parameters", "J-122")
    everywhere = read(small("a=rtcp-fb:* nack"), R)
    assert write(everywhere, R, offer=parse(asked)).media[0].all("rtcp-fb") == ["111 nack"]
    assert given.contents[0].description.feedback[0] == RtcpFb("x")


@pytest.mark.parametrize(
    ("offered", "senders", "expected"),
    [
        ("sendrecv", None, "sendrecv"),
        ("sendonly", None, "recvonly"),
        ("sendonly", Senders.BOTH, "recvonly"),
        ("recvonly", Senders.INITIATOR, "inactive"),
        ("sendrecv", Senders.NONE, "inactive"),
    ],
)
def test_an_answer_never_widens_the_offer(offered, senders, expected):
    """J-110."""
    given = changed(read(small(), R), 0, senders=senders)
    assert write(given, R, offer=parse(small(f"a={offered}", drop=("sendrecv",)))).media[0].direction == expected


def test_a_further_offer_keeps_places():
    """J-220."""
    before = write(read(TWO))
    only = Described(read(TWO).contents[1:])
    after = write(only, previous=before)
    assert [(m.mid, m.port) for m in after.media] == [("0", 0), ("1", 9)]
    more = write(Described((*only.contents, replace(only.contents[0], name="new"))), previous=before)
    assert [(m.mid, m.port) for m in more.media] == [("0", 0), ("1", 9), ("new", 9)]


def test_contents_that_cannot_be_sections():
    """J-082, J-101, J-102, J-104."""
    good = read(small()).contents[0]
    assert refusal(lambda: write(Described(()))) == ("unsupported-applications", "J-082")
    assert refusal(lambda: write(Described((replace(good, description=None),)))) == ("unsupported-applications", "J-082")
    assert refusal(lambda: write(Described((replace(good, description=replace(good.description, media="text")),)))) == (
        "unsupported-applications",
        "J-082",
    )
    assert refusal(lambda: write(Described((replace(good, transport=None),)))) == ("unsupported-transports", "J-082")
    assert refusal(lambda: write(Described((replace(good, security=True),)))) == ("security-error", "J-102")
    assert refusal(lambda: write(Described((replace(good, disposition="early"),)))) == ("unsupported-applications", "J-082")
    twin = replace(good, senders=Senders.NONE)
    assert len(write(Described((good, twin, replace(good, name="x", transport=None)))).media) == 1


def test_peers_without_dtls_ice_mux_or_codecs_are_refused():
    """J-117, J-127, J-129, J-146."""
    good = read(small()).contents[0]

    def of(**how):
        return refusal(lambda: write(Described((replace(good, **how),))))

    assert of(transport=replace(good.transport, fingerprints=())) == ("security-error", "J-129")
    assert of(transport=replace(good.transport, fingerprints=(replace(good.transport.fingerprints[0], hash="sha-1"),))) == (
        "security-error",
        "J-129",
    )
    assert of(transport=replace(good.transport, pwd="x")) == ("failed-transport", "J-146")
    assert of(transport=replace(good.transport, ufrag=None)) == ("failed-transport", "J-146")
    assert of(description=replace(good.description, rtcp_mux=False)) == ("incompatible-parameters", "J-127")
    assert of(description=replace(good.description, payload_types=())) == ("incompatible-parameters", "J-117")


def test_bundled_contents_of_an_answer_share_the_tag():
    """J-193."""
    given = read(TWO.replace("a=setup:actpass", "a=setup:active"), R)
    bare = changed(given, 1, transport=IceUdpTransport())
    other = changed(given, 1, transport=replace(given.contents[1].transport, ufrag="else", pwd="x" * 22))
    for described in (bare, other):
        media = write(described, R, offer=parse(TWO)).media[1]
        assert media.get("ice-ufrag") == "ufra" and media.get("setup") == "active"
    assert write(other, R).media[1].get("ice-ufrag") == "else"
    assert write(bare, R).media[1].get("ice-ufrag") == "ufra"


def test_groups_of_answers_are_part_of_the_offers():
    """J-190."""
    given = read(TWO.replace("a=setup:actpass", "a=setup:active"), R)
    ungrouped = parse(TWO.replace("a=group:BUNDLE 0 1\r\n", ""))
    assert write(given, R, offer=ungrouped).all("group") == []
    assert write(given._replace(groups=(Group("BUNDLE", ("x",)),)), R, offer=parse(TWO)).all("group") == []


def test_streams_of_peers_that_name_none():
    """J-203."""
    media = write(read(TWO)).media
    assert [m.get("msid") for m in media] == ["call-1 0", "call-1 1"]
    assert write(read(small("a=inactive", drop=("sendrecv",)))).media[0].get("msid") is None


def test_bandwidth_is_written():
    assert write(read(small("b=AS:64"))).media[0].values("b") == ["AS:64"]
    described = read(small())
    odd = replace(described.contents[0].description, bandwidths=(("X", 1),))
    from jinglebridge.jingle import Bandwidth

    odd = replace(odd, bandwidths=(Bandwidth("X-Y", 1),))
    assert write(changed(described, 0, description=odd)).media[0].values("b") == []


def test_candidates_can_be_left_out():
    described = read(TWO)
    assert len(described.contents[0].transport.candidates) == 1
    bare = without_candidates(described)
    assert all(c.transport.candidates == () for c in bare.contents)
    assert without_candidates(Described((Content("x"),))).contents == (Content("x"),)


def test_media_of_both_forms():
    """J-053."""
    assert media_of(parse(TWO + DATA)) == ("audio", "video") == media_of(read(TWO))
    assert media_of(Described((Content("x"),))) == ()
    assert read(TWO).content("1").name == "1" and read(TWO).content("x") is None and Described(()).bundle() == ()


def test_a_section_without_mid_gets_a_name_that_is_free():
    """J-194, M-3: its position would be the mid of another one; to and fro the sections stay two."""
    bare = TWO.replace("a=mid:1\r\n", "").replace("a=group:BUNDLE 0 1\r\n", "")
    for mid, expected in (("0", "1"), ("1", "m1"), ("m1", "1")):
        sdp = parse(bare.replace("a=mid:0", f"a=mid:{mid}"))
        described = from_sdp(sdp, I)
        assert [c.name for c in described.contents] == [mid, expected] == [name_of(m) for m in sdp.media]
        answer = write(described, R, offer=sdp, answer=True)
        assert [(m.kind, m.port) for m in answer.media] == [("audio", 9), ("video", 9)]
    third = bare + bare[bare.index("m=video") :].replace("a=ice-ufrag", "a=mid:m1\r\na=ice-ufrag")
    assert [c.name for c in read(third.replace("a=mid:0", "a=mid:1")).contents] == ["1", "m1x", "m1"]
