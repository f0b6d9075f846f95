"""The peer changes a running call: what the page is offered, what the peer gets for the answer, whose turn it is. J-213 … J-221."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jinglebridge.calls import effects as fx
from jinglebridge.calls import events as ev
from jinglebridge.calls.changing import MOST_PARTS
from jinglebridge.calls.dialect import mark_of, marked
from jinglebridge.calls.states import Signalling
from jinglebridge.errors import OutOfOrder, Refused, TieBreak
from jinglebridge.jingle import Content, IceUdpTransport, Jingle, RtpDescription, Senders
from tests.unit.calls.far import Far
from tests.unit.calls.test_candidates import HOST, PEER, info
from tests.unit.calls.world import ANSWER, World, offered

ADD, ADDED, RESTART, RESTARTED = "add_video", "add_video_by_callee", "ice_restart", "ice_restart_by_callee"
OFFER = ["page: offer", "timer change 10"]
STABLE, LOCAL, REMOTE = Signalling


def added(far: Far) -> list[str]:
    return far.says(far.offer())


# --- content-add


@pytest.mark.parametrize(("name", "calls"), [(ADDED, False), (ADD, True)])
def test_added_content_is_offered_to_the_page_and_accepted_by_its_answer(name, calls):
    """J-213: all current sections and the new one at the end, stable names."""
    far = Far(name, calls=calls)
    (add,) = far.offer()
    assert add.action == "content-add" and far.says([add]) == OFFER
    assert [media.mid for media in far.told().media] == ["0", "1"] and far.w.state.signalling is REMOTE
    assert far.page_answers()[0] == "page > phone content-accept" and far.said()[0] == "content-accept 1"
    answer = far.side.hear_answer([e.jingle for e in far.w.last if isinstance(e, fx.SendJingle)])
    assert not answer.media[1].rejected and far.w.state.signalling is STABLE and far.w.state.change is None


def test_dino_adds_with_the_wrong_creator():
    """J-214: found by name."""
    far = Far(ADDED, "dino")
    (add,) = far.offer()
    assert far.says([replace(add, contents=(replace(add.contents[0], creator="initiator"),))]) == OFFER
    assert far.page_answers()[0] == "page > phone content-accept"


def test_added_content_that_the_page_rejects():
    """J-215."""
    far = Far(ADDED)
    added(far)
    text = far.rounds[1]["answer"].replace("m=video 9", "m=video 0")
    assert far.page_answers(text=text) == ["page > phone content-reject"]
    assert far.w.state.side.peer.content("1") is None and not far.w.quiet


def test_added_content_that_cannot_be_carried_is_rejected_and_the_call_goes_on():
    """No codec, no transport, no RTP; J-215: name and creator as they came."""
    far = Far(ADDED)
    (add,) = far.offer()
    content = add.contents[0]
    empty = replace(content, description=replace(content.description, payload_types=()))
    assert far.says([replace(add, contents=(empty,))]) == ["page > phone content-reject failed-application"]
    (reject,) = far.w.sent("content-reject")
    assert reject.contents == (Content("1", content.creator),)
    assert far.says([add]) == OFFER


def test_more_contents_than_a_session_may_have_are_rejected():
    far = Far("av")
    video = far.w.state.side.peer.content("1")
    short = replace(video.description, payload_types=video.description.payload_types[:1])
    many = tuple(replace(video, name=f"v{number}", description=short) for number in range(15))
    assert far.w.sends("content-add", contents=many) == ["page > phone content-reject failed-application"] * 15
    assert far.w.state.change is None and len(far.w.state.side.peer.contents) == 2


def test_added_text_is_nothing_new():
    far = Far(ADDED)
    (add,) = far.offer()
    text = replace(add.contents[0], description=RtpDescription("text"))
    assert far.says([replace(add, contents=(text,))]) == ["page > phone content-reject failed-application"]


def test_a_page_that_does_not_answer_is_rolled_back():
    """Neither side waits for ever."""
    far = Far(ADDED)
    added(far)
    assert far.w.fires("change") == ["page > phone content-reject failed-application", "timer change 150"]
    assert far.w.fires("change") == []
    assert far.w.state.side.peer.content("1") is None and far.w.state.signalling is STABLE


def test_an_answer_that_cannot_be_carried_changes_nothing():
    far = Far(ADDED)
    added(far)
    with pytest.raises(Refused):
        far.page_answers(text=far.rounds[1]["answer"].replace("a=fingerprint", "a=x"))
    assert far.page_answers()[0] == "page > phone content-accept"
    with pytest.raises(OutOfOrder):
        far.page_answers()


# --- one at a time


def test_what_the_peer_changes_meanwhile_waits_its_turn():
    """J-221: acked, in order, also candidates behind it."""
    far = Far(ADDED)
    added(far)
    hold = Jingle("content-modify", "id1", contents=(Content("0", senders=Senders.RESPONDER),))
    assert far.says([hold]) == []
    assert far.w.sends("transport-info", contents=info(PEER)) == []
    assert len(far.w.state.inbox) == 2
    lines = far.page_answers()
    assert lines[0] == "page > phone content-accept" and lines[-3:] == [*OFFER, "page: candidate 0 0"]
    assert far.told().media[0].effective_direction == "sendonly" and far.w.state.inbox == []


def test_the_pages_offer_that_crosses_ours_is_passed_over():
    """DESIGN §3: the page is polite, it rolls its own back."""
    far = Far(ADDED)
    added(far)
    assert far.page_offers(text=far.rounds[0]["offer"]) == [] and far.w.notes() == ["offer-crossed"]
    assert far.page_answers()[0] == "page > phone content-accept"


def test_both_add_at_once_and_we_began_the_session():
    """J-099: ours goes on."""
    far = Far(ADD)
    far.page_offers()
    other = far.w.sent("content-add")[0]
    with pytest.raises(TieBreak):
        far.w.sends("content-add", contents=(replace(other.contents[0], name="v"),))
    assert far.says(far.answer()) == ["page: answer"]


def test_both_add_at_once_and_the_peer_began_the_session():
    """J-099: theirs goes on; the error to ours is normal; the page rolls its offer back for theirs."""
    far = Far(ADDED, calls=True)
    far.page_offers()
    (ours,) = far.w.sent("content-add")
    theirs = replace(ours.contents[0], name="v", senders=None)
    assert far.w.sends("content-add", sid="s1", contents=(theirs,)) == OFFER
    assert far.w.notes() == ["change-crossed"]
    assert [media.mid for media in far.told().media] == ["0", "v"]
    assert far.w.answers("content-add", "conflict", "tie-break", change=1) == []
    assert far.w.state.signalling is REMOTE


def test_other_changes_do_not_cross_they_wait():
    far = Far(ADD)
    far.page_offers()
    accept = far.answer()
    assert far.w.sends("content-modify", contents=(Content("0", senders=Senders.NONE),)) == []
    assert far.says(accept) == ["page: answer", *OFFER]


# --- ICE restart


@pytest.mark.parametrize("kind", ["conversations", "stanza", "unknown"])
def test_a_restart_of_the_peer_is_an_offer_and_our_credentials_go_back(kind):
    """J-170, J-171: whoever the peer is, since it began it."""
    far = Far(RESTARTED, kind)
    stanzas = [j for j in far.offer() if j.action == "transport-info" and not j.contents[0].transport.candidates]
    lines = far.says(stanzas)
    assert lines[:2] == OFFER and far.told().media[0].get("ice-ufrag") == stanzas[0].contents[0].transport.ufrag
    lines = far.page_answers()
    if kind == "conversations":
        # Without a candidate it would be another offer to it.
        assert lines == []
        lines = far.w.does(ev.Gathered(far.id, {"candidate": HOST, "sdpMid": "0"}))
    assert lines[0] == "page > phone transport-info"
    (answer, *_) = far.w.sent("transport-info")
    assert answer.contents[0].transport.ufrag == far.rounds[1]["answer"].partition("a=ice-ufrag:")[2].partition("\r")[0]


def test_a_restart_with_a_candidate_in_it():
    """The XEP's own dialect. XEP-0176 §5.9"""
    far = Far(RESTARTED)
    new = IceUdpTransport("freshufrag", "p" * 24, candidates=(PEER,))
    assert far.w.sends("transport-info", contents=(Content("0", transport=new),)) == OFFER
    assert "192.0.2.7" in far.told().format() and "freshufrag" in far.told().format()


def test_a_page_that_does_not_answer_a_restart():
    far = Far(RESTARTED, "conversations")
    before = far.w.state.side.peer
    assert far.says([j for j in far.offer() if j.action == "transport-info"][:1]) == OFFER
    assert far.w.fires("change") == ["timer change 150"] and far.w.fires("change") == []
    assert far.w.state.side.peer == before


# --- the other changes


def test_content_modify_is_an_offer_and_a_narrower_answer_a_contrary_one():
    """J-218."""
    far = Far("av", "movim", calls=True)
    modify = Jingle("content-modify", "s1", contents=(Content("1", senders=Senders.INITIATOR),))
    assert far.says([modify]) == OFFER
    assert [str(media.effective_direction) for media in far.told().media] == ["sendrecv", "sendonly"]
    text = far.rounds[0]["answer"]
    audio, video = text.split("m=video")
    lines = far.page_answers(text=audio + "m=video" + video.replace("a=sendrecv", "a=inactive"))
    assert lines == ["page > phone content-modify"]
    assert far.w.sent("content-modify")[0].contents[0].senders is not Senders.INITIATOR


def test_content_modify_that_changes_nothing_asks_nobody():
    far = Far("av")
    assert far.w.sends("content-modify", contents=(Content("0", senders=Senders.BOTH),)) == []
    assert far.w.state.change is None


def test_movim_modifies_with_a_whole_description():
    far = Far("av", "movim")
    content = far.w.state.side.peer.content("1")
    fewer = replace(content.description, payload_types=content.description.payload_types[:1])
    assert far.w.sends("content-modify", contents=(replace(content, description=fewer),)) == OFFER
    assert len(far.told().media[1].formats) == 1


def test_description_info_is_an_offer():
    far = Far("av")
    content = far.w.state.side.peer.content("1")
    fewer = replace(content.description, payload_types=content.description.payload_types[:1])
    assert far.w.sends("description-info", contents=(replace(content, transport=None, description=fewer),)) == OFFER


@pytest.mark.parametrize("action", ["content-modify", "content-remove"])
def test_a_change_of_what_is_not_there_is_acked_and_ignored(action):
    """J-096: an error would end a call of Conversations."""
    far = Far("av")
    assert far.w.sends(action, contents=(Content("9", senders=Senders.BOTH),)) == [] and far.w.notes() == ["change-refused"]


def test_content_remove_closes_the_section_and_the_last_one_the_call():
    """J-216."""
    far = Far("av")
    assert far.w.sends("content-remove", contents=(Content("1"),)) == OFFER
    assert [media.rejected for media in far.told().media] == [False, True]
    gone = far.rounds[0]["offer"].replace("m=video 9", "m=video 0").replace("BUNDLE 0 1", "BUNDLE 0").replace("actpass", "active")
    assert far.page_answers(text=gone) == []
    assert far.w.sends("content-remove", contents=(Content("0"),))[0] == "page > phone session-terminate success"
    assert far.w.quiet


@pytest.mark.parametrize("action", ["content-accept", "content-reject"])
def test_answers_to_nothing_are_out_of_order(action):
    far = Far("av")
    with pytest.raises(OutOfOrder):
        far.w.sends(action, contents=(Content("1"),))


def test_accept_of_a_content_that_nobody_added():
    far = Far(ADD)
    far.page_offers()
    assert far.w.sends("content-accept", contents=(Content("7"),)) == [] and far.w.notes() == ["answer-too-late"]


# --- another bridge


def test_a_bridges_offer_is_told_when_all_of_it_is_there():
    far = Far(ADDED, "bridge")
    parts = marked([*far.offer(), Jingle("content-modify", "id1", contents=(Content("0"),))], "offer", 5)
    assert set(far.says(parts[:-1])) == {"timer change 10"} and far.says(parts[-1:]) == OFFER
    far.page_answers()
    marks = {(mark.type, mark.id) for e in far.w.last if isinstance(e, fx.SendJingle) and (mark := mark_of(e.jingle))}
    assert marks == {("answer", 5)}


def test_a_bridges_offer_that_changes_nothing_is_asked_all_the_same():
    far = Far("av", "bridge")
    assert far.says(marked([Jingle("content-modify", "id1", contents=(Content("0"),))], "offer", 1)) == OFFER
    assert far.page_answers(text=far.rounds[0]["offer"].replace("actpass", "active"))[-1] == "page > phone content-modify"
    assert mark_of(far.w.sent("content-modify")[0]).type == "answer"


def test_a_bridges_offer_whose_rest_does_not_come_is_forgotten():
    far = Far(ADDED, "bridge")
    parts = marked([*far.offer(), Jingle("content-modify", "id1", contents=(Content("0"),))], "offer", 1)
    far.says(parts[:-1])
    assert far.w.fires("change") == ["page > phone content-modify"]
    assert mark_of(far.w.sent("content-modify")[0]).type == "refusal" and far.w.state.change is None


def test_a_bridges_offer_has_no_end():
    """Bounded: what was told so far is taken."""
    far = Far("av", "bridge")
    part = marked([Jingle("content-modify", "id1", contents=(Content("0"),))] * 2, "offer", 1)[0]
    lines = far.says([part] * MOST_PARTS)
    assert lines[-2:] == OFFER


@pytest.mark.parametrize("calls", [True, False])
def test_the_page_offers_while_half_of_a_bridges_offer_is_there(calls):
    """J-099: the session's initiator goes on."""
    far = Far(ADD if calls else ADDED, "bridge", calls=calls)
    parts = marked([*far.offer(), Jingle("content-modify", far.side.sid, contents=(Content("0"),))], "offer", 1)
    far.says(parts[:-1])
    lines = far.page_offers(text=far.rounds[0]["answer" if calls else "offer"])
    if calls:
        assert lines == [] and far.w.notes() == ["offer-crossed"]
        assert far.says(parts[-1:]) == OFFER
    else:
        assert lines[0] == "page > phone content-modify"
        with pytest.raises(TieBreak):
            far.says(parts[-1:])


def test_offers_of_two_bridges_that_cross_and_the_other_began_the_session():
    far = Far(ADD, "bridge", calls=True)
    far.page_offers(text=far.rounds[0]["answer"])
    parts = marked(far.offer(), "offer", 1)
    assert far.says(parts)[-2:] == OFFER
    assert far.w.answers("content-modify", "conflict", "tie-break", change=1) == []


def test_a_bridges_offer_that_cannot_be_carried_is_refused():
    far = Far(ADDED, "bridge")
    (add,) = (jingle for jingle in far.offer() if jingle.action == "content-add")
    empty = replace(add.contents[0], description=replace(add.contents[0].description, payload_types=()))
    assert far.says(marked([replace(add, contents=(empty,))], "offer", 1)) == ["page > phone content-modify"]
    assert mark_of(far.w.sent("content-modify")[0]).type == "refusal"


def test_a_bridge_without_marks_is_like_anybody():
    far = Far(ADDED, "bridge")
    assert far.says([jingle for jingle in far.offer() if jingle.action == "content-add"]) == OFFER
    assert "page > phone content-accept" in far.page_answers()
    assert far.w.sends("content-remove", contents=(Content("9"),)) == []


def test_a_page_of_a_bridge_that_does_not_answer():
    far = Far(ADDED, "bridge")
    far.says(marked(far.offer(), "offer", 2))
    lines = far.w.fires("change")
    assert lines == ["page > phone content-modify", "timer change 150"]
    assert mark_of(far.w.sent("content-modify")[0]).type == "refusal"


# --- before the call is up


def test_changes_before_the_call_is_up_wait_for_it():
    """The page may not have its first description yet."""
    w = World()
    offered(w)
    hold = Content("0", senders=Senders.INITIATOR)
    assert w.sends("content-modify", sid="s1", contents=(hold,)) == []
    assert w.does(ev.Described("id1", "answer", ANSWER))[-2:] == OFFER
