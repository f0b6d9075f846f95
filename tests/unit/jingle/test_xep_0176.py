"""XEP-0176 and XEP-0320: transports, candidates, fingerprints."""

from __future__ import annotations

import pytest

from jinglebridge.errors import BadRequest, Refused
from jinglebridge.jingle import Fingerprint, xep_0176, xep_0320
from jinglebridge.jingle.xep_0176 import TRANSPORT, Candidate, candidate_from_line, candidate_to_line
from jinglebridge.sdp import SessionDescription, parse
from jinglebridge.sdp.attributes import candidate
from jinglebridge.xml import parse_text
from tests.unit.cases import FINGERPRINT, small

GOOD = 'component="1" foundation="f" generation="0" id="i" ip="192.0.2.1" network="0" port="9" priority="5" protocol="udp" type="host"'


def transport(inner: str, attributes: str = "") -> xep_0176.IceUdpTransport:
    return TRANSPORT.parse(parse_text(f'<transport xmlns="urn:xmpp:jingle:transports:ice-udp:1" {attributes}>{inner}</transport>'))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('port="9"', 'port="0"'),
        ('port="9"', 'port="65536"'),
        ('port="9"', ""),
        ('priority="5"', 'priority="2147483648"'),
        ('component="1"', 'component="0"'),
        ('component="1"', ""),
        ('ip="192.0.2.1"', ""),
        ('ip="192.0.2.1"', 'ip="example.org"'),
        ('ip="192.0.2.1"', 'ip="0.0.0.0"'),
        ('ip="192.0.2.1"', 'ip="224.0.0.1"'),
        ('ip="192.0.2.1"', 'ip="fe80::1%eth0"'),
        ('ip="192.0.2.1"', 'ip="a b.local"'),
        ('ip="192.0.2.1"', 'ip="192.0.2.1&#10;a=x"'),
        ('foundation="f"', 'foundation="a b"'),
        ('foundation="f"', f'foundation="{"f" * 33}"'),
        ('id="i"', 'id="a&#13;b"'),
        ('type="host"', 'type="local"'),
        ('protocol="udp"', 'protocol="sctp"'),
        ('type="host"', 'type="host" tcptype="x"'),
    ],
)
def test_a_bad_candidate_drops_itself_only(old, new):
    """J-150, J-151, J-162."""
    assert old in GOOD
    found = transport(f"<candidate {GOOD.replace(old, new)}/><candidate {GOOD}/>")
    assert len(found.candidates) == 1


@pytest.mark.parametrize(
    ("pair", "expected"),
    [
        ('rel-addr="fe80::1%eth0" rel-port="9"', "0.0.0.0 rport 9"),
        ('rel-addr="x.local" rel-port="7"', "0.0.0.0 rport 9"),
        ('rel-addr="" rel-port="7"', "0.0.0.0 rport 9"),
        ('rel-addr="10.0.0.1" rel-port="99999"', "0.0.0.0 rport 9"),
        ('rel-addr="10.0.0.1" rel-port="x"', "0.0.0.0 rport 9"),
        ('rel-addr="10.0.0.1" rel_port="7"', "10.0.0.1 rport 7"),
    ],
)
def test_a_bad_related_address_drops_its_pair_and_keeps_the_candidate(pair, expected):
    """M-4: if only one is good, both go."""
    found = transport(f"<candidate {GOOD.replace('host', 'srflx')} {pair}/>").candidates
    assert [candidate_to_line(c) for c in found] == [f"candidate:f 1 udp 5 192.0.2.1 9 typ srflx raddr {expected} generation 0"]


@pytest.mark.parametrize("name", ["ufrag", "pwd"])
def test_credentials_with_a_line_end_are_none(name):
    """J-146: the transport is read, and what uses it ends with failed-transport."""
    assert getattr(transport("", f'{name}="abcd&#10;a=x"'), name) == ""


@pytest.mark.parametrize("bad", ['streams="0"', 'number="x"', 'protocol="a b"'])
def test_a_bad_sctpmap_drops_itself_only(bad):
    """The next one counts, and a transport without any is one for media."""
    ns = 'xmlns="urn:xmpp:jingle:transports:dtls-sctp:1"'
    start = bad if "number" in bad else f'number="5000" {bad}'
    assert transport(f"<sctpmap {ns} {start}/><candidate {GOOD}/>").sctp is None
    found = transport(f'<sctpmap {ns} {start}/><sctpmap {ns} number="6000"/><candidate {GOOD}/>')
    assert found.sctp is not None and found.sctp.port == 6000 and len(found.candidates) == 1


@pytest.mark.parametrize(
    ("old", "new", "field", "value"),
    [
        ('generation="0" ', "", "generation", 0),
        ('generation="0"', 'generation="many"', "generation", 0),
        ('network="0" ', "", "network", 0),
        ('network="0"', 'network="-1"', "network", 0),
        ('id="i" ', "", "id", ""),
        ('protocol="udp" ', "", "protocol", "udp"),
        ('protocol="udp"', 'protocol="UDP"', "protocol", "udp"),
        ('type="host"', 'type="srflx" rel-addr="0.0.0.0" rel_port="7"', "related_port", 7),
        ('ip="192.0.2.1"', 'ip="fd00::2"', "ip", "fd00::2"),
        ('ip="192.0.2.1"', 'ip="ab-1.local"', "ip", "ab-1.local"),
    ],
)
def test_lenient_reading(old, new, field, value):
    """J-150."""
    (found,) = transport(f"<candidate {GOOD.replace(old, new)}/>").candidates
    assert getattr(found, field) == value


def test_other_children_of_transport():
    """J-158, J-166, J-168."""
    found = transport(
        '<remote-candidate component="1" ip="192.0.2.1" port="9"/><gathering-complete/>'
        '<trickle xmlns="http://gultsch.de/xmpp/drafts/jingle/transports/ice-udp/option"/><x xmlns="urn:x"/>',
        'ufrag="u" pwd="p"',
    )
    assert found.remote_candidates == (xep_0176.RemoteCandidate(1, "192.0.2.1", 9),)
    assert found.gathering_complete and found.trickle and len(found.unknown) == 1 and found.ufrag == "u"


@pytest.mark.parametrize(
    ("line", "again"),
    [
        ("f 1 udp 5 192.0.2.1 9 typ host generation 0", None),
        ("f 1 udp 5 192.0.2.1 9 typ host generation 0 ufrag x network-cost 999", "f 1 udp 5 192.0.2.1 9 typ host generation 0"),
        ("f 1 udp 5 192.0.2.1 9 typ srflx raddr 10.0.0.1 rport 8 generation 1", None),
        ("f 1 udp 5 192.0.2.1 9 typ srflx", "f 1 udp 5 192.0.2.1 9 typ srflx raddr 0.0.0.0 rport 9 generation 0"),
        ("f 1 udp 5 192.0.2.1 9 typ relay raddr 10.0.0.1", "f 1 udp 5 192.0.2.1 9 typ relay raddr 0.0.0.0 rport 9 generation 0"),
        ("f 1 udp 5 192.0.2.1 9 typ relay raddr x rport 1", "f 1 udp 5 192.0.2.1 9 typ relay raddr 0.0.0.0 rport 9 generation 0"),
        ("f 1 udp 5 192.0.2.1 9 typ relay raddr :: rport 99999", "f 1 udp 5 192.0.2.1 9 typ relay raddr 0.0.0.0 rport 9 generation 0"),
        ("f 1 tcp 5 192.0.2.1 9 typ host tcptype active generation 0", None),
        ("f 1 tcp 5 192.0.2.1 9 typ host tcptype odd", "f 1 tcp 5 192.0.2.1 9 typ host tcptype passive generation 0"),
        ("f 1 UDP 5 x.local 9 typ host", "f 1 udp 5 x.local 9 typ host generation 0"),
    ],
)
def test_lines_both_ways(line, again):
    """J-148, M-4."""
    found = candidate_from_line(candidate(line), "i")
    assert found is not None and found.id == "i"
    assert candidate_to_line(found) == f"candidate:{again or line}"


@pytest.mark.parametrize(
    "line",
    [
        "f 2 udp 5 192.0.2.1 9 typ host",
        "f 1 udp 5 example.org 9 typ host",
        "f 1 udp 5 :: 9 typ host",
        "f 1 sctp 5 192.0.2.1 9 typ host",
        "f* 1 udp 5 192.0.2.1 9 typ host",
        "f 1 udp 5 192.0.2.1 9 typ local",
    ],
)
def test_what_jingle_cannot_carry_is_none(line):
    assert candidate_from_line(candidate(line), "i") is None


def test_component_two_is_not_written():
    """J-128."""
    sdp = SessionDescription()
    media = sdp.add_media("audio", 9, "RTP/AVP", ("0",))
    one = Candidate(1, "f", "192.0.2.1", 9, 5, "host")
    xep_0176.to_sdp(
        media, xep_0176.IceUdpTransport("u", "p", (), (one, Candidate(2, "f", "192.0.2.1", 9, 5, "host")), gathering_complete=True)
    )
    assert media.all("candidate") == ["f 1 udp 5 192.0.2.1 9 typ host generation 0"] and "end-of-candidates" in media


def test_candidates_of_a_section():
    lines = (
        "a=candidate:f 1 udp 5 192.0.2.1 9 typ host",
        "a=candidate:nonsense",
        "a=candidate:f 2 udp 5 192.0.2.1 9 typ host",
        "a=end-of-candidates",
    )
    found = xep_0176.from_sdp(parse(small(*lines)).media[0], ())
    assert [c.id for c in found.candidates] == ["c0-0"] and found.gathering_complete and found.ufrag == "ufra"


def test_fingerprints_are_read_without_blanks_in_upper_case():
    """J-178."""
    spaced = " \n ".join(FINGERPRINT.partition(" ")[2].lower().split(":")).replace(" \n ", ":\n  ")
    found = transport(f'<fingerprint xmlns="urn:xmpp:jingle:apps:dtls:0" hash="SHA-256" setup="active">{spaced}</fingerprint>')
    assert found.fingerprints == (Fingerprint("sha-256", "active", FINGERPRINT.partition(" ")[2]),)
    assert xep_0320.strong(found.fingerprints[0])


@pytest.mark.parametrize("inner", ["", "zz", "AB:C&#228;"])
def test_a_fingerprint_that_is_none_drops_itself(inner):
    assert transport(f'<fingerprint xmlns="urn:xmpp:jingle:apps:dtls:0" hash="sha-256">{inner}</fingerprint>').fingerprints == ()


@pytest.mark.parametrize(
    ("hash", "value"),
    [("sha-1", ":".join(["AB"] * 20)), ("sha-256", ":".join(["AB"] * 31)), ("sha-256", "A" + ":".join(["B"] * 48)), ("md5", "AB")],
)
def test_weak_or_short_fingerprints_do_not_count(hash, value):
    """J-183."""
    assert not xep_0320.strong(Fingerprint(hash, None, value))


def test_fingerprints_of_sdp():
    media = parse(small("a=fingerprint:sha-1 AB", "a=fingerprint:nonsense", drop=("setup",))).media[0]
    (found,) = xep_0320.from_sdp(media, answer=False, default="actpass")
    assert found.hash == "sha-256" and found.setup == "actpass"
    (found,) = xep_0320.from_sdp(parse(small()).media[0], answer=True, default="active")
    assert found.setup == "active"
    with pytest.raises(Refused, match="J-182"):
        xep_0320.from_sdp(parse(small(drop=("setup",), head=("a=setup:holdconn",))).media[0], answer=False, default="actpass")


def test_a_crowd_of_sctpmaps_is_refused():
    ns, one = 'xmlns="urn:xmpp:jingle:transports:dtls-sctp:1"', 'number="5000" protocol="webrtc-datachannel" streams="1024"'
    assert transport(f"<sctpmap {ns} {one}/>" * 64).sctp is not None
    with pytest.raises(BadRequest, match="more than 64 <sctpmap/>"):
        transport(f"<sctpmap {ns} {one}/>" * 65)
