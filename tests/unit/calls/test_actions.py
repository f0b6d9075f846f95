"""What a peer does to a session: each action once. J-076, J-096, J-101, J-102, J-174, J-207 … J-218."""

from __future__ import annotations

import pytest

from jinglebridge.calls import effects as fx
from jinglebridge.calls import events as ev
from jinglebridge.errors import OutOfOrder, UnsupportedInfo
from jinglebridge.jingle import ACTIONS, Content, Ringing, Role, SessionInfo
from tests.unit.calls.world import (
    LAPTOP,
    PLAIN,
    World,
    accepted,
    direct_in,
    direct_out,
    proceeded,
    talking_direct_in,
    talking_in,
    talking_out,
)

VIDEO = (Content("1"),)
BOTH = (Content("0"), Content("1"))


def unknown(sid: str = "id1") -> str:
    return f'<jingle xmlns="urn:xmpp:jingle:1" action="session-info" sid="{sid}"><drum xmlns="urn:example:band"/></jingle>'


@pytest.mark.parametrize("action", ["transport-accept", "transport-reject", "content-accept", "content-reject"])
def test_answers_to_nothing_are_out_of_order(action):
    w = talking_out(World())
    with pytest.raises(OutOfOrder):
        w.sends(action, contents=VIDEO)
    assert not w.quiet


def test_another_transport_is_rejected_and_the_call_goes_on():
    """J-174, J-175."""
    w = talking_in(World())
    assert w.sends("transport-replace", sid="s1", contents=VIDEO) == ["page > phone transport-reject"]
    assert not w.quiet


@pytest.mark.parametrize("stage", [direct_out, direct_in])
def test_content_remove_before_the_answer_does_not_end_the_call(stage):
    w = World(PLAIN)
    stage(w)
    assert w.sends("content-remove", sid=w.state.sid, contents=VIDEO) == []
    assert not w.quiet


def test_security_info_is_unsupported():
    """J-102."""
    w = talking_out(World())
    with pytest.raises(UnsupportedInfo):
        w.sends("security-info", contents=VIDEO)


@pytest.mark.parametrize(
    ("kind", "told"),
    [("mute", "mute"), ("unmute", "unmute"), ("hold", "hold"), ("unhold", "active"), ("active", "active")],
)
def test_mute_and_hold_are_told_with_their_mid(kind, told):
    """J-208, J-209: no name means all."""
    w = talking_out(World())
    assert w.sends("session-info", info=(SessionInfo(kind, Role.INITIATOR, "1"),)) == [f"page: {told} 1"]
    assert w.sends("session-info", info=(SessionInfo(kind),)) == [f"page: {told} None"]
    assert w.sends("session-info", info=(SessionInfo(kind, name="nothing"), SessionInfo("hold"))) == [f"page: {told} None"]


def test_mute_while_it_rings_reaches_the_ringing_page():
    w = World(PLAIN)
    direct_in(w)
    assert w.sends("session-info", sid="s1", info=(SessionInfo("mute"),)) == ["page: mute None"]
    w.leaves()
    assert w.sends("session-info", sid="s1", info=(SessionInfo("unmute"),)) == []


def test_empty_session_info_is_a_ping():
    """J-100."""
    w = talking_out(World())
    assert w.sends("session-info") == []


def test_unknown_session_info_is_an_error():
    """J-078, J-210."""
    w = talking_out(World())
    with pytest.raises(UnsupportedInfo):
        w.sends_xml(unknown())


def test_ringing_of_a_direct_call():
    """J-207."""
    w = World(PLAIN)
    direct_out(w)
    assert w.sends("session-info", info=(SessionInfo("ringing"),)) == ["page: ringing"]


@pytest.mark.parametrize("stage", [proceeded, talking_out, talking_in, talking_direct_in])
def test_ringing_after_somebody_answered_means_nothing(stage):
    w = World(*([PLAIN] if stage is talking_direct_in else []))
    stage(w)
    assert w.sends("session-info", sid=w.state.sid, info=(SessionInfo("ringing"),)) == []


@pytest.mark.parametrize("action", sorted(ACTIONS - {"session-initiate"}))
def test_before_the_session_every_action_is_out_of_order(action):
    """J-076."""
    w = World()
    accepted(w)
    with pytest.raises(OutOfOrder):
        w.sends(action, sid="s1", contents=VIDEO)
    assert not w.quiet


def test_out_of_order_never_moves_the_call_on():
    w = World()
    accepted(w)
    before = w.state.to_json()
    with pytest.raises(OutOfOrder):
        w.sends("session-terminate", sid="s1")
    assert w.state.to_json() == before
    assert w.messages(Ringing("s1"), sender=LAPTOP) == []
    assert w.does(ev.HungUp("id1")) and w.told(fx.TellEnded)
