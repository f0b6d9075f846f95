"""Trickle both ways: who sees a candidate when, and with which credentials. J-145 … J-169, J-247; clients.md checklist 8 and 9."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jinglebridge.calls import effects as fx
from jinglebridge.calls import events as ev
from jinglebridge.calls import stored
from jinglebridge.calls.candidates import MAX_INBOX, MAX_SENT, MAX_WAITING
from jinglebridge.calls.model import CallState
from jinglebridge.errors import EndpointError, OutOfOrder
from jinglebridge.jingle import Candidate, Content, IceUdpTransport, Proceed
from tests.unit.calls.world import (
    ANSWER,
    ANSWER_CANDIDATES,
    OFFER,
    OWN_CANDIDATES,
    PLAIN,
    ROMEO,
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
    talking_direct_in,
    talking_in,
    talking_out,
)
from tests.unit.cases import small

OWN = OWN_CANDIDATES[0]
SENT = "page > phone transport-info"
PEER = Candidate(1, "1", "192.0.2.7", 5000, 1, "host", id="x")
HOST = "a=candidate:1 1 udp 2122194687 192.0.2.2 49376 typ host"


def info(*candidates: Candidate, name: str = "0", ufrag: str | None = None, pwd: str | None = None, **more) -> tuple[Content, ...]:
    return (Content(name, transport=IceUdpTransport(ufrag, pwd, candidates=candidates, **more)),)


def ufrag_of_peer(w: World) -> str:
    return w.state.side.peer.content("0").transport.ufrag


# --- ours


def test_each_candidate_leaves_alone_with_ufrag_and_pwd():
    """Checklist 8: Monal reads one candidate and insists on both; Movim glues several together."""
    w = World()
    initiate = proceeded(w)
    for init in OWN_CANDIDATES:
        assert w.does(ev.Gathered("c1", init)) == [SENT]
        (jingle,) = w.sent("transport-info")
        (content,) = jingle.contents
        (candidate,) = content.transport.candidates
        assert content.name == init["sdpMid"] and content.description is None
        assert candidate.ip in init["candidate"] and candidate.id
        offered = next(c for c in initiate.contents if c.name == content.name)
        assert (content.transport.ufrag, content.transport.pwd) == (offered.transport.ufrag, offered.transport.pwd)


def test_candidate_ids_are_unique_within_the_call():
    w = World()
    proceeded(w)
    ids = []
    for init in OWN_CANDIDATES:
        w.does(ev.Gathered("c1", init))
        ids.append(w.sent("transport-info")[0].contents[0].transport.candidates[0].id)
    assert len(set(ids)) == len(ids)


def test_nothing_with_an_address_leaves_before_the_callee_proceeds():
    """DESIGN §5: with JMI nothing but the propose leaves; afterwards what waited leaves in order, after the offer."""
    w = World()
    w.does(ev.Placed("c1", ROMEO, small(HOST)))
    assert w.does(ev.Gathered("c1", OWN)) == []
    w.messages(Proceed("id1"))
    assert [e.jingle.action for e in w.last if isinstance(e, fx.SendJingle)] == ["session-initiate"]  # other credentials: dropped
    w = World()
    placed(w)
    assert w.does(ev.Gathered("c1", OWN)) == [] and w.does(ev.Gathered("c1", OWN_CANDIDATES[1])) == []
    assert [s for s in w.messages(Proceed("id1")) if ">" in s] == ["page > phone session-initiate", SENT, SENT]


def test_without_jmi_our_candidates_wait_for_the_session_accept():
    """J-154, J-247: also those that the SDP held already; they come first."""
    w = World(PLAIN)
    w.does(ev.Placed("c1", ROMEO, OFFER.replace("a=mid:0", "a=mid:0\r\n" + HOST)))
    (initiate,) = w.sent("session-initiate")
    assert "192.0.2.2" not in str(initiate)
    assert w.does(ev.Gathered("c1", OWN_CANDIDATES[1])) == []
    assert w.sends(answer_of_peer(initiate)) == ["page: answer", SENT, SENT, "timer connect 45", "page: connecting"]
    ips = [j.contents[0].transport.candidates[0].ip for j in w.sent("transport-info")]
    assert ips == ["192.0.2.2", "fd00::2"]


@pytest.mark.parametrize("stage", [accepted, offered])
def test_when_we_are_called_our_candidates_wait_for_our_answer(stage):
    """The peer must have our description first."""
    w = World()
    stage(w)
    assert w.does(ev.Gathered("id1", ANSWER_CANDIDATES[0])) == []
    if stage is accepted:
        w.sends(offer_of_peer("s1"))
    assert [s for s in w.does(ev.Described("id1", "answer", ANSWER)) if ">" in s] == ["page > phone session-accept", SENT]
    assert w.does(ev.Gathered("id1", ANSWER_CANDIDATES[1])) == [SENT]


@pytest.mark.parametrize("stage", [proposed, direct_in])
def test_a_page_that_did_not_accept_has_no_candidates(stage):
    w = World(*([PLAIN] if stage is direct_in else []))
    stage(w)
    with pytest.raises(EndpointError) as refused:
        w.does(ev.Gathered("id1", OWN))
    assert refused.value.code == "out-of-order"


def test_no_more_than_so_many_wait():
    w = World()
    placed(w)
    for _ in range(MAX_WAITING + 5):
        w.does(ev.Gathered("c1", OWN))
    assert len(w.state.own_waiting) == MAX_WAITING


@pytest.mark.parametrize("end", [None, {}, {"candidate": ""}, {"candidate": "", "sdpMid": "0"}])
def test_end_of_candidates_is_not_sent(end):
    """J-165: ice-udp:1 has none."""
    w = World()
    proceeded(w)
    assert w.does(ev.Gathered("c1", end)) == []


@pytest.mark.parametrize(
    "text",
    [
        "candidate:1 1 tcp 1518280447 192.0.2.2 9 typ host tcptype active",
        "candidate:1 1 udp 2122194687 0e8f1b5c.local 5000 typ host",
        "candidate:1 2 udp 2122194687 192.0.2.2 5000 typ host",
    ],
)
def test_what_no_peer_can_take_is_dropped_silently(text):
    """J-160, J-161; component 2."""
    w = World()
    proceeded(w)
    assert w.does(ev.Gathered("c1", OWN | {"candidate": text})) == []


def test_candidate_of_older_credentials_is_dropped():
    """J-169."""
    w = World()
    proceeded(w)
    plain = {"candidate": HOST.removeprefix("a="), "sdpMid": "0"}
    assert w.does(ev.Gathered("c1", plain | {"usernameFragment": "older"})) == []
    assert w.does(ev.Gathered("c1", plain | {"candidate": plain["candidate"] + " ufrag older"})) == []
    assert w.does(ev.Gathered("c1", plain | {"usernameFragment": None})) == [SENT]


@pytest.mark.parametrize(
    "where",
    [{"sdpMid": "9"}, {"sdpMid": None, "sdpMLineIndex": 9}, {"sdpMid": None, "sdpMLineIndex": -1}, {"sdpMid": None, "sdpMLineIndex": None}],
)
def test_candidate_of_no_section_is_the_pages_fault(where):
    """J-164."""
    w = World()
    proceeded(w)
    with pytest.raises(EndpointError) as refused:
        w.does(ev.Gathered("c1", OWN | where))
    assert refused.value.code == "bad-candidate"


def test_candidate_that_is_none_changes_nothing():
    w = World()
    proceeded(w)
    with pytest.raises(EndpointError):
        w.does(ev.Gathered("c1", OWN | {"candidate": "candidate:no such thing"}))


def test_a_bad_candidate_that_waited_does_not_stop_the_others():
    w = World()
    placed(w)
    w.does(ev.Gathered("c1", OWN | {"candidate": "candidate:no such thing"}))
    w.does(ev.Gathered("c1", OWN))
    assert SENT in w.messages(Proceed("id1")) and "candidate-dropped" in w.notes()


def test_without_mid_the_index_counts_all_sections():
    """J-164: also sections that are not in the session, such as a data channel before the video."""
    data = "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=mid:data\r\na=sctp-port:5000\r\n"
    data += "".join(line + "\r\n" for line in OFFER.splitlines() if line.startswith(("a=ice-", "a=fingerprint", "a=setup")))
    head, audio, video = OFFER.partition("m=audio")[0], *OFFER.partition("m=audio")[2].split("m=video")
    w = World()
    w.does(ev.Placed("c1", ROMEO, head + "m=audio" + audio + data + "m=video" + video))
    w.messages(Proceed("id1"))
    w.does(ev.Gathered("c1", OWN | {"sdpMid": None, "sdpMLineIndex": 2}))
    assert w.sent("transport-info")[0].contents[0].name == "1"
    assert w.does(ev.Gathered("c1", OWN | {"sdpMid": None, "sdpMLineIndex": 1})) == []


def test_names_of_the_peers_contents_are_used_for_ours():
    """J-164: the mid at the page and the content name differ."""
    w = World(PLAIN)
    offer = offer_of_peer("s1", small())
    w.sends(replace(offer, contents=(replace(offer.contents[0], name="a b"),), groups=()))
    w.does(ev.Accepted("id1"))
    w.does(ev.Described("id1", "answer", small(mid="m0").replace("actpass", "active")))
    assert w.does(ev.Gathered("id1", {"candidate": HOST, "sdpMid": "m0"})) == [SENT]
    assert w.sent("transport-info")[0].contents[0].name == "a b"


# --- the peer's


def test_the_peers_candidates_reach_the_page_with_mid_index_and_ufrag():
    """J-155."""
    w = talking_out(World())
    ufrag = ufrag_of_peer(w)
    other = replace(PEER, ip="192.0.2.8")
    assert w.sends("transport-info", contents=info(PEER, other, ufrag=ufrag, pwd="p" * 22)) == [
        "page: candidate 0 0",
        "page: candidate 0 0",
    ]
    (first, second) = w.told(fx.TellCandidate)
    assert "192.0.2.7 5000" in first.candidate and "192.0.2.8" in second.candidate
    assert first.ufrag == ufrag


def test_candidates_before_the_answer_wait_for_it():
    """J-155: a browser refuses candidates without a description."""
    w = World()
    initiate = proceeded(w)
    assert w.sends("transport-info", contents=info(PEER)) == []
    lines = w.sends(answer_of_peer(initiate))
    assert lines[0] == "page: answer" and lines[-1] == "page: candidate 0 0"


def test_candidates_before_the_person_accepts_wait_for_it():
    """DESIGN §5."""
    w = World(PLAIN)
    direct_in(w)
    assert w.sends("transport-info", sid="s1", contents=info(PEER)) == []
    assert w.does(ev.Accepted("id1")) == ["page: accepted", "page: offer", "timer accept 60", "page: candidate 0 0"]
    assert w.sends("transport-info", sid="s1", contents=info(PEER)) == ["page: candidate 0 0"]


@pytest.mark.parametrize("stage", [talking_in, talking_direct_in])
def test_candidates_of_a_running_call_we_were_called_for(stage):
    w = stage(World(*([PLAIN] if stage is talking_direct_in else [])))
    assert w.sends("transport-info", sid="s1", contents=info(PEER, name="1")) == ["page: candidate 1 1"]


@pytest.mark.parametrize(
    ("contents", "lines"),
    [
        (info(PEER, ufrag="older"), []),
        (info(PEER, name="9"), []),
        ((Content("0"),), []),
        (info(), []),
        (info(replace(PEER, component=2)), []),
        (info(gathering_complete=True), ["page: candidate 0 0"]),
        (info(PEER, name="9") + info(PEER), ["page: candidate 0 0"]),
    ],
)
def test_nothing_in_a_transport_info_ends_the_call(contents, lines):
    """J-150, J-096, J-169: other generations, unknown contents and component 2 drop themselves; acked all the same."""
    w = talking_out(World())
    assert w.sends("transport-info", contents=contents) == lines
    assert not w.quiet


def test_a_bundled_content_without_credentials_takes_those_of_the_group():
    """J-193."""
    w = World()
    answer = answer_of_peer(proceeded(w))
    first, second = answer.contents
    bare = replace(second.transport, ufrag=None, pwd=None)
    w.sends(replace(answer, contents=(first, replace(second, transport=bare))))
    ufrag = ufrag_of_peer(w)
    assert w.sends("transport-info", contents=info(PEER, name="1", ufrag=ufrag)) == ["page: candidate 1 1"]
    assert w.told(fx.TellCandidate)[0].ufrag == ufrag


def test_no_more_than_so_many_of_the_peers_wait():
    w = World(PLAIN)
    direct_out(w)
    for _ in range(MAX_WAITING + 1):
        w.sends("transport-info", contents=info(PEER))
    assert len(w.state.inbox) == MAX_WAITING and w.notes() == ["stanza-dropped"]


def test_no_more_than_so_much_of_the_peers_waits():
    w = World(PLAIN)
    direct_out(w)
    for _ in range(60):
        w.sends("transport-info", contents=info(*[PEER] * 50))
    assert len(w.state.inbox) < 60 and sum(map(len, w.state.inbox)) <= MAX_INBOX


def test_transport_info_without_a_session_is_out_of_order():
    w = World()
    accepted(w)
    with pytest.raises(OutOfOrder):
        w.sends("transport-info", sid="s1", contents=info(PEER))


def test_a_page_sends_no_endless_stream_of_candidates():
    """DESIGN §5: each would be an IQ to the peer through the shared stream."""
    w = talking_out(World())
    w.state.sent = MAX_SENT
    with pytest.raises(EndpointError) as caught:
        w.does(ev.Gathered("c1", {"candidate": "candidate:1 1 udp 1 192.0.2.1 9 typ host", "sdpMid": "0"}))
    assert caught.value.code == "rate-limited"


# --- while the descriptions are put away


def packed(w: World) -> World:
    w.does(ev.Reported("c1", "connected", 5))
    assert w.state.descriptions.live is not None
    kept = w.state.to_json()
    assert w.state.descriptions.live is None and w.state.descriptions.packed and w.state.to_json() == kept
    return w


def test_candidates_mute_and_the_end_need_no_descriptions():
    w = packed(talking_out(World()))
    assert w.does(ev.Gathered("c1", OWN)) == [SENT]
    assert len(w.sends("transport-info", contents=info(PEER))) == 1
    w.does(ev.Informed("c1", "mute", "0"))
    with pytest.raises(EndpointError, match="mid"):
        w.does(ev.Informed("c1", "mute", "9"))
    assert w.state.descriptions.live is None and len(w.state.descriptions.late) == 2
    again = CallState.from_json(w.state.to_json())
    w.state.pack()
    assert w.state.descriptions.late == [] and w.state.descriptions.live is None
    assert stored.saved(again.side) == stored.saved(w.state.side)
    assert w.state.side.peer.content("0").transport.candidates[-1] == PEER
    assert w.state.side.own.content("0").transport.candidates[-1].ip in OWN["candidate"]


def test_the_result_of_a_candidate_needs_no_turn():
    w = talking_out(World())
    w.does(ev.Gathered("c1", OWN))
    (sent,) = [effect for effect in w.last if isinstance(effect, fx.SendJingle)]
    w.registry.take_changed()
    w.now += 3
    assert w.registry.acknowledged(w.key, sent.number, w.now)
    assert sent.number not in [item[0] for item in w.state.unacked] and w.state.heard_at == w.now
    assert list(w.registry.take_changed()) == [w.key]
    w.state.probed = w.now
    assert not w.registry.acknowledged(w.key, sent.number, w.now), "something follows from this sign of life"
    assert not w.registry.acknowledged(("a", "b", "c"), 1, w.now)
