"""`translate --stream --through calls`: each side of a call is a whole call engine; only the text of stanzas travels between them.

Side A places the call, side B rings and accepts at once. Both announce the private namespace, as two web users of bridges do. No timer
runs here: whoever drives the stream decides how long to wait.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Literal

from jinglebridge.calls import effects as fx
from jinglebridge.calls import events as ev
from jinglebridge.calls.admission import Admission, Policy
from jinglebridge.calls.model import AUDIO, CALLABLE, JMI, VIDEO, Endpoint, Limits, PeerInfo, PeerResource, bare
from jinglebridge.calls.registry import Registry
from jinglebridge.errors import ProtocolError, Refused
from jinglebridge.jingle import build_jmi, jingle_text, parse_jmi, read_jingle
from jinglebridge.jingle.private import NS as NS_BRIDGE
from jinglebridge.translate import side_trickle
from jinglebridge.xml import parse_text, to_text

MAX_CALLS = 1000
MANY = 1_000_000
FEATURES = CALLABLE | {AUDIO, VIDEO, JMI, NS_BRIDGE}
Dir = Literal["a2b", "b2a"]
Out = dict[str, Any]


class ThroughCalls:
    """Like `translate.stream.StreamTranslator`: `handle` takes one message, gives the reply and never raises on any JSON object.

    Args:
        clock: seconds, for the engines.
        check: called with the text of each <jingle/> that travels; a ProtocolError that it raises is the reply.
    """

    def __init__(self, clock: Callable[[], float], check: Callable[[str], object] | None = None) -> None:
        self._clock, self._check = clock, check
        self._count = 0
        self._sides: dict[Dir, Registry] = {"a2b": self._engine("a.example"), "b2a": self._engine("b.example")}
        self._calls: dict[str, dict[Dir, tuple[str, str]]] = {}  # name in the stream -> (full JID, call id) of each side

    def handle(self, msg: dict[str, Any]) -> dict[str, Any]:
        id = msg.get("id")
        id = None if isinstance(id, dict | list) else id
        try:
            return {"id": id, **self._said(msg)}
        except ProtocolError as problem:
            return {"id": id, "error": str(problem)}

    def _engine(self, domain: str) -> Registry:
        limits = Limits(MANY, MANY, MANY, MANY)
        return Registry(Admission(Policy(domain, everyone=True), limits), self._peer, self._new_id)

    @staticmethod
    def _peer(own: str, peer: str) -> PeerInfo:
        """The other side, which has one page."""
        return PeerInfo(resources=(PeerResource(f"{peer}/page", FEATURES),))

    def _new_id(self) -> str:
        self._count += 1
        return f"id-{self._count}"

    def _said(self, msg: dict[str, Any]) -> dict[str, Any]:
        dir, kind, name = msg.get("dir"), msg.get("kind"), str(msg.get("call"))
        if dir not in ("a2b", "b2a"):
            raise Refused("dir is a2b or b2a")
        if name not in self._calls:
            if (dir, kind) != ("a2b", "offer"):
                raise Refused("a call begins with an offer of side a")
            return self._reply(msg, self._begin(name, _text(msg, "sdp")))
        jid, call = self._calls[name][dir]
        match kind:
            case "offer" | "answer":
                event: ev.EndpointEvent = ev.Described(call, kind, _text(msg, "sdp"))
            case "candidate" if isinstance(msg.get("candidate"), dict):
                event = ev.Gathered(call, msg["candidate"])
            case "end":
                event = ev.Gathered(call, None)
            case _:
                raise Refused("kind is offer, answer, candidate or end")
        return self._reply(msg, self._run(name, dir, self._sides[dir].from_endpoint(jid, event, self._clock())))

    def _begin(self, name: str, sdp: str) -> list[Out]:
        self._count += 1
        jids: dict[Dir, str] = {"a2b": f"u{self._count}@a.example/page", "b2a": f"u{self._count}@b.example/page"}
        for dir, jid in jids.items():
            self._sides[dir].online(Endpoint(jid, anyone=True))
        effects = self._sides["a2b"].from_endpoint(jids["a2b"], ev.Placed(name, bare(jids["b2a"]), sdp), self._clock())
        self._calls[name] = {"a2b": (jids["a2b"], name), "b2a": (jids["b2a"], "")}
        if len(self._calls) > MAX_CALLS:
            self._forget(next(iter(self._calls)))
        return self._run(name, "a2b", effects)

    def _forget(self, name: str) -> None:
        for dir, (jid, _) in self._calls.pop(name).items():
            self._sides[dir].offline(jid, self._clock())

    # --- what comes of it

    def _run(self, name: str, dir: Dir, effects: list[fx.Effect]) -> list[Out]:
        """Carry stanzas between the engines until nothing more happens; what the endpoints hear comes back."""
        outs: list[Out] = []
        queue: deque[tuple[Dir, fx.Effect]] = deque((dir, effect) for effect in effects)
        while queue:
            dir, effect = queue.popleft()
            other: Dir = "b2a" if dir == "a2b" else "a2b"
            match effect:
                case fx.SendJmi():
                    jmi = parse_jmi(parse_text(to_text(build_jmi(effect.jmi))))
                    received = ev.JmiReceived(jmi, effect.sender, effect.to)
                    queue.extend((other, item) for item in self._sides[other].from_peer_message(received, self._clock()))
                case fx.SendJingle():
                    queue.extend(self._carry(effect, dir, other))
                case fx.TellIncoming():
                    self._calls[name][dir] = (effect.endpoint, effect.call)
                    accepted = self._sides[dir].from_endpoint(effect.endpoint, ev.Accepted(effect.call), self._clock())
                    queue.extend((dir, item) for item in accepted)
                case _:
                    outs += self._told(effect, other)
        return outs

    def _carry(self, effect: fx.SendJingle, dir: Dir, other: Dir) -> list[tuple[Dir, fx.Effect]]:
        text = jingle_text(effect.jingle)
        if self._check is not None:
            self._check(text)
        key = (bare(effect.sender), bare(effect.to), effect.jingle.sid)
        condition = jingle = None
        found: list[tuple[Dir, fx.Effect]] = []
        try:
            event = ev.JingleReceived(read_jingle(text), effect.sender, effect.to, text)
            found = [(other, item) for item in self._sides[other].from_peer(event, self._clock())]
        except ProtocolError as problem:
            condition, jingle = problem.condition, problem.jingle
        reply = ev.Answered(effect.jingle.action, condition, jingle, effect.change)
        return [*found, *((dir, item) for item in self._sides[dir].handle(key, reply, self._clock()))]

    @staticmethod
    def _told(effect: fx.Effect, dir: Dir) -> list[Out]:
        """What an endpoint is told, as a message that comes from the other one."""
        match effect:
            case fx.TellDescription(type=kind, sdp=sdp):
                return [{"dir": dir, "kind": kind, "sdp": sdp}]
            case fx.TellCandidate():
                init = {"candidate": effect.candidate, "sdpMid": effect.mid, "sdpMLineIndex": effect.index}
                return [{"dir": dir, "kind": "candidate", "candidate": {**init, "usernameFragment": effect.ufrag or None}}]
            case fx.TellRollback(what=what):
                raise Refused(f"the offer came to nothing ({what})")
            case fx.TellEnded(reason=reason, text=text):
                raise Refused(f"the call ended: {reason} {text}".strip())
        return []

    def _reply(self, msg: dict[str, Any], outs: list[Out]) -> dict[str, Any]:
        """The reply in its short form where that says all."""
        dir, kind = msg["dir"], msg["kind"]
        if kind == "end":
            return {"out": [{"kind": "end"}]} if self._complete(str(msg.get("call")), dir) else {"candidate": None}
        if len(outs) == 1 and (outs[0]["dir"], outs[0]["kind"]) == (dir, kind):
            return {key: value for key, value in outs[0].items() if key in ("sdp", "candidate")}
        if kind == "candidate":
            return {"out": outs} if outs else {"candidate": None}
        if not outs:
            raise Refused("nothing came of it")
        return {"out": outs}

    def _complete(self, name: str, dir: Dir) -> bool:
        """Does the other side know that no more candidates come?"""
        other: Dir = "b2a" if dir == "a2b" else "a2b"
        jid, _ = self._calls[name][other]
        return all(side_trickle.complete(state.side) for state in self._sides[other].calls_of(jid))


def _text(msg: dict[str, Any], name: str) -> str:
    value = msg.get(name)
    if not isinstance(value, str):
        raise Refused(f"{name} is a string")
    return value
