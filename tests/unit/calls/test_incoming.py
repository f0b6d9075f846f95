"""Calls from outside that meet something: do not disturb, a call that runs, limits. J-062, J-069, J-105, J-106, J-252."""

from __future__ import annotations

import pytest

from jinglebridge.calls import effects as fx
from jinglebridge.calls import events as ev
from jinglebridge.calls.model import Limits
from jinglebridge.errors import ResourceConstraint, ServiceUnavailable, UnknownSession
from jinglebridge.jingle import Finish, Proceed, Propose, Reason, Retract
from tests.unit.calls.world import (
    ANSWER,
    JULIET,
    LAPTOP,
    OFFER,
    PAGE,
    PHONE,
    PLAIN,
    ROMEO,
    TAB,
    World,
    accepted,
    answer_of_peer,
    offer_of_peer,
    placed,
    proceeded,
    talking_direct_in,
    talking_direct_out,
    talking_in,
    talking_out,
)

AV = ("audio", "video")
CONTACT = frozenset({ROMEO})

# --- do not disturb


def test_a_contact_hears_busy_when_every_page_says_do_not_disturb():
    w = World()
    for page in (PAGE, TAB):
        w.page(page, dnd=True, contacts=CONTACT)
    assert w.messages(Propose("s1", AV), to=JULIET, receipt=True, stanza_id="m") == ["juliet: missed romeo", "page > phone reject busy"]
    assert w.quiet
    assert w.messages(Propose("s1", AV), to=JULIET) == [], "missed once"


def test_others_see_no_difference_between_do_not_disturb_and_nobody_there():
    """J-252: the same effects as without any page."""
    w, nobody = World(), World()
    w.page(dnd=True)
    nobody.leaves()
    heard = [world.messages(Propose("s1", AV), to=JULIET) for world in (w, nobody)]
    assert heard == [["juliet: missed romeo"]] * 2 and w.last == nobody.last


def test_pages_that_may_be_disturbed_ring():
    w = World()
    w.page(dnd=True, contacts=CONTACT)
    w.page(TAB)
    assert [said for said in w.messages(Propose("s1", AV), to=JULIET) if "incoming" in said] == ["tab: incoming audio,video from romeo"]


def test_do_not_disturb_is_no_reason_to_miss_whom_one_calls():
    """J-067: the person calls, and the peer's propose wins."""
    w = World(ids=iter(("b", "id1")).__next__)
    w.page(dnd=True, contacts=CONTACT)
    placed(w)
    assert "page: incoming audio,video from romeo instead of c1" in w.messages(Propose("a", AV), to=JULIET)


def test_a_contact_without_jmi_hears_busy():
    """J-106."""
    w = World(PLAIN)
    w.page(dnd=True, contacts=CONTACT)
    assert w.sends(offer_of_peer("s1")) == ["page > phone session-terminate busy", "juliet: missed romeo", "no more timers"]
    assert w.quiet
    with pytest.raises(UnknownSession):
        w.sends(offer_of_peer("s1"))


def test_others_without_jmi_find_nobody():
    w = World(PLAIN)
    w.page(dnd=True)
    with pytest.raises(ServiceUnavailable):
        w.sends(offer_of_peer("s1"))
    assert w.quiet


def test_do_not_disturb_and_a_direct_call_that_crosses_ours():
    w = World(PLAIN, ids=iter(("b", "id1")).__next__)
    w.page(dnd=True)
    placed(w)
    assert "page: incoming audio,video from romeo instead of c1" in w.sends(offer_of_peer("a"))


# --- guests


def test_a_guest_is_there_for_its_contacts_only():
    """Users of the bridge's own server may call any web user, but no guest: DESIGN §2."""
    w = World()
    w.page(private=True, contacts=frozenset({"other@im.test"}))
    assert w.messages(Propose("s1", AV), to=JULIET) == [] and w.quiet
    with pytest.raises(ServiceUnavailable):
        w.sends(offer_of_peer("s1"))
    w.page(private=True, contacts=CONTACT)
    assert any("incoming" in told for told in w.messages(Propose("s2", AV), to=JULIET))


# --- limits


def test_a_contact_above_the_limits_hears_why():
    """J-105; to others it is as if nobody were there: J-252."""
    w = World(limits=Limits(attempts_per_caller=0))
    with pytest.raises(ServiceUnavailable):
        w.sends(offer_of_peer("s1"))
    w.page(contacts=CONTACT)
    with pytest.raises(ResourceConstraint) as refused:
        w.sends(offer_of_peer("s1"))
    assert (refused.value.type, refused.value.condition, refused.value.jingle) == ("wait", "resource-constraint", None)
    assert w.messages(Propose("s1", AV), to=JULIET) == [] and w.quiet


# --- a call goes on at another device: J-069

MOVED = ["page > phone finish expired", "page: ended moved", "no more timers"]


@pytest.mark.parametrize(("stage", "call"), [(talking_out, "c1"), (talking_in, "id1")])
def test_the_same_device_proposes_again(stage, call):
    """Monal's migration, or an app that lost its call: the page that talks gets the new call, and no other page rings."""
    w = stage(World())
    w.page(TAB)
    sid = w.state.sid
    lines = w.messages(Propose("s2", AV), to=JULIET, receipt=True, stanza_id="m")
    new = w.told(fx.TellIncoming)[0].call
    assert lines == [
        "page > phone received m",
        "page > phone presence",
        "page > phone ringing",
        f"page: incoming audio,video from romeo instead of {call}",
        "timer ring 60",
        *MOVED,
    ]
    (finish,) = [e.jmi for e in w.told(fx.SendJmi) if isinstance(e.jmi, Finish)]
    assert finish == Finish(sid, Reason("expired"), migrated_to="s2")
    assert w.does(ev.Accepted(new)) == ["page > phone proceed", "timer initiate 10", "page: accepted"]
    assert w.sends(offer_of_peer("s2")) == ["page: offer", "timer accept 60"]
    assert "page: connecting" in w.does(ev.Described(new, "answer", ANSWER))
    w.has_heard_the_end()
    with pytest.raises(UnknownSession):
        w.sends("session-terminate", sid=sid)


def test_another_device_goes_on_when_the_first_is_gone():
    w = talking_in(World())
    w.presence(False)
    assert "page: incoming audio,video from romeo instead of id1" in w.messages(Propose("s2", AV), LAPTOP, JULIET)
    assert w.state.sid == "s2"


@pytest.mark.parametrize(
    ("stage", "sender", "media"),
    [
        (talking_in, LAPTOP, AV),  # the first device is there
        (talking_in, PHONE, ("audio",)),  # other media were not agreed to
        (proceeded, PHONE, AV),  # the call is not up
        (accepted, PHONE, AV),
        (talking_direct_in, PHONE, AV),  # no JMI, so it cannot be said where the call went
        (talking_direct_out, PHONE, AV),
    ],
)
def test_anything_else_is_call_waiting(stage, sender, media):
    """J-106."""
    w = World(*([PLAIN] if "direct" in stage.__name__ else []))
    stage(w)
    (line,) = [said for said in w.messages(Propose("a", media), sender, JULIET) if "incoming" in said]
    assert "instead of" not in line
    assert len(w.registry.calls) == 2


def test_call_waiting_can_be_declined_with_busy_and_the_call_goes_on():
    """J-062, J-106."""
    w = talking_out(World())
    w.messages(Propose("s2", ("audio",)), to=JULIET)
    call = w.told(fx.TellIncoming)[0].call
    assert w.does(ev.Rejected(call, busy=True))[0] == "page > phone reject busy"
    assert w.state.sid == "id1" and w.state.joint == "connecting"


def test_the_peer_takes_its_second_propose_back():
    """The old call is over by then: it was the peer who wanted to move."""
    w = talking_in(World())
    w.messages(Propose("s2", AV), to=JULIET)
    assert "page: ended cancelled" in w.messages(Retract("s2"))
    assert w.quiet


def test_our_second_call_of_the_same_person_moves_the_first():
    """The peer takes it as a migration and says so; the second call goes on by itself."""
    w = talking_out(World())
    w.does(ev.Placed("c2", ROMEO, OFFER))
    second = w.told(fx.SendJmi)[0].jmi.id
    assert w.messages(Finish("id1", Reason("expired"), migrated_to=second)) == [
        "page > phone finish expired",
        "page: ended moved",
        "no more timers",
    ]
    w.messages(Proceed(second))
    assert "page: connecting" in w.sends(answer_of_peer(w.sent("session-initiate")[0]))
