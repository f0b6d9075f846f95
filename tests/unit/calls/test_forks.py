"""Several devices without JMI ring by a session each, and one of them has the call. DESIGN §5; J-054, J-063, J-247."""

from __future__ import annotations

import pytest

from jinglebridge.calls import effects as fx
from jinglebridge.calls import events as ev
from jinglebridge.calls.forks import MAX_BRANCHES
from jinglebridge.calls.model import CallState, Limits, PeerResource
from jinglebridge.errors import EndpointError, OutOfOrder, TieBreak, UnknownSession
from jinglebridge.jingle import Jingle, Reason, Ringing, SessionInfo
from tests.unit.calls.world import (
    DEVICE,
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
    answer_of_peer,
    offer_of_peer,
)

OTHER = PeerResource(LAPTOP, frozenset(DEVICE))
PHONE_KEY, LAPTOP_KEY = (JULIET, ROMEO, "id1"), (JULIET, ROMEO, "id2")
STOPS = ["page > laptop session-terminate cancel", "no more timers"]
GONE = ["page > phone session-terminate gone", "no more timers"]


def forked(w: World) -> dict[str, Jingle]:
    """The page has called; phone and laptop ring. Returns what each got."""
    w.does(ev.Placed("c1", ROMEO, OFFER))
    return {e.to: e.jingle for e in w.told(fx.SendJingle)}


@pytest.fixture
def w() -> World:
    return World(PLAIN, OTHER)


def test_each_device_gets_a_session_of_its_own_and_the_page_hears_of_one_call(w: World):
    assert w.does(ev.Placed("c1", ROMEO, OFFER)) == [
        "page > phone presence",
        "page > phone session-initiate",
        "timer ring 60",
        "page: proceeding",
        "page > laptop presence",
        "page > laptop session-initiate",
        "timer ring 60",
    ]
    initiates = [e.jingle for e in w.told(fx.SendJingle)]
    assert [j.sid for j in initiates] == ["id1", "id2"]
    assert all(not c.transport.candidates for j in initiates for c in j.contents)
    assert len(list(w.registry.calls_of(PAGE))) == 1
    assert sorted(n for n in w.notes() if "started" in n) == ["branch-started", "call-started"]


@pytest.mark.parametrize("features", [None, WITH_JMI.features])
def test_one_device_with_jmi_is_enough_for_a_propose(features):
    """J-054: to the bare address, so all devices that know it ring."""
    w = World(PLAIN, PeerResource(LAPTOP, features))
    assert "page > romeo propose audio,video" in w.does(ev.Placed("c1", ROMEO, OFFER))
    assert not w.sent("session-initiate")


def test_devices_that_cannot_take_the_media_do_not_ring():
    w = World(PeerResource(PHONE, frozenset(DEVICE - {"urn:xmpp:jingle:apps:rtp:video"})), OTHER)
    assert list(forked(w)) == [LAPTOP] and w.state.fork == []


def test_no_more_than_eight_ring():
    w = World(*(PeerResource(f"{ROMEO}/d{n}", frozenset(DEVICE), n) for n in range(20)))
    assert list(forked(w)) == [f"{ROMEO}/d{n}" for n in range(19, 19 - MAX_BRANCHES, -1)]


def test_the_first_to_accept_has_the_call(w: World):
    """Also our candidates go to nobody else, and not before."""
    offers = forked(w)
    assert w.does(ev.Gathered("c1", OWN_CANDIDATES[0])) == []
    assert w.sends("session-info", info=(SessionInfo("ringing"),)) == ["page: ringing"]
    lines = w.sends(answer_of_peer(offers[LAPTOP]), LAPTOP)
    assert lines == [
        "page: answer",
        "page > laptop transport-info",
        "timer connect 45",
        "page: connecting",
        "page > phone session-terminate cancel",
        "no more timers",
    ]
    assert w.state.peer == LAPTOP and w.state.fork == []
    w.has_heard_the_end()
    with pytest.raises(UnknownSession):
        w.sends(answer_of_peer(offers[PHONE]))
    assert w.does(ev.Reported("c1", "connected", 5)) == ["page: connected"]
    assert w.does(ev.HungUp("c1")) == ["page > laptop session-terminate success", "page: ended ended", "no more timers"]


def test_no_device_may_speak_for_another(w: World):
    forked(w)
    with pytest.raises(UnknownSession):
        w.sends("session-terminate", LAPTOP, sid="id1")
    assert w.messages(Ringing("id1")) == []
    assert len(w.registry.calls) == 2


@pytest.mark.parametrize(("said", "reason"), [("decline", "declined"), ("cancel", "cancelled"), ("success", "ended"), (None, "ended")])
def test_a_person_who_declines_at_one_device_declines_at_all(w: World, said, reason):
    """J-063. QXmpp hangs up without a reason."""
    forked(w)
    lines = w.sends("session-terminate", reason=Reason(said) if said else None)
    assert lines == [f"page: ended {reason}", "no more timers", *STOPS]
    assert w.quiet


@pytest.mark.parametrize("said", ["busy", "timeout", "gone", "failed-application", "security-error", "unsupported-applications"])
def test_a_device_that_cannot_take_the_call_only_drops_out(w: World, said):
    offers = forked(w)
    assert w.sends("session-terminate", reason=Reason(said)) == ["no more timers"] and w.notes() == ["branch-ended"]
    assert w.state.peer == LAPTOP and w.state.fork == []
    assert "page: connecting" in w.sends(answer_of_peer(offers[LAPTOP]), LAPTOP)


def test_the_last_device_that_drops_out_ends_the_call(w: World):
    forked(w)
    w.sends("session-terminate", reason=Reason("gone"))
    assert w.sends("session-terminate", LAPTOP, sid="id2", reason=Reason("busy")) == ["page: ended busy", "no more timers"]
    assert w.quiet


def test_an_error_of_one_device_only_drops_it(w: World):
    forked(w)
    error = ev.Answered("session-initiate", "service-unavailable")
    assert [type(e) for e in w.registry.handle(PHONE_KEY, error, w.now)] == [fx.Note, fx.StopTimers, fx.Note]
    assert w.answers("session-initiate", "service-unavailable") == ["page: ended unreachable", "no more timers"]
    assert w.quiet


def test_a_device_that_never_replies_is_terminated_and_drops_out(w: World):
    forked(w)
    effects = w.registry.handle(PHONE_KEY, ev.Answered("session-initiate", "timeout"), w.now)
    assert [e.jingle.reason.condition for e in effects if isinstance(e, fx.SendJingle)] == ["connectivity-error"]
    assert not any(isinstance(e, fx.TellEnded) for e in effects) and not w.quiet


def test_a_device_that_leaves_drops_out(w: World):
    forked(w)
    assert w.presence(False) == ["timer gone 10"]
    assert w.fires("gone", PHONE_KEY) == GONE
    w.presence(False, LAPTOP)
    assert w.fires("gone") == ["page > laptop session-terminate gone", "page: ended gone", "no more timers"]


def test_an_acceptance_that_cannot_be_carried_ends_the_call(w: World):
    """The person answered there: the other device need not ring on."""
    offers = forked(w)
    answer = answer_of_peer(offers[PHONE])
    contents = tuple(c.__class__(**{**{f: getattr(c, f) for f in c.__dataclass_fields__}, "transport": None}) for c in answer.contents)
    lines = w.sends(Jingle("session-accept", "id1", contents=contents))
    assert any("page: ended" in said for said in lines) and lines[-2:] == STOPS
    assert w.quiet


@pytest.mark.parametrize("how", ["hangup", "page", "ring", "operator"])
def test_what_ends_the_call_ends_all_branches(w: World, how):
    forked(w)
    if how == "hangup":
        lines = w.does(ev.HungUp("c1"))
    elif how == "page":
        lines = w.leaves()
    elif how == "ring":
        lines = w.fires("ring", LAPTOP_KEY)
    else:
        lines = w.ends("ended")
        assert w.registry.end(LAPTOP_KEY, w.now, "ended") == []
    assert sum("page: ended" in said for said in lines) == 1
    assert sum("session-terminate" in said for said in lines) == 2
    assert w.quiet
    w.leaves()
    w.registry.sweep(w.now + 61)
    assert w.entries() == {}


def test_a_wrong_candidate_reaches_no_branch(w: World):
    offers = forked(w)
    w.does(ev.Gathered("c1", OWN_CANDIDATES[0] | {"sdpMid": "9"}))
    w.does(ev.Gathered("c1", None))
    lines = w.sends(answer_of_peer(offers[PHONE]))
    assert "page > phone transport-info" not in lines


def test_a_change_before_anybody_accepted_is_refused(w: World):
    forked(w)
    with pytest.raises((OutOfOrder, EndpointError)):
        w.does(ev.Described("c1", "offer", OFFER))


def test_a_fork_counts_as_one_call():
    w = World(PLAIN, OTHER, limits=Limits(calls_per_identity=2))
    forked(w)
    w.does(ev.Placed("c2", ROMEO, OFFER))
    with pytest.raises(EndpointError, match="no more than 2 calls"):
        w.does(ev.Placed("c3", ROMEO, OFFER))


def test_a_device_calls_us_while_we_call_it_ours_is_lower():
    """J-098."""
    w = World(PLAIN, OTHER, ids=iter(("b", "d")).__next__)
    forked(w)
    with pytest.raises(TieBreak):
        w.sends(offer_of_peer("c"))
    assert len(w.registry.calls) == 2


def test_a_device_calls_us_while_we_call_it_and_wins():
    """J-098: the page goes on with that call, the other device stops ringing."""
    w = World(PLAIN, OTHER, ids=iter(("b", "d", "id1")).__next__)
    forked(w)
    assert w.sends(offer_of_peer("a")) == [
        "page > phone presence",
        "page > phone session-info ringing",
        "page: incoming audio,video from romeo instead of c1",
        "timer ring 60",
        "page > phone session-terminate cancel",
        "page: ended moved",
        "no more timers",
        *STOPS,
    ]
    assert w.state.sid == "a"


def test_branches_survive_being_saved(w: World):
    offers = forked(w)
    for key, state in w.registry.calls.items():
        w.registry.calls[key] = CallState.from_json(state.to_json())
    assert STOPS[0] in w.sends(answer_of_peer(offers[PHONE]))


def test_a_branch_that_was_not_saved_is_no_branch(w: World):
    """Whatever the journal lost, what is there goes on."""
    offers = forked(w)
    w.state.fork.append("lost")
    w.page(TAB)
    assert "page: connecting" in w.sends(answer_of_peer(offers[PHONE]))


def test_the_operator_sees_one_call(w: World):
    """One record, of the branch that is left; and one that ended."""
    timeline, forks = w.registry.timeline, forked(w)
    w.sends("session-terminate", reason=Reason("busy"))
    (record,) = timeline.find("c1", w.registry.calls.values())
    assert record.state is w.state and not timeline.ended()
    w.sends(answer_of_peer(forks[LAPTOP]), LAPTOP)
    w.does(ev.HungUp("c1"))
    assert timeline.ended() == [record] and record.reason == "ended"


def test_the_operator_sees_who_had_the_call(w: World):
    offers = forked(w)
    w.sends(answer_of_peer(offers[PHONE]))
    (record,) = w.registry.timeline.find("c1", w.registry.calls.values())
    assert record.state is w.state and w.state.peer == PHONE


def test_taking_a_devices_call_at_another_page_takes_ours_back(w: World):
    """They do not cross, being between other full addresses; but one call is enough."""
    forked(w)
    w.page(TAB)
    w.sends(offer_of_peer("s1"), to=TAB)
    lines = w.does(ev.Accepted(w.told(fx.TellIncoming)[0].call), TAB)
    assert [said for said in lines if "terminate" in said or "moved" in said] == [
        "page > phone session-terminate cancel",
        "page: ended moved",
        "page > laptop session-terminate cancel",
    ]
    assert w.state.sid == "s1"
