"""The page changes a running call: what the peer is told, what is waited for, and how each wait ends. J-212 … J-222; clients.md."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jinglebridge.calls import effects as fx
from jinglebridge.calls import events as ev
from jinglebridge.calls import stored
from jinglebridge.calls.dialect import mark_of, marked
from jinglebridge.calls.model import CallState
from jinglebridge.calls.states import Signalling
from jinglebridge.errors import EndpointError, OutOfOrder, Refused, TieBreak
from jinglebridge.jingle import Content, IceUdpTransport, Jingle, jingle_text
from jinglebridge.jingle.private import Negotiation, read
from tests.unit.calls.far import Far
from tests.unit.calls.test_candidates import HOST, PEER, info
from tests.unit.calls.world import unpacked

ADD, RESTART, HOLD, REMOVE = "add_video", "ice_restart", "hold_resume", "remove_video"
STABLE = Signalling.STABLE


def own_ufrag(text: str) -> str:
    return text.partition("a=ice-ufrag:")[2].partition("\r\n")[0]


# --- video is added


def test_added_video_is_a_content_add_and_waits_for_the_peer():
    """J-212: only the new content, under a new name; then the page is answered."""
    far = Far(ADD)
    assert far.page_offers() == ["page > phone content-add", "timer change 30"]
    assert far.said() == ["content-add 1"] and far.w.state.signalling is Signalling.LOCAL_OFFER
    accept = far.answer()
    assert [jingle.action for jingle in accept] == ["content-accept"]
    assert far.says(accept) == ["page: answer"]
    video = far.told().media[1]
    assert (video.kind, video.mid, video.rejected, str(video.effective_direction)) == ("video", "1", False, "sendrecv")
    assert far.w.state.signalling is STABLE and far.w.state.change is None
    assert far.w.fires("change") == []


def test_added_video_that_the_peer_rejects_comes_back_as_port_0():
    """J-215: the call goes on, and can be changed again."""
    far = Far(ADD)
    far.page_offers()
    assert far.w.sends("content-reject", contents=(Content("1"),)) == ["page: answer"]
    assert far.told().media[1].rejected and not far.told().media[0].rejected
    assert far.page_offers() == ["page > phone content-add", "timer change 30"]


@pytest.mark.parametrize("kind", ["monal", "stanza"])
def test_video_for_a_peer_that_takes_no_content_add_is_answered_here(kind):
    """Nobody waits: SDP can say it."""
    far = Far(ADD, kind)
    assert far.page_offers() == ["timer change 10", "page: answer"]
    assert far.said() == [] and far.told().media[1].rejected


def test_conversations_gets_an_empty_transport_and_the_whole_group():
    """J-214: it takes the credentials of the bundle."""
    far = Far(ADD, "conversations")
    far.page_offers()
    (add,) = far.w.sent("content-add")
    assert add.contents[0].transport == IceUdpTransport() and add.contents[0].description is not None
    assert [group.names for group in add.groups] == [("0", "1")]


def test_an_answer_with_an_empty_transport_takes_that_of_the_bundle():
    """Conversations answers so. J-193"""
    far = Far(ADD, "conversations")
    far.page_offers()
    (add,) = far.w.sent("content-add")
    accept = Jingle("content-accept", "id1", contents=add.contents, groups=add.groups)
    assert far.says([accept]) == ["page: answer"]
    media = far.told().media
    assert not media[1].rejected and media[1].get("ice-ufrag") == media[0].get("ice-ufrag")


def test_movim_answers_with_a_session_accept():
    """clients.md 3: a complete new description."""
    far = Far(ADD, "movim")
    far.page_offers()
    far.answer()
    whole = far.side.own
    accept = Jingle("session-accept", "id1", contents=whole.contents, groups=whole.groups)
    assert far.says([accept]) == ["page: answer"] and not far.told().media[1].rejected


def test_movim_answers_a_content_modify_with_a_session_accept_too():
    """When nobody waits for it any more. Before any change of ours it is out of order (J-080)."""
    far = Far(HOLD, "movim")
    accept = Jingle("session-accept", "id1", contents=far.side.own.contents)
    with pytest.raises(OutOfOrder):
        far.says([accept])
    far.page_offers()
    assert far.says([accept]) == [] and far.w.notes() == ["jingle-ignored"]


def test_iq_error_to_content_add_is_a_rejection():
    """J-222."""
    far = Far(ADD)
    far.page_offers()
    assert far.w.answers("content-add", "feature-not-implemented", change=1) == ["page: answer"]
    assert far.told().media[1].rejected


def test_a_peer_that_says_nothing_ends_the_wait():
    """It is asked no more, and the page hears that nothing came of it."""
    far = Far(ADD)
    far.page_offers()
    assert far.w.answers("content-add", change=1) == []
    assert far.w.fires("change") == ["page > phone content-remove timeout", "page: answer"]
    assert far.told().media[1].rejected and "change-not-answered" in far.w.notes()
    assert far.w.sends("content-accept", contents=(Content("1"),)) == [] and far.w.notes() == ["answer-too-late"]


def test_half_an_answer_is_not_enough():
    """Two videos: one accepted, nothing said of the other."""
    far = Far(ADD)
    text = far.rounds[1]["offer"]
    head, video = text.partition("m=video")[0], "m=video" + text.partition("m=video")[2]
    twice = head.replace("BUNDLE 0 1", "BUNDLE 0") + video + video.replace("a=mid:1", "a=mid:2")
    far.page_offers(text=twice)
    assert far.said() == ["content-add 1", "content-add 2"]
    assert far.w.sends("content-reject", contents=(Content("1"),)) == []
    lines = far.w.fires("change")
    assert lines == ["page > phone content-remove timeout", "page: answer"] and far.said() == ["content-remove 2"]
    assert [media.rejected for media in far.told().media] == [False, True, True]


def test_an_answer_that_cannot_be_used_takes_the_offer_back():
    """Other codecs than were offered: the page rolls back, the call goes on."""
    far = Far(ADD)
    far.page_offers()
    (accept,) = far.answer()
    content = accept.contents[0]
    alien = replace(content, description=replace(content.description, payload_types=(replace_name(content.description.payload_types[0]),)))
    assert far.says([replace(accept, contents=(alien,))]) == ["page: rollback offer"]
    assert far.w.notes()[0] == "answer-not-usable" and far.w.state.side.own.content("1") is None


def replace_name(payload):
    return payload._replace(name="alien") if hasattr(payload, "_replace") else replace(payload, name="alien")


# --- ICE restart


@pytest.mark.parametrize("kind", ["conversations", "stanza"])
def test_restart_tells_the_new_credentials_of_all_contents_in_one_stanza(kind):
    """J-171: without candidates; those follow. The answer is the same from the other side."""
    far = Far(RESTART, kind)
    ufrag = own_ufrag(far.rounds[1]["offer"])
    assert far.page_offers() == ["page > phone transport-info", "timer change 10"]
    (restart,) = far.w.sent("transport-info")
    assert [(c.name, c.transport.ufrag, c.transport.candidates) for c in restart.contents] == [
        (c.name, ufrag, ()) for c in far.w.state.side.own.contents
    ]
    answer = far.answer() if kind == "stanza" else [far.first_candidate()]
    assert far.says(answer) == ["page: answer"]
    assert far.told().media[0].get("ice-ufrag") == own_ufrag(far.rounds[1]["answer"])


def test_candidates_after_a_restart_are_of_the_new_generation():
    """J-169: and late ones of the old generation are neither a restart nor candidates."""
    far = Far(RESTART, "stanza")
    before = far.w.state.side.peer.contents[0].transport
    far.page_offers()
    far.says(far.answer())
    new = far.w.state.side.peer.contents[0].transport
    assert far.w.sends("transport-info", contents=info(PEER, ufrag=before.ufrag, pwd=before.pwd)) == []
    assert far.w.sends("transport-info", contents=info(PEER, ufrag=new.ufrag, pwd=new.pwd)) == ["page: candidate 0 0"]
    assert far.w.does(ev.Gathered("c1", {"candidate": HOST, "sdpMid": "0", "usernameFragment": "gone"})) == []
    assert far.w.does(ev.Gathered("c1", {"candidate": HOST, "sdpMid": "0"})) == ["page > phone transport-info"]
    (jingle,) = far.w.sent("transport-info")
    assert jingle.contents[0].transport.ufrag == own_ufrag(far.rounds[1]["offer"])


@pytest.mark.parametrize("kind", ["unknown", "dino", "monal", "movim"])
def test_restart_for_a_peer_that_cannot_is_not_negotiable(kind):
    """DESIGN §3: the client rolls back and the call goes on."""
    far = Far(RESTART, kind)
    with pytest.raises(EndpointError) as refused:
        far.page_offers()
    assert (refused.value.code, refused.value.what) == ("not-negotiable", "ice-restart")
    assert far.w.state.signalling is STABLE


@pytest.mark.parametrize("how", ["silence", "error"])
def test_restart_that_is_not_answered_is_taken_back(how):
    far = Far(RESTART, "conversations")
    before = far.w.state.side.own
    far.page_offers()
    lines = far.w.fires("change") if how == "silence" else far.w.answers("transport-info", "bad-request", change=1)
    assert lines == ["page: rollback ice-restart"]
    assert far.w.state.side.own == before and far.w.state.signalling is STABLE and not far.w.quiet


def test_what_conversations_says_without_a_candidate_is_no_answer_to_a_restart():
    """It is the offer of another one: ours goes on if we called, and its answer is its first candidate."""
    far = Far(RESTART, "conversations")
    far.page_offers()
    first = far.first_candidate()
    bare = replace(first.contents[0].transport, candidates=())
    with pytest.raises(TieBreak):
        far.says([replace(first, contents=(replace(first.contents[0], transport=bare),))])
    assert far.says([first])[0] == "page: answer"


def test_restarts_of_conversations_that_cross_when_it_called():
    far = Far("ice_restart_by_callee", "conversations", calls=True)
    far.page_offers(text=far.rounds[1]["offer"])
    fresh = IceUdpTransport("freshufrag", "p" * 24)
    assert far.w.sends("transport-info", sid="s1", contents=(Content("0", transport=fresh),)) == ["page: offer", "timer change 10"]
    assert far.w.notes() == ["change-crossed"]
    assert far.w.answers("transport-info", "conflict", "tie-break", change=1) == []


def test_an_error_to_an_older_change_means_nothing():
    far = Far(ADD)
    far.page_offers()
    assert far.w.answers("content-add", "bad-request", change=7) == [] and far.w.state.change is not None
    assert far.w.answers("content-modify", "bad-request", change=1) == [] and far.w.state.change is not None


# --- direction and removal


def test_hold_is_a_content_modify_and_needs_no_answer():
    """J-219: what is said is in force."""
    far = Far(HOLD)
    lines = far.page_offers()
    assert lines[0] == "page > phone content-modify" and lines[-1] == "page: answer"
    assert set(far.said()) == {f"content-modify {c.name}" for c in far.w.state.side.own.contents}


@pytest.mark.parametrize("kind", ["monal", "conversations", "stanza"])
def test_hold_for_a_peer_without_content_modify_is_a_session_info(kind):
    """J-208: and active again afterwards."""
    far = Far(HOLD, kind)
    hold, resume = (far.rounds[0]["offer"].replace("a=sendrecv", f"a={direction}") for direction in ("inactive", "sendrecv"))
    assert far.page_offers(text=hold) == ["page > phone session-info hold", "timer change 10", "page: answer"]
    assert {str(media.effective_direction) for media in far.told().media} == {"inactive"}
    assert far.page_offers(text=hold) == ["timer change 10", "page: answer"]
    assert far.page_offers(text=resume) == ["page > phone session-info active", "timer change 10", "page: answer"]


@pytest.mark.parametrize(("kind", "said"), [("unknown", ["content-modify 1"]), ("movim", ["content-modify 1"]), ("monal", [])])
def test_a_removed_section_stays_at_the_peer_without_us(kind, said):
    """J-217: Conversations would end the call on a content-remove, Dino refuses it."""
    far = Far("av", kind)
    gone = far.rounds[0]["offer"].replace("m=video 9", "m=video 0").replace("BUNDLE 0 1", "BUNDLE 0")
    far.page_offers(text=gone)
    assert far.said() == said and [media.rejected for media in far.told().media] == [False, True]
    for jingle in far.w.sent("content-modify"):
        assert jingle.contents[0].senders == ("responder" if kind == "unknown" else "none")
    assert far.w.state.side.peer.content("1") is None
    # What the peer says of it later is acked and changes nothing (J-096).
    assert far.w.sends("content-modify", contents=(Content("1", senders=None),)) == [] and far.w.notes() == ["change-refused"]


def test_an_offer_that_says_nothing_new_is_answered_here():
    far = Far("av", "dino")
    assert far.page_offers(text=far.rounds[0]["offer"])[-1] == "page: answer" and far.said() == []


def test_a_hold_that_is_taken_back_is_over_at_the_peer_too():
    """A restart with it that nobody answers: the page sends again what it sent before."""
    far = Far(RESTART, "conversations")
    held = far.rounds[1]["offer"].replace("a=sendrecv", "a=inactive")
    assert far.page_offers(text=held) == ["page > phone transport-info", "page > phone session-info hold", "timer change 10"]
    assert far.w.fires("change") == ["page > phone session-info active", "page: rollback ice-restart"]


def test_the_pages_own_hold_is_not_ended_by_an_offer():
    """It was told by info, and is taken back by info."""
    far = Far(ADD, "conversations")
    assert far.w.does(ev.Informed("c1", "hold")) == ["page > phone session-info hold"]
    assert far.page_offers() == ["page > phone content-add", "timer change 30"]


def test_what_was_taken_back_is_not_sent_again_at_a_reconnect():
    """A content-add of a name that it has would end the call at Conversations."""
    far = Far(RESTART, "conversations")
    far.page_offers()
    far.w.fires("change")
    effects = far.w.registry.reconnected(far.w.now)
    ufrag = own_ufrag(far.rounds[1]["offer"])
    sent = [e.jingle for e in effects if isinstance(e, fx.SendJingle)]
    assert sent and not any(ufrag in jingle_text(jingle) for jingle in sent)


# --- what is not possible


def test_a_second_offer_before_the_answer_is_out_of_order():
    far = Far(ADD)
    far.page_offers()
    with pytest.raises(OutOfOrder):
        far.page_offers()


def test_an_offer_that_cannot_be_carried_changes_nothing():
    far = Far(ADD)
    with pytest.raises(Refused):
        far.page_offers(text=far.rounds[1]["offer"].replace("a=fingerprint", "a=x"))
    assert far.page_offers()[0] == "page > phone content-add"


# --- another bridge


def test_between_bridges_each_stanza_says_what_it_belongs_to():
    far = Far(REMOVE, "bridge")
    far.page_offers()
    marks = [mark_of(e.jingle) for e in far.w.last if isinstance(e, fx.SendJingle)]
    assert [mark.left for mark in marks] == list(range(len(marks)))[::-1] and {(m.type, m.id) for m in marks} == {("offer", 1)}
    answer = marked(far.answer() or [Jingle("content-modify", "id1", contents=(Content("0"),))], "answer", 1)
    assert far.says(answer)[-1] == "page: answer"


def test_half_an_answer_of_a_bridge_waits_for_the_rest():
    far = Far(ADD, "bridge")
    far.page_offers()
    parts = far.answer()
    parts = marked([*parts, Jingle("content-modify", "id1", contents=(Content("0"),))], "answer", 1)
    assert far.says(parts[:-1]) == [] and far.says(parts[-1:]) == ["page: answer"]


@pytest.mark.parametrize("kind", ["answer", "refusal"])
def test_an_answer_of_a_bridge_to_an_offer_that_is_over_is_ignored(kind):
    far = Far(ADD, "bridge")
    far.page_offers()
    assert far.w.fires("change") == ["page: rollback offer"]
    late = marked([Jingle("content-modify", "id1", contents=(Content("0"),))], kind, 1)
    assert far.says(late) == [] and far.w.notes() == ["answer-too-late"]


def test_a_refusal_of_a_bridge_takes_the_offer_back():
    far = Far(ADD, "bridge")
    far.page_offers()
    assert far.says(marked([Jingle("content-modify", "id1", contents=(Content("0"),))], "refusal", 1)) == ["page: rollback offer"]


def test_an_iq_error_of_a_bridge_takes_the_offer_back():
    far = Far(ADD, "bridge")
    far.page_offers()
    assert far.w.answers("content-add", "conflict", "tie-break", change=1) == [], "its own offer comes, or the timer fires"
    assert far.w.answers("content-add", "bad-request", change=1) == ["page: rollback offer"]


def test_marks_of_others_are_not_ours():
    jingle = Jingle("content-modify", "s", contents=(Content("0"),))
    assert mark_of(jingle) is None
    (one,) = marked([jingle], "offer", 3)
    assert mark_of(one) == Negotiation("offer", 3, 0)
    one.unknown[0].set("type", "wish")
    assert mark_of(one) is None


def test_a_bridges_candidates_keep_what_is_special_about_them():
    """Also where they came after the description, through the journal."""
    far = Far(RESTART, kind="bridge")
    assert any(own for own, _ in far.w.state.descriptions.late) and not all(own for own, _ in far.w.state.descriptions.late)
    again = CallState.from_json(far.w.state.to_json())
    assert unpacked(again.to_json()) == unpacked(far.w.state.to_json())
    known, text = again.side.own, stored.saved(again.side)
    assert known is not None and any(read(content.unknown).candidates for content in known.contents)
    assert stored.saved(far.w.state.side) == text
