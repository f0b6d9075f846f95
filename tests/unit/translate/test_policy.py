"""What is held back from a peer, field by field. Sections 0 … 7 of what clients need."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from jinglebridge.jingle import Candidate, Content, Parameter, PayloadType, Role, RtpDescription, Senders, xep_0176, xep_0371
from jinglebridge.jingle.private import NS as NS_PRIVATE
from jinglebridge.sdp import parse
from jinglebridge.translate import sdp_to_xml
from jinglebridge.translate.policy import NONE, POLICIES, RID_URIS, SAFE, PeerPolicy
from jinglebridge.translate.session import Described, from_sdp, to_sdp
from jinglebridge.xml import parse_text
from tests.unit.cases import AV, offer, small

I, R = Role.INITIATOR, Role.RESPONDER  # noqa: E741
RICH = small(
    "a=candidate:1 1 tcp 5 192.0.2.1 9 typ host tcptype active",
    "a=candidate:1 1 udp 5 a.local 9 typ host",
    "a=candidate:1 1 udp 5 192.0.2.1 9 typ host",
    "a=end-of-candidates",
    "a=ssrc:1 flag",
    "a=ssrc:1 empty:",
    "a=ssrc:1 other:x",
    "a=ssrc:1 cname:x",
    "a=ssrc:1 msid:s t",
    "a=rtcp-rsize",
    *(f"a=extmap:{id} {uri}" for id, uri in enumerate(sorted(RID_URIS), 2)),
    "a=extmap:5 urn:x",
    "b=TIAS:64000",
    "b=AS:64",
    "a=fmtp:111 minptime=10;x=a b;empty=;bare",
    f"a=fingerprint:sha-512 {':'.join(['AB'] * 64)}",
    head=("a=group:BUNDLE 0",),
)


def read(policy: PeerPolicy, sdp: str = RICH, author: Role = I, **how):
    return from_sdp(parse(sdp), author, policy=policy, **how)


def test_the_library_holds_nothing_back():
    everything = read(NONE)
    transport, description = everything.contents[0].transport, everything.contents[0].description
    assert NONE.apply(everything) is everything
    assert len(transport.candidates) == 3 and len(transport.fingerprints) == 2 and transport.gathering_complete
    assert len(description.sources[0].parameters) == 5 and description.rtcp_reduced_size and len(description.header_extensions) == 3
    assert len(description.bandwidths) == 2 and len(description.payload_types[0].parameters) == 4


@pytest.mark.parametrize("name", ["safe", "dino", "conversations", "monal", "movim"])
def test_no_client_gets_what_one_of_them_cannot_read(name):
    policy = POLICIES[name]
    described = read(policy)
    transport, description = described.contents[0].transport, described.contents[0].description
    assert [c.ip for c in transport.candidates] == ["192.0.2.1"] and not transport.gathering_complete  # J-160, J-161, J-165
    assert [f.hash for f in transport.fingerprints] == ["sha-256"]  # J-179
    assert description.sources[0].parameters == (("cname", "x"), ("msid", "s t"))  # J-199
    assert not description.rtcp_reduced_size  # J-137
    assert [e.uri for e in description.header_extensions] == ["urn:x"]  # J-143
    assert [b.type for b in description.bandwidths] == ["AS"]  # J-126
    assert description.payload_types[0].parameters == (Parameter("minptime", "10"),)
    assert bool(described.groups) is (name != "dino")  # J-192
    assert transport.trickle is (name in ("conversations", "monal"))  # J-158
    assert policy.one_candidate and policy.one_content is (name in ("safe", "dino", "monal"))


def test_the_strongest_of_other_fingerprints_is_kept():
    stronger = RICH.replace("a=fingerprint:sha-256", "a=x:")
    assert [f.hash for f in read(SAFE, stronger).contents[0].transport.fingerprints] == ["sha-512"]


def test_each_policy_has_its_own_name():
    assert {name: policy.name for name, policy in POLICIES.items()} == {name: name for name in POLICIES}
    assert SAFE.apply(Described((Content("x"),))).contents == (Content("x"),)


@pytest.mark.parametrize("field", [f.name for f in fields(PeerPolicy) if f.name not in ("name", "trickle", "one_candidate", "one_content")])
def test_every_field_of_a_policy_does_something(field):
    """Set alone, it changes what the rich description becomes."""
    private = parse_text(f'<sdp xmlns="{NS_PRIVATE}"/>')
    data = small().replace("t=0 0", "t=0 0\r\na=group:BUNDLE 0 d") + ("m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:d\r\n")
    described = read(NONE)
    channel = read(NONE, data).contents[1]
    described = Described((*described.contents, channel), described.groups, (private,))
    described = described._replace(contents=(replace(described.contents[0], senders=Senders.NONE), channel))
    value = xep_0371.NS if field == "transport" else not getattr(NONE, field)
    policy = replace(NONE, name="one", **{field: value})
    if field == "transport":
        assert read(policy).contents[0].transport.ns == xep_0371.NS
    else:
        changed = policy.apply(described, I)
        assert (changed, changed.unknown) != (described, described.unknown)
        assert replace(NONE, name="one").apply(described, I) == described


@pytest.mark.parametrize(("author", "senders"), [(I, Senders.RESPONDER), (R, Senders.INITIATOR), (None, Senders.NONE)])
def test_nobody_sends_is_not_said_to_who_cannot_read_it(author, senders):
    """COMPAT(Dino 0.4.2, Monal 6): the peer may send, we do not; which is what inactive means for our part."""
    described = read(NONE, small("a=inactive", drop=("sendrecv",)))
    assert SAFE.apply(described, author).contents[0].senders is senders
    assert POLICIES["movim"].apply(described, author).contents[0].senders is Senders.NONE


def test_a_description_by_an_endpoint_knows_its_author():
    assert read(SAFE, small("a=inactive", drop=("sendrecv",)), R).contents[0].senders is Senders.INITIATOR


@pytest.mark.parametrize(
    ("parameters", "kept"),
    [
        ("0-15", ("0-15",)),
        ("0-15;foo=1", ("1",)),
        ("0-15,66", ("0-15,66",)),
        ("a=1;b=2", ("1", "2")),
        ("a=;b=2", ("2",)),
        ("a=1 2", ()),
        ("a b=1", ()),
        ("a;b", ()),
        ("a=;0-15", ("0-15",)),
    ],
)
def test_parameters_that_end_a_call_of_conversations(parameters, kept):
    """Rule 13 of section 0: a value without blanks, and a name where there are several."""
    sdp = small("a=rtpmap:101 telephone-event/8000", f"a=fmtp:101 {parameters}").replace(" 111\r\n", " 111 101\r\n")
    event = read(SAFE, sdp).contents[0].description.payload_types[1]
    assert tuple(p.value for p in event.parameters) == kept


def test_red_whose_parameter_cannot_be_written_is_left_out_with_its_retransmission():
    sdp = small(
        "a=rtpmap:63 red/48000/2",
        "a=rtpmap:96 rtx/48000",
        "a=rtpmap:97 red/48000/2",
        "a=fmtp:63 111/111;x=1",
        "a=fmtp:96 apt=63",
        "a=fmtp:97 111/111",
    ).replace(" 111\r\n", " 111 63 96 97\r\n")
    assert [p.id for p in read(NONE, sdp).contents[0].description.payload_types] == [111, 63, 96, 97]
    assert [p.id for p in read(SAFE, sdp).contents[0].description.payload_types] == [111, 97]
    assert 'value="111/111"' in sdp_to_xml(offer(AV), peer="conversations")


def test_payload_types_that_need_no_change_are_kept_as_they_are():
    payload = PayloadType(111, "opus", 48000, 2)
    described = Described((Content("0", description=RtpDescription("audio", (payload,))),))
    assert SAFE.apply(described).contents[0].description.payload_types[0] is payload


def test_private_elements_reach_only_who_knows_them():
    private, other = parse_text(f'<sdp xmlns="{NS_PRIVATE}"/>'), parse_text('<x xmlns="urn:x"/>')
    described = Described((Content("0", unknown=(private, other)),), (), (other, private))
    for policy in POLICIES.values():
        found = policy.apply(described)
        kept = policy.name == "none"
        assert (private in found.unknown, private in found.contents[0].unknown) == (kept, kept)
        assert other in found.unknown and other in found.contents[0].unknown
    assert replace(SAFE, name="x", extensions=True).apply(described).unknown == (other, private)


TCP = Candidate(1, "f", "192.0.2.1", 9, 5, "host", "tcp")


def test_candidates_one_by_one():
    """J-160, J-161: XEP-0371 has TCP, XEP-0176 has not."""
    name = Candidate(1, "f", "a.local", 9, 5, "host")
    assert NONE.admits(TCP) and NONE.admits(name) and not SAFE.admits(TCP) and not SAFE.admits(name)
    assert SAFE.admits(TCP, xep_0371.NS) and not SAFE.admits(name, xep_0371.NS) and not SAFE.admits(TCP, xep_0176.NS)


def test_who_speaks_xep_0371_is_answered_in_it():
    """J-176: with TCP and the end of candidates, which are part of it."""
    asked = read(NONE)
    asked = Described((replace(asked.contents[0], transport=replace(asked.contents[0].transport, ns=xep_0371.NS)),))
    answer = read(SAFE, RICH.replace("actpass", "active") + "a=ice-options:trickle ice2\r\n", R, accept_of=asked)
    transport = answer.contents[0].transport
    assert transport.ns == xep_0371.NS and transport.ice2 and transport.gathering_complete
    assert [c.protocol for c in transport.candidates] == ["tcp", "udp"]
    assert to_sdp(answer, R, session_id=1, version=1).media[0].get("ice-options") == "trickle ice2"
    assert read(SAFE, RICH, R, accept_of=read(NONE)).contents[0].transport.ns == xep_0176.NS
