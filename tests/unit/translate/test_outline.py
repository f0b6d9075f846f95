"""What trickling needs of a side, and nothing else of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jinglebridge.errors import Refused
from jinglebridge.jingle import Candidate, Content, IceUdpTransport, Jingle, Role, build_jingle, jingle_text, parse_jingle
from jinglebridge.sdp import parse
from jinglebridge.translate.applied import MAX_CANDIDATES
from jinglebridge.translate.outline import Late, outline
from jinglebridge.translate.side import Side
from jinglebridge.translate.side_trickle import told
from jinglebridge.xml import parse_text, to_text
from tests.unit.cases import small

HOST = {"candidate": "candidate:1 1 udp 2122194687 192.0.2.2 49376 typ host", "sdpMid": "0", "sdpMLineIndex": 0}
PEER = Candidate(1, "1", "192.0.2.7", 5000, 1, "host", id="x")


def pair() -> tuple[Side, Side]:
    one, two = Side(Role.INITIATOR, "s"), Side(Role.RESPONDER, "s")
    two.hear_offer(one.offer(parse(small())))
    return one, two


def info(*candidates: Candidate, name: str = "0", **more) -> Jingle:
    return Jingle("transport-info", "s", contents=(Content(name, transport=IceUdpTransport(candidates=candidates, **more)),))


def test_before_any_description_nothing_is_told_or_heard():
    empty = outline(Side(Role.INITIATOR, "s"))
    assert empty.own is None and empty.peer is None and empty.tell_end() == [] and empty.restarts_nothing(info(PEER))
    with pytest.raises(Refused, match="before"):
        empty.tell(HOST)
    with pytest.raises(Refused, match="before"):
        empty.hear(info(PEER))


def test_it_counts_on_where_the_descriptions_stop():
    side, _ = pair()
    told(side, HOST)
    seen = outline(side)
    found = seen.tell(HOST)
    assert found is not None and found[1].candidates[0].id == "t2" and seen.told == 2
    for _ in range(MAX_CANDIDATES):
        seen.tell(HOST)
    assert seen.tell(HOST) is None and seen.told == MAX_CANDIDATES


@pytest.mark.parametrize("extensions", [False, True])
def test_the_text_of_each_candidate_is_that_of_its_transport_info(extensions):
    """Also where names, ids and credentials hold what XML must not, and around the end and a candidate with a tail."""
    side, _ = pair()
    side.extensions = extensions
    seen = outline(side)
    assert seen.own is not None
    (part,) = seen.own.values()
    part.name, part.pwd, seen.sid = '<candidate component="1"', "a&b\"'>", 'x"/><evil/>'
    lines = [
        *("host", "srflx raddr 10.0.0.1 rport 9", "host tcptype active", "host network-cost 10", "relay generation 1 foo bar"),
        *("host", "srflx raddr 2001:db8::1 rport 1"),
    ]
    for number, line in enumerate(lines):
        found = seen.tell(HOST | {"candidate": f"candidate:{number} 1 udp 2122194687 192.0.2.{number} 49376 typ {line}"})
        assert found is not None
        jingle, late, text = found
        assert text == jingle_text(jingle) == to_text(build_jingle(jingle)) and parse_jingle(parse_text(text)) == jingle
        assert late.candidates == jingle.contents[0].transport.candidates and bool(late.tails) is extensions
    (end,) = seen.tell_end()
    assert end[2] == jingle_text(end[0]) and "gathering-complete" in end[2]


def test_no_candidate_is_the_end_and_what_is_no_text_is_refused():
    side, _ = pair()
    seen = outline(side)
    for nothing in ("candidate:", "a=candidate:", "candidate: "):
        assert seen.tell(HOST | {"candidate": nothing}) is None, "it says nothing, not even that it is the last"
    end = seen.tell(HOST | {"candidate": None})
    assert end is not None and end[1].complete and end == seen.tell({"sdpMid": "0"})
    with pytest.raises(Refused, match="string"):
        seen.tell(HOST | {"candidate": 5})


def test_more_than_is_remembered_is_still_heard():
    _, two = pair()
    seen = outline(two)
    found, lates = seen.hear(info(*[PEER] * (MAX_CANDIDATES + 5)))
    assert len(found) == MAX_CANDIDATES + 5 and len(lates[0].candidates) == MAX_CANDIDATES
    assert [len(part) for part in seen.hear(info(PEER))] == [1, 0]
    assert [len(part) for part in seen.hear(info(gathering_complete=True))] == [1, 1]
    assert [len(part) for part in seen.hear(info(gathering_complete=True))] == [1, 0], "an end is remembered once"


def test_a_full_description_has_no_room():
    _, two = pair()
    assert two.peer is not None
    (content,) = two.peer.contents
    assert content.transport is not None
    full = replace(content, transport=replace(content.transport, candidates=(PEER,) * (MAX_CANDIDATES + 3)))
    two.peer = two.peer._replace(contents=(full, Content("0"), Content("x")))
    assert [len(part) for part in outline(two).hear(info(PEER))] == [1, 0]
    assert outline(two).hear(info(PEER, name="x")) == ([], [])


@pytest.mark.parametrize(
    ("jingle", "nothing"),
    [
        (info(PEER), True),
        (info(PEER, ufrag="ufra"), True),
        (info(PEER, ufrag="othr", pwd="p" * 22), False),
        (info(PEER, name="9", ufrag="othr"), True),
        (Jingle("transport-info", "s", contents=(Content("0"),)), True),
    ],
)
def test_credentials_that_are_known_restart_nothing(jingle, nothing):
    assert outline(pair()[1]).restarts_nothing(jingle) is nothing


def test_late_as_a_content():
    content = Late("0", (PEER,), complete=True).content
    assert content.transport == IceUdpTransport(candidates=(PEER,), gathering_complete=True) and content.unknown == ()
