"""XEP-0167 and what stands inside its descriptions: XEP-0293, 0294, 0339."""

from __future__ import annotations

import pytest

from jinglebridge.jingle import (
    HeaderExtension,
    Parameter,
    PayloadType,
    Role,
    RtcpFb,
    RtpDescription,
    Senders,
    Source,
    SourceGroup,
    TrrInt,
    xep_0167_sdp,
    xep_0293,
    xep_0294,
    xep_0338,
    xep_0339,
)
from jinglebridge.jingle.xep_0167 import DESCRIPTION, PAYLOAD_TYPE
from jinglebridge.jingle.xep_0167_sdp import usable
from jinglebridge.jingle.xep_0293 import RTCP_FB
from jinglebridge.jingle.xep_0294 import RTP_HDREXT
from jinglebridge.jingle.xep_0339 import SOURCE, SSRC_GROUP
from jinglebridge.sdp import MediaDescription, SessionDescription, parse
from jinglebridge.xml import parse_text
from tests.unit.cases import small


def described(*extra: str, **how) -> RtpDescription:
    return xep_0167_sdp.from_sdp(parse(small(*extra, **how)).media[0], Role.INITIATOR)


def video(formats: str, *extra: str) -> RtpDescription:
    text = small(*extra, kind="video", drop=("rtpmap",)).replace("SAVPF 111", f"SAVPF {formats}")
    return xep_0167_sdp.from_sdp(parse(text.replace("t=0 0\r\n", "t=0 0\r\n")).media[0], Role.INITIATOR)


def section() -> MediaDescription:
    return SessionDescription().add_media("audio", 9, "RTP/AVP", ("0",))


def ids(*payloads: PayloadType, media: str = "audio") -> list[int]:
    return [payload.id for payload in usable(RtpDescription(media, payloads))]


def test_static_types_need_no_name():
    """J-116."""
    found = usable(
        RtpDescription("audio", (PayloadType(0), PayloadType(9, "G722"), PayloadType(13, clockrate=8000), PayloadType(0, "PCMU")))
    )
    assert [(p.id, p.name, p.clockrate) for p in found] == [(0, "PCMU", 8000), (9, "G722", 8000), (13, "CN", 8000)]


def carrier(id: int, name: str, parameter: str, value: str) -> PayloadType:
    return PayloadType(id, name, 90000, parameters=(Parameter(parameter, value),))


def test_carriers_of_carriers_in_whatever_order():
    """J-120: red of two that each wait for another one."""
    chain = [carrier(103, "rtx", "apt", "96"), carrier(104, "rtx", "apt", "96"), PayloadType(96, "VP8", 90000)]
    waiting = [carrier(100, "red", "", "101/102"), carrier(101, "rtx", "apt", "103"), carrier(102, "rtx", "apt", "104")]
    assert ids(*waiting, *chain, media="video") == [100, 101, 102, 103, 104, 96]
    assert ids(*waiting, *chain[1:], media="video") == [102, 104, 96]


def test_dynamic_types_need_a_name_and_audio_a_rate():
    """J-116, J-117."""
    assert ids(PayloadType(96), PayloadType(97, "speex"), PayloadType(0, "odd"), PayloadType(70, "x", 8000)) == []
    assert usable(RtpDescription("video", (PayloadType(96, "VP8"),)))[0].clockrate == 90000


def test_opus_always_has_two_channels():
    """J-115."""
    assert usable(RtpDescription("audio", (PayloadType(111, "opus", 48000),)))[0].channels == 2


def test_carriers_go_with_what_they_carry():
    """J-120."""
    opus, red = PayloadType(111, "opus", 48000, 2), PayloadType(63, "red", 48000, 2, parameters=(Parameter("", "111/111"),))
    assert ids(opus, red) == [111, 63]
    assert ids(PayloadType(111, "", 48000), red, PayloadType(0)) == [0]
    vp8, rtx = PayloadType(96, "VP8", 90000), PayloadType(97, "rtx", 90000, parameters=(Parameter("apt", "96"),))
    assert ids(vp8, rtx, media="video") == [96, 97]
    assert ids(rtx, media="video") == []
    assert ids(vp8, PayloadType(98, "rtx", 90000), PayloadType(99, "RTX", 90000, parameters=(Parameter("apt", "x"),)), media="video") == [
        96
    ]
    assert ids(vp8, PayloadType(98, "red", 90000), PayloadType(99, "ulpfec", 90000), media="video") == [96, 98, 99]


def test_what_carries_a_dropped_carrier_goes_too():
    """J-120, however long the chain is and in whatever order it stands."""

    def carrier(id: int, name: str, of: str) -> PayloadType:
        return PayloadType(id, name, 90000, parameters=(Parameter("apt" if name == "rtx" else "", of),))

    vp8 = PayloadType(96, "VP8", 90000)
    vp9 = PayloadType(70, "VP9", 90000)  # collides with RTCP
    assert ids(vp9, carrier(116, "red", "70/70"), carrier(117, "rtx", "116"), vp8, media="video") == [96]
    assert ids(carrier(117, "rtx", "116"), carrier(116, "red", "96/70"), vp9, vp8, media="video") == [96]
    assert ids(carrier(117, "rtx", "116"), carrier(116, "red", "96/96"), vp8, media="video") == [117, 116, 96]
    assert ids(vp8, carrier(116, "red", "99/70"), media="video") == [96]
    both = carrier(118, "red", "116/117")
    assert ids(both, carrier(116, "red", "96"), carrier(117, "rtx", "96"), vp8, media="video") == [118, 116, 117, 96]
    assert ids(vp8, carrier(116, "rtx", "117"), carrier(117, "rtx", "116"), media="video") == [96]
    chain = [carrier(128 - i, "rtx", str(127 - i)) for i in range(1, 30)]
    assert ids(*chain, vp8, media="video") == [96] and len(ids(*chain, PayloadType(98, "VP8", 90000), media="video")) == 30


@pytest.mark.parametrize(
    ("xml", "expected"),
    [
        ('name=" a " value=" 1 2 "', ["a=1 2"]),
        ('name="a;b" value="1"', []),
        ('name="a=b" value="1"', []),
        ('name="a" value="1;b=2"', []),
        ('value="0-16;x"', []),
        ('value=" 0-16 "', ["0-16"]),
        ('name="a" value="b=="', ["a=b=="]),
    ],
)
def test_a_parameter_is_one_part_of_its_line_or_nothing(xml, expected):
    """J-118."""
    source = f'<payload-type xmlns="urn:xmpp:jingle:apps:rtp:1" id="0"><parameter {xml}/></payload-type>'
    found = PAYLOAD_TYPE.parse(parse_text(source))
    media = section()
    xep_0167_sdp.to_sdp(media, RtpDescription("audio"), [found])
    assert media.all("fmtp") == [f"0 {value}" for value in expected]


@pytest.mark.parametrize(
    "xml", ['id="128"', 'id="x"', 'name="a"', 'id="96" name="a&#10;b"', 'id="96" clockrate="0"', 'id="96" name="a/8000"']
)
def test_a_bad_payload_type_drops_itself_only(xml):
    source = f'<description xmlns="urn:xmpp:jingle:apps:rtp:1" media="audio"><payload-type {xml}/><payload-type id="0"/></description>'
    assert [p.id for p in DESCRIPTION.parse(parse_text(source)).payload_types] == [0]


def test_keyless_parameters_have_no_name_on_the_wire():
    """DESIGN, J-118."""
    payload = PayloadType(126, "telephone-event", 8000, parameters=(Parameter("", "0-16"),))
    assert PAYLOAD_TYPE.text(payload).endswith('<parameter value="0-16"/></payload-type>')
    for name in ("", ' name=""'):
        source = f'<payload-type xmlns="urn:xmpp:jingle:apps:rtp:1" id="126"><parameter{name} value="0-16"/></payload-type>'
        assert PAYLOAD_TYPE.parse(parse_text(source)).parameters == (Parameter("", "0-16"),)


def test_codecs_of_a_section():
    found = described(
        "a=fmtp:111 minptime=10;useinbandfec=1",
        "a=rtcp-fb:111 transport-cc",
        "a=rtcp-fb:111 trr-int 0",
        "a=fmtp:99 x=1",
        "a=rtcp-fb:99 nack",
    )
    assert found.payload_types == (
        PayloadType(
            111,
            "opus",
            48000,
            2,
            parameters=(Parameter("minptime", "10"), Parameter("useinbandfec", "1")),
            feedback=(RtcpFb("transport-cc"),),
            trr_int=(TrrInt(0),),
        ),
    )
    assert found.payload_types[0].get("minptime") == "10" and found.payload_types[0].get("x") is None
    assert found.rtcp_mux and not found.rtcp_reduced_size


def test_reduced_size_rtcp_has_an_element_of_stanzas():
    """J-137. COMPAT(stanza 12)."""
    text = '<description xmlns="urn:xmpp:jingle:apps:rtp:1" media="audio"><rtcp-mux/><rtcp-reduced-size/></description>'
    found = DESCRIPTION.parse(parse_text(text))
    assert found.rtcp_reduced_size and DESCRIPTION.text(found) == text


def test_formats_without_meaning_are_dropped():
    """J-139: an rtpmap or a format that stands twice counts once."""
    found = video(
        "96 96 0 x 200 97 98", "a=rtpmap:96 VP8/90000", "a=rtpmap:96 VP9/90000", "a=rtpmap:98 bad", "a=fmtp:96 a=1", "a=fmtp:96 b=2"
    )
    assert [(p.id, p.name, p.parameters) for p in found.payload_types] == [(96, "VP8", (Parameter("a", "1"),)), (0, "PCMU", ())]


def test_ptime_goes_to_the_first_real_codec_and_back():
    """J-121."""
    text = small("a=rtpmap:13 CN/8000", "a=ptime:20", "a=maxptime:60").replace("SAVPF 111", "SAVPF 13 111")
    found = xep_0167_sdp.from_sdp(parse(text).media[0], Role.INITIATOR)
    assert [(p.ptime, p.maxptime) for p in found.payload_types] == [(None, None), (20, 60)]
    media = section()
    xep_0167_sdp.to_sdp(media, found, found.payload_types)
    assert (media.get("ptime"), media.get("maxptime")) == ("20", "60")
    assert described("a=ptime:x").payload_types[0].ptime is None
    only = xep_0167_sdp.from_sdp(parse(small("a=ptime:20").replace("SAVPF 111", "SAVPF 13")).media[0], Role.INITIATOR)
    assert only.payload_types[0].ptime is None


def test_ptime_is_for_audio_and_for_a_codec_that_stays():
    """J-121: 70 collides with RTCP and will be dropped."""
    text = small("a=rtpmap:70 x/8000", "a=ptime:20").replace("SAVPF 111", "SAVPF 70 111")
    found = xep_0167_sdp.from_sdp(parse(text).media[0], Role.INITIATOR)
    assert [p.ptime for p in found.payload_types] == [None, 20]
    seen = xep_0167_sdp.from_sdp(parse(text.replace("m=audio", "m=video")).media[0], Role.INITIATOR)
    assert [p.ptime for p in seen.payload_types] == [None, None]


def test_ptime_of_a_description():
    """COMPAT(Movim)."""
    found = DESCRIPTION.parse(
        parse_text('<description xmlns="urn:xmpp:jingle:apps:rtp:1" media="audio" ptime="20"><payload-type id="0"/></description>')
    )
    media = section()
    xep_0167_sdp.to_sdp(media, found, usable(found))
    assert media.get("ptime") == "20" and media.all("rtpmap") == ["0 PCMU/8000"]


def test_bandwidth():
    """J-126."""
    found = described("b=TIAS:64000", "b=AS:64", "b=RR:1", "b=AS:x")
    assert found.bandwidths == (("AS", 64), ("TIAS", 64000))
    source = (
        '<description xmlns="urn:xmpp:jingle:apps:rtp:1" media="audio"><bandwidth type="AS">128</bandwidth>'
        '<bandwidth type="AS">x</bandwidth></description>'
    )
    assert DESCRIPTION.parse(parse_text(source)).bandwidths == (("AS", 128),)


def test_sdes_is_noticed_and_never_written():
    """J-129."""
    source = (
        '<description xmlns="urn:xmpp:jingle:apps:rtp:1" media="audio"><encryption required="1"><crypto tag="1"/></encryption>'
        '<zrtp-hash xmlns="urn:xmpp:jingle:apps:rtp:zrtp:1"/></description>'
    )
    found = DESCRIPTION.parse(parse_text(source))
    assert found.encryption and len(found.unknown) == 1
    assert "crypto" not in DESCRIPTION.text(found) and "encryption" not in DESCRIPTION.text(found)


@pytest.mark.parametrize(
    ("value", "item"),
    [
        ("96 nack", RtcpFb("nack")),
        ("96 nack pli", RtcpFb("nack", "pli")),
        ("* ccm tmmbr smaxpr=120 x", RtcpFb("ccm", "tmmbr", (xep_0293.FbParameter("smaxpr", "120"), xep_0293.FbParameter("x")))),
        ("* ccm tmmbr =x", RtcpFb("ccm", "tmmbr", (xep_0293.FbParameter("=x"),))),
        ("96 trr-int 100", TrrInt(100)),
    ],
)
def test_feedback_both_ways(value, item):
    """J-131."""
    id = value.partition(" ")[0]
    items, intervals = xep_0293.feedback(xep_0293.values_by_id(parse(small(f"a=rtcp-fb:{value}")).media[0])[id])
    assert [*items, *intervals] == [item]
    media = section()
    xep_0293.to_sdp(media, id, items, intervals)
    assert media.all("rtcp-fb") == [value]


@pytest.mark.parametrize("value", ["96", "96 ", "96 trr-int x", "96 trr-int ٣"])
def test_malformed_feedback_is_dropped(value):
    found = xep_0293.values_by_id(parse(small(f"a=rtcp-fb:{value}")).media[0])
    assert list(found) == ["96"] and xep_0293.feedback(found["96"]) == ((), ())


@pytest.mark.parametrize(
    ("value", "author", "senders"),
    [
        ("2 urn:x", Role.INITIATOR, None),
        ("2/sendrecv urn:x", Role.INITIATOR, Senders.BOTH),
        ("2/recvonly urn:x", Role.INITIATOR, Senders.RESPONDER),
        ("2/recvonly urn:x", Role.RESPONDER, Senders.INITIATOR),
        ("2/sendonly urn:x", Role.RESPONDER, Senders.RESPONDER),
        ("2/inactive urn:x a=1 b", Role.RESPONDER, Senders.NONE),
        ("4096 urn:x =y", Role.RESPONDER, None),
    ],
)
def test_header_extensions_both_ways(value, author, senders):
    """J-134."""
    (found,) = xep_0294.from_sdp(parse(small(f"a=extmap:{value}")).media[0], author)
    assert found.senders is senders and found.uri == "urn:x"
    media = section()
    xep_0294.to_sdp(media, (found, found), author)
    assert media.all("extmap") == [value]


@pytest.mark.parametrize("id", ["0", "15", "256", "4352", "x"])
def test_ids_that_browsers_choke_on_are_dropped(id):
    """J-135."""
    assert xep_0294.from_sdp(parse(small(f"a=extmap:{id} urn:x")).media[0], Role.INITIATOR) == ()
    media = section()
    xep_0294.to_sdp(media, (xep_0294.HeaderExtension(15, "urn:x"), xep_0294.HeaderExtension(256, "urn:x")), Role.INITIATOR)
    assert media.all("extmap") == []


def test_extmap_allow_mixed_of_the_session_is_in_every_description():
    """J-136."""
    assert described(head=("a=extmap-allow-mixed",)).extmap_allow_mixed


def test_sources():
    """J-198 … J-202."""
    lines = (
        "a=msid:S T",
        "a=ssrc:1 cname:c",
        "a=ssrc:1 label:l",
        "a=ssrc:2 msid:own x",
        "a=ssrc:bad",
        "a=ssrc-group:FID 1 2",
        "a=ssrc-group:bad",
        "a=ssrc:3 flag",
    )
    found = described(*lines)
    assert found.sources[0].parameters == (("cname", "c"), ("msid", "S T"))
    assert found.sources[1].parameters == (("msid", "own x"),)
    assert found.sources[0].get("cname") == "c" and found.sources[0].get("x") is None
    assert found.source_groups == (xep_0339.SourceGroup("FID", (Source(1), Source(2))),)
    media = section()
    xep_0339.to_sdp(media, (*found.sources, found.sources[0]), (*found.source_groups, xep_0339.SourceGroup("SIM")))
    assert media.all("ssrc-group") == ["FID 1 2"]
    assert media.all("ssrc") == ["1 cname:c", "1 msid:S T", "2 msid:own x", "3 flag", "3 msid:S T"]


def test_who_does_not_send_has_no_sources_except_pairs():
    """J-205."""
    lines = ("a=ssrc:1 cname:c", "a=ssrc:2 cname:c", "a=ssrc:3 cname:c", "a=ssrc-group:FID 1 2", "a=ssrc-group:SIM 1 3")
    assert described("a=inactive", *lines, drop=("sendrecv",)).sources == ()
    found = described("a=recvonly", *lines, drop=("sendrecv",))
    assert [s.ssrc for s in found.sources] == [1, 2] and [g.semantics for g in found.source_groups] == ["FID"]


def test_groups():
    """J-189, J-191, J-197."""
    groups = xep_0338.from_sdp(parse(small(head=("a=group:BUNDLE 0 1", "a=group:FID 0", "a=group:"))))
    assert groups == (xep_0338.Group("BUNDLE", ("0", "1")), xep_0338.Group("FID", ("0",)))
    assert groups[0].renamed({"1": "one"}) == xep_0338.Group("BUNDLE", ("one",)) and groups[0].renamed({}) is None
    sdp = SessionDescription()
    xep_0338.to_sdp(sdp, groups)
    assert sdp.all("group") == ["BUNDLE 0 1"]


def test_unknown_children_do_not_count_in_comparisons():
    source = '<payload-type xmlns="urn:xmpp:jingle:apps:rtp:1" id="0"><x xmlns="urn:x"/></payload-type>'
    found = PAYLOAD_TYPE.parse(parse_text(source))
    assert found == PayloadType(0) and not found != PayloadType(0) and hash(found) == hash(PayloadType(0)) and found != (0,)
    assert PAYLOAD_TYPE.text(found) == source
    for table, text, other in (
        (RTCP_FB, 'rtcp-fb xmlns="urn:xmpp:jingle:apps:rtp:rtcp-fb:0" type="nack"', RtcpFb("nack")),
        (RTP_HDREXT, 'rtp-hdrext xmlns="urn:xmpp:jingle:apps:rtp:rtp-hdrext:0" id="1" uri="u"', HeaderExtension(1, "u")),
        (SOURCE, 'source xmlns="urn:xmpp:jingle:apps:rtp:ssma:0" ssrc="1"', Source(1)),
        (SSRC_GROUP, 'ssrc-group xmlns="urn:xmpp:jingle:apps:rtp:ssma:0" semantics="FID"', SourceGroup("FID")),
    ):
        one, two = (table.parse(parse_text(f'<{text}><x xmlns="urn:x"/></{text.partition(" ")[0]}>')) for _ in range(2))
        assert one.unknown and one == two == other and not one != two and len({one, two, other}) == 1 and one != tuple(one)


def test_foreign_children_do_not_change_the_lines():
    """The lines of what is the same in every call are remembered; those of what holds foreign elements are not."""
    foreign = (parse_text('<x xmlns="urn:x"/>'),)
    for _ in range(2):
        media = section()
        xep_0167_sdp.to_sdp(media, RtpDescription("audio"), [PayloadType(0, "PCMU", 8000, unknown=foreign)])
        xep_0294.to_sdp(media, [HeaderExtension(1, "urn:a", unknown=foreign)], Role.INITIATOR)
        assert media.lines[1:] == ["a=rtpmap:0 PCMU/8000", "a=extmap:1 urn:a"]


FOREIGN = (parse_text("<x xmlns='urn:x'/>"),)


@pytest.mark.parametrize(
    ("payload", "kept"),
    [
        (PayloadType(96, "VP8", 90000, feedback=(RtcpFb("ccm", "tmmbr", (xep_0293.FbParameter("smaxpr", "120"),)),)), True),
        (PayloadType(96, "VP8", 90000, unknown=FOREIGN), False),
        (PayloadType(96, "VP8", 90000, feedback=(RtcpFb("nack", unknown=FOREIGN),)), False),
        (PayloadType(96, "VP8", 90000, parameters=(Parameter("x", "y" * 800),)), False),
    ],
)
def test_of_codecs_only_small_ones_without_foreign_elements_are_remembered(payload, kept):
    usable(RtpDescription("video", (payload,)))
    xep_0167_sdp.to_sdp(section(), RtpDescription("video"), [payload])
    assert (id(payload) in xep_0167_sdp._USES, id(payload) in xep_0167_sdp._WRITTEN) == (kept, kept)
