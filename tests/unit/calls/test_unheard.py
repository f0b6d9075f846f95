"""Calls of which the one called hears nothing, and which look to the caller as if nobody answered."""

from __future__ import annotations

import pytest

from jinglebridge.calls import events as ev
from jinglebridge.calls.model import CallState, is_guest
from jinglebridge.jingle import Propose
from tests.unit.calls.world import OFFER, OWN_CANDIDATES, PAGE, PLAIN, ROMEO, WITH_JMI, World, offer_of_peer


@pytest.fixture(params=[WITH_JMI, PLAIN], ids=["jmi", "direct"])
def w(request: pytest.FixtureRequest) -> World:
    return World(request.param)


def unheard(w: World) -> list[str]:
    return w.does(ev.Placed("c1", ROMEO, OFFER, unheard=True))


def nothing_left(w: World) -> bool:
    return not any(" > " in line for line in w.says) and not w.registry.owing


def test_it_rings_nowhere_until_nobody_answers(w: World):
    assert unheard(w) == ["timer ring 60", "page: proceeding"]
    assert w.does(ev.Gathered("c1", OWN_CANDIDATES[0])) == []
    w.registry.reconnected(w.now)
    assert "page: ended no-answer" in w.fires("ring")
    assert nothing_left(w)


def test_the_caller_hangs_up(w: World):
    unheard(w)
    assert any(line.startswith("page: ended") for line in w.does(ev.HungUp("c1")))
    assert nothing_left(w)


def test_it_looks_to_the_caller_as_any_other(w: World):
    def seen(world: World, **how: bool) -> list[str]:
        world.does(ev.Placed("c1", ROMEO, OFFER, **how))
        world.fires("ring")
        return [line for line in world.says if line.startswith("page:")]

    other = World(*w.resources[ROMEO])
    assert seen(w, unheard=True) == seen(other)
    assert any(" > " in line for line in other.says)


def test_a_restart_does_not_make_it_heard(w: World):
    unheard(w)
    after = World(*w.resources[ROMEO])
    kept = [CallState.from_json(state.to_json()) for state in w.registry.calls.values()]
    effects = after.registry.restore(kept, lambda jid: True, w.now)
    effects += after.registry.reconnected(w.now)
    for state in list(after.registry.calls.values()):
        effects += after.registry.end(state.key, w.now, "ended")
    assert effects and not {type(e).__name__ for e in effects} & {"SendJmi", "SendJingle", "ShowPresence", "SendReceipt"}


@pytest.mark.parametrize("sid", ["a", "zz"], ids=["theirs is lower", "theirs is higher"])
def test_it_gives_way_to_a_call_of_the_one_who_knows_nothing_of_it(sid: str):
    """A rejection by tie-break would end their call, and tell of ours."""
    w = World(WITH_JMI)
    unheard(w)
    assert [line for line in w.messages(Propose(sid, ("audio", "video"))) if "reject" in line] == []
    assert any(state.direction == "in" or state.accepted for state in w.registry.calls_of(PAGE))
    w = World(PLAIN)
    unheard(w)
    w.sends(offer_of_peer(sid), sid=sid)
    assert any(key[2] == sid for key in w.registry.calls)


def test_who_is_a_guest():
    assert is_guest("guest-anna-1a2b@call.example") and is_guest("guest-anna-1a2b@call.example/w-1")
    assert not is_guest("guest-bob\\40example.net@call.example/w-1"), "an XMPP user of such a name"
    assert not is_guest("anna@call.example")
