"""What stays of a call: one line for our user's list, and a message to a peer whose client shows no missed calls. J-256."""

from __future__ import annotations

import pytest

from jinglebridge.calls import effects as fx
from jinglebridge.calls import events as ev
from jinglebridge.calls.model import PeerResource
from jinglebridge.calls.people import CallRecord
from jinglebridge.jingle import Proceed, Propose, Reject, Retract
from jinglebridge.jingle import Ringing as RingingMessage
from tests.unit.calls.world import (
    ANSWER,
    DEVICE,
    JULIET,
    LAPTOP,
    PLAIN,
    ROMEO,
    TAB,
    WITH_JMI,
    World,
    answer_of_peer,
    direct_out,
    placed,
    proposed,
    talking_direct_in,
    talking_in,
    talking_out,
)

MISSED = fx.TellPeerMissed(JULIET, ROMEO, ("audio", "video"), 1000.0)


def records(w: World) -> list[CallRecord]:
    return [effect.record for effect in w.told(fx.Recorded)]


@pytest.mark.parametrize(
    ("start", "direction", "call"),
    [(talking_out, "out", "c1"), (talking_in, "in", "id1"), (talking_direct_in, "in", "id1")],
)
def test_a_call_that_was_answered(start, direction: str, call: str):
    w = start(World(PLAIN) if start is talking_direct_in else World())
    w.now += 40
    w.does(ev.HungUp(call))
    assert records(w) == [CallRecord(JULIET, call, 1000.0, ROMEO, "Romeo", direction, True, True, 1000.0, 1040.0, "ended")]
    assert not w.told(fx.TellMissed) and not w.told(fx.TellPeerMissed)


def test_it_is_answered_when_the_session_is_accepted():
    w = World()
    w.now += 5
    placed(w)
    w.now += 7
    w.messages(Proceed("id1"))
    w.now += 2
    w.sends(answer_of_peer(w.sent("session-initiate")[0]))
    w.now += 60
    w.does(ev.HungUp("c1"))
    (record,) = records(w)
    assert (record.at, record.answered, record.ended) == (1005.0, 1014.0, 1074.0)


@pytest.mark.parametrize(
    ("devices", "event"),
    [((), ev.HungUp("c1")), ((), ev.TimerFired("ring")), ((PLAIN,), ev.HungUp("c1")), ((PLAIN,), ev.TimerFired("ring"))],
)
def test_a_peer_who_may_not_see_it_by_itself_is_told(devices: tuple[PeerResource, ...], event: ev.CallEvent):
    """Nobody there, or a device that rang without JMI."""
    w = World(*devices)
    placed(w)
    if isinstance(event, ev.TimerFired):
        w.fires(event.name)
    else:
        w.does(event)
    assert w.told(fx.TellPeerMissed) == [MISSED] and len(records(w)) == 1 and not records(w)[0].answered


def test_whoever_shows_it_is_not_told_twice():
    w = World(WITH_JMI)
    placed(w)
    w.does(ev.HungUp("c1"))
    assert len(records(w)) == 1 and not w.told(fx.TellPeerMissed), "its caps say that it speaks JMI"
    w = World()
    placed(w)
    w.messages(RingingMessage("id1"))
    w.does(ev.HungUp("c1"))
    assert len(records(w)) == 1 and not w.told(fx.TellPeerMissed), "it rang by JMI"


def test_who_decided_has_missed_nothing():
    w = World()
    placed(w)
    w.messages(Reject("id1"))
    assert [r.reason for r in records(w)] == ["declined"] and not w.told(fx.TellPeerMissed)
    w = World()
    proposed(w)
    w.does(ev.Rejected("id1"))
    assert [r.reason for r in records(w)] == ["declined"] and not w.told(fx.TellMissed)


def test_a_call_to_several_devices_is_one():
    w = World(PLAIN, PeerResource(LAPTOP, frozenset(DEVICE)))
    direct_out(w)
    w.sends(answer_of_peer(w.sent("session-initiate")[1], ANSWER), LAPTOP, sid="")
    assert records(w) == [], "the other branch is no call of its own"
    w.does(ev.HungUp("c1"))
    assert [(r.call, r.reason) for r in records(w)] == [("c1", "ended")]


def test_missed_by_two_pages_is_one():
    w = World()
    w.page(TAB)
    proposed(w)
    w.messages(Retract("s1"))
    assert [r.reason for r in records(w)] == ["cancelled"] and len(w.told(fx.TellMissed)) == 1


def test_missed_while_nobody_was_there():
    w = World()
    w.leaves()
    w.messages(Propose("s" * 100, ("audio",)), to=JULIET, age=5.0)
    assert records(w) == [CallRecord(JULIET, "s" * 64, 995.0, ROMEO, "Romeo", "in", True, False, 0.0, 995.0, "no-answer")]


def test_a_call_that_goes_on_as_another_is_in_the_list_once():
    w = talking_in(World())
    w.messages(Propose("s2", ("audio", "video")), to=JULIET)
    listed = records(w)  # the running call ends here, as "moved"
    (incoming,) = w.told(fx.TellIncoming)
    assert incoming.replaces == "id1" and [e.reason for e in w.told(fx.TellEnded)] == ["moved"]
    w.does(ev.Accepted(incoming.call))
    listed += records(w)
    w.does(ev.HungUp(incoming.call))
    assert [r.call for r in listed + records(w)] == [incoming.call]
