"""From the click to the moment both sides want the session, read as conversations. XEP-0353; J-051 … J-073."""

from __future__ import annotations

import pytest

from jinglebridge.calls import effects as fx
from jinglebridge.calls import events as ev
from jinglebridge.errors import EndpointError, OutOfOrder, UnknownSession
from jinglebridge.jingle import Accept, Finish, Proceed, Propose, Reason, Reject, Retract, Ringing
from tests.unit.calls.world import (
    ANSWER,
    JULIET,
    LAPTOP,
    OFFER,
    OWN_CANDIDATES,
    PAGE,
    PHONE,
    PLAIN,
    ROMEO,
    TAB,
    WITH_JMI,
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
    talking_direct_out,
    talking_in,
    talking_out,
)

# --- we call


def test_we_call_from_the_click_to_the_session():
    """J-052, J-061, J-053, J-084: propose to the bare JID, initiate to the device that proceeded, same id."""
    w = World()
    assert w.does(ev.Placed("c1", ROMEO, OFFER)) == [
        "page > romeo presence",
        "page > romeo propose audio,video",
        "timer ring 60",
        "page: proceeding",
    ]
    assert w.messages(Ringing("id1")) == ["page: ringing"]
    assert w.messages(Ringing("id1"), sender=LAPTOP) == ["page: ringing"]
    assert w.messages(Proceed("id1"), sender=LAPTOP) == ["page: accepted", "page > laptop session-initiate", "timer accept 60"]
    (initiate,) = w.sent("session-initiate")
    assert initiate.sid == "id1" and initiate.initiator == PAGE and initiate.responder is None
    assert sorted(c.description.media for c in initiate.contents) == ["audio", "video"]
    assert w.sends(answer_of_peer(initiate), sender=LAPTOP) == ["page: answer", "timer connect 45", "page: connecting"]


def test_proceed_without_ringing_and_to_our_bare_jid_is_enough():
    """J-061: senders before 0.8 address the bare JID."""
    w = World()
    placed(w)
    assert "page > phone session-initiate" in w.messages(Proceed("id1"), to=JULIET)


def test_second_proceed_is_ignored():
    """J-061, J-063: the first one names the device."""
    w = World()
    proceeded(w)
    assert w.messages(Proceed("id1"), sender=LAPTOP) == []
    assert w.messages(Proceed("id1")) == [] and w.notes() == ["jmi-out-of-order"]
    assert w.state.peer == PHONE


def test_jmi_is_used_if_a_resource_knows_it():
    """J-054."""
    assert "page > romeo propose audio,video" in World(WITH_JMI).does(ev.Placed("c1", ROMEO, OFFER))


@pytest.mark.parametrize(
    ("reject", "reason"),
    [
        (Reject("id1", Reason("busy")), "busy"),
        (Reject("id1", Reason("decline")), "declined"),
        (Reject("id1"), "declined"),
        (Reject("id1", Reason("expired"), tie_break=True), "moved"),
    ],
)
def test_reject_of_one_device_rejects_the_call(reject, reason):
    """J-062, J-063: it is a decision of the person."""
    w = World()
    placed(w)
    w.messages(Ringing("id1"), sender=LAPTOP)
    assert w.messages(reject) == [f"page: ended {reason}", "no more timers"]
    assert w.quiet


def test_reject_of_another_device_after_proceed_comes_too_late():
    """J-063."""
    w = World()
    proceeded(w)
    assert w.messages(Reject("id1"), sender=LAPTOP) == []
    assert not w.quiet


def test_reject_of_the_device_that_proceeded_ends_the_session_too():
    """COMPAT(Conversations): rejects after its own proceed; our session-initiate, already on its way, must not ring anew."""
    w = World()
    proceeded(w)
    assert w.messages(Reject("id1", Reason("busy"))) == ["page > phone session-terminate success", "page: ended busy", "no more timers"]


def test_we_hang_up_while_it_rings_and_retract():
    """J-064: to the bare JID, reason cancel."""
    w = World()
    placed(w)
    w.messages(Ringing("id1"))
    assert w.does(ev.HungUp("c1")) == ["page > romeo retract cancel", "page: ended cancelled", "no more timers"]


def test_nobody_answers_and_we_retract():
    """J-072."""
    w = World()
    placed(w)
    assert w.fires("ring") == ["page > romeo retract cancel", "page: ended no-answer", "no more timers"]


@pytest.mark.parametrize(("stage", "devices"), [(proceeded, []), (talking_out, []), (talking_direct_out, [PLAIN])])
def test_the_ring_timer_says_nothing_once_somebody_answered(stage, devices):
    """Late timers are normal, and nobody stops this one."""
    w = World(*devices)
    stage(w)
    assert w.fires("ring") == [] and not w.quiet


def test_device_that_proceeds_but_never_accepts_ends_the_call():
    """J-097: the caller does not wait for ever."""
    w = World()
    proceeded(w)
    assert w.fires("accept") == [
        "page > phone session-terminate connectivity-error",
        "page > phone finish connectivity-error",
        "page: ended failed-ice",
        "no more timers",
    ]


def test_the_accept_timer_says_nothing_once_the_call_is_up():
    w = talking_out(World())
    assert w.fires("accept") == [] and not w.quiet


# --- we are called


def test_we_are_called_from_the_propose_to_the_answer():
    """J-055 … J-060: ringing and receipt at once, proceed from full JID to full JID, the offer rings no second time."""
    w = World()
    assert w.messages(Propose("s1", ("audio", "video")), to=JULIET, stanza_id="m1", receipt=True) == [
        "page > phone received m1",
        "page > phone presence",
        "page > phone ringing",
        "page: incoming audio,video from romeo",
        "timer ring 60",
    ]
    assert w.does(ev.Accepted("id1")) == ["page > phone proceed", "timer initiate 10", "page: accepted"]
    assert w.sends(offer_of_peer("s1")) == ["page: offer", "timer accept 60"]
    assert w.does(ev.Described("id1", "answer", ANSWER)) == ["page > phone session-accept", "timer connect 45", "page: connecting"]
    (accept,) = w.sent("session-accept")
    assert accept.responder == PAGE and accept.initiator is None
    assert [c.name for c in accept.contents] == [c.name for c in offer_of_peer("s1").contents]
    assert w.does(ev.Reported("id1", "connected", 100)) == ["page: connected"]


def test_no_receipt_unless_it_was_asked_for():
    """J-057."""
    w = World()
    w.messages(Propose("s1", ("audio", "video")), to=JULIET, stanza_id="m1")
    assert w.told(fx.TellIncoming) and not w.told(fx.SendReceipt)


def test_every_page_rings_and_the_others_hear_elsewhere():
    """J-055, J-058."""
    w = World()
    w.page(TAB)
    proposed(w)
    assert [s for s in w.says if "ringing" in s or "incoming" in s] == [
        "page > phone ringing",
        "page: incoming audio,video from romeo",
        "tab > phone ringing",
        "tab: incoming audio,video from romeo",
    ]
    assert w.does(ev.Accepted("id1"), TAB) == ["page: ended elsewhere", "tab > phone proceed", "timer initiate 10", "tab: accepted"]
    assert w.sends(offer_of_peer("s1"), to=TAB) == ["tab: offer", "timer accept 60"]


def test_a_page_that_lost_the_race_has_no_say_any_more():
    """The page heard `elsewhere`: whatever it does or if it closes, the other's call goes on."""
    w = World()
    w.page(TAB)
    proposed(w)
    w.does(ev.Accepted("id1"), TAB)
    assert list(w.registry.calls_of(PAGE)) == [] and list(w.registry.calls_of(TAB)) == [w.state]
    for late in (ev.Accepted("id1"), ev.Rejected("id1"), ev.Described("id1", "answer", ANSWER)):
        with pytest.raises(EndpointError) as refused:
            w.does(late)
        assert refused.value.code == "unknown-call"
    assert w.does(ev.HungUp("id1")) == [] and w.does(ev.Gathered("id1", OWN_CANDIDATES[0])) == []
    assert w.leaves() == []
    assert not w.quiet


def test_one_page_rejects_for_all():
    """J-062: a decision of the person; the rejecting page speaks to the proposer's full JID."""
    w = World()
    w.page(TAB)
    proposed(w)
    assert w.does(ev.Rejected("id1"), TAB) == [
        "tab > phone reject busy",
        "tab: ended declined",
        "page: ended declined",
        "no more timers",
    ]


def test_busy_is_busy():
    w = World()
    proposed(w)
    assert w.does(ev.Rejected("id1", busy=True)) == [
        "page > phone reject busy",
        "page: ended busy",
        "juliet: missed romeo",
        "no more timers",
    ]


@pytest.mark.parametrize("event", [ev.Accepted("id1"), ev.Rejected("id1")])
def test_an_accepted_call_is_neither_accepted_nor_rejected_again(event):
    w = World()
    accepted(w)
    with pytest.raises(EndpointError, match=r"accepted|ringing"):
        w.does(event)


@pytest.mark.parametrize("event", [ev.Accepted("c1"), ev.Rejected("c1", busy=True)])
def test_a_call_we_placed_is_neither_accepted_nor_rejected(event):
    w = World()
    placed(w)
    with pytest.raises(EndpointError) as refused:
        w.does(event)
    assert refused.value.code == "out-of-order"


def test_caller_gives_up_and_we_missed_a_call():
    """J-064."""
    w = World()
    w.page(TAB)
    proposed(w)
    assert w.messages(Retract("s1", Reason("cancel"))) == [
        "page: ended cancelled",
        "tab: ended cancelled",
        "juliet: missed romeo",
        "no more timers",
    ]
    (missed,) = w.told(fx.TellMissed)
    assert missed == fx.TellMissed(JULIET, ROMEO, "Romeo", ("audio", "video"), 1000.0)


def test_caller_retracts_for_our_own_call_and_nothing_was_missed():
    """J-067: a retract with tie-break means that our propose won."""
    w = World()
    proposed(w)
    assert w.messages(Retract("s1", Reason("expired"), tie_break=True)) == ["page: ended moved", "no more timers"]


def test_caller_retracts_after_proceed():
    """J-064: no session yet, so nothing else is to be closed."""
    w = World()
    accepted(w)
    assert w.messages(Retract("s1")) == ["page: ended cancelled", "no more timers"]


def test_silent_caller_stops_ringing_without_a_word():
    """J-072."""
    w = World()
    proposed(w)
    assert w.fires("ring") == ["page: ended no-answer", "juliet: missed romeo", "no more timers"]


@pytest.mark.parametrize("stage", [accepted, offered, talking_in])
def test_the_ring_timer_says_nothing_once_we_accepted(stage):
    w = World()
    stage(w)
    assert w.fires("ring") == [] and not w.quiet


def test_caller_that_never_starts_the_session():
    """J-060."""
    w = World()
    accepted(w)
    assert w.fires("initiate") == ["page > phone finish connectivity-error", "page: ended unreachable", "no more timers"]


def test_the_initiate_timer_says_nothing_once_the_offer_came():
    w = World()
    offered(w)
    assert w.fires("initiate") == [] and not w.quiet


def test_no_offer_before_we_proceeded():
    """A caller with addresses like ours cannot make a page show its offer before somebody accepted."""
    w = World()
    w.messages(Propose("s1", ("audio", "video")), sender=ROMEO, to=JULIET)
    with pytest.raises(OutOfOrder):
        w.sends(offer_of_peer("s1"), sender=ROMEO, to=JULIET)
    with pytest.raises(UnknownSession):
        w.sends(offer_of_peer("s1"))


def test_old_accept_elements_mean_nothing():
    """J-061."""
    w = World()
    placed(w)
    assert w.messages(Accept("id1")) == [] and w.notes() == ["jmi-ignored"]


@pytest.mark.parametrize("jmi", [Ringing("s1"), Proceed("s1"), Reject("s1")])
def test_the_caller_cannot_speak_for_the_callee(jmi):
    """J-073: out of order is silence."""
    w = World()
    proposed(w)
    assert w.messages(jmi) == [] and w.notes() == ["jmi-out-of-order"]


def test_jmi_for_a_call_without_jmi_is_out_of_order():
    w = World(PLAIN)
    direct_out(w)
    assert w.messages(Ringing("id1")) == [] and w.notes() == ["jmi-out-of-order"]
    assert w.messages(Reject("id1"), sender=LAPTOP) == [] and w.notes() == []


# --- finish


def test_finish_before_a_session_ends_the_attempt():
    w = World()
    proposed(w)
    assert w.messages(Finish("s1", Reason("cancel"))) == ["page: ended cancelled", "juliet: missed romeo", "no more timers"]


def test_finish_without_reason_after_proceed():
    w = World()
    accepted(w)
    assert w.messages(Finish("s1")) == ["page > phone finish success", "page: ended ended", "no more timers"]


@pytest.mark.parametrize("stage", [accepted, offered, talking_in])
def test_finish_that_says_where_the_call_went_on_ends_it_at_once(stage):
    """J-069: the other side took our second propose instead."""
    w = World()
    stage(w)
    assert w.messages(Finish("s1", Reason("expired"), migrated_to="new")) == [
        "page > phone finish expired",
        "page: ended moved",
        "no more timers",
    ]
    assert w.quiet


def test_finish_alone_ends_the_call_two_seconds_later():
    """J-066, J-065: and we finish too."""
    w = talking_in(World())
    assert w.messages(Finish("s1", Reason("connectivity-error"))) == ["timer finish 2"]
    assert w.fires("finish") == ["page > phone finish connectivity-error", "page: ended failed-ice", "no more timers"]


def test_session_terminate_after_finish_has_the_better_reason():
    """J-066, J-065."""
    w = talking_in(World())
    assert w.messages(Finish("s1")) == ["timer finish 2"]
    assert w.sends("session-terminate", sid="s1", reason=Reason("media-error")) == [
        "page > phone finish success",
        "page: ended failed",
        "no more timers",
    ]


def test_finish_of_another_device_means_nothing():
    """J-063, J-073."""
    w = talking_in(World())
    assert w.messages(Finish("s1"), sender=LAPTOP) == []


# --- without JMI


def test_we_call_a_device_without_jmi():
    """J-054, J-028, J-247: straight to the device, and no address leaves."""
    w = World(PLAIN)
    assert w.does(ev.Placed("c1", ROMEO, OFFER)) == [
        "page > phone presence",
        "page > phone session-initiate",
        "timer ring 60",
        "page: proceeding",
    ]
    assert all(not c.transport.candidates for c in w.sent("session-initiate")[0].contents)


def test_no_device_can_take_the_call():
    w = World(PLAIN.__class__(PHONE, frozenset({"urn:xmpp:jingle:1"})))
    assert w.does(ev.Placed("c1", ROMEO, OFFER)) == ["page: ended unreachable", "no more timers"]
    assert w.quiet


def test_direct_call_nobody_answers():
    """J-092: no answer is a timeout."""
    w = World(PLAIN)
    direct_out(w)
    assert w.fires("ring") == ["page > phone session-terminate timeout", "page: ended no-answer", "no more timers"]


def test_we_are_called_without_jmi():
    """J-207: ringing by session-info; the offer waits until the person accepts."""
    w = World(PLAIN)
    assert w.sends(offer_of_peer("s1")) == [
        "page > phone presence",
        "page > phone session-info ringing",
        "page: incoming audio,video from romeo",
        "timer ring 60",
    ]
    assert w.does(ev.Accepted("id1")) == ["page: accepted", "page: offer", "timer accept 60"]
    assert w.state.bundle
    assert w.does(ev.Described("id1", "answer", ANSWER)) == ["page > phone session-accept", "timer connect 45", "page: connecting"]


def test_we_decline_a_direct_call():
    w = World(PLAIN)
    direct_in(w)
    assert w.does(ev.Rejected("id1")) == ["page > phone session-terminate decline", "page: ended declined", "no more timers"]


def test_direct_call_rings_out():
    w = World(PLAIN)
    direct_in(w)
    assert w.fires("ring") == [
        "page > phone session-terminate timeout",
        "page: ended no-answer",
        "juliet: missed romeo",
        "no more timers",
    ]


@pytest.mark.parametrize(("said", "reason"), [("success", "cancelled"), ("timeout", "no-answer")])
def test_the_direct_caller_gives_up(said, reason):
    """A success before anybody accepted is a caller who gave up; another reason stays what it is."""
    w = World(PLAIN)
    direct_in(w)
    assert w.sends("session-terminate", sid="s1", reason=Reason(said)) == [
        f"page: ended {reason}",
        "juliet: missed romeo",
        "no more timers",
    ]


def test_bundle_of_a_peer_is_known_from_its_caps():
    w = World(WITH_JMI)
    proceeded(w)
    assert w.state.abilities.bundle
    (told,) = w.told(fx.TellState)
    assert told.abilities.bundle


@pytest.mark.parametrize("reason", ["ended", "gone"])
def test_hang_up_between_accept_and_offer_rejects(reason):
    w = World()
    accepted(w)
    lines = w.does(ev.HungUp("id1", reason))
    assert lines[0].startswith("page > phone reject") and w.quiet
    assert PAGE not in w.registry._of_endpoint
