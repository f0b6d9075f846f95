"""XEP-0371, 0507, 0272, 0482 and the leniency of reading that real clients need. Rules are named per test."""

from __future__ import annotations

import pytest

from jinglebridge.errors import BadRequest
from jinglebridge.jingle import (
    Parameter,
    Role,
    Source,
    build_jingle,
    jingle_text,
    parse_jingle,
    xep_0167,
    xep_0167_sdp,
    xep_0176,
    xep_0294,
    xep_0339,
    xep_0371,
    xep_0482,
    xep_0507,
)
from jinglebridge.jingle.xep_0272 import MUJI, Muji
from jinglebridge.sdp import parse
from jinglebridge.translate import sdp_to_xml, xml_to_sdp
from jinglebridge.xml import parse_text, to_text
from tests.unit.cases import small


def jingle(inside: str, action: str = "session-initiate") -> str:
    return f'<jingle xmlns="urn:xmpp:jingle:1" action="{action}" sid="s">{inside}</jingle>'


def described(inside: str, attributes: str = "") -> xep_0167.RtpDescription:
    return xep_0167.DESCRIPTION.parse(parse_text(f'<description xmlns="{xep_0167.NS}" media="audio"{attributes}>{inside}</description>'))


# --- XEP-0371


def test_the_namespace_of_a_transport_is_kept():
    """J-176."""
    xml = sdp_to_xml(small("a=candidate:1 1 tcp 5 192.0.2.1 9 typ host tcptype passive", "a=end-of-candidates"))
    ice = xml.replace(xep_0176.NS, xep_0371.NS).replace(" ufrag=", ' ice2="true" ufrag=')
    found = parse_jingle(parse_text(ice)).contents[0]
    assert found.transport.ns == found.transport_ns == xep_0371.NS and found.transport.ice2 and found.transport.gathering_complete
    assert found.ice is found.transport and found.ice_udp is None
    assert jingle_text(parse_jingle(parse_text(ice))) == ice
    sdp = xml_to_sdp(ice)
    assert "a=ice-options:trickle ice2" in sdp and "a=end-of-candidates" in sdp and "tcptype passive" in sdp
    plain = parse_jingle(parse_text(xml)).contents[0]
    assert plain.ice is None and plain.ice_udp is plain.transport and not plain.transport.ice2


def test_of_two_transports_the_first_namespace_counts():
    both = f'<transport xmlns="{xep_0371.NS}" ufrag="b"/><transport xmlns="{xep_0176.NS}" ufrag="a"/>'
    assert parse_jingle(parse_text(jingle(f'<content name="0">{both}</content>'))).contents[0].transport.ufrag == "a"


def test_several_remote_candidates_survive():
    """J-168: one for each component."""
    inside = "".join(f'<remote-candidate component="{n}" ip="192.0.2.1" port="9"/>' for n in (1, 2))
    transport = f'<transport xmlns="{xep_0371.NS}">{inside}</transport>'
    assert to_text(xep_0371.TRANSPORT.build(xep_0371.TRANSPORT.parse(parse_text(transport)))) == transport


# --- XEP-0507


def test_categories_are_a_content_line():
    """J-138."""
    sdp = small("a=content:slides,alt", kind="video").replace("opus/48000/2", "VP8/90000")
    xml = sdp_to_xml(sdp)
    assert '<category xmlns="urn:xmpp:jingle:apps:category:0" name="slides"/><category' in xml
    assert "a=content:slides,alt\r\n" in xml_to_sdp(xml)
    assert "a=content" not in xml_to_sdp(sdp_to_xml(small()))


@pytest.mark.parametrize(
    ("line", "names"),
    [("slides", "slides"), ("main, alt", "main alt"), ("user-floor,sl", "sl"), (",,", ""), ("alt,alt", "alt"), ("Slides", "")],
)
def test_unknown_categories_are_dropped(line, names):
    media = parse(small(f"a=content:{line}")).media[0]
    assert [item.name for item in xep_0507.from_sdp(media)] == names.split()


def test_a_category_nobody_knows_drops_itself():
    found = described(
        '<category xmlns="urn:xmpp:jingle:apps:category:0" name="x"/><category xmlns="urn:xmpp:jingle:apps:category:0" name="sl"/>'
    )
    assert [item.name for item in found.categories] == ["sl"]


# --- XEP-0272 and XEP-0482: elements only


def test_muji_elements_survive():
    text = (
        '<muji xmlns="urn:xmpp:jingle:muji:0" room="r@muc.example"><preparing/><content creator="initiator" name="voice">'
        f'<description xmlns="{xep_0167.NS}" media="audio"><payload-type id="97" name="speex" clockrate="8000"/></description></content>'
        '<x xmlns="urn:x"/></muji>'
    )
    found = MUJI.parse(parse_text(text))
    assert (found.room, found.preparing, found.contents[0].creator) == ("r@muc.example", True, Role.INITIATOR)
    assert found.contents[0].description.payload_types[0].name == "speex" and to_text(MUJI.build(found)) == text
    old = MUJI.parse(parse_text(text.replace("rtp:1", "rtp:0")))
    assert old.contents[0].description is None and len(old.contents[0].unknown) == 1


@pytest.mark.parametrize(
    "text",
    [
        '<invite xmlns="urn:xmpp:call-invites:0" video="true"><jingle sid="s" jid="a@b/c"/><external uri="tel:+1"/></invite>',
        '<invite xmlns="urn:xmpp:call-invites:0" audio="false"><muji xmlns="urn:xmpp:jingle:muji:0" room="r"/><x xmlns="urn:x"/></invite>',
        '<accept xmlns="urn:xmpp:call-invites:0" id="i"><jingle sid="s"/></accept>',
        '<reject xmlns="urn:xmpp:call-invites:0" id="i"/>',
        '<retract xmlns="urn:xmpp:call-invites:0" id="i"/>',
        '<left xmlns="urn:xmpp:call-invites:0" id="i"/>',
    ],
)
def test_call_invites_survive(text):
    assert to_text(xep_0482.build_invite(xep_0482.parse_invite(parse_text(text)))) == text


def test_call_invites_say_what_is_meant():
    found = xep_0482.parse_invite(
        parse_text('<invite xmlns="urn:xmpp:call-invites:0"><muji xmlns="urn:xmpp:jingle:muji:0" room="r"/></invite>')
    )
    assert found == xep_0482.Invite(muji=Muji("r"))
    for text in ("<x/>", '<accept xmlns="urn:xmpp:call-invites:0"/>', '<left xmlns="urn:xmpp:call-invites:0" id=""/>'):
        with pytest.raises(BadRequest):
            xep_0482.parse_invite(parse_text(text))


# --- reading


@pytest.mark.parametrize(
    ("parameter", "expected", "fmtp"),
    [
        ('name="" value="0-15"', Parameter("", "0-15"), "0-15"),
        ('value="0-15"', Parameter("", "0-15"), "0-15"),
        ('name="0-15"', Parameter("", "0-15"), "0-15"),
        ('name="111/111" value=""', Parameter("", "111/111"), "111/111"),
        ('name="flag"', Parameter("", "flag"), "flag"),
        ('name="empty" value=""', Parameter("empty", ""), "empty="),
        ('name="sprop" value="Z0IA,aM4="', Parameter("sprop", "Z0IA,aM4="), "sprop=Z0IA,aM4="),
        ("", Parameter("", ""), None),
    ],
)
def test_the_forms_of_a_parameter_without_a_name(parameter, expected, fmtp):
    """J-118."""
    found = described(f'<payload-type id="101" name="x" clockrate="8000"><parameter {parameter}/></payload-type>')
    assert found.payload_types[0].parameters == (expected,)
    media = parse(small()).media[0]
    xep_0167_sdp.to_sdp(media, found, found.payload_types)
    assert media.get("fmtp") == (None if fmtp is None else f"101 {fmtp}")
    if fmtp is not None:
        again = parse(small("a=rtpmap:101 x/8000", f"a=fmtp:101 {fmtp}").replace(" 111\r\n", " 101\r\n")).media[0]
        assert xep_0167_sdp.from_sdp(again, Role.INITIATOR).payload_types[0].parameters == (expected,)


@pytest.mark.parametrize(("name", "rate", "expected"), [("g722", "", ("g722", 8000)), ("", "", ("G722", 8000)), ("PCMU", "", None)])
def test_static_payload_types_are_completed(name, rate, expected):
    """J-116, J-119: names are compared without case and kept as they are."""
    found = xep_0167_sdp.usable(described(f'<payload-type id="9" name="{name}"/>' if name else '<payload-type id="9"/>'))
    assert [(p.name, p.clockrate) for p in found] == ([] if expected is None else [expected])


def test_stream_elements_of_stanza_are_the_msid():
    """J-202, J-203."""
    source = "<source xmlns='urn:xmpp:jingle:apps:rtp:ssma:0' ssrc='1'><parameter name='msid' value='{}'/></source>"
    stream = '<stream xmlns="urn:xmpp:jingle:apps:rtp:msid:0" id="S" track="T"/>'
    found = described(stream)
    assert found.streams == (xep_0339.Stream("S", "T"),) and stream in xep_0167.DESCRIPTION.text(found)
    assert xep_0339.msid((), found.streams) == "S T" and xep_0339.msid((), (xep_0339.Stream("S"),)) == "S" and xep_0339.msid((), ()) is None
    for value, expected in (("a b", "a b"), ("- t", "- t"), ("a", "a"), ("a b c", "S T"), (" a ", "a"), ("", "S T")):
        assert xep_0339.msid(described(source.format(value)).sources, found.streams) == expected
    xml = sdp_to_xml(small()).replace("</description>", stream + "</description>")
    assert "a=msid:S T\r\n" in xml_to_sdp(xml)


def test_who_does_not_send_gets_no_sources():
    """J-205, from a peer that names some."""
    source = "<source xmlns='urn:xmpp:jingle:apps:rtp:ssma:0' ssrc='1'><parameter name='cname' value='c'/></source>"
    xml = sdp_to_xml(small("a=recvonly", drop=("sendrecv",))).replace("</description>", source + "</description>")
    assert "a=ssrc" not in xml_to_sdp(xml) and "a=ssrc:1 cname:c" in xml_to_sdp(xml.replace(' senders="responder"', ""))


X = '<x xmlns="urn:x"><y/></x>'
EVERYWHERE = jingle(
    f'<group xmlns="urn:xmpp:jingle:apps:grouping:0" semantics="BUNDLE"><content name="0"/>{X}</group>'
    f'<content creator="initiator" name="0"><description xmlns="{xep_0167.NS}" media="audio">'
    f'<payload-type id="96" name="x" clockrate="8000"><rtcp-fb xmlns="urn:xmpp:jingle:apps:rtp:rtcp-fb:0" type="nack">{X}</rtcp-fb>{X}'
    f'</payload-type><rtp-hdrext xmlns="urn:xmpp:jingle:apps:rtp:rtp-hdrext:0" id="1" uri="urn:e">{X}</rtp-hdrext>'
    f'<ssrc-group xmlns="urn:xmpp:jingle:apps:rtp:ssma:0" semantics="FID"><source ssrc="1"/>{X}</ssrc-group>'
    f'<source xmlns="urn:xmpp:jingle:apps:rtp:ssma:0" ssrc="1">{X}</source>{X}</description>'
    f'<transport xmlns="{xep_0176.NS}"><fingerprint xmlns="urn:xmpp:jingle:apps:dtls:0" hash="sha-256">AB{X}</fingerprint>'
    f'<candidate component="1" foundation="f" generation="0" id="c" ip="192.0.2.1" network="0" port="9" priority="5" protocol="udp" '
    f'type="host">{X}</candidate>{X}</transport>{X}</content>'
    f'<reason><success/>{X}</reason><mute xmlns="urn:xmpp:jingle:apps:rtp:info:1">{X}</mute>{X}',
)


def test_unknown_children_survive_at_every_level():
    found = parse_jingle(parse_text(EVERYWHERE))
    assert jingle_text(found) == EVERYWHERE == to_text(build_jingle(found))


def test_one_bad_thing_drops_only_itself():
    bad = EVERYWHERE.replace('port="9"', 'port="0"').replace(">AB<", ">XY<").replace('ssrc="1">', 'ssrc="x">').replace('id="1"', 'id="x"')
    found = parse_jingle(parse_text(bad.replace('id="96"', 'id="200"'))).contents[0]
    assert (found.transport.candidates, found.transport.fingerprints) == ((), ())
    assert (found.description.sources, found.description.header_extensions, found.description.payload_types) == ((), (), ())
    assert found.description.source_groups[0].sources == (Source(1),)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("a=extmap:2  urn:x", (2, "urn:x")),
        ("a=extmap:2\turn:x", (2, "urn:x")),
        ("a=extmap:2 urn:x  a=b  c", (2, "urn:x")),
    ],
)
def test_blanks_in_extension_lines(line, expected):
    (found,) = xep_0294.from_sdp(parse(small(line)).media[0], Role.INITIATOR)
    assert (found.id, found.uri) == expected


def test_blanks_in_other_lines():
    sdp = small("a=setup:actpass ", "a=rtpmap:111  opus/48000/2 ", "a=ssrc:1  cname:x", "a=fmtp:111  a=1; b=2 ;", drop=("setup", "rtpmap"))
    xml = sdp_to_xml(sdp)
    assert 'setup="actpass"' in xml and '<parameter name="b" value="2"/>' in xml and '<parameter name="cname" value="x"/>' in xml


@pytest.mark.parametrize(
    ("line", "expected"), [("b=AS:9999999999", []), ("b=TIAS:2147483647", [("TIAS", 2147483647)]), ("b=AS:x", []), ("b=CT:1", [])]
)
def test_bandwidths_that_the_other_side_could_not_read_are_dropped(line, expected):
    """J-126."""
    assert [tuple(b) for b in xep_0167_sdp.from_sdp(parse(small(line)).media[0], Role.INITIATOR).bandwidths] == expected


def test_of_two_header_extensions_with_one_number_the_first_counts():
    line = "a=extmap:3 urn:ietf:params:rtp-hdrext:toffset"
    media = parse(small(line, line, "a=extmap:3 urn:3gpp:video-orientation")).media[0]
    assert [item.uri for item in xep_0294.from_sdp(media, Role.INITIATOR)] == ["urn:ietf:params:rtp-hdrext:toffset"]
