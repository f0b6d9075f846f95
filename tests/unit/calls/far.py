"""The other end of a call in these tests: a `Side` of its own, so that its stanzas are those of a client with a browser behind it.

`Far` keeps what a peer knows. The negotiations are real ones of the corpus. No tests here.
"""

from __future__ import annotations

from typing import Any

from jinglebridge import sdp
from jinglebridge.calls import effects as fx
from jinglebridge.calls import events as ev
from jinglebridge.calls.kinds import NODES
from jinglebridge.calls.model import JMI, PeerResource
from jinglebridge.jingle import Candidate, Content, IceUdpTransport, Jingle, Proceed, Propose, Role
from jinglebridge.jingle.private import NS as NS_BRIDGE
from jinglebridge.translate import side_trickle
from jinglebridge.translate.policy import NONE
from jinglebridge.translate.side import Side
from tests.unit.calls.world import DEVICE, JULIET, PHONE, ROMEO, World
from tests.unit.corpus import cases

CHROMIUM = "chromium-156__chromium-156__"
ROUNDS: dict[str, list[dict[str, Any]]] = {case["name"].removeprefix(CHROMIUM): case["rounds"] for case in cases()}


def device(kind: str = "unknown") -> PeerResource:
    """Romeo's phone, of that kind."""
    node = next((f"https://{host}" for host, name in NODES.items() if name == kind), "")
    return PeerResource(PHONE, frozenset(DEVICE | {JMI} | ({NS_BRIDGE} if kind == "bridge" else set())), 0, node)


class Far:
    """A call that is up, after the first round of the corpus case `name`. `w` is the world; `side` what the peer knows."""

    def __init__(self, name: str, kind: str = "unknown", *, calls: bool = False) -> None:
        """`calls`: the peer called us."""
        self.rounds = ROUNDS[name]
        self.w = World(device(kind))
        self.id = "id1" if calls else "c1"
        self.side = Side(Role.INITIATOR if calls else Role.RESPONDER, "s1" if calls else "id1", NONE, kind == "bridge")
        first = self.rounds[0]
        if calls:
            self.w.messages(Propose("s1", ("audio", "video") if "m=video" in first["offer"] else ("audio",)), to=JULIET)
            self.w.does(ev.Accepted("id1"))
            self.says(self.side.offer(sdp.parse(first["offer"])))
            self.w.does(ev.Described("id1", "answer", first["answer"]))
            self.side.hear_answer(self.w.sent("session-accept"))
        else:
            self.w.does(ev.Placed("c1", ROMEO, first["offer"]))
            self.w.messages(Proceed("id1"))
            self.side.hear_offer(self.w.sent("session-initiate"))
            self.says(self.side.answer(sdp.parse(first["answer"])))
        assert self.w.state.joint == "connecting" and self.w.state.kind == kind
        ours, theirs = ("answerCandidates", "offerCandidates") if calls else ("offerCandidates", "answerCandidates")
        for init in filter(None, first[ours]):
            self.w.does(ev.Gathered(self.id, init))
            for jingle in self.w.sent("transport-info"):
                side_trickle.heard(self.side, jingle)
        for init in filter(None, first[theirs]):
            if (told := side_trickle.told(self.side, init)) is not None:
                self.w.sends(told)

    def says(self, stanzas: list[Jingle]) -> list[str]:
        """The peer's stanzas, one after the other."""
        heard: list[str] = []
        for jingle in stanzas:
            heard += self.w.sends(jingle)
        return heard

    def page_offers(self, number: int = 1, text: str | None = None) -> list[str]:
        return self.w.does(ev.Described(self.id, "offer", text or self.rounds[number]["offer"]))

    def page_answers(self, number: int = 1, text: str | None = None) -> list[str]:
        return self.w.does(ev.Described(self.id, "answer", text or self.rounds[number]["answer"]))

    def answer(self, number: int = 1) -> list[Jingle]:
        """What the peer says to the stanzas that it was just sent, once its browser has answered."""
        self.side.hear_offer([e.jingle for e in self.w.last if isinstance(e, fx.SendJingle)])
        return self.side.answer(sdp.parse(self.rounds[number]["answer"]))

    def first_candidate(self) -> Jingle:
        """What Conversations says to a restart: a candidate with its new credentials."""
        self.answer()
        assert self.side.own is not None
        content = self.side.own.contents[0]
        assert content.transport is not None
        candidate = Candidate(1, "1", "192.0.2.7", 5000, 1, "host", id="x")
        transport = IceUdpTransport(content.transport.ufrag, content.transport.pwd, candidates=(candidate,))
        return Jingle("transport-info", self.side.sid, contents=(Content(content.name, transport=transport),))

    def offer(self, number: int = 1) -> list[Jingle]:
        """The stanzas of the peer's own change."""
        return self.side.offer(sdp.parse(self.rounds[number]["offer"]))

    def told(self) -> sdp.SessionDescription:
        """The description that the page was just given."""
        (told,) = self.w.told(fx.TellDescription)
        return sdp.parse(told.sdp)

    def said(self) -> list[str]:
        """What just went to the peer: action and names of contents."""
        return [
            f"{e.jingle.action} {','.join(c.name for c in e.jingle.contents)}".strip() for e in self.w.last if isinstance(e, fx.SendJingle)
        ]
