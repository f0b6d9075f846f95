"""Every action and every message in every stage of a call, by the right and the wrong party; generated from the tables. J-075 … J-080.

The right party is answered with exactly out-of-order if the table has no such move; everybody else with unknown-session, or silence for
a message. What is refused changes nothing: the world checks that.
"""

from __future__ import annotations

from itertools import product

import pytest

from jinglebridge.calls.states import RINGING, TRANSITIONS
from jinglebridge.errors import OutOfOrder, ProtocolError, ServiceUnavailable, UnknownSession
from jinglebridge.jingle import ACTIONS, Accept, Content, Finish, Jingle, Jmi, Proceed, Reason, Reject, Retract
from jinglebridge.jingle import Ringing as RingingMessage
from tests.unit.calls.test_ending import STAGES, reach
from tests.unit.calls.world import DOMAIN, LAPTOP, PAGE, ROMEO, STRANGER, TAB, World, answer_of_peer, offer_of_peer

OTHERS = (LAPTOP, ROMEO, STRANGER, f"mallory@{DOMAIN}/x", PAGE)
MESSAGES: dict[str, Jmi] = {
    "ringing": RingingMessage("x"),
    "proceed": Proceed("x"),
    "reject": Reject("x", Reason("busy")),
    "retract": Retract("x"),
    "finish": Finish("x", Reason("success")),
}


def jingle(w: World, action: str) -> Jingle:
    sid = w.state.sid
    if action == "session-initiate":
        return offer_of_peer(sid)
    if action == "session-accept":
        return answer_of_peer(offer_of_peer(sid))
    return Jingle(action, sid, contents=() if action in ("session-info", "session-terminate") else (Content("0"),))


@pytest.mark.parametrize("action", sorted(ACTIONS))
@pytest.mark.parametrize("stage", STAGES)
def test_every_action_by_the_peer(stage, action):
    w = reach(stage)
    state = w.state
    if "/" not in state.peer or "/" not in state.own:
        with pytest.raises(UnknownSession):  # there is no session, and nobody in particular to have one with
            w.sends(jingle(w, action))
    elif (state.peer_role, action) not in TRANSITIONS[state.session]:
        with pytest.raises(OutOfOrder):
            w.sends(jingle(w, action))
    else:
        try:
            w.sends(jingle(w, action))
        except ProtocolError as error:
            assert error.jingle in ("unsupported-info", "out-of-order"), "an answer to nothing, or unknown information"


@pytest.mark.parametrize("stage", STAGES)
def test_every_action_by_anybody_else(stage):
    w = reach(stage)
    state, before = w.state, w.saved()
    for sender, action in product(OTHERS, sorted(ACTIONS)):
        if sender != state.peer and not (action == "session-initiate" and sender.endswith(f"@{DOMAIN}/x")):
            with pytest.raises((UnknownSession, ServiceUnavailable)) as refused:
                w.sends(jingle(w, action), sender)
            assert isinstance(refused.value, UnknownSession) or action == "session-initiate"
    assert w.saved() == before


@pytest.mark.parametrize("stage", ["talking-out", "talking-in", "talking-direct-out", "talking-direct-in"])
def test_every_action_to_another_page(stage):
    w = reach(stage)
    w.page(TAB)
    before = w.saved()
    for action in sorted(ACTIONS):
        with pytest.raises(UnknownSession):
            w.sends(jingle(w, action), to=TAB)
    assert w.saved() == before


@pytest.mark.parametrize("element", MESSAGES)
@pytest.mark.parametrize("stage", STAGES)
def test_every_message_by_the_peer(stage, element):
    w = reach(stage)
    state = w.state
    before = w.saved()
    known = (state.peer_role, element) in RINGING[state.ringing]
    w.messages(type(MESSAGES[element])(state.sid))
    if known:
        assert "jmi-out-of-order" not in w.notes()
    else:
        assert w.notes() == ["jmi-out-of-order"] and w.saved() == before


@pytest.mark.parametrize("stage", STAGES)
def test_every_message_by_anybody_else(stage):
    """J-073: silence, and nothing changes."""
    w = reach(stage)
    before = w.saved()
    for jmi, sender in product([*MESSAGES.values(), Accept("x")], (STRANGER, f"mallory@{DOMAIN}/x", PAGE)):
        assert w.messages(type(jmi)(w.state.sid), sender) == [] and w.notes() == []
    assert w.saved() == before


@pytest.mark.parametrize("stage", ["proceeded", "talking-out", "accepted", "offered", "talking-in"])
def test_every_message_by_another_device_once_one_was_chosen(stage):
    """J-063."""
    w = reach(stage)
    before = w.saved()
    for jmi in MESSAGES.values():
        assert w.messages(type(jmi)(w.state.sid), LAPTOP) == [] and not w.notes()
    assert w.saved() == before


def test_the_answers_are_exactly_those_of_xep_0166():
    """J-078, J-105."""
    assert {(e.type, e.condition, e.jingle) for e in (UnknownSession, OutOfOrder)} == {
        ("cancel", "item-not-found", "unknown-session"),
        ("wait", "unexpected-request", "out-of-order"),
    }
