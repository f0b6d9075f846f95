"""Replies, bounces, presence, reports and mute of a call. J-044, J-045, J-097, J-209; DESIGN §5."""

from __future__ import annotations

import pytest

from jinglebridge.calls import call
from jinglebridge.calls import effects as fx
from jinglebridge.calls import events as ev
from jinglebridge.calls.call import NOBODY
from jinglebridge.calls.model import Timers
from jinglebridge.calls.turn import MAX_DETAIL
from jinglebridge.errors import EndpointError, InvalidState
from jinglebridge.jingle import Proceed, Ringing, SessionInfo
from tests.unit.calls.world import (
    DOMAIN,
    LAPTOP,
    OFFER,
    PAGE,
    PHONE,
    PLAIN,
    ROMEO,
    WITH_JMI,
    World,
    accepted,
    answer_of_peer,
    direct_in,
    direct_out,
    offered,
    placed,
    proceeded,
    proposed,
    talking_direct_out,
    talking_in,
    talking_out,
)

FINISH = "page > phone finish "


def test_what_starts_a_call_does_not_continue_one():
    w = World()
    placed(w)
    with pytest.raises(InvalidState):
        call.handle(w.registry.turn(w.state, w.now), ev.Placed("c1", ROMEO, OFFER))


# --- replies to our IQs: J-097


@pytest.mark.parametrize("condition", sorted(NOBODY))
def test_session_initiate_that_finds_nobody(condition):
    w = World(PLAIN)
    direct_out(w)
    assert w.answers("session-initiate", condition) == ["page: ended unreachable", "no more timers"]


@pytest.mark.parametrize("condition", ["bad-request", "feature-not-implemented", "redirect", "gone"])
def test_session_initiate_that_is_refused(condition):
    """After a proceed we say finish as well: J-065."""
    w = World()
    proceeded(w)
    assert w.answers("session-initiate", condition) == [FINISH + "success", "page: ended failed", "no more timers"]


def test_session_initiate_without_a_reply():
    """The peer may have it all the same: it is terminated."""
    w = World()
    proceeded(w)
    assert w.answers("session-initiate", "timeout") == [
        "page > phone session-terminate connectivity-error",
        FINISH + "connectivity-error",
        "page: ended failed-ice",
        "no more timers",
    ]


def test_tie_break_waits_for_the_other_session():
    w = World(PLAIN)
    direct_out(w)
    assert w.answers("session-initiate", "conflict", "tie-break") == [] and not w.quiet


@pytest.mark.parametrize(
    ("condition", "lines"),
    [
        ("timeout", ["page > phone session-terminate connectivity-error", FINISH + "connectivity-error", "page: ended failed-ice"]),
        ("recipient-unavailable", [FINISH + "connectivity-error", "page: ended gone"]),
    ],
)
def test_session_accept_that_does_not_arrive(condition, lines):
    w = talking_in(World())
    assert w.answers("session-accept", condition) == [*lines, "no more timers"]


def test_session_accept_that_the_peer_dislikes_is_its_own_business():
    """It will terminate, or not."""
    w = talking_in(World())
    assert w.answers("session-accept", "bad-request") == [] and not w.quiet


@pytest.mark.parametrize("action", ["transport-info", "session-info", "content-reject"])
@pytest.mark.parametrize("condition", ["bad-request", "service-unavailable", "item-not-found", "not-authorized", "timeout"])
@pytest.mark.parametrize("stage", [proceeded, talking_out, direct_in])
def test_errors_to_anything_else_are_logged_and_the_call_goes_on(stage, action, condition):
    w = World(*([PLAIN] if stage is direct_in else []))
    stage(w)
    assert w.answers(action, condition) == [] and w.notes() == ["peer-error"]
    w.answers(action, "x" * 5000)
    assert all(len(e.detail) <= MAX_DETAIL for e in w.last if isinstance(e, fx.Note))
    assert not w.quiet


@pytest.mark.parametrize("action", ["transport-info", "session-info", "session-accept"])
def test_unknown_session_on_anything_is_the_end(action):
    w = talking_in(World())
    assert w.answers(action, "item-not-found", "unknown-session") == [
        FINISH + "connectivity-error",
        "page: ended gone",
        "no more timers",
    ]


def test_results_mean_nothing():
    """J-096: some peers never send them."""
    w = World()
    proceeded(w)
    assert w.answers("session-initiate") == [] and w.notes() == []


# --- messages that come back: J-045, J-047


@pytest.mark.parametrize(
    ("stage", "lines"),
    [
        (placed, ["page: ended unreachable", "no more timers"]),
        (accepted, ["page: ended gone", "no more timers"]),
        (proposed, []),
        (offered, []),
        (talking_in, []),
        (talking_out, []),
    ],
)
def test_a_bounced_message_ends_only_what_hangs_on_it(stage, lines):
    w = World()
    stage(w)
    assert w.bounces() == lines
    assert w.quiet is bool(lines)


def test_a_copy_of_the_propose_that_comes_back_while_another_device_rings():
    """The server gives up a device that was away, and returns what waited for it; the laptop rings and is answered."""
    w = World(WITH_JMI)
    placed(w)
    w.messages(Ringing("id1"), LAPTOP)
    assert w.bounces() == [] and not w.quiet
    assert "page > laptop session-initiate" in w.messages(Proceed("id1"), LAPTOP)


def test_a_device_that_does_not_say_that_it_rings_stops_when_the_propose_comes_back():
    """Dino never says ringing."""
    w = World(WITH_JMI)
    placed(w)
    assert w.bounces() == ["page > romeo retract cancel", "page: ended unreachable", "no more timers"]
    assert w.quiet


# --- presence: J-044


def test_peer_gone_without_media_ends_the_call_soon():
    w = talking_out(World())
    assert w.presence(False) == ["timer gone 10"]
    assert w.fires("gone") == ["page > phone session-terminate gone", FINISH + "connectivity-error", "page: ended gone", "no more timers"]


def test_peer_gone_while_media_flows_is_not_gone():
    """Media that still flows is the better witness; when it stops the call ends."""
    w = talking_out(World())
    w.does(ev.Reported("c1", "connected", 100))
    w.presence(False)
    w.now += 10
    assert w.fires("gone") == ["timer gone 10"]
    w.does(ev.Reported("c1", "connected", 200))
    w.now += 14.9
    assert w.fires("gone") == ["timer gone 10"]
    w.does(ev.Reported("c1", "connected", 200))
    w.now += 0.1
    assert "page: ended gone" in w.fires("gone")


def test_peer_that_came_back_is_not_gone():
    w = talking_out(World())
    w.presence(False)
    assert w.presence(True) == [] and w.fires("gone") == []


def test_presence_of_another_device_means_nothing():
    w = talking_out(World())
    assert w.presence(False, f"{ROMEO}/laptop") == [] and w.presence(False, "else@example.net/x") == []


@pytest.mark.parametrize("stage", [placed, proposed])
def test_presence_while_all_devices_ring_means_nothing(stage):
    w = World()
    stage(w)
    assert w.presence(False) == []


def test_direct_caller_that_went_offline_was_missed():
    w = World(PLAIN)
    direct_in(w)
    w.presence(False)
    assert w.fires("gone") == ["page > phone session-terminate gone", "page: ended gone", "juliet: missed romeo", "no more timers"]


# --- reports


def test_connected_is_said_once():
    w = talking_out(World())
    assert w.does(ev.Reported("c1", "connecting")) == []
    assert w.does(ev.Reported("c1", "connected", 1)) == ["page: connected"] and w.notes() == ["media-connected"]
    assert w.does(ev.Reported("c1", "connected", 2)) == []


def test_connected_before_the_answer_means_nothing():
    w = World()
    proceeded(w)
    assert w.does(ev.Reported("c1", "connected", 1)) == [] and not w.state.connected


def test_connect_timeout_only_for_pages_that_report():
    """DESIGN §5."""
    w = talking_out(World())
    assert w.fires("connect") == []
    w.does(ev.Reported("c1", "connecting"))
    assert "page: ended failed-ice" in w.fires("connect")


def test_no_connect_timeout_while_the_page_says_nothing():
    """Its socket is away, its media may be up: it is looked at again later."""
    w = talking_out(World())
    w.does(ev.Reported("c1", "connecting"))
    w.now += 16
    assert w.fires("connect") == ["timer connect 45"]
    w.does(ev.Reported("c1", "connecting"))
    assert "page: ended failed-ice" in w.fires("connect")


def test_no_connect_timeout_once_it_was_connected():
    w = talking_out(World())
    w.does(ev.Reported("c1", "connected", 1))
    w.does(ev.Reported("c1", "disconnected", 1))
    assert w.fires("connect") == []


# --- mute and hold of ours: J-208, J-209


@pytest.mark.parametrize("info", ["mute", "unmute"])
def test_mute_names_the_content(info):
    w = talking_out(World())
    assert w.does(ev.Informed("c1", info, "1")) == [f"page > phone session-info {info}"]
    (told,) = w.sent("session-info")[0].info
    assert told == SessionInfo(info, "initiator", "1")
    w.does(ev.Informed("c1", info))
    assert w.sent("session-info")[0].info == (SessionInfo(info),)


@pytest.mark.parametrize("info", ["hold", "active"])
def test_hold_is_for_the_whole_call(info):
    w = talking_in(World())
    w.does(ev.Informed("id1", info, "0"))
    assert w.sent("session-info")[0].info == (SessionInfo(info),)


def test_mute_of_no_section_is_the_pages_fault():
    w = talking_out(World())
    with pytest.raises(EndpointError, match="mid"):
        w.does(ev.Informed("c1", "mute", "7"))


@pytest.mark.parametrize(("guest", "seconds"), [(False, 40_000.0), (True, 7_000.0)])
def test_a_call_ends_before_the_credentials_of_its_relay_do(guest: bool, seconds: float):
    """DESIGN §5: Dino and Monal cannot renew their way."""
    w = World()
    w.registry.timers = Timers(longest=40_000.0, longest_guest=7_000.0)
    page = f"guest-x@{DOMAIN}/w" if guest else PAGE
    w.page(page)
    w.does(ev.Placed("c1", ROMEO, OFFER), page)
    w.messages(Proceed("id1"), to=page)
    w.sends(answer_of_peer(w.sent("session-initiate")[0]), to=page)
    (timer,) = [e for e in w.told(fx.StartTimer) if e.name == "longest"]
    assert timer.seconds == seconds
    other = World()
    placed(other)
    assert other.fires("longest") == [], "what is not up yet takes no time"
    lines = w.fires("longest", timer.key)
    assert lines[0].endswith("session-terminate success") and any(line.endswith("ended too-long") for line in lines)
    assert w.quiet


def test_mute_before_the_call_is_up_is_not_told():
    w = World()
    proceeded(w)
    assert w.does(ev.Informed("c1", "mute", "0")) == []


def test_without_jmi_a_whole_call():
    w = talking_direct_out(World(PLAIN))
    assert w.state.peer == PHONE and w.state.joint == "connecting"
    assert w.does(ev.HungUp("c1")) == ["page > phone session-terminate success", "page: ended ended", "no more timers"]


# --- a session in which nothing is said: J-100


def alive(w: World) -> list[str]:
    return [f"{e.name} {e.seconds:g}" for e in w.told(fx.StartTimer) if e.name == "alive"]


def test_a_silent_peer_is_asked_every_minute():
    """Monal never answers, so silence proves nothing."""
    w = talking_out(World())
    assert alive(w) == ["alive 60"]
    w.now += 60
    assert w.fires("alive") == ["page > phone session-info"] and alive(w) == ["alive 12"]
    assert w.sent("session-info")[0].info == ()
    assert w.answers("session-info", "timeout") == [] and not w.quiet
    w.now += 12
    assert w.fires("alive") == [] and alive(w) == ["alive 60"]
    w.now += 60
    assert w.fires("alive") == ["page > phone session-info"]
    assert "page: ended gone" in w.answers("session-info", "item-not-found", "unknown-session")


def test_a_peer_that_was_heard_is_not_asked():
    w = talking_in(World())
    w.now += 30
    w.answers("session-accept")
    w.now += 30
    assert w.fires("alive") == [] and alive(w) == ["alive 30"]
    w.now += 30
    assert w.fires("alive") == ["page > phone session-info"]


def test_nobody_is_asked_before_the_call_is_up():
    w = World()
    proceeded(w)
    assert w.fires("alive") == [] and alive(w) == []
