"""What a call remembers survives being saved, in every stage; and what is known of peers."""

from __future__ import annotations

import json

import pytest

from jinglebridge.calls import events as ev
from jinglebridge.calls import stored
from jinglebridge.calls.model import AUDIO, BUNDLE, CALLABLE, JMI, VIDEO, Abilities, CallState, PeerInfo, PeerResource, bare
from jinglebridge.calls.states import Ringing, Session, Signalling
from jinglebridge.jingle import Finish, Role
from tests.unit.calls.test_ending import STAGES, reach
from tests.unit.calls.world import ANSWER, ANSWER_CANDIDATES, World, offer_of_peer, proposed, unpacked


@pytest.mark.parametrize("stage", STAGES)
def test_a_call_saved_in_any_stage_is_the_same_call(stage):
    state = reach(stage).state
    again = CallState.from_json(state.to_json())
    assert again == state and unpacked(again.to_json()) == unpacked(state.to_json()) and again.joint == state.joint
    state.pack()
    assert stored.saved(again.side) == stored.saved(CallState.from_json(state.to_json()).side) == stored.saved(state.side)
    assert (type(again.ringing), type(again.session), type(again.signalling)) == (Ringing, Session, Signalling)
    assert json.loads(state.to_json())["sid"] == state.sid


def test_a_call_brought_back_goes_on_after_every_event():
    """Saving and loading between any two events changes nothing that anybody hears."""

    def conversation(w: World):
        proposed(w)
        yield
        w.does(ev.Accepted("id1"))
        yield
        w.sends(offer_of_peer("s1"))
        yield
        w.does(ev.Gathered("id1", ANSWER_CANDIDATES[0]))
        yield
        w.does(ev.Described("id1", "answer", ANSWER))
        yield
        w.does(ev.Gathered("id1", ANSWER_CANDIDATES[1]))
        w.does(ev.Reported("id1", "connected", 5))
        yield
        w.messages(Finish("s1"))
        yield
        w.fires("finish")

    plain, saved = World(), World()
    for _ in conversation(plain):
        pass
    for _ in conversation(saved):
        saved.registry.calls[saved.key] = CallState.from_json(saved.state.to_json())
    assert saved.says == plain.says and saved.quiet


def test_roles_follow_the_direction():
    """J-079: who starts the session is the initiator."""
    out = CallState("c", "s", "out", "a@b/c", "d@e", "", [], 0.0)
    into = CallState("c", "s", "in", "a@b", "d@e", "", [], 0.0)
    assert (out.role, out.peer_role, into.role, into.peer_role) == (Role.INITIATOR, Role.RESPONDER, Role.RESPONDER, Role.INITIATOR)
    assert not out.jmi and not out.ended and out.abilities == Abilities(add=True, modify=True)


@pytest.mark.parametrize(("jid", "expected"), [("a@b/c", "a@b"), ("a@b", "a@b"), ("a@b/c/d", "a@b"), ("b", "b")])
def test_bare(jid, expected):
    assert bare(jid) == expected


UNKNOWN = PeerResource("p/unknown")
OLD = PeerResource("p/old", frozenset({"urn:xmpp:jingle:1"}))
VOICE = PeerResource("p/voice", CALLABLE | {AUDIO})
FILM = PeerResource("p/film", CALLABLE | {AUDIO, VIDEO}, priority=5)
PHONE = PeerResource("p/phone", CALLABLE | {AUDIO, VIDEO, JMI, BUNDLE}, priority=-1)


@pytest.mark.parametrize(
    ("resources", "expected"),
    [((), True), ((OLD,), False), ((OLD, UNKNOWN), True), ((OLD, PHONE), True), ((VOICE, FILM), False)],
)
def test_jmi_if_somebody_can_or_might_or_sleeps(resources, expected):
    """J-054."""
    assert PeerInfo("", resources).uses_jmi() is expected


@pytest.mark.parametrize(
    ("media", "resources", "expected"),
    [
        (("audio",), (VOICE, FILM, PHONE), ["p/film", "p/voice", "p/phone"]),
        (("audio",), (PHONE, VOICE), ["p/voice", "p/phone"]),
        (("audio", "video"), (VOICE, PHONE), ["p/phone"]),
        (("video",), (VOICE, OLD, UNKNOWN), []),
        ((), (), []),
    ],
)
def test_devices_for_a_direct_call(media, resources, expected):
    """J-028: what it can take, then its priority."""
    assert PeerInfo("", resources).able(media) == expected


def test_bundle_is_known_per_device():
    info = PeerInfo("", (PHONE, FILM, UNKNOWN))
    assert [info.bundles(r.jid) for r in (PHONE, FILM, UNKNOWN)] == [True, False, False]
    assert not info.bundles("p/else")
