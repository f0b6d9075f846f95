"""A page that is loaded anew in a call ends it, since its certificate is gone. Where the peer goes on with the next one, nothing rings.

J-069; DESIGN §5 (page reload). Monal's side of it is played in tests/interop/test_monal.py.
"""

from __future__ import annotations

import pytest

from jinglebridge.calls import effects as fx
from jinglebridge.calls import events as ev
from jinglebridge.calls.model import JMI, CallState, PeerResource
from jinglebridge.jingle import Finish, Proceed, Reason
from jinglebridge.jingle import Ringing as RingingMessage
from tests.unit.calls.world import DEVICE, OFFER, PAGE, PHONE, ROMEO, World, answer_of_peer, proceeded, talking_in, talking_out

MONAL = PeerResource(PHONE, frozenset(DEVICE | {JMI}), node="https://monal-im.org/")
AUDIO = OFFER[: OFFER.index("m=video")].replace("a=group:BUNDLE 0 1", "a=group:BUNDLE 0")
GONE = ["page > phone session-terminate gone", "page > phone finish connectivity-error", "page: ended gone", "no more timers"]


@pytest.fixture
def world() -> World:
    return World(MONAL)


def leaves_and_returns(w: World, call: str = "c1") -> None:
    """What the module says on `pagehide`, and again when the page is there."""
    assert w.does(ev.HungUp(call, "gone")) == ["timer back 4"] and w.notes() == ["page-left"]
    assert w.does(ev.HungUp(call, "gone")) == ["timer back 15"]
    assert w.does(ev.HungUp(call, "gone")) == ["timer back 15"]


def test_calling_again_goes_on_without_ringing(world: World):
    w = talking_out(world)
    leaves_and_returns(w)
    assert w.does(ev.Placed("c2", ROMEO, OFFER)) == [
        "page > romeo presence", "page > romeo propose audio,video", "timer ring 60", "page: proceeding",
    ]  # fmt: skip
    assert w.messages(Finish("id1", Reason("expired"), migrated_to="id2")) == [
        "page > phone finish expired", "page: ended moved", "no more timers",
    ]  # fmt: skip
    w.messages(RingingMessage("id2"))
    lines = w.messages(Proceed("id2"))
    assert "page > phone session-initiate" in lines and w.state.call == "c2"
    w.sends(answer_of_peer(w.sent("session-initiate")[0]))
    assert w.state.joint == "connecting" and w.fires("back", ("juliet@call.example.org", ROMEO, "id1")) == []


def test_a_call_that_the_peer_made_goes_on_too(world: World):
    w = talking_in(world)
    leaves_and_returns(w, "id1")
    w.does(ev.Placed("c2", ROMEO, OFFER))
    assert "page: ended moved" in w.messages(Finish("s1", Reason("expired"), migrated_to="id2"))


@pytest.mark.parametrize("back", [False, True])
def test_nobody_comes_back(world: World, back: bool):
    w = talking_out(world)
    w.does(ev.HungUp("c1", "gone"))
    if back:
        w.does(ev.HungUp("c1", "gone"))
    assert w.fires("back") == GONE and w.quiet


def test_hanging_up_is_no_reload(world: World):
    w = talking_out(world)
    w.does(ev.HungUp("c1", "gone"))
    assert w.does(ev.HungUp("c1"))[0] == "page > phone session-terminate success" and w.quiet


def test_the_page_says_goodbye(world: World):
    w = talking_out(world)
    w.does(ev.HungUp("c1", "gone"))
    assert w.leaves() == GONE and w.quiet


def test_the_peer_hangs_up_meanwhile(world: World):
    w = talking_out(world)
    w.does(ev.HungUp("c1", "gone"))
    assert "page: ended ended" in w.sends("session-terminate", reason=Reason("success")) and w.quiet


def test_with_other_media_the_old_call_ends_first(world: World):
    """It would answer busy to a propose that is no continuation."""
    w = talking_out(world)
    leaves_and_returns(w)
    assert w.does(ev.Placed("c2", ROMEO, AUDIO)) == [
        *GONE, "page > romeo presence", "page > romeo propose audio", "timer ring 60", "page: proceeding",
    ]  # fmt: skip


def test_a_call_to_somebody_else_changes_nothing(world: World):
    w = talking_out(world)
    leaves_and_returns(w)
    w.does(ev.Placed("c2", "benvolio@example.net", OFFER))
    assert {state.call for state in w.registry.calls.values()} == {"c1", "c2"}


@pytest.mark.parametrize("node", ["https://dino.im", "http://conversations.im", "https://movim.eu/", ""])
def test_others_hear_the_end_at_once(node: str):
    w = talking_out(World(PeerResource(PHONE, frozenset(DEVICE | {JMI}), node=node)))
    assert w.does(ev.HungUp("c1", "gone")) == GONE


def test_before_there_is_a_session_it_ends_at_once(world: World):
    proceeded(world)
    assert world.does(ev.HungUp("c1", "gone"))[-1] == "no more timers"


def test_a_restart_of_the_bridge_keeps_what_is_left_of_the_time(world: World):
    w = talking_out(world)
    w.does(ev.HungUp("c1", "gone"))
    w.now += 3.0
    state = CallState.from_json(w.state.to_json())
    after = World(MONAL)
    effects = after.registry.restore([state], {PAGE}.__contains__, w.now)
    assert fx.StartTimer(state.key, "back", 1.0) in effects
