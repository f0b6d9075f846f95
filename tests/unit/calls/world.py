"""A small world around a Registry: two pages of Juliet, two devices of Romeo, and what each of them hears, as short lines.

`does`, `sends`, `messages` and the others hand one event in and return the effects as lines such as "page > phone session-accept".
Whenever the registry raises, the world checks that no call has changed; every stanza that leaves is held against the schemas.
No tests here.
"""

from __future__ import annotations

import base64
import contextlib
import json
import zlib
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from jinglebridge import schemas, sdp
from jinglebridge.calls import effects as fx
from jinglebridge.calls import events as ev
from jinglebridge.calls.admission import Admission, Policy
from jinglebridge.calls.model import AUDIO, BUNDLE, CALLABLE, JMI, VIDEO, CallState, Endpoint, Limits, PeerInfo, PeerResource, Timers
from jinglebridge.calls.registry import Registry
from jinglebridge.errors import ProtocolError
from jinglebridge.jingle import Jingle, Jmi, Proceed, Propose, Reason, Role, jingle_text, jmi_text, parse_jingle
from jinglebridge.translate.policy import SAFE
from jinglebridge.translate.session import Described, from_sdp
from jinglebridge.xml import parse_text
from tests.unit.cases import AV, corpus

DOMAIN = "call.example.org"
JULIET = f"juliet@{DOMAIN}"
PAGE, TAB = f"{JULIET}/w-1", f"{JULIET}/w-2"
ROMEO = "romeo@example.net"
PHONE, LAPTOP = f"{ROMEO}/phone", f"{ROMEO}/laptop"
STRANGER = "mallory@elsewhere.example/x"
NAMES = {JULIET: "juliet", PAGE: "page", TAB: "tab", ROMEO: "romeo", PHONE: "phone", LAPTOP: "laptop"}

ROUND = next(case for case in corpus() if case["name"] == AV)["rounds"][0]
OFFER, ANSWER = ROUND["offer"], ROUND["answer"]
OWN_CANDIDATES, ANSWER_CANDIDATES = ROUND["offerCandidates"], ROUND["answerCandidates"]
DEVICE = CALLABLE | {AUDIO, VIDEO, BUNDLE}

TABLES = ("calls", "_of_endpoint", "_of_peer", "_of_person", "_seen_by", "_ended", "_ended_ids", "endpoints")


def short(jid: str) -> str:
    return NAMES.get(jid, jid)


def wired(jingle: Jingle) -> tuple[Jingle, str]:
    """As it comes from the wire: the element read again, and its text."""
    text = jingle_text(jingle)
    return parse_jingle(parse_text(text)), text


def offer_of_peer(sid: str, text: str = OFFER) -> Jingle:
    """What a peer's session-initiate says."""
    described = from_sdp(sdp.parse(text), Role.INITIATOR, policy=SAFE)
    return Jingle("session-initiate", sid, contents=described.contents, groups=described.groups)


def answer_of_peer(offer: Jingle, text: str = ANSWER) -> Jingle:
    """The session-accept of a peer that got `offer`."""
    described = from_sdp(sdp.parse(text), Role.RESPONDER, policy=SAFE, accept_of=Described(offer.contents, offer.groups))
    return Jingle("session-accept", offer.sid, contents=described.contents, groups=described.groups)


def line(effect: fx.Effect) -> str | None:
    """An effect in words; None for what only goes to the log."""
    match effect:
        case fx.SendJmi(sender, to, jmi):
            reason = getattr(jmi, "reason", None)
            tie = " tie-break" if getattr(jmi, "tie_break", False) else ""
            said = f" {reason.condition}" if reason else " " + ",".join(jmi.media) if isinstance(jmi, Propose) else ""
            return f"{short(sender)} > {short(to)} {type(jmi).__name__.lower()}{said}{tie}"
        case fx.SendJingle(sender, to, jingle):
            details = [jingle.reason.condition] if jingle.reason else []
            details += [info.kind for info in jingle.info]
            return " ".join([f"{short(sender)} > {short(to)} {jingle.action}", *map(str, details)])
        case fx.SendReceipt(sender, to, id):
            return f"{short(sender)} > {short(to)} received {id}"
        case fx.ShowPresence(sender, to):
            return f"{short(sender)} > {short(to)} presence"
        case fx.TellIncoming(endpoint, _, peer, _, media, _, replaces):
            return f"{short(endpoint)}: incoming {','.join(media)} from {short(peer)}" + (f" instead of {replaces}" if replaces else "")
        case fx.TellState(endpoint, _, state):
            return f"{short(endpoint)}: {state}"
        case fx.TellDescription(endpoint, _, kind):
            return f"{short(endpoint)}: {kind}"
        case fx.TellRollback(endpoint, _, what):
            return f"{short(endpoint)}: rollback {what}"
        case fx.TellCandidate(endpoint, _, _, mid, index):
            return f"{short(endpoint)}: candidate {mid} {index}"
        case fx.TellInfo(endpoint, _, info, mid):
            return f"{short(endpoint)}: {info} {mid}"
        case fx.TellEnded(endpoint, _, reason):
            return f"{short(endpoint)}: ended {reason}"
        case fx.TellMissed(owner, peer):
            return f"{short(owner)}: missed {short(peer)}"
        case fx.StartTimer(_, "alive"):
            return None  # in every call that is up; nobody hears of it
        case fx.StartTimer(_, name, seconds):
            return f"timer {name} {seconds:g}"
        case fx.StopTimers():
            return "no more timers"
        case _:
            return None


def same(one: list[str], two: list[str]) -> bool:
    """Do these saved calls mean the same? Candidates may have been put into the descriptions meanwhile, or still stand beside them."""
    return one == two or [*map(_whole, one)] == [*map(_whole, two)]


def _whole(saved: str) -> str:
    state = CallState.from_json(saved)
    assert state.side is not None
    return state.to_json()


def unpacked(saved: str) -> str:
    """A saved call, or its descriptions alone, with nothing packed: what is packed means the same."""
    row = json.loads(saved)
    found = row if isinstance(row, list) else row["descriptions"]
    if found and isinstance(found[0], str):
        found[:1] = json.loads(zlib.decompress(base64.b64decode(found[0])))
    return json.dumps(row)


def valid(effect: fx.Effect) -> None:
    """What leaves is valid by the schemas, and is what its effect says."""
    if isinstance(effect, fx.SendJingle):
        text = jingle_text(effect.jingle)
        assert effect.text in ("", text)
        _valid(text)
    elif isinstance(effect, fx.SendJmi):
        _valid(jmi_text(effect.jmi))


@cache
def _valid(text: str) -> None:
    assert schemas.validate(text) == [], text


class World:
    """`says` has the lines of all effects so far, `last` the effects of the last event."""

    validates = True  # False where there are thousands of calls

    def __init__(
        self,
        *devices: PeerResource,
        servers: frozenset[str] = frozenset({"example.net"}),
        limits: Limits | None = None,
        ids: Callable[[], str] | None = None,
        everyone: bool = False,
    ) -> None:
        self.resources: dict[str, tuple[PeerResource, ...]] = {ROMEO: devices}
        self.now = 1000.0
        self.count = 0
        self.last: list[fx.Effect] = []
        self.says: list[str] = []
        admission = Admission(Policy(DOMAIN, servers, everyone), limits or Limits())
        self.registry = Registry(admission, self._peer, ids or self._id, Timers())
        self.page()

    def _peer(self, own: str, peer: str) -> PeerInfo:
        return PeerInfo("Romeo" if peer == ROMEO else "", self.resources.get(peer, ()))

    def _id(self) -> str:
        self.count += 1
        return f"id{self.count}"

    def page(self, jid: str = PAGE, **more: Any) -> None:
        self.registry.online(Endpoint(jid, **{"anyone": True, **more}))

    # --- events

    def does(self, event: ev.EndpointEvent, jid: str = PAGE) -> list[str]:
        """A page does something."""
        return self._hear(lambda: self.registry.from_endpoint(jid, event, self.now))

    def messages(self, jmi: Jmi, sender: str = PHONE, to: str = PAGE, **more: Any) -> list[str]:
        """The peer sends a JMI message."""
        return self._hear(lambda: self.registry.from_peer_message(ev.JmiReceived(jmi, sender, to, **more), self.now))

    def sends(self, jingle: Jingle | str, sender: str = PHONE, to: str = PAGE, *, sid: str = "id1", **more: Any) -> list[str]:
        """The peer sends a Jingle IQ: an action's name, or all of it."""
        if isinstance(jingle, str):
            jingle = Jingle(jingle, sid, **more)
        read, text = wired(jingle)
        return self._hear(lambda: self.registry.from_peer(ev.JingleReceived(read, sender, to, text), self.now))

    def sends_xml(self, text: str, sender: str = PHONE, to: str = PAGE) -> list[str]:
        event = ev.JingleReceived(parse_jingle(parse_text(text)), sender, to, text)
        return self._hear(lambda: self.registry.from_peer(event, self.now))

    def answers(self, action: str, condition: str | None = None, jingle: str | None = None, change: int = 0) -> list[str]:
        """The reply to an IQ of ours."""
        return self._hear(lambda: self.registry.handle(self.key, ev.Answered(action, condition, jingle, change), self.now))

    def has_heard_the_end(self) -> None:
        """The peer acknowledged what we said at the end of a call."""
        for key, state in list(self.registry.owing.items()):
            for number, *_ in list(state.unacked):
                self.registry.settled(key, number)

    def bounces(self, condition: str = "service-unavailable", key: fx.CallKey | None = None) -> list[str]:
        return self._hear(lambda: self.registry.handle(key or self.key, ev.Bounced(condition), self.now))

    def fires(self, timer: str, key: fx.CallKey | None = None) -> list[str]:
        return self._hear(lambda: self.registry.handle(key or self.key, ev.TimerFired(timer), self.now))

    def leaves(self, jid: str = PAGE) -> list[str]:
        """A page is closed for good."""
        return self._hear(lambda: self.registry.offline(jid, self.now))

    def presence(self, available: bool, jid: str = PHONE) -> list[str]:
        return self._hear(lambda: self.registry.peer_presence(jid, available, self.now))

    def ends(self, reason: Any = "ended") -> list[str]:
        """The operator ends the only call."""
        return self._hear(lambda: self.registry.end(self.key, self.now, reason))

    def _hear(self, event: Callable[[], list[fx.Effect]]) -> list[str]:
        with self.unchanged_if_refused():
            self.last = event()
        for effect in self.last if self.validates else ():
            valid(effect)
        lines = [said for effect in self.last if (said := line(effect)) is not None]
        self.says += lines
        return lines

    @contextlib.contextmanager
    def unchanged_if_refused(self) -> Iterator[None]:
        before = self.saved()
        try:
            yield
        except ProtocolError:
            assert same(self.saved(), before), "a refused event changed a call"
            raise

    # --- what is there

    @property
    def key(self) -> fx.CallKey:
        """Of the only call, or its first branch."""
        key, *others = self.registry.calls
        assert len(self.registry.calls[key].fork) == len(others), "more than one call"
        return key

    @property
    def state(self) -> CallState:
        return self.registry.calls[self.key]

    @property
    def quiet(self) -> bool:
        """No call is left."""
        return not self.registry.calls

    def saved(self) -> list[str]:
        return [state.to_json() for state in self.registry.calls.values()]

    def sent(self, action: str) -> list[Jingle]:
        """Jingle of that action among the last effects."""
        return [e.jingle for e in self.last if isinstance(e, fx.SendJingle) and e.jingle.action == action]

    def told(self, kind: type[Any]) -> list[Any]:
        return [e for e in self.last if isinstance(e, kind)]

    def notes(self) -> list[str]:
        return [e.event for e in self.last if isinstance(e, fx.Note)]

    def entries(self) -> dict[str, int]:
        """Size of every table that is not empty."""
        windows = {"callers": self.registry.admission._callers.seen, "domains": self.registry.admission._domains.seen}
        tables = {name: getattr(self.registry, name) for name in TABLES} | windows
        return {name: len(table) for name, table in tables.items() if table}


# --- how far a call may have got


def placed(w: World, call: str = "c1") -> Jingle:
    """The page has called; Romeo's devices ring or will. Returns a session-initiate if one left."""
    w.does(ev.Placed(call, ROMEO, OFFER))
    return next(iter(w.sent("session-initiate")), None)  # type: ignore[return-value]


def proceeded(w: World) -> Jingle:
    """Romeo answered on the phone; the session-initiate has left."""
    placed(w)
    w.messages(Proceed("id1"))
    return w.sent("session-initiate")[0]


def talking_out(w: World) -> World:
    """We called, and the call is up."""
    w.sends(answer_of_peer(proceeded(w)))
    return w


def proposed(w: World) -> None:
    """Romeo calls; the page rings."""
    w.messages(Propose("s1", ("audio", "video")), to=JULIET)


def accepted(w: World) -> str:
    """Juliet accepted; returns the page's id of the call."""
    proposed(w)
    w.does(ev.Accepted("id1"))
    return "id1"


def offered(w: World) -> None:
    """Romeo's offer has come and the page has it."""
    accepted(w)
    w.sends(offer_of_peer("s1"))


def talking_in(w: World) -> World:
    """Romeo called, and the call is up."""
    offered(w)
    w.does(ev.Described("id1", "answer", ANSWER))
    return w


def direct_out(w: World) -> Jingle:
    """We called a device without JMI; it rings."""
    return placed(w)


def direct_in(w: World) -> None:
    """A device without JMI calls the page; it rings."""
    w.sends(offer_of_peer("s1"))


def talking_direct_in(w: World) -> World:
    direct_in(w)
    w.does(ev.Accepted("id1"))
    w.does(ev.Described("id1", "answer", ANSWER))
    return w


def talking_direct_out(w: World) -> World:
    w.sends(answer_of_peer(direct_out(w)))
    return w


PLAIN = PeerResource(PHONE, frozenset(DEVICE))
WITH_JMI = PeerResource(PHONE, frozenset(DEVICE | {JMI}))

SUCCESS = Reason("success")
