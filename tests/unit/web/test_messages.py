"""The protocol's one declaration: every frame of DESIGN §3 is there, and the schema is made from it."""

from __future__ import annotations

import json

from jinglebridge.web import messages as m

CLIENT = {
    "hello", "ice", "call", "accept", "reject", "description", "candidate", "hangup", "info", "presence", "contacts.add",
    "contacts.remove", "contacts.approve", "contacts.deny", "history", "devices", "devices.revoke", "stats", "ping", "bye",
}  # fmt: skip
SERVER = {
    "welcome",
    "ice",
    "contact",
    "incoming",
    "state",
    "description",
    "rollback",
    "candidate",
    "info",
    "ended",
    "missed",
    "draining",
    "pong",
    "devices",
    "history",
    "ack",
    "error",
}


def test_the_whole_frame_set_is_declared():
    assert set(m.CLIENT_TYPES) == CLIENT
    assert {str(f.__struct_config__.tag) for f in m.ServerFrame.__args__} == SERVER  # type: ignore[attr-defined]


def test_the_schema_holds_every_frame():
    schema = m.schema()
    assert json.loads(json.dumps(schema)) == schema
    for side, names in (("clientFrame", CLIENT), ("serverFrame", SERVER)):
        mapping = schema[side]["discriminator"]["mapping"]
        assert set(mapping) == names and all(ref.removeprefix("#/$defs/") in schema["$defs"] for ref in mapping.values())


def test_wire_spelling_is_that_of_the_w3c():
    frame = m.encode(m.CandidateEvent(call="c", candidate=m.Candidate(candidate="candidate:1", sdpMid="0", sdpMLineIndex=0), seq=1))
    assert json.loads(frame) == {
        "type": "candidate", "call": "c", "seq": 1, "candidate": {"candidate": "candidate:1", "sdpMid": "0", "sdpMLineIndex": 0},
    }  # fmt: skip
    incoming = m.Incoming(call="c", from_="a@b", name="A", media=m.Media(audio=True), abilities=m.Abilities())
    assert json.loads(m.encode(incoming))["from"] == "a@b"
    ice = m.IceEvent(id="1", iceServers=[m.IceServer(urls=["stun:h"])], iceTransportPolicy="all", expires=1)
    assert json.loads(m.encode(ice))["iceServers"] == [{"urls": ["stun:h"]}]
