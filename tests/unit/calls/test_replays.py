"""Calls that real clients had with each other, over again: one of the two is played by a page and this engine.

`tests/cases/replays` holds the stanzas of each call in the order in which they were recorded: Dino 0.4.2, stanza.js 12.22 in
Chromium, Gajim 1.7.3, QXmpp 1.4.0. What the replaced side sent becomes what its page does; what the other side sent comes in as it was.
"""

from __future__ import annotations

import json
from itertools import groupby
from typing import NamedTuple

import pytest

from jinglebridge.calls import effects as fx
from jinglebridge.calls import events as ev
from jinglebridge.calls.model import JMI, PeerResource, bare
from jinglebridge.errors import Refused
from jinglebridge.jingle import Jingle, Jmi, Proceed, Propose, Reject, Retract, Role, parse_jingle, parse_jmi
from jinglebridge.sdp import parse
from jinglebridge.translate import xml_to_sdp
from jinglebridge.translate.session import Described, to_sdp
from jinglebridge.translate.trickle import candidate_to_sdp
from jinglebridge.xml import parse_text
from tests.unit.calls.world import DEVICE, JULIET, PAGE, PHONE, ROMEO, World
from tests.unit.cases import CASES, small

FOLDER = CASES / "replays"
NODES = {"dino": "https://dino.im", "stanza": "https://stanzajs.org"}


class Line(NamedTuple):
    """A stanza: what it says, whether the replaced side sent it, and whether it went to a bare JID."""

    said: Jingle | Jmi
    ours: bool
    sender: str
    to: str
    xml: str
    id: str
    receipt: bool


def recorded(name: str, own: str) -> list[Line]:
    """The call as the client of `own` (the begin of its JID) saw it. What it told its own other devices is left out."""
    rows = [json.loads(text) for text in (FOLDER / f"{name}.jsonl").read_text().splitlines()]
    lines = []
    for row in rows:
        ours = row["from"].startswith(own)
        if not own.startswith(row.get("seen", own)) or not (ours or row["to"].startswith(own)) or bare(row["from"]) == bare(row["to"]):
            continue
        el = parse_text(row["xml"])
        said: Jingle | Jmi = parse_jingle(el) if el.tag.endswith("}jingle") else parse_jmi(el)
        lines.append(Line(said, ours, row["from"], row["to"], row["xml"], row.get("id", ""), row.get("receipt", False)))
    return lines


class Replay:
    """One call over again. `own` is the side that a page of ours plays."""

    def __init__(self, name: str, own: str, client: str, *, jmi: bool) -> None:
        self.lines = recorded(name, own)
        assert {line.ours for line in self.lines} == {True, False}, "both sides speak"
        features = frozenset(DEVICE | {JMI} if jmi else DEVICE)
        self.ids: list[str] = []
        self.w = World(PeerResource(PHONE, features, 0, NODES.get(client, "")), ids=self._id)
        self.offers: dict[str, str] = {}  # sid -> SDP that the page got

    def _id(self) -> str:
        return self.ids.pop(0) if self.ids else self.w._id()

    def run(self) -> list[str]:
        for line in self.lines:
            (self._page if line.ours else self._peer)(line)
            for told in self.w.told(fx.TellDescription):
                self.offers[told.call] = told.sdp
        return self.w.says

    def _peer(self, line: Line) -> None:
        if isinstance(line.said, Jingle):
            self.w.sends_xml(line.xml)
        else:
            self.w.messages(line.said, to=PAGE if "/" in line.to else JULIET, stanza_id=line.id, receipt=line.receipt)

    def _page(self, line: Line) -> None:
        """What the person or the page did that made its client say this; nothing for what the engine says by itself."""
        self.w.last = []
        said = line.said
        sid = said.sid if isinstance(said, Jingle) else said.id
        call = next((state for state in self.w.registry.calls.values() if state.sid == sid), None)
        if isinstance(said, Propose) or (isinstance(said, Jingle) and said.action == "session-initiate" and call is None):
            self.ids = [sid]
            self.w.does(ev.Placed(f"call {sid}", ROMEO, self._offer(sid)))
        elif call is None:
            return  # it is over here already
        elif isinstance(said, Proceed):
            self.w.does(ev.Accepted(call.call))
        elif isinstance(said, Reject):
            self.w.does(ev.Rejected(call.call))
        elif isinstance(said, Retract):
            self.w.does(ev.HungUp(call.call))
        elif isinstance(said, Jingle):
            self._jingle(said, call.call, may_speak=call.direction == "out" or call.accepted)

    def _jingle(self, said: Jingle, call: str, *, may_speak: bool) -> None:
        if said.action == "session-accept":
            if not may_speak:
                self.w.does(ev.Accepted(call))
                self.offers[call] = self.w.told(fx.TellDescription)[0].sdp
            answer = to_sdp(Described(said.contents, said.groups), Role.RESPONDER, session_id=1, version=1, offer=parse(self.offers[call]))
            self.w.does(ev.Described(call, "answer", answer.format()))
        elif said.action == "transport-info":
            for content in said.contents:
                for candidate in content.transport.candidates if content.transport and may_speak else ():
                    self.w.does(ev.Gathered(call, {"candidate": candidate_to_sdp(candidate), "sdpMid": content.name}))
        elif said.action == "session-terminate":
            self.w.does(ev.HungUp(call))

    def _offer(self, sid: str) -> str:
        """The offer of the side that we play, or another one where it has no DTLS (Gajim, QXmpp)."""
        initiate = next(
            (x for x in self.lines if isinstance(x.said, Jingle) and x.said.action == "session-initiate" and x.said.sid == sid), None
        )
        if initiate is None:
            return small()  # it never came to that
        try:
            return xml_to_sdp(initiate.xml)
        except Refused:
            return small(mid=initiate.said.contents[0].name)


RUNG = "page > phone ringing; page: incoming {} from romeo; page > phone proceed; page: accepted; page: offer; "
RUNG += "page > phone session-accept; page: connecting"
CALLED = "page > romeo propose audio; page: proceeding; page: accepted; page > phone session-initiate; "
CALLED += "{}page: answer; page: connecting"
HUNG_UP = "; page > phone session-terminate success; page > phone finish success; page: ended ended"
DIRECT = "page > phone session-initiate; page: proceeding; "
DIRECT_IN = "page > phone session-info ringing; page: incoming {} from romeo; "
OURS, FIRST, SECOND = "page > phone transport-info", "page: candidate 0 0", "page: candidate 1 1"
BOTH = f"4 {FIRST}; 4 {SECOND}"
NO_DTLS = "page > phone session-terminate security-error; page: ended insecure"
NEVER_RANG = "page > phone session-terminate security-error"

# Whose part the page plays, the client of the other, whether that one rings by message; then what the engine says.
CALLS: dict[str, list[tuple[str, str, bool, str]]] = {
    "dino-calls-bot-audio-jmi": [("carol", "dino", True, RUNG.format("audio") + HUNG_UP)],
    "dino-calls-bot-video-nocamera": [("carol", "dino", True, RUNG.format("audio,video") + HUNG_UP)],
    "dino-calls-component-directed-presence": [("echo", "dino", True, RUNG.format("audio") + HUNG_UP)],
    "dino-calls-bot-jmi-reject": [
        ("carol", "dino", True, "page > phone ringing; page: incoming audio from romeo; page > phone reject busy; page: ended declined")
    ],
    "dino-calls-dino-audio": [
        ("alice", "dino", True, CALLED.format("") + HUNG_UP),
        ("bob", "dino", True, RUNG.format("audio") + "; page > phone finish success; page: ended ended"),
    ],
    "bot-calls-dino-trickle": [("carol", "dino", True, CALLED.format(f"{OURS}; ") + f"; {OURS}" + HUNG_UP)],
    "bot-calls-dino-nojmi-reject": [("carol", "dino", False, DIRECT + "page: ringing; page: ended declined")],
    "stanza-av-basic": [
        # Ours were there before its answer, and left after it.
        ("alice", "stanza", False, DIRECT + f"page: ringing; page: answer; 16 {OURS}; page: connecting; 5 {FIRST}; "
         "page: ended ended"),
        ("bob", "stanza", False, DIRECT_IN.format("audio,video") + f"page: accepted; page: offer; {BOTH}; {BOTH}; {FIRST}; "
         "page > phone session-accept; page: connecting; page > phone session-terminate success; page: ended ended"),
    ],
    "stanza-audio-cancel": [
        ("alice", "stanza", False, DIRECT + "page: ringing; page > phone session-terminate cancel; page: ended cancelled"),
        ("bob", "stanza", False, DIRECT_IN.format("audio") + "page: ended cancelled; juliet: missed romeo"),
    ],
    "stanza-audio-reject": [
        ("alice", "stanza", False, DIRECT + "page: ringing; page: ended declined"),
        ("bob", "stanza", False, DIRECT_IN.format("audio") + "page > phone session-terminate decline; page: ended declined"),
    ],
    # Two sessions there; one here, whichever side we are.
    "stanza-glare": [
        ("alice", "stanza", False, DIRECT_IN.format("audio") + DIRECT + f"page: ringing; page: accepted; page: offer; 9 {FIRST}; "
         "page > phone session-terminate cancel; page: ended moved; page > phone session-accept; page: connecting; "
         "page > phone session-terminate success; page: ended ended"),
        ("bob", "stanza", False, DIRECT + DIRECT_IN.format("audio")[:-2] + " instead of call 89687360-30b8-4459-8c81-5e643172c54b; "
         f"page > phone session-terminate cancel; page: ended moved; page: accepted; page: offer; 9 {FIRST}; "
         "page > phone session-accept; page: connecting"),
    ],
    # Without DTLS nobody hears of the call that comes in, and the one that goes out ends with the answer.
    "gajim-audio-caller": [("gajim2", "gajim", False, NEVER_RANG), ("gajim1", "gajim", False, DIRECT + NO_DTLS)],
    "gajim-audio-caller-peer-unavailable": [("gajim2", "gajim", False, NEVER_RANG)],
    "gajim-calls-stanza-audio": [("alice", "gajim", False, NEVER_RANG), ("gajim1", "stanza", False, DIRECT + "page: ringing; " + NO_DTLS)],
    "qxmpp-audio-caller": [("qx1", "qxmpp", False, DIRECT + "page: ringing; " + NO_DTLS), ("qx2", "qxmpp", False, NEVER_RANG)],
    "stanzajs-calls-qxmpp-audio": [("alice", "qxmpp", False, DIRECT + "page: ringing; " + NO_DTLS)],
}  # fmt: skip


@pytest.mark.parametrize(("name", "own", "client", "jmi", "wanted"), [(name, *one) for name, ways in CALLS.items() for one in ways])
def test_a_recorded_call(name: str, own: str, client: str, jmi: bool, wanted: str) -> None:
    replay = Replay(name, own, client, jmi=jmi)
    said = [line for line in replay.run() if not line.startswith(("timer", "no more timers")) and not line.endswith(" presence")]
    counted = [(line, len(list(same))) for line, same in groupby(said)]
    assert "; ".join(line if count == 1 else f"{count} {line}" for line, count in counted) == wanted
    assert replay.w.quiet or (name, own) == ("stanza-glare", "bob"), "of one of its two calls the recording has no end"


def test_all_recordings_are_replayed() -> None:
    assert {path.stem for path in FOLDER.glob("*.jsonl")} == set(CALLS)
