"""The engine's effects as frames: one of each, in the words of the protocol."""

from __future__ import annotations

import json
from typing import Any

import pytest

from jinglebridge.calls import effects as fx
from jinglebridge.calls.model import Abilities, CallState
from jinglebridge.calls.states import Session as SessionState
from jinglebridge.service.tellings import SessionListener, frame, snapshot
from jinglebridge.web import messages as m
from jinglebridge.web.sessions import Session
from jinglebridge.web.tokens import Identity

ABLE = {"bundle": True, "restart": False, "add": False, "modify": False}
AV = {"audio": True, "video": True}
E, C = "anna@call.test/w", "c"


@pytest.mark.parametrize(
    ("effect", "wire"),
    [
        (
            fx.TellIncoming(E, C, "bob@im.test", "", ("audio", "video"), Abilities(bundle=True)),
            {"type": "incoming", "from": "bob@im.test", "name": "bob", "media": AV, "abilities": ABLE, "replaces": None},
        ),
        (
            fx.TellIncoming(E, C, "bob@im.test", "Bob", ("audio", "video"), Abilities(bundle=True), "old"),
            {"type": "incoming", "from": "bob@im.test", "name": "Bob", "media": AV, "abilities": ABLE, "replaces": "old"},
        ),
        (fx.TellState(E, C, "ringing", Abilities(bundle=True)), {"type": "state", "state": "ringing", "abilities": ABLE}),
        (fx.TellDescription(E, C, "answer", "v=0"), {"type": "description", "description": {"type": "answer", "sdp": "v=0"}}),
        (
            fx.TellCandidate(E, C, "candidate:1", "0", 0, "u"),
            {"type": "candidate", "candidate": {"candidate": "candidate:1", "sdpMid": "0", "sdpMLineIndex": 0, "usernameFragment": "u"}},
        ),
        (fx.TellCandidate(E, C, "", "1", 1, ""), {"type": "candidate", "candidate": {"sdpMid": "1", "sdpMLineIndex": 1}}),
        (fx.TellInfo(E, C, "mute", None), {"type": "info", "info": "mute", "mid": None}),
        (fx.TellEnded(E, C, "declined", "why"), {"type": "ended", "reason": "declined", "text": "why"}),
        (
            fx.TellMissed("anna@call.test", "bob@im.test", "Bob", ("audio",), 0.0),
            {
                "type": "missed",
                "from": "bob@im.test",
                "name": "Bob",
                "media": {"audio": True, "video": False},
                "at": "1970-01-01T00:00:00+00:00",
            },
        ),
    ],
)
def test_frames(effect: fx.EndpointEffect, wire: dict[str, Any]):
    encoded = json.loads(m.encode(frame(effect)))
    assert encoded.pop("seq") == 0 and encoded.pop("call", C) == C
    assert encoded == wire


def test_a_snapshot_of_a_live_call():
    state = CallState("c", "s", "in", E, "bob@im.test/r", "", ["audio"], 0.0)
    made = snapshot(state)
    assert made is not None and json.loads(m.encode(made)) == {  # type: ignore[arg-type]
        "call": "c", "with": "bob@im.test", "name": "bob", "direction": "in", "state": "incoming",
        "media": {"audio": True, "video": False}, "description": None, "candidates": [],
    }  # fmt: skip
    state.session = SessionState.ENDED
    assert snapshot(state) is None


def test_a_person_with_two_pages_hears_on_both():
    pages = [Session(f"anna@call.test/{n}", Identity("anna", "A"), "A") for n in range(2)]
    SessionListener(*pages).tell(fx.TellEnded(E, C, "ended"))
    assert [p.seq for p in pages] == [1, 1]
